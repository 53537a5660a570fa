import { formatPortRange, type Protocol } from '../core/ports.ts';
import type { FirewalldConfig, ZoneConfig } from '../firewalld/model.ts';
import { EMPTY_ZONE, isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { ACCEPT_ALL, parseRichRule } from '../firewalld/rich-rule.ts';
import { withoutInterface, writeIpsetXml, writeServiceXml, writeZoneXml } from '../firewalld/write-xml.ts';
import { reloadReason } from '../plan/build-plan.ts';
import { connectionMoves } from '../plan/connection-moves.ts';
import { needsReload } from '../plan/definitions.ts';
import { acceptsEverything } from '../plan/exposure.ts';
import type { Change, HostPlan } from '../plan/plan.ts';
import type { DesiredFirewalld } from '../policy/desired.ts';
import { entryCalls, joined, type RuntimeCall } from './entry-calls.ts';

export type { RuntimeCall } from './entry-calls.ts';

/** Moves 1 and 2 of an apply: definitions as files with at most one reload, then behaviour at runtime. */
export interface BeginRequest {
  readonly operation: 'begin';
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly observedHash: string;
  /** Paths are relative to /etc/firewalld. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly reload: boolean;
  readonly calls: readonly RuntimeCall[];
  /** Zone files of others that lose an interface line. */
  readonly foreign: readonly string[];
  /** How long the host waits, in seconds, before it puts itself back. */
  readonly window: number;
  readonly confirm: GuardSettings['confirm'];
  /** What is remembered on the host when the run is kept; `null` leaves it as it is. */
  readonly state: RunState | null;
}

/** How long a host waits for a decision, and whose. */
export interface GuardSettings {
  /** Seconds from the arming of the way back to its firing. */
  readonly windowSeconds: number;
  /** `auto`: the fresh connection decides. `manual`: a person does, with `portfw confirm`. */
  readonly confirm: 'auto' | 'manual';
}

/** What a host remembers of the run that it kept last. */
export interface RunState {
  readonly format: 1;
  readonly matrix: string;
  readonly roles: readonly string[];
  readonly generation: string;
  readonly appliedAt: string;
}

/** Move 3: what runs now becomes what is loaded at boot. */
export interface PermanentRequest {
  readonly operation: 'permanent';
  readonly id: string;
  readonly zones: Readonly<Record<string, ZoneConfig>>;
  readonly ipsets: Readonly<Record<string, readonly string[]>>;
  readonly releases: readonly {
    readonly zone: string;
    readonly interfaces: readonly string[];
    readonly text: string | null;
  }[];
  readonly deletions: readonly (readonly ['zone' | 'service' | 'ipset', string])[];
  /** Zones of NetworkManager's connections, by UUID; empty for none. */
  readonly connections: readonly (readonly [uuid: string, zone: string])[];
}

export type Request =
  | BeginRequest
  | PermanentRequest
  /** The run is proved; `hold` leaves the decision to a person, `keep` takes it. */
  | { readonly operation: 'hold' | 'keep'; readonly id: string }
  /** A person's yes to the run that waits for it; `null` for whichever that is. */
  | { readonly operation: 'confirm'; readonly id: string | null }
  /** Puts a run back that is not kept, and says how the host stands. */
  | { readonly operation: 'settle'; readonly id: string; readonly why: string }
  | { readonly operation: 'history' | 'status' }
  | CutFlowsRequest
  | RollbackRequest;

/** Ends the established flows of these kinds: after a run is kept, and only what nothing lets in any more. */
export interface CutFlowsRequest {
  readonly operation: 'cut-flows';
  readonly holder: string;
  readonly flows: readonly {
    readonly protocol: Protocol;
    readonly opener: string;
    readonly address: string;
    readonly port: number;
  }[];
}

export interface RollbackRequest {
  readonly operation: 'rollback';
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly generation: string | null;
  readonly window: number;
  readonly confirm: 'auto';
}

/** What the requests of one apply are made from. */
export interface ApplyInput {
  readonly id: string;
  readonly holder: string;
  readonly plan: HostPlan;
  readonly desired: DesiredFirewalld;
  readonly observed: ObservedFirewalld;
  readonly guard: GuardSettings;
  /** The time of the run, ISO 8601 in UTC, for what the host remembers. */
  readonly at: string;
}

/** The first request of an apply. Pure: the plan decides, nothing is looked at again. */
export function beginRequest(input: ApplyInput): BeginRequest {
  const { plan, desired, observed } = input;
  const reload = reloadReason(plan.changes) !== null;
  const written = writtenZones(input);
  const files = new Map<string, string>();
  /** The entries that each ipset has after the reload, where its file is written. */
  const entrySets = new Map<string, readonly string[]>();
  const addIpset = (name: string, entries?: readonly string[]) => {
    const { value } = desired.ipsets.get(name)!;
    entrySets.set(name, entries ?? value.entries);
    files.set(`ipsets/${name}.xml`, writeIpsetXml({ ...value, entries: entries ?? value.entries }));
  };
  const entries = (layer: FirewalldConfig, name: string) => layer.ipsets.get(name)?.entries ?? [];
  const pending = (name: string) =>
    entries(observed.permanent, name).join(' ') !== entries(observed.runtime, name).join(' ');
  for (const change of plan.changes) {
    if (change.kind === 'ipset-entries' && change.layers.permanent && reload && !entrySets.has(change.ipset)) {
      // A reload brings the entries that the file has: better the right ones at once, where they are not those that are loaded.
      // Where they are, the new ones join them, and calls take the old ones away: with FlushAllOnReload off, the reload adds
      // the loaded entries to the new file's; and what the reload narrows in a zone, these may have to keep open.
      const held = entries(observed.permanent, change.ipset);
      if (pending(change.ipset)) addIpset(change.ipset);
      else addIpset(change.ipset, joined(held, change.add));
    }
    if (change.kind !== 'definition' || !needsReload(change)) continue;
    if (change.object === 'ipset') addIpset(change.name);
    if (change.object === 'service') {
      const text = writeServiceXml(desired.services.get(change.name)!.value);
      files.set(`services/${change.name}.xml`, text);
    }
  }
  for (const [name, zone] of written) files.set(`zones/${name}.xml`, writeZoneXml(zone));
  // After a reload the daemon does what its files say; without one it goes on from where it is.
  const base = reload ? observed.permanent : observed.runtime;
  return {
    operation: 'begin',
    id: input.id,
    holder: input.holder,
    what: `apply ${plan.matrix}`,
    observedHash: plan.observedHash,
    files: [...files].map(([path, text]) => ({ path, text })),
    reload,
    calls: runtimeCalls(desired, base, written, entrySets, plan.changes, reload),
    foreign: [
      ...new Set(
        plan.changes.flatMap((change) =>
          change.kind === 'interface' && change.editsZone !== null ? [`zones/${change.editsZone}.xml`] : [],
        ),
      ),
    ].sort(),
    window: input.guard.windowSeconds,
    confirm: input.guard.confirm,
    state: runState(input),
  };
}

/** What is remembered on the host when the run is kept. */
export function runState({ plan, id, at }: ApplyInput): RunState | null {
  if (!plan.changes.some((change) => change.kind === 'remember')) return null;
  const roles = plan.roles.map((item) => item.role).sort();
  return { format: 1, matrix: plan.matrix, roles, generation: id, appliedAt: at };
}

/** The zone files that are written before the reload, by zone. */
function writtenZones({ plan, desired, observed }: ApplyInput): Map<string, ZoneConfig> {
  const written = new Map<string, ZoneConfig>();
  for (const change of plan.changes) {
    if (change.kind !== 'definition' || change.object !== 'zone' || !needsReload(change)) continue;
    const wanted = desired.zones.get(change.name)!.config;
    const permanent = observed.permanent.zones.get(change.name);
    // A new zone comes up empty, so that it is inert; one that is there comes up whole, since the reload puts it into force.
    written.set(change.name, permanent === undefined ? { ...wanted, ...EMPTY } : kept(wanted, permanent, observed));
  }
  if (reloadReason(plan.changes) === null) return written;
  const editsInUse = plan.changes.some(
    (change) => change.kind === 'definition' && change.inUse && change.action === 'edit',
  );
  for (const [name, permanent] of observed.permanent.zones) {
    if (!isOurs(name) || written.has(name)) continue;
    const wanted = desired.zones.get(name)?.config;
    const sound = loads(permanent, desired, observed);
    if (wanted === undefined && !sound) written.set(name, { ...permanent, ...EMPTY_ZONE });
    // What somebody wrote into the file and nobody loaded would come into force, if only until the next calls; and what a
    // definition in use stops to open, another may have to open from the same moment on.
    const asItRuns = sameBehaviour(permanent, observed.runtime.zones.get(name));
    if (wanted !== undefined && (!sound || !asItRuns || (editsInUse && !sameBehaviour(permanent, wanted))))
      written.set(name, kept(wanted, permanent, observed));
  }
  return written;
}

/**
 * A zone of ours as the reload is to find it: whole, with the interfaces that its file has and no other zone's file. One that
 * moves away stays until it is moved.
 */
function kept(wanted: ZoneConfig, permanent: ZoneConfig, observed: ObservedFirewalld): ZoneConfig {
  const elsewhere = namedElsewhere(permanent, observed);
  // A zone that is about to accept everything must not take along what is about to leave it.
  const opensAll = acceptsEverything(wanted) && !acceptsEverything(permanent);
  const stays = (name: string) => !elsewhere.has(name) && (!opensAll || wanted.interfaces.includes(name));
  return { ...wanted, interfaces: permanent.interfaces.filter(stays) };
}

function namedElsewhere(zone: ZoneConfig, { permanent }: ObservedFirewalld): ReadonlySet<string> {
  return new Set([...permanent.zones.values()].flatMap((other) => (other === zone ? [] : other.interfaces)));
}

/**
 * Whether a zone file of ours that nothing else rewrites can be loaded as it is: a reload with a rule for an ipset that is
 * not there leaves the host open on some versions, and one with an interface in two zones fails.
 */
function loads(zone: ZoneConfig, desired: DesiredFirewalld, observed: ObservedFirewalld): boolean {
  const { permanent, runtime } = observed;
  const rules = zone.richRules.map(parseRichRule);
  const sets = rules.flatMap((rule) => [rule.sourceIpset, rule.destinationIpset]).filter((name) => name !== null);
  const bound = zone.sources.flatMap((source) => (source.startsWith('ipset:') ? [source.slice('ipset:'.length)] : []));
  const services = [...zone.services, ...rules.map((rule) => rule.service).filter((name) => name !== null)];
  const known = (name: string) =>
    desired.services.has(name) || permanent.services.has(name) || (!isOurs(name) && runtime.services.has(name));
  const elsewhere = namedElsewhere(zone, observed);
  return (
    [...sets, ...bound].every((name) => desired.ipsets.has(name) || permanent.ipsets.has(name)) &&
    services.every(known) &&
    zone.interfaces.every((name) => !elsewhere.has(name))
  );
}

const EMPTY: Pick<ZoneConfig, 'interfaces' | 'services' | 'richRules'> = {
  interfaces: [],
  services: [],
  richRules: [],
};

/**
 * What is opened comes first, then interfaces move, then what is closed: no moment in between lets in less than both the
 * old and the new configuration do.
 */
function runtimeCalls(
  desired: DesiredFirewalld,
  base: FirewalldConfig,
  written: ReadonlyMap<string, ZoneConfig>,
  entrySets: ReadonlyMap<string, readonly string[]>,
  changes: readonly Change[],
  reload: boolean,
): RuntimeCall[] {
  const opened: RuntimeCall[] = [];
  const moved: RuntimeCall[] = [];
  const closed: RuntimeCall[] = [];
  const turning: RuntimeCall[] = [];
  for (const [name, { value }] of desired.ipsets) {
    const held = entrySets.get(name) ?? base.ipsets.get(name)?.entries ?? [];
    const moves = entryCalls(name, held, value.entries);
    opened.push(...moves.opened);
    closed.push(...moves.closed);
  }
  // NetworkManager hands an interface over by itself; what it has handed back is not ours to release any more.
  const handed = new Set<string>();
  for (const { uuid, after } of connectionMoves(changes)) {
    const names = changes.flatMap((change) =>
      change.kind === 'interface' && change.networkManager?.uuid === uuid ? [change.interface] : [],
    );
    moved.push(['move-connection', uuid, after, ...names]);
    if (after === '') for (const name of names) handed.add(name);
  }
  const touched = new Set(changes.flatMap((change) => (change.kind === 'interface' ? [change.zone] : [])));
  for (const [name, { config }] of desired.zones) {
    const held = written.get(name) ?? base.zones.get(name) ?? { ...config, ...EMPTY };
    for (const service of config.services)
      if (!held.services.includes(service)) opened.push(['add-service', name, service]);
    for (const rule of config.richRules) {
      if (held.richRules.includes(rule)) continue;
      if (rule === ACCEPT_ALL) turning.push(['add-rich-rule', name, rule]);
      else opened.push(['add-rich-rule', name, rule]);
    }
    for (const item of config.interfaces) {
      if (!held.interfaces.includes(item) || (reload && touched.has(name))) moved.push(['bind-interface', name, item]);
    }
    for (const service of held.services)
      if (!config.services.includes(service)) closed.push(['remove-service', name, service]);
    for (const rule of held.richRules)
      if (!config.richRules.includes(rule))
        (rule === ACCEPT_ALL ? turning : closed).push(['remove-rich-rule', name, rule]);
    closed.push(...strayCalls(name, held));
  }
  const homes = new Set([...desired.zones.values()].flatMap((zone) => zone.config.interfaces));
  for (const [name, zone] of base.zones) {
    if (!isOurs(name)) continue;
    // What a file that was just written left out is out already.
    const { interfaces, sources } = written.get(name) ?? zone;
    for (const item of interfaces)
      if (!homes.has(item) && !handed.has(item)) moved.push(['release-interface', name, item]);
    if (desired.zones.has(name)) continue;
    for (const source of sources) closed.push(['remove-source', name, source]);
  }
  // A zone that begins or ceases to accept everything must do so neither while it still holds what is about to leave it, nor
  // once it holds what is about to come.
  const zones = new Set(turning.map(([, zone]) => zone));
  const enters = ([operation, first, second]: RuntimeCall) =>
    zones.has(operation === 'move-connection' ? second : operation === 'bind-interface' ? first : undefined);
  return [...opened, ...moved.filter((call) => !enters(call)), ...turning, ...moved.filter(enters), ...closed];
}

function strayCalls(
  zone: string,
  held: Pick<
    ZoneConfig,
    | 'ports'
    | 'sourcePorts'
    | 'protocols'
    | 'sources'
    | 'masquerade'
    | 'icmpBlocks'
    | 'icmpBlockInversion'
    | 'forwardPorts'
  >,
): RuntimeCall[] {
  return [
    ...held.ports.map((port): RuntimeCall => ['remove-port', zone, formatPortRange(port.range), port.protocol]),
    ...held.sourcePorts.map(
      (port): RuntimeCall => ['remove-source-port', zone, formatPortRange(port.range), port.protocol],
    ),
    ...held.protocols.map((protocol): RuntimeCall => ['remove-protocol', zone, protocol]),
    ...held.sources.map((source): RuntimeCall => ['remove-source', zone, source]),
    ...(held.masquerade ? [['remove-masquerade', zone] as const] : []),
    ...(held.icmpBlockInversion ? [['remove-icmp-block-inversion', zone] as const] : []),
    ...held.icmpBlocks.map((name): RuntimeCall => ['remove-icmp-block', zone, name]),
    ...held.forwardPorts.map((forward): RuntimeCall => {
      const [port = '', protocol = '', toPort = '', ...address] = forward.split(':');
      return ['remove-forward-port', zone, port, protocol, toPort, address.join(':')];
    }),
  ];
}

/** The second request of an apply, sent over a fresh connection once the behaviour is proved. */
export function permanentRequest(input: ApplyInput): PermanentRequest {
  const { desired, observed, plan } = input;
  const written = writtenZones(input);
  const zones: Record<string, ZoneConfig> = {};
  for (const [name, { config }] of desired.zones) {
    const held = written.get(name) ?? observed.permanent.zones.get(name);
    if (held === undefined || JSON.stringify(sorted(held)) !== JSON.stringify(sorted(config))) zones[name] = config;
  }
  const ipsets: Record<string, readonly string[]> = {};
  const releases = new Map<string, string[]>();
  const deletions: ['zone' | 'service' | 'ipset', string][] = [];
  for (const change of plan.changes) {
    if (change.kind === 'ipset-entries' && change.layers.permanent)
      ipsets[change.ipset] = desired.ipsets.get(change.ipset)!.value.entries;
    if (change.kind === 'interface' && change.editsZone !== null)
      releases.set(change.editsZone, [...(releases.get(change.editsZone) ?? []), change.interface]);
    if (change.kind === 'definition' && change.action === 'delete') deletions.push([change.object, change.name]);
  }
  for (const [zone, interfaces] of movedBetweenOurs(input)) releases.set(zone, interfaces);
  const rank = { zone: 0, service: 1, ipset: 2 };
  return {
    operation: 'permanent',
    id: input.id,
    zones,
    ipsets,
    releases: [...releases].map(([zone, interfaces]) => ({
      zone,
      interfaces,
      text: isOurs(zone) ? null : releasedText(observed.zoneTexts.get(zone), interfaces),
    })),
    deletions: deletions.sort((a, b) => rank[a[0]] - rank[b[0]]),
    connections: connectionMoves(plan.changes).map(({ uuid, after }) => [uuid, after]),
  };
}

/**
 * Interfaces that a zone file of ours names and another zone of ours is to have: firewalld refuses, from 1.0 on, to name
 * one in two zones, so that they have to leave first.
 */
function movedBetweenOurs(input: ApplyInput): Map<string, string[]> {
  const { desired, observed } = input;
  const homes = new Map(
    [...desired.zones].flatMap(([zone, { config }]) => config.interfaces.map((name) => [name, zone])),
  );
  const written = writtenZones(input);
  const reloads = reloadReason(input.plan.changes) !== null;
  const moved = new Map<string, string[]>();
  for (const [name, zone] of observed.permanent.zones) {
    // A file that the daemon has not read holds nothing in its eyes.
    if (!isOurs(name) || !(reloads || observed.runtime.zones.has(name))) continue;
    const leaving = (written.get(name) ?? zone).interfaces.filter(
      (item) => homes.has(item) && homes.get(item) !== name,
    );
    if (leaving.length > 0) moved.set(name, leaving);
  }
  return moved;
}

function releasedText(text: string | undefined, interfaces: readonly string[]): string | null {
  let rest: string | null = text ?? null;
  for (const name of interfaces) rest = rest === null ? null : withoutInterface(rest, name);
  return rest;
}

function sameBehaviour(zone: ZoneConfig, other: ZoneConfig | undefined): boolean {
  const plain = (item: ZoneConfig) => JSON.stringify(sorted({ ...item, short: '', description: '' }));
  return other !== undefined && plain(zone) === plain(other);
}

function sorted(zone: ZoneConfig): unknown {
  return Object.entries(zone).sort(([a], [b]) => (a < b ? -1 : 1));
}
