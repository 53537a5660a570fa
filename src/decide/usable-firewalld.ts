import type { CodedFault } from '../core/failure.ts';
import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import { firewalldRefusal } from '../facts/version.ts';
import { type ObservedFirewalld, observedFirewalld } from '../firewalld/observed.ts';
import { offlineObserved, stockFirewalld } from '../firewalld/offline.ts';
import type { EnsureFirewalld } from '../settings/settings-types.ts';

/** A firewalld that a plan can be made for: it runs, or may be started, or installed first. */
export interface UsableFirewalld {
  readonly kind: 'usable';
  readonly firewalld: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly ensure: 'start' | 'install' | null;
}

export type Usability = UsableFirewalld | { readonly kind: 'refused'; readonly refusal: CodedFault };

/** Services that write rules of their own beside firewalld's, so that both would decide what gets in. */
const OTHER_FIREWALLS: Readonly<Record<string, string>> = {
  ufw: 'move its rules into the inventory, then: ufw disable',
  nftables: 'move its rules into the inventory, then: systemctl disable --now nftables && nft flush ruleset',
  iptables: 'move its rules into the inventory, then: systemctl disable --now iptables',
  ip6tables: 'move its rules into the inventory, then: systemctl disable --now ip6tables',
  ebtables: 'move its rules into the inventory, then: systemctl disable --now ebtables',
};

/**
 * firewalld must be installed, new enough, running and healthy; or `portfw_ensure_firewalld` must allow what is missing.
 *
 * @returns the firewalld to plan for, or why there is none
 */
export function usableFirewalld(facts: HostFacts, ensure: EnsureFirewalld | null): Usability {
  const { firewalld } = facts;
  if (firewalld.kind === 'absent') {
    if (ensure !== 'installed')
      return refused(
        'firewalld-absent',
        'firewalld is not installed on the host',
        'install the package firewalld and start it, or let portfw do so: portfw_ensure_firewalld: installed',
      );
    const stock = stockFirewalld();
    return (
      otherFirewall(facts) ?? {
        kind: 'usable',
        firewalld: stock,
        observed: offlineObserved(stock),
        ensure: 'install',
      }
    );
  }
  const old = firewalld.version === '' ? null : firewalldRefusal(firewalld.version);
  if (old !== null) return refused('firewalld-too-old', old.what, old.solve);
  if (firewalld.kind === 'stopped') return stopped(facts, firewalld, ensure);
  if (firewalld.state !== 'RUNNING')
    return refused(
      'firewalld-failed',
      `firewalld reports the state ${firewalld.state}`,
      'see `journalctl -u firewalld`; repair its configuration and restart it',
    );
  if (firewalld.panicMode)
    return refused(
      'panic-mode',
      'firewalld is in panic mode: it drops everything',
      'end it with `firewall-cmd --panic-off` once the reason for it is gone',
    );
  if (firewalld.otherFolder !== undefined)
    return refused(
      'other-folder',
      `firewalld was started with --system-config ${firewalld.otherFolder}; portfw supports /etc/firewalld only`,
      'start it without that option (see FIREWALLD_ARGS in /etc/sysconfig/firewalld or /etc/default/firewalld), or make /etc/firewalld a link to that folder',
    );
  if (firewalld.denies === true)
    return refused(
      'lockdown',
      'firewalld is in lockdown, and its whitelist does not let root change anything',
      'on the host: add <user id="0"/> to /etc/firewalld/lockdown-whitelist.xml, or end the lockdown: firewall-cmd --lockdown-off',
    );
  return { kind: 'usable', firewalld, observed: observedFirewalld(firewalld), ensure: null };
}

function stopped(
  facts: HostFacts,
  firewalld: Extract<HostFacts['firewalld'], { kind: 'stopped' }>,
  ensure: EnsureFirewalld | null,
): Usability {
  const what = `firewalld does not run: ${firewalld.reason}`;
  if (ensure === null)
    return refused(
      'firewalld-stopped',
      what,
      'start it with `systemctl enable --now firewalld` (it filters at once), or let portfw start it with the new configuration: portfw_ensure_firewalld: running',
    );
  const { offline } = firewalld;
  if (offline === undefined)
    return refused('firewalld-stopped', what, 'see `journalctl -u firewalld`: portfw cannot read its configuration');
  if (offline.unit === '')
    return refused('firewalld-stopped', `${what}, and systemd, which would start it, does not run`, 'start it by hand');
  if (offline.unit.startsWith('masked'))
    return refused(
      'firewalld-masked',
      'firewalld is masked, so it cannot be started',
      'on the host: systemctl unmask firewalld',
    );
  return (
    otherFirewall(facts) ?? {
      kind: 'usable',
      firewalld: offline.firewalld,
      observed: offlineObserved(offline.firewalld),
      ensure: 'start',
    }
  );
}

function otherFirewall(facts: HostFacts): Usability | null {
  const other = facts.writers.units.find((unit) => Object.hasOwn(OTHER_FIREWALLS, unit));
  if (other === undefined) return null;
  return refused(
    'other-firewall',
    `${other} is active: it and firewalld would both decide what gets in`,
    `on the host: ${OTHER_FIREWALLS[other]!}`,
  );
}

function refused(code: string, what: string, solve: string): Usability {
  return { kind: 'refused', refusal: { code, what, solve } };
}
