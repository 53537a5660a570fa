import { three } from '../core/lists.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { HostSettings, Unmanaged } from './settings-types.ts';

/** A host that a run leaves out, although nobody has written `portfw_managed: false` for it. */
export interface LeftOut {
  readonly host: string;
  readonly why: 'connection' | 'local-among-remote';
  /** Its `ansible_connection`. */
  readonly connection: string;
}

/** Whether a host is not managed because of its connection. */
export function isLeftOut(unmanaged: Unmanaged | null): unmanaged is Exclude<Unmanaged, { kind: 'declared' }> {
  return unmanaged !== null && unmanaged.kind !== 'declared';
}

/** Those of some hosts that are left out because of their connection, in the same order. */
export function leftOut(hosts: Iterable<HostSettings>): readonly LeftOut[] {
  return [...hosts].flatMap(({ name, unmanaged }): LeftOut[] => {
    if (!isLeftOut(unmanaged)) return [];
    return [{ host: name, why: unmanaged.kind, connection: unmanaged.connection }];
  });
}

/** The hosts with the reason of each, on one line; a reason that many share is said once, with three of their names. */
export function leftOutText(hosts: readonly LeftOut[]): string {
  const byReason = new Map<string, string[]>();
  for (const { host, why, connection } of hosts) {
    const own = `ansible_connection: ${terminalLine(connection)}`;
    const reason = why === 'connection' ? own : `${own}, this machine`;
    byReason.set(reason, [...(byReason.get(reason) ?? []), terminalLine(host)]);
  }
  return [...byReason].map(([reason, names]) => `${three(names)} (${reason})`).join('; ');
}
