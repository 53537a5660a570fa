import type { ManagedConnection } from '../../facts/facts.ts';
import { isBan } from '../../firewalld/bans.ts';
import { lostOpenings, servicePorts } from '../../firewalld/filter/openings.ts';
import { asLayer, type FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import { type ZoneConfig, zoneHolding } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import { parseRichRule } from '../../firewalld/rich-rule.ts';
import {
  type DesiredFirewalld,
  type DesiredZone,
  desiredObjects,
  type Reason,
  type Reasoned,
} from '../../policy/desired.ts';
import type { Losses } from '../../policy/losses.ts';
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
  /** See `DiffInput`. */
  readonly restored?: FirewalldConfig;
  readonly losses: Losses | undefined;
}

/** What changes inside our zones: interfaces, services, rich rules, and what was added there by hand. */
export function zoneChanges(input: ZonesInput): Change[] {
  const { desired, permanent, runtime, connections, defaultZone, losses } = input;
  const wanted = asLayer(desiredObjects(desired));
  const homes = new Map(
    [...desired.zones.values()].flatMap(({ config }) => config.interfaces.map((name) => [name, config.name] as const)),
  );
  const changes = [...desired.zones.values()].flatMap((zone) => changesOf(zone, input, wanted));
  for (const zone of ourZones(input)) {
    changes.push(...releases(zone, homes, input));
    if (desired.zones.has(zone)) continue;
    // A zone that is deleted may still have a source that somebody bound to it.
    const held = [permanent.zones.get(zone), runtime.zones.get(zone)] as const;
    for (const [, item, where] of compareLists([], (value) => value.sources, ...held))
      changes.push({ kind: 'stray', zone, field: 'source', value: item.value, layers: where });
  }
  changes.push(...leftConnections(connections, homes, changes, defaultZone, losses));
  return changes;
}

/** Interfaces that leave a portfw zone. */
function releases(zone: string, homes: ReadonlyMap<string, string>, input: ZonesInput): Change[] {
  const permanent = input.permanent.zones.get(zone);
  const runtime = input.runtime.zones.get(zone);
  const names = new Set([...(permanent?.interfaces ?? []), ...(runtime?.interfaces ?? [])]);
  return [...names].flatMap((name): Change[] => {
    const home = homes.get(name);
    if (home !== undefined && !namedTwice(name, zone, home, input)) return [];
    const next = home ?? zoneLeftTo(name, input);
    const nextZone = input.runtime.zones.get(home === undefined ? next : input.defaultZone);
    const isLoaded = runtime?.interfaces.includes(name) ?? false;
    return [
      {
        kind: 'interface',
        action: 'release',
        interface: name,
        zone,
        classes: [],
        otherZone: next,
        editsZone: null,
        ...(home === undefined ? connectionMove(input.connections, name, '') : {}),
        closes: isLoaded ? closedBy(runtime, nextZone, input.runtime, input.runtime) : [],
        opens: home === undefined && isLoaded ? openedByMove(runtime, nextZone, input.runtime) : [],
        layers: layers(permanent?.interfaces.includes(name) ?? false, isLoaded),
        reasons: input.losses?.ofInterface(name, zone) ?? [],
      },
    ];
  });
}

/** The zone that an interface falls to when no zone names it any more: one with a pattern for it, or the default one. */
function zoneLeftTo(name: string, { runtime, defaultZone }: ZonesInput): string {
  const zones = new Map([...runtime.zones].filter(([, { interfaces }]) => !interfaces.includes(name)));
  return zoneHolding({ ...runtime, zones }, name)?.name ?? defaultZone;
}

/** Whether a second portfw zone file names an interface that is in its right zone already. No bind would be made for it. */
function namedTwice(name: string, zone: string, home: string, input: ZonesInput): boolean {
  const names = (other: string) => input.permanent.zones.get(other)?.interfaces.includes(name) ?? false;
  return zone !== home && names(zone) && names(home);
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
  const { losses } = input;
  const services = compareLists(zone.services, (value) => value.services, permanent, runtime).map(
    ([action, { value: service, reasons }, where]): Change => {
      const ports = servicePorts(service, action === 'add' ? wanted : input.runtime);
      const why = action === 'add' ? reasons : (losses?.ofService(service, ports, name) ?? []);
      return { kind: 'zone-service', action, zone: name, service, ports, layers: where, reasons: why };
    },
  );
  const wantedRules = zone.richRules.map(({ value, reasons }) => ({ value: value.text, reasons }));
  // Bans that others put there stay.
  const heldRules = (value: ZoneConfig) =>
    value.richRules.filter((rule) => input.restored !== undefined || !isBan(rule)).map(({ text }) => text);
  const rules = compareLists(wantedRules, heldRules, permanent, runtime).map(
    ([action, { value: rule, reasons }, where]): Change => {
      const why = action === 'add' ? reasons : lostRule(name, rule, input);
      return { kind: 'rich-rule', action, zone: name, rule, layers: where, reasons: why };
    },
  );
  const strays = STRAYS.flatMap(([field, pick]) =>
    compareLists(restoredStrays(pick, input.restored?.zones.get(name)), pick, permanent, runtime).map(
      ([action, { value }, where]): Change => {
        return { kind: 'stray', ...(action === 'add' ? { action } : {}), zone: name, field, value, layers: where };
      },
    ),
  );
  const interfaces = zone.interfaces.flatMap((item) => interfaceChanges(item, zone, input, wanted));
  return [...interfaces, ...services, ...rules, ...strays];
}

/** The manual settings of one field that a saved zone has; none without one. */
function restoredStrays(
  pick: (zone: ZoneConfig) => readonly string[],
  saved: ZoneConfig | undefined,
): readonly Reasoned<string>[] {
  return saved === undefined ? [] : pick(saved).map((value) => ({ value, reasons: [] }));
}

/** Why a rich rule goes. */
function lostRule(zone: string, text: string, { losses, permanent, runtime }: ZonesInput): readonly Reason[] {
  if (losses === undefined) return [];
  const rule = parseRichRule(text);
  const named =
    rule.service === null ? undefined : (runtime.services.get(rule.service) ?? permanent.services.get(rule.service));
  return losses.ofRule(zone, rule, named?.ports ?? []);
}

/** The change that moves an interface into its portfw zone; none if it is there and no other file names it. */
function interfaceChanges(
  { value, reasons }: Reasoned<string>,
  { config }: DesiredZone,
  input: ZonesInput,
  wanted: FirewalldConfig,
): Change[] {
  const { permanent, runtime, zoneFiles, defaultZone } = input;
  const zone = config.name;
  const missingIn = (layer: FirewalldConfig) => layer.zones.get(zone)?.interfaces.includes(value) !== true;
  const bound = layers(missingIn(permanent), missingIn(runtime));
  const [editsZone = null, ...more] = [...zoneFiles]
    .filter((other) => !isOurs(other) && permanent.zones.get(other)?.interfaces.includes(value))
    .sort();
  const move = connectionMove(input.connections, value, zone);
  if (!bound.permanent && !bound.runtime && editsZone === null && move.networkManager === undefined) return [];
  const otherZone = zoneHolding(runtime, value)?.name ?? defaultZone;
  const holder = bound.runtime ? runtime.zones.get(otherZone) : undefined;
  const classes = reasons.flatMap((reason) => (reason.kind === 'interface-class' ? reason.classes : []));
  const bind = { kind: 'interface', action: 'bind', interface: value, zone, classes } as const;
  return [
    {
      ...bind,
      otherZone,
      editsZone,
      ...move,
      closes: closedBy(holder, config, runtime, wanted),
      opens: bound.runtime ? openedByMove(holder, config, runtime) : [],
      layers: bound,
      reasons,
    },
    ...more.map((other): Change => {
      const where = { otherZone: other, editsZone: other, closes: [], opens: [], layers: layers(false, false) };
      return { ...bind, ...where, reasons };
    }),
  ];
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
