import type { SharedFault } from '../../core/failure.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure, ConnectFault, HostKey, Route, SshEndpoint } from '../connection.ts';
import {
  decideHostKey,
  fingerprint,
  type HostKeyDecision,
  type HostKeyNames,
  hostKeyAlgorithms,
  hostKeyNames,
  ignoredFor,
  type KnownHosts,
  wireKeyType,
} from './known-hosts.ts';
import { defaultKnownHostsFiles, type KnownHostsFileFailure, type KnownHostsStore } from './known-hosts-files.ts';

/** Checks the key of one host during one connection attempt. */
export interface HostKeyCheck {
  /** Signature algorithms to ask the server for, most wanted first. */
  readonly algorithms: readonly string[];
  /** Checks the key in wire format; records a new one if the target allows it. Never throws. */
  verify(key: Buffer): Promise<AcceptedKey | ConnectFailure>;
}

/** A key that may be trusted. */
interface AcceptedKey {
  readonly kind: 'accepted';
  readonly key: HostKey;
  readonly note: string | null;
}

/** A server whose key is checked: a host, or a jump host (whose name is its address). */
export type CheckedServer = SshEndpoint & { readonly name: string; readonly route?: Route };

/** Reads the known hosts for a server. */
export async function prepareHostKeyCheck(
  target: CheckedServer,
  store: KnownHostsStore,
): Promise<{ readonly kind: 'ready'; readonly check: HostKeyCheck } | ConnectFailure> {
  const files = target.knownHostsFiles.length > 0 ? target.knownHostsFiles : defaultKnownHostsFiles();
  const read = await store.read(files);
  if (read.kind === 'failed') return { ...read, kind: 'local-problem' };
  const names = hostKeyNames(target.address, target.port, target.name, target.hostKeyAlias);
  return {
    kind: 'ready',
    check: {
      algorithms: hostKeyAlgorithms(read.known, names, target.hostKeyAlgorithms),
      verify: (key) => verify({ target, store, files, known: read.known, names }, key),
    },
  };
}

interface Check {
  readonly target: CheckedServer;
  readonly store: KnownHostsStore;
  readonly files: readonly string[];
  readonly known: KnownHosts;
  readonly names: HostKeyNames;
}

async function verify(
  { target, store, files, known, names }: Check,
  key: Buffer,
): Promise<AcceptedKey | ConnectFailure> {
  let decision: HostKeyDecision | KnownHostsFileFailure = decideHostKey(known, names, key);
  let note: string | null = null;
  if (decision.kind === 'unknown' && target.acceptNewHostKeys) {
    decision = await store.add(files, names, key, target.hashKnownHosts);
    if (decision.kind === 'unknown') {
      decision = { kind: 'known' };
      note = `the new ${wireKeyType(key)} host key ${fingerprint(key)} of ${names.primary} was recorded in ${files[0]}`;
    }
  }
  const shown = { keyType: terminalLine(wireKeyType(key), 60), fingerprint: fingerprint(key) };
  switch (decision.kind) {
    case 'known':
      return { kind: 'accepted', key: { type: shown.keyType, fingerprint: shown.fingerprint }, note };
    case 'unknown':
      return { kind: 'host-key-unknown', ...shown, ...unknownText(target, files, known, names, shown) };
    case 'changed': {
      const { file, line, keyType } = decision.recorded;
      return {
        kind: 'host-key-changed',
        ...shown,
        file,
        line,
        what: `THE HOST KEY OF ${names.primary} HAS CHANGED: ${file} line ${line} holds another key (${keyType} ${fingerprint(decision.recorded.key)}), the host shows ${shown.keyType} ${shown.fingerprint}. Somebody may be intercepting the connection`,
        solve: `Ask the host's administrator for its fingerprint. Only if it matches, remove the old key: ssh-keygen -f ${quote(file)} -R ${quote(names.primary)}`,
      };
    }
    case 'revoked': {
      const { file, line } = decision.recorded;
      return {
        kind: 'host-key-revoked',
        ...shown,
        file,
        line,
        what: `THE HOST KEY OF ${names.primary} IS REVOKED by ${file} line ${line} (${shown.keyType} ${shown.fingerprint})`,
        solve: 'Do not connect. Give the host a new key, and record that one',
      };
    }
    case 'failed':
      return { ...decision, kind: 'local-problem' };
    default: {
      const unreachable: never = decision;
      return unreachable;
    }
  }
}

function unknownText(
  target: CheckedServer,
  files: readonly string[],
  known: KnownHosts,
  names: HostKeyNames,
  shown: { readonly keyType: string; readonly fingerprint: string },
): ConnectFault {
  const ignored = ignoredFor(known, names)
    .map(({ file, line, reason }) =>
      reason === 'cert-authority'
        ? `; the @cert-authority at ${file} line ${line} cannot be used, host certificates are not supported`
        : `; the key at ${file} line ${line} is of a type that is not supported`,
    )
    .join('');
  const scan = scanCommand(target, files);
  const record = scan === null ? '' : `record it: ${scan.before} ${scan.word} ${scan.after}; or `;
  const trust = 'trust keys on first contact with --accept-new-host-keys';
  const key = `${shown.keyType} ${shown.fingerprint}`;
  return {
    what: `The host key of ${names.primary} is unknown (${key})${ignored}`,
    solve: `Compare the fingerprint with the host's own (ssh-keygen -lf on its /etc/ssh/*.pub), then ${record}${trust}`,
    shared: {
      what: 'the host key is unknown',
      own: `${names.primary} ${key}${ignored}`,
      solve: `Compare the fingerprints with the hosts' own (ssh-keygen -lf on their /etc/ssh/*.pub), then ${scan === null ? trust : `record the keys as below; or ${trust}`}`,
      ...(scan === null ? {} : { command: scan }),
    },
  };
}

/** The command that records the key; `null` where it would not: it cannot look past a jump host, and knows no alias. */
function scanCommand(target: CheckedServer, files: readonly string[]): NonNullable<SharedFault['command']> | null {
  const direct = target.route === undefined || target.route.kind === 'direct';
  if (!direct || target.hostKeyAlias !== null) return null;
  return {
    before: target.port === 22 ? 'ssh-keyscan' : `ssh-keyscan -p ${target.port}`,
    word: quote(target.address),
    after: `>> ${quote(files[0] ?? '~/.ssh/known_hosts')}`,
  };
}

/** Quotes a word for a command line that the user may copy. */
function quote(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
