import { isBan } from '../../firewalld/bans.ts';
import type { IpsetConfig } from '../../firewalld/kinds/ipset.ts';
import {
  copyOf,
  eachOurKind,
  type FirewalldConfig,
  type Folder,
  KINDS,
  type Layer,
  OUR_KINDS,
  type OurFolder,
  ourFolderOf,
  type Settings,
} from '../../firewalld/kinds/kinds.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import { isKnown } from '../../firewalld/loaded.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import { normaliseRules, parseRichRule } from '../../firewalld/rich-rule.ts';
import type { RuntimeCall, RuntimeOperation, SettingsStep, Step } from '../steps.ts';
import { joined } from './entry-calls.ts';

/** Both layers of a host's firewalld once steps are carried out. */
export interface StepOutcome {
  readonly runtime: FirewalldConfig;
  readonly permanent: FirewalldConfig;
}

interface State {
  readonly permanent: Layer;
  readonly runtime: Layer;
  readonly entries: Map<string, Set<string>>;
}

/**
 * What a host holds after a plan's steps, worked out from the steps themselves: the lockout proof and the impact are about what
 * is sent, not about what was meant.
 *
 * @param keeps whether a reload keeps the entries that ipsets have at runtime (`FlushAllOnReload=no`)
 */
export function outcomeOf(steps: readonly Step[], observed: ObservedFirewalld, keeps = false): StepOutcome {
  const permanent = copyOf(observed.permanent);
  const runtime = copyOf(observed.runtime);
  const state: State = { permanent, runtime, entries: new Map() };
  for (const step of steps) {
    switch (step.kind) {
      case 'file':
        readFile(permanent, step.path, step.text);
        break;
      case 'reload': {
        settleEntries(state);
        const before = new Map(runtime.ipsets);
        load(permanent, runtime);
        if (keeps) keepEntries(before, runtime);
        break;
      }
      case 'start-firewalld':
        settleEntries(state);
        load(permanent, runtime);
        break;
      case 'call':
        call(state, step.call);
        break;
      case 'edit-zone':
        change(permanent, step.zone, ({ interfaces }) => ({
          interfaces: interfaces.filter((name) => !step.interfaces.includes(name)),
        }));
        break;
      case 'settings':
        takeSettings(permanent, step);
        break;
      case 'delete':
        permanent[ourFolderOf(step.object)].delete(step.name);
        break;
      case 'connection':
      case 'remember':
        break;
    }
  }
  settleEntries(state);
  return { runtime, permanent };
}

function readFile(layer: Layer, path: string, text: string): void {
  const [folder = '', file = ''] = path.split('/');
  const name = file.replace(/\.xml$/, '');
  const held = layer.zones.get(name);
  if (isKnown(folder)) readInto(layer, folder, name, text);
  const written = layer.zones.get(name);
  // The host copies the foreign bans into the new file of a zone.
  if (folder === 'zones' && written !== undefined) layer.zones.set(name, withBans(written, held));
}

function readInto<F extends Folder>(layer: Layer, folder: F, name: string, text: string): void {
  const item = KINDS[folder].readXml(name, text);
  if (item !== null) layer[folder].set(name, item);
}

/** What the daemon makes of an object's settings. */
function takeSettings(layer: Layer, { object, settings }: SettingsStep): void {
  const held = layer.zones.get(settings.name);
  take(layer, ourFolderOf(object), settings);
  const taken = layer.zones.get(settings.name);
  if (object === 'zone' && taken !== undefined)
    layer.zones.set(settings.name, withBans(withPriority(taken, held?.ingressPriority), held));
}

function take<F extends OurFolder>(layer: Layer, folder: F, settings: Settings<F>): void {
  layer[folder].set(settings.name, OUR_KINDS[folder].ofSettings(settings));
}

/** What firewalld reads when it loads its files; for foreign objects the proof reads the files itself. */
function load(permanent: Layer, runtime: Layer): void {
  const before = new Map(runtime.zones);
  eachOurKind((_, folder) => {
    for (const name of [...runtime[folder].keys()].filter(isOurs)) runtime[folder].delete(name);
    for (const [name, item] of permanent[folder]) if (isOurs(name)) runtime[folder].set(name, item);
  });
  // The host puts bans back that a reload has lost.
  for (const [name, zone] of permanent.zones)
    if (isOurs(name)) runtime.zones.set(name, withBans(zone, before.get(name)));
  const bound = new Set(
    [...runtime.zones.values()].filter(({ name }) => isOurs(name)).flatMap((zone) => zone.interfaces),
  );
  for (const zone of runtime.zones.values()) {
    if (!isOurs(zone.name) && zone.interfaces.some((name) => bound.has(name)))
      runtime.zones.set(zone.name, { ...zone, interfaces: zone.interfaces.filter((name) => !bound.has(name)) });
  }
}

/** Entries that portfw ipsets had before a reload and have again after it, but for those that overlap what their files have. */
function keepEntries(before: ReadonlyMap<string, IpsetConfig>, { ipsets }: Layer): void {
  for (const [name, ipset] of ipsets) {
    const held = isOurs(name) ? before.get(name) : undefined;
    if (held !== undefined) ipsets.set(name, { ...ipset, entries: joined(ipset.entries, held.entries) });
  }
}

/** A portfw zone as it is written, with the bans that others have put into it. */
function withBans(zone: ZoneConfig, held: ZoneConfig | undefined): ZoneConfig {
  const bans = held?.richRules.filter(isBan) ?? [];
  return bans.length === 0 ? zone : { ...zone, richRules: normaliseRules([...zone.richRules, ...bans]) };
}

function withPriority(zone: ZoneConfig, priority: number | undefined): ZoneConfig {
  return priority === undefined ? zone : { ...zone, ingressPriority: priority };
}

function change(layer: Layer, name: string, edit: (zone: ZoneConfig) => Partial<ZoneConfig>): void {
  const zone = layer.zones.get(name);
  if (zone !== undefined) layer.zones.set(name, { ...zone, ...edit(zone) });
}

function bind(layer: Layer, zone: string, name: string): void {
  for (const other of layer.zones.values()) {
    if (other.name !== zone && other.interfaces.includes(name))
      layer.zones.set(other.name, { ...other, interfaces: without(other.interfaces, name) });
  }
  change(layer, zone, ({ interfaces }) => ({ interfaces: added(interfaces, name) }));
}

function call(state: State, [operation, owner = '', first = '', ...rest]: RuntimeCall): void {
  const layer = state.runtime;
  switch (operation) {
    case 'bind-interface':
      bind(layer, owner, first);
      return;
    case 'move-connection':
      // The connection's interfaces follow it; an empty zone is the default one, which no zone need name.
      for (const name of rest) {
        if (first !== '') bind(layer, first, name);
        else
          for (const zone of [...layer.zones.values()])
            if (zone.interfaces.includes(name))
              change(layer, zone.name, ({ interfaces }) => ({ interfaces: without(interfaces, name) }));
      }
      return;
    case 'add-entry':
    case 'remove-entry':
      entry(state, operation === 'add-entry', owner, first);
      return;
    default:
      change(layer, owner, (zone) => ZONE_EDITS[operation](zone, first, ...rest));
  }
}

type ZoneOperation = Exclude<RuntimeOperation, 'bind-interface' | 'move-connection' | 'add-entry' | 'remove-entry'>;

/** What each call that is about one zone makes of it. */
const ZONE_EDITS: Readonly<
  Record<ZoneOperation, (zone: ZoneConfig, value: string, ...more: readonly string[]) => Partial<ZoneConfig>>
> = {
  'release-interface': ({ interfaces }, name) => ({ interfaces: without(interfaces, name) }),
  'add-service': ({ services }, name) => ({ services: added(services, name) }),
  'remove-service': ({ services }, name) => ({ services: without(services, name) }),
  'add-rich-rule': ({ richRules }, text) => ({ richRules: normaliseRules([...richRules, parseRichRule(text)]) }),
  'remove-rich-rule': ({ richRules }, text) => ({ richRules: richRules.filter((rule) => rule.text !== text) }),
  'remove-port': ({ ports }, port, protocol) => ({
    ports: ports.filter((held) => formatPort(held) !== `${port}/${protocol}`),
  }),
  'remove-source-port': ({ sourcePorts }, port, protocol) => ({
    sourcePorts: sourcePorts.filter((held) => formatPort(held) !== `${port}/${protocol}`),
  }),
  'remove-protocol': ({ protocols }, name) => ({ protocols: without(protocols, name) }),
  'remove-source': ({ sources }, source) => ({ sources: without(sources, source) }),
  'remove-masquerade': () => ({ masquerade: false }),
  'remove-icmp-block': ({ icmpBlocks }, name) => ({ icmpBlocks: without(icmpBlocks, name) }),
  'remove-icmp-block-inversion': () => ({ icmpBlockInversion: false }),
  'remove-forward-port': ({ forwardPorts }, ...parts) => ({ forwardPorts: without(forwardPorts, parts.join(':')) }),
};

/** The entries of a set at runtime while calls change them: a plan may have a hundred thousand. */
function entry(state: State, comes: boolean, name: string, value: string): void {
  const entries = state.entries.get(name) ?? new Set(state.runtime.ipsets.get(name)?.entries);
  state.entries.set(name, entries);
  if (comes) entries.add(value);
  else entries.delete(value);
}

function settleEntries({ runtime, entries }: State): void {
  for (const [name, held] of entries) {
    const ipset = runtime.ipsets.get(name);
    if (ipset !== undefined) runtime.ipsets.set(name, { ...ipset, entries: [...held].sort() });
  }
  entries.clear();
}

function added(items: readonly string[], item: string): readonly string[] {
  return items.includes(item) ? items : [...items, item].sort();
}

function without(items: readonly string[], item: string): readonly string[] {
  return items.filter((other) => other !== item);
}
