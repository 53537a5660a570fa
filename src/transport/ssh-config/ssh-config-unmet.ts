import { isIP } from 'node:net';
import { Problem } from '../../core/problem.ts';
import type { SshSettings } from './ssh-config.ts';
import type { Setting } from './ssh-options.ts';
import type { Unmet } from './ssh-options-table.ts';

/**
 * Finds a host's settings that ask for what portfw cannot do, before it connects. The texts name no host, so that one line
 * of `~/.ssh/config` that applies to a thousand hosts is reported once.
 */
export function unmetProblems(settings: SshSettings, host: string): readonly Problem[] {
  return settings.all().flatMap((setting) => {
    const { treatment } = setting.spec;
    const unmet = treatment === 'used' ? unmetUse(setting, host) : treatment;
    return unmet === 'harmless' || unmet === null ? [] : (problemOf(setting, unmet) ?? []);
  });
}

const CERTIFICATE: Unmet = {
  what: 'is not supported: certificates are not sent to the server, only plain keys are',
  solve: 'Add the plain key to authorized_keys on the host',
  inArguments: 'warning',
  inFiles: 'warning',
};
const CANONICAL_NAMES: Unmet = {
  what: 'is ignored: names are used as written, without CanonicalDomains',
  solve: 'Write full names, or give HostName or ansible_host',
  inArguments: 'error',
  inFiles: 'warning',
};

/** Options that we use, but not in every case. */
function unmetUse(setting: Setting, host: string): Unmet | null {
  if (setting.name === 'CertificateFile') return CERTIFICATE;
  // An address has no other name.
  if (setting.name === 'CanonicalizeHostname' && isIP(host) === 0) return CANONICAL_NAMES;
  return null;
}

function problemOf(setting: Setting, unmet: Unmet): Problem | null {
  const value = setting.words[0]?.toLowerCase() ?? '';
  if (value === 'no' || value === 'none' || unmet.idle?.includes(value) === true) return null;
  const inArguments = setting.source === 'arguments' || setting.source === 'variable';
  if (!inArguments && (unmet.inFiles === 'silent' || (unmet.inFiles === 'user-file' && setting.source === 'system')))
    return null;
  return new Problem({
    severity: inArguments ? unmet.inArguments : 'warning',
    code: inArguments ? 'unsupported-ssh-argument' : 'unsupported-ssh-option',
    what: `${setting.shown} ${unmet.what}`,
    solve: unmet.solve,
    location: setting.location,
  });
}
