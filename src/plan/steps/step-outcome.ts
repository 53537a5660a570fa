import { isBan } from '../../firewalld/bans.ts';
import {
  type FirewalldConfig,
  type IpsetConfig,
  isOurs,
  type ServiceConfig,
  type ZoneConfig,
} from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import { readIpsetXml, readServiceXml, readZoneXml } from '../../firewalld/read-xml.ts';
import type { RuntimeCall, Step } from '../steps.ts';
import { joined } from './entry-calls.ts';

/** Both layers of a host's firewalld once steps are carried out. */
export interface StepOutcome {
  readonly runtime: FirewalldConfig;
  readonly permanent: FirewalldConfig;
}

interface Layer {
  readonly zones: Map<string, ZoneConfig>;
  readonly services: Map<string, ServiceConfig>;
  readonly ipsets: Map<string, IpsetConfig>;
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
  const permanent = copy(observed.permanent);
  const runtime = copy(observed.runtime);
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
        if (step.object === 'zone') {
          const held = permanent.zones.get(step.settings.name);
          permanent.zones.set(step.settings.name, withBans(withPriority(step.settings, held?.ingressPriority), held));
        } else if (step.object === 'service') permanent.services.set(step.settings.name, step.settings);
        else permanent.ipsets.set(step.settings.name, step.settings);
        break;
      case 'delete':
        permanent[`${step.object}s`].delete(step.name);
        break;
      case 'connection':
      case 'remember':
        break;
    }
  }
  settleEntries(state);
  return { runtime, permanent };
}

function copy(config: FirewalldConfig): Layer {
  return { zones: new Map(config.zones), services: new Map(config.services), ipsets: new Map(config.ipsets) };
}

function readFile(layer: Layer, path: string, text: string): void {
  const [folder = '', file = ''] = path.split('/');
  const name = file.replace(/\.xml$/, '');
  if (folder === 'zones') layer.zones.set(name, withBans(readZoneXml(name, text), layer.zones.get(name)));
  else if (folder === 'services') layer.services.set(name, readServiceXml(name, text));
  else layer.ipsets.set(name, readIpsetXml(name, text));
}

/** What firewalld reads when it loads its files; of others the proof takes the files for itself. */
function load(permanent: Layer, runtime: Layer): void {
  const before = new Map(runtime.zones);
  replaceOurs(permanent.zones, runtime.zones);
  // The host puts bans back that a reload has lost.
  for (const [name, zone] of permanent.zones)
    if (isOurs(name)) runtime.zones.set(name, withBans(zone, before.get(name)));
  replaceOurs(permanent.services, runtime.services);
  replaceOurs(permanent.ipsets, runtime.ipsets);
  const bound = new Set(
    [...runtime.zones.values()].filter(({ name }) => isOurs(name)).flatMap((zone) => zone.interfaces),
  );
  for (const zone of runtime.zones.values()) {
    if (!isOurs(zone.name) && zone.interfaces.some((name) => bound.has(name)))
      runtime.zones.set(zone.name, { ...zone, interfaces: zone.interfaces.filter((name) => !bound.has(name)) });
  }
}

/** Entries that sets of ours had before a reload and have again after it, but for those that overlap what their files have. */
function keepEntries(before: ReadonlyMap<string, IpsetConfig>, { ipsets }: Layer): void {
  for (const [name, ipset] of ipsets) {
    const held = isOurs(name) ? before.get(name) : undefined;
    if (held !== undefined) ipsets.set(name, { ...ipset, entries: joined(ipset.entries, held.entries) });
  }
}

function replaceOurs<T>(from: ReadonlyMap<string, T>, to: Map<string, T>): void {
  for (const name of [...to.keys()].filter(isOurs)) to.delete(name);
  for (const [name, item] of from) if (isOurs(name)) to.set(name, item);
}

/** A zone of ours as it is written, with the bans that others have put into it. */
function withBans(zone: ZoneConfig, held: ZoneConfig | undefined): ZoneConfig {
  const bans = held?.richRules.filter(isBan) ?? [];
  return bans.length === 0 ? zone : { ...zone, richRules: [...new Set([...zone.richRules, ...bans])].sort() };
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
  const edit = (parts: (zone: ZoneConfig) => Partial<ZoneConfig>) => change(layer, owner, parts);
  switch (operation) {
    case 'bind-interface':
      bind(layer, owner, first);
      return;
    case 'release-interface':
      edit(({ interfaces }) => ({ interfaces: without(interfaces, first) }));
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
    case 'add-service':
      edit(({ services }) => ({ services: added(services, first) }));
      return;
    case 'remove-service':
      edit(({ services }) => ({ services: without(services, first) }));
      return;
    case 'add-rich-rule':
      edit(({ richRules }) => ({ richRules: added(richRules, first) }));
      return;
    case 'remove-rich-rule':
      edit(({ richRules }) => ({ richRules: without(richRules, first) }));
      return;
    case 'remove-port':
      edit(({ ports }) => ({ ports: ports.filter((port) => formatPort(port) !== `${first}/${rest[0]}`) }));
      return;
    case 'remove-source-port':
      edit(({ sourcePorts }) => ({
        sourcePorts: sourcePorts.filter((port) => formatPort(port) !== `${first}/${rest[0]}`),
      }));
      return;
    case 'remove-protocol':
      edit(({ protocols }) => ({ protocols: without(protocols, first) }));
      return;
    case 'remove-source':
      edit(({ sources }) => ({ sources: without(sources, first) }));
      return;
    case 'remove-masquerade':
      edit(() => ({ masquerade: false }));
      return;
    case 'remove-icmp-block':
      edit(({ icmpBlocks }) => ({ icmpBlocks: without(icmpBlocks, first) }));
      return;
    case 'remove-icmp-block-inversion':
      edit(() => ({ icmpBlockInversion: false }));
      return;
    case 'remove-forward-port':
      edit(({ forwardPorts }) => ({ forwardPorts: without(forwardPorts, [first, ...rest].join(':')) }));
      return;
    case 'add-entry':
    case 'remove-entry':
      entry(state, operation === 'add-entry', owner, first);
      return;
  }
}

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
