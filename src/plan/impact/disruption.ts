import { servicePorts } from '../../firewalld/filter/openings.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import { dispatchOf } from '../../firewalld/stock.ts';
import type { Change, Disruption } from '../plan.ts';
import type { Rehearsal, RehearsedName } from '../rehearsal.ts';

/**
 * The kind of a plan's disruption: none, new flows are held for a while, or interfaces move.
 *
 * @param reloadMs about how long a reload holds new flows
 */
export function disruptionOf(changes: readonly Change[], reload: string | null, reloadMs: number): Disruption {
  const moved = changes.flatMap((change) =>
    change.kind === 'interface' && change.layers.runtime ? [change.interface] : [],
  );
  const holdMs = reload === null ? 0 : reloadMs;
  if (moved.length > 0)
    return { kind: 'interface-moves', interfaces: [...new Set(moved)].sort(), reload: reload !== null, holdMs };
  return reload === null ? { kind: 'none' } : { kind: 'reload', because: reload, holdMs };
}

/** Milliseconds without rules, and for each rule, measured on hosts with two cores; only the order of magnitude matters. */
const HOLD: Readonly<Record<ReturnType<typeof dispatchOf>, { readonly base: number; readonly rule: number }>> = {
  drifting: { base: 110, rule: 1.3 },
  '0': { base: 110, rule: 1.3 },
  '1': { base: 75, rule: 0.7 },
  '2': { base: 150, rule: 1.7 },
};

/**
 * About how long a reload drops the first packets of new flows: a base time of the version, plus a time for each rule.
 *
 * @returns milliseconds, to the nearest ten
 */
export function reloadHoldMs(version: string, rules: number): number {
  const { base, rule } = HOLD[dispatchOf(version, false)];
  return Math.round((base + rule * rules) / 10) * 10;
}

/**
 * About how long a reload holds new flows. A rehearsal measures how long the host's own firewalld takes to load the plan's
 * definitions, and no two measurements are equal: below a second the estimate is used, and from one on the time in whole
 * seconds, so that two plans of the same host are equal.
 *
 * @param rehearsal `null` without one
 * @param estimate see {@link reloadHoldMs}
 * @param loads the rehearsed state that the reload leads to
 * @returns milliseconds
 */
export function holdMs(rehearsal: Rehearsal | null, loads: RehearsedName, estimate: number): number {
  const state = rehearsal?.kind === 'rehearsed' ? rehearsal.states.find(({ name }) => name === loads) : undefined;
  if (state?.loads !== true) return estimate;
  return state.seconds < 1 ? Math.min(estimate, MOST_BELOW_A_SECOND) : Math.ceil(state.seconds) * 1000;
}

const MOST_BELOW_A_SECOND = 990;

/** At least so many rules the daemon writes: for zones that something is bound to. */
export function ruleCount(config: FirewalldConfig): number {
  const bound = (zone: ZoneConfig) => zone.interfaces.length + zone.sources.length > 0;
  return [...config.zones.values()].filter(bound).reduce((sum, zone) => {
    const ports = zone.services.reduce((all, name) => all + Math.max(1, servicePorts(name, config).length), 0);
    return (
      sum +
      ports +
      zone.interfaces.length +
      zone.sources.length +
      zone.ports.length +
      zone.protocols.length +
      zone.sourcePorts.length +
      zone.forwardPorts.length +
      zone.richRules.length
    );
  }, 0);
}
