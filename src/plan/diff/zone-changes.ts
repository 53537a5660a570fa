import type { ManagedConnection } from '../../facts/facts.ts';
import { isBan } from '../../firewalld/bans.ts';
import { lostOpenings, servicePorts } from '../../firewalld/filter/openings.ts';
import type { FirewalldConfig, ZoneConfig } from '../../firewalld/model.ts';
import { isOurs, zoneHolding } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { DesiredFirewalld, DesiredZone, Reasoned } from '../../policy/desired.ts';
import type { Change, Layers } from '../plan.ts';
import type { StrayField } from '../steps.ts';
import { connectionMove, leftConnections } from './connection-moves.ts';
import { openedByMove } from './trust.ts';

/** What the comparison of zones needs to know of the host. */
export interface ZonesInput {
  readonly desired: DesiredFirewalld;
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  readonly defaultZone: string;
  /** Zones that have a file below /etc/firewalld. */
  readonly zoneFiles: ReadonlySet<string>;
  readonly connections: readonly ManagedConnection[];
}

/** What changes inside our zones: interfaces, services, rich rules, and strays that somebody put there by hand. */
export function zoneChanges(input: ZonesInput): Change[] {
  const changes: Change[] = [];
  const wanted = desiredConfig(input.desired);
  const homes = new Map<string, string>();
  for (const zone of input.desired.zones.values())
    for (const name of zone.config.interfaces) homes.set(name, zone.config.name);
  for (const zone of input.desired.zones.values()) changes.push(...changesOf(zone, input, wanted));
  for (const zone of ourZones(input)) {
    const permanent = input.permanent.zones.get(zone);
    const runtime = input.runtime.zones.get(zone);
    for (const name of new Set([...(permanent?.interfaces ?? []), ...(runtime?.interfaces ?? [])])) {
      const home = homes.get(name);
      if (home !== undefined && !namedTwice(name, zone, home, input)) continue;
      const next = home ?? zoneLeftTo(name, input);
      const nextZone = input.runtime.zones.get(home === undefined ? next : input.defaultZone);
      changes.push({
        kind: 'interface',
        action: 'release',
        interface: name,
        zone,
        classes: [],
        otherZone: next,
        editsZone: null,
        ...(home === undefined ? connectionMove(input.connections, name, '') : {}),
        closes: runtime?.interfaces.includes(name) ? closedBy(runtime, nextZone, input.runtime, input.runtime) : [],
        opens:
          home === undefined && runtime?.interfaces.includes(name)
            ? openedByMove(runtime, nextZone, input.runtime)
            : [],
        layers: layers(permanent?.interfaces.includes(name) ?? false, runtime?.interfaces.includes(name) ?? false),
        reasons: [],
      });
    }
    if (input.desired.zones.has(zone)) continue;
    // A zone that goes may still be asked for flows from a source that somebody bound to it.
    for (const [, item, where] of compareLists([], (value) => value.sources, permanent, runtime)) {
      changes.push({ kind: 'stray', zone, field: 'source', value: item.value, layers: where });
    }
  }
  changes.push(...leftConnections(input.connections, homes, changes, input.defaultZone));
  return changes;
}

/** The zone that an interface falls to when no zone names it any more: one with a pattern for it, or the default one. */
function zoneLeftTo(name: string, { runtime, defaultZone }: ZonesInput): string {
  const zones = new Map([...runtime.zones].filter(([, { interfaces }]) => !interfaces.includes(name)));
  return zoneHolding({ ...runtime, zones }, name)?.name ?? defaultZone;
}

/** Whether another zone file of ours names an interface that is at home already: a bind would not mention it. */
function namedTwice(name: string, zone: string, home: string, input: ZonesInput): boolean {
  const names = (other: string) => input.permanent.zones.get(other)?.interfaces.includes(name) ?? false;
  return zone !== home && names(zone) && names(home);
}

/** The desired configuration as one of firewalld's layers would hold it. */
export function desiredConfig(desired: DesiredFirewalld): FirewalldConfig {
  return {
    zones: new Map([...desired.zones].map(([name, zone]) => [name, zone.config])),
    services: new Map([...desired.services].map(([name, item]) => [name, item.value])),
    ipsets: new Map([...desired.ipsets].map(([name, item]) => [name, item.value])),
  };
}

function layers(permanent: boolean, runtime: boolean): Layers {
  return { permanent, runtime };
}

function ourZones(input: ZonesInput): string[] {
  return [...new Set([...input.permanent.zones.keys(), ...input.runtime.zones.keys()])].filter(isOurs).sort();
}

function closedBy(
  before: ZoneConfig | undefined,
  after: ZoneConfig | undefined,
  beforeConfig: FirewalldConfig,
  afterConfig: FirewalldConfig,
): string[] {
  return before === undefined || after === undefined ? [] : lostOpenings(before, beforeConfig, after, afterConfig);
}

function changesOf(zone: DesiredZone, input: ZonesInput, wanted: FirewalldConfig): Change[] {
  const name = zone.config.name;
  const permanent = input.permanent.zones.get(name);
  const runtime = input.runtime.zones.get(name);
  const changes: Change[] = [];
  for (const { value, reasons } of zone.interfaces) {
    const bound = layers(
      !(permanent?.interfaces.includes(value) ?? false),
      !(runtime?.interfaces.includes(value) ?? false),
    );
    const [editsZone = null, ...more] = [...input.zoneFiles]
      .filter((other) => !isOurs(other) && input.permanent.zones.get(other)?.interfaces.includes(value))
      .sort();
    const move = connectionMove(input.connections, value, name);
    if (!bound.permanent && !bound.runtime && editsZone === null && move.networkManager === undefined) continue;
    const holder = zoneHolding(input.runtime, value)?.name ?? input.defaultZone;
    const classes = reasons.flatMap((reason) => (reason.kind === 'interface-class' ? reason.classes : []));
    const opens = bound.runtime ? openedByMove(input.runtime.zones.get(holder), zone.config, input.runtime) : [];
    const closes = bound.runtime ? closedBy(input.runtime.zones.get(holder), zone.config, input.runtime, wanted) : [];
    changes.push({
      kind: 'interface',
      action: 'bind',
      interface: value,
      zone: name,
      classes,
      otherZone: holder,
      editsZone,
      ...move,
      closes,
      opens,
      layers: bound,
      reasons,
    });
    for (const other of more) {
      const where = { otherZone: other, editsZone: other, closes: [], opens: [], layers: layers(false, false) };
      changes.push({ kind: 'interface', action: 'bind', interface: value, zone: name, classes, ...where, reasons });
    }
  }
  const services = (value: ZoneConfig) => value.services;
  for (const [action, item, where] of compareLists(zone.services, services, permanent, runtime)) {
    const ports = servicePorts(item.value, action === 'add' ? wanted : input.runtime);
    changes.push({
      kind: 'zone-service',
      action,
      zone: name,
      service: item.value,
      ports,
      layers: where,
      reasons: item.reasons,
    });
  }
  // Bans of others stay where they are.
  const rules = (value: ZoneConfig) => value.richRules.filter((rule) => !isBan(rule));
  for (const [action, item, where] of compareLists(zone.richRules, rules, permanent, runtime)) {
    changes.push({ kind: 'rich-rule', action, zone: name, rule: item.value, layers: where, reasons: item.reasons });
  }
  for (const [field, pick] of STRAYS) {
    for (const [, item, where] of compareLists([], pick, permanent, runtime)) {
      changes.push({ kind: 'stray', zone: name, field, value: item.value, layers: where });
    }
  }
  return changes;
}

const flag = (on: boolean) => (on ? ['yes'] : []);

/** What our zones never hold. */
const STRAYS: readonly (readonly [StrayField, (zone: ZoneConfig) => readonly string[]])[] = [
  ['port', (zone) => zone.ports.map(formatPort)],
  ['source-port', (zone) => zone.sourcePorts.map(formatPort)],
  ['protocol', (zone) => zone.protocols],
  ['source', (zone) => zone.sources],
  ['masquerade', (zone) => flag(zone.masquerade)],
  ['icmp-block', (zone) => zone.icmpBlocks],
  ['icmp-block-inversion', (zone) => flag(zone.icmpBlockInversion)],
  ['forward-port', (zone) => zone.forwardPorts],
];

function compareLists(
  desired: readonly Reasoned<string>[],
  pick: (zone: ZoneConfig) => readonly string[],
  permanent: ZoneConfig | undefined,
  runtime: ZoneConfig | undefined,
): ['add' | 'remove', Reasoned<string>, Layers][] {
  const held = {
    permanent: new Set(permanent === undefined ? [] : pick(permanent)),
    runtime: new Set(runtime === undefined ? [] : pick(runtime)),
  };
  const found: ['add' | 'remove', Reasoned<string>, Layers][] = [];
  const wanted = new Set(desired.map((item) => item.value));
  for (const item of desired) {
    const missing = layers(!held.permanent.has(item.value), !held.runtime.has(item.value));
    if (missing.permanent || missing.runtime) found.push(['add', item, missing]);
  }
  for (const value of [...new Set([...held.permanent, ...held.runtime])].sort()) {
    if (!wanted.has(value))
      found.push(['remove', { value, reasons: [] }, layers(held.permanent.has(value), held.runtime.has(value))]);
  }
  return found;
}
