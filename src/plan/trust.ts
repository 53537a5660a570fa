import type { FirewalldConfig, ZoneConfig } from '../firewalld/model.ts';
import type { DesiredFirewalld, DesiredZone, PolicyNote } from '../policy/desired.ts';
import { openToAll } from './exposure.ts';

/** What a move opens, in the list of a change: one word for a zone that lets in whatever comes. */
const EVERYTHING = ['everything'] as const;

/** Whether a zone that a host has lets in everything. */
function trustsAll(zone: ZoneConfig | undefined, config: FirewalldConfig): boolean {
  return zone !== undefined && openToAll(zone, config) === null;
}

/** What a move into a zone of ours opens: everything, where that zone trusts and the one before did not. */
export function openedByBind(zone: DesiredZone, before: ZoneConfig | undefined, config: FirewalldConfig): string[] {
  return zone.trusted && !trustsAll(before, config) ? [...EVERYTHING] : [];
}

/** The same for an interface that goes from a zone of ours to the default zone. */
export function openedByRelease(
  before: ZoneConfig | undefined,
  after: ZoneConfig | undefined,
  config: FirewalldConfig,
): string[] {
  return trustsAll(after, config) && !trustsAll(before, config) ? [...EVERYTHING] : [];
}

/** Zones of ours that come to trust what comes in on interfaces which they have already: no interface moves for it. */
export function trustNotes(desired: DesiredFirewalld, runtime: FirewalldConfig): PolicyNote[] {
  return [...desired.zones.values()].flatMap((zone) => {
    const held = runtime.zones.get(zone.config.name);
    const names = zone.config.interfaces.filter((name) => held?.interfaces.includes(name));
    if (!zone.trusted || trustsAll(held, runtime) || names.length === 0) return [];
    const text = `zone ${zone.config.name} comes to trust what is in it: this opens everything to whoever comes in on ${names.join(', ')}`;
    return [{ severity: 'warning', code: 'opens-everything', text }];
  });
}
