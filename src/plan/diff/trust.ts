import { openToAll } from '../../firewalld/filter/openings.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import type { DesiredFirewalld, PolicyNote } from '../../policy/desired.ts';

/** Whether a zone lets in everything, in any of firewalld's forms. No other code decides this. */
function trustsAll(zone: ZoneConfig | undefined, config: FirewalldConfig): boolean {
  return zone !== undefined && openToAll(zone, config) === null;
}

/** What the move of an interface opens: everything, if its new zone trusts it and the old one did not. */
export function openedByMove(
  before: ZoneConfig | undefined,
  after: ZoneConfig | undefined,
  config: FirewalldConfig,
): string[] {
  return trustsAll(after, config) && !trustsAll(before, config) ? ['everything'] : [];
}

/** portfw zones that will trust interfaces which they already have: no interface moves. */
export function trustNotes(desired: DesiredFirewalld, runtime: FirewalldConfig): PolicyNote[] {
  return [...desired.zones.values()].flatMap((zone) => {
    const held = runtime.zones.get(zone.config.name);
    const names = zone.config.interfaces.filter((name) => held?.interfaces.includes(name));
    if (!trustsAll(zone.config, runtime) || trustsAll(held, runtime) || names.length === 0) return [];
    const text = `zone ${zone.config.name} will accept everything: this opens everything to anybody on ${names.join(', ')}`;
    return [{ severity: 'warning', code: 'opens-everything', text }];
  });
}
