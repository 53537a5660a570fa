import { parsePortRange } from '../core/ports.ts';
import type { PermanentFile, RunningFirewalld } from '../facts/facts.ts';
import { forgives, loadedFile } from './loaded.ts';
import {
  EMPTY_ZONE,
  type FirewalldConfig,
  type IpsetConfig,
  isOurs,
  type PortProtocol,
  type ServiceConfig,
  type ZoneConfig,
} from './model.ts';
import { normalisePorts, normaliseStrings } from './normalise.ts';
import { readIpsetXml, readServiceXml, readZoneXml, zoneTarget } from './read-xml.ts';
import { canonicalRichRule } from './rich-rule.ts';
import { parseXml, XmlError } from './xml.ts';

/** What a host's firewalld is: what it loads at boot, and what it does now. */
export interface ObservedFirewalld {
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  /** Zones that have a file of their own below /etc/firewalld, which interfaces can be taken out of. */
  readonly zoneFiles: ReadonlySet<string>;
  /** Zones that firewalld makes of all the files in a folder, with these files' paths. Nobody edits those. */
  readonly zoneFolders: ReadonlyMap<string, readonly string[]>;
  /** Files that firewalld would choke on or silently ignore at its next reload. */
  readonly broken: readonly BrokenFile[];
}

/** A file that no plan can be made with. */
export interface BrokenFile {
  readonly path: string;
  readonly why: string;
}

interface Found {
  readonly zones: Map<string, ZoneConfig>;
  readonly services: Map<string, ServiceConfig>;
  readonly ipsets: Map<string, IpsetConfig>;
  /** Of each zone that is made of the files in a folder, what each of them has. */
  readonly parts: Map<string, { readonly path: string; readonly zone: ZoneConfig }[]>;
}

/** Reads the model out of the facts. Never throws for what a host sent: what cannot be read is in `broken`. */
export function observedFirewalld(facts: RunningFirewalld): ObservedFirewalld {
  const found: Found = { zones: new Map(), services: new Map(), ipsets: new Map(), parts: new Map() };
  const broken: BrokenFile[] = [];
  for (const { path, text } of facts.builtin) readInto(found, path, text, facts.version, broken);
  const standard = new Map(found.zones);
  for (const file of facts.files) {
    const why = whyUnusable(file, facts.version);
    if (why !== null) broken.push({ path: `/etc/firewalld/${file.path}`, why });
    else readInto(found, file.path, file.text, facts.version, broken);
  }
  const zoneFiles = new Set(
    [...found.zones].filter(([name, zone]) => standard.get(name) !== zone).map(([name]) => name),
  );
  for (const [name, parts] of found.parts) {
    const own = zoneFiles.has(name) ? found.zones.get(name) : undefined;
    const folder = (path: string) => path.slice(0, path.lastIndexOf('/'));
    const last = folder(parts.at(-1)!.path);
    // Before 1.0, of two folders of one name in different places, the later one counts.
    const zones = parts.filter(({ path }) => !forgives(facts.version) || folder(path) === last).map(({ zone }) => zone);
    // A folder's zone takes the place of another one; before 1.0, of one that is built in alone.
    if (own !== undefined && forgives(facts.version)) found.zones.set(name, combined(name, [...zones, own], own));
    else found.zones.set(name, combined(name, zones, null));
  }
  const runtime = runtimeConfig(facts, broken);
  return {
    permanent: { zones: found.zones, services: found.services, ipsets: found.ipsets },
    runtime,
    zoneFiles,
    zoneFolders: new Map([...found.parts].map(([name, parts]) => [name, parts.map(({ path }) => path)])),
    broken,
  };
}

/** Why a file can be no part of a plan, whatever it holds; `null` where nothing is against it. */
function whyUnusable(file: PermanentFile, version: string): string | null {
  if (file.folder === true)
    return forgives(version) ? 'firewalld before 1.0 cannot load its zones beside a folder of this name' : null;
  const loaded = loadedFile(file.path, version);
  if (loaded.kind === 'broken') return loaded.why;
  if (loaded.kind === 'ignored' && file.path.endsWith('.xml')) return null;
  if (file.unreadable !== undefined) return file.unreadable;
  if (loaded.kind !== 'loaded' || loaded.inFolder || !isOurs(loaded.name)) return null;
  if (file.link !== undefined) return `it is a link to ${file.link}: portfw writes its own files as plain ones`;
  return file.mounted === true ? 'something is mounted on it: portfw replaces its own files' : null;
}

function readInto(found: Found, path: string, text: string, version: string, broken: BrokenFile[]): void {
  const loaded = loadedFile(path, version);
  try {
    switch (loaded.kind) {
      case 'ignored':
      case 'broken':
        return;
      case 'single':
        // Nothing in it is ours, yet a reload fails when it is malformed.
        parseXml(text, null);
        return;
      case 'loaded':
        if (loaded.folder === 'services') found.services.set(loaded.name, readServiceXml(loaded.name, text));
        else if (loaded.folder === 'ipsets') found.ipsets.set(loaded.name, readIpsetXml(loaded.name, text));
        else if (loaded.folder !== 'zones') parseXml(text, null);
        else if (!loaded.inFolder) found.zones.set(loaded.name, readZoneXml(loaded.name, text));
        else {
          const parts = found.parts.get(loaded.name) ?? [];
          parts.push({ path, zone: readZoneXml(loaded.name, text) });
          found.parts.set(loaded.name, parts);
        }
    }
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    broken.push({ path: `/etc/firewalld/${path}`, why: error.message });
  }
}

/** Zones united as firewalld does it: everything but texts, target and priority, which it takes from `base` alone. */
function combined(name: string, zones: readonly ZoneConfig[], base: ZoneConfig | null): ZoneConfig {
  const strings = (pick: (zone: ZoneConfig) => readonly string[]) => normaliseStrings(zones.flatMap(pick));
  return {
    ...EMPTY_ZONE,
    name,
    short: '',
    description: '',
    target: base?.target ?? 'default',
    interfaces: strings((zone) => zone.interfaces),
    sources: strings((zone) => zone.sources),
    services: strings((zone) => zone.services),
    ports: normalisePorts(zones.flatMap((zone) => zone.ports)),
    protocols: strings((zone) => zone.protocols),
    sourcePorts: normalisePorts(zones.flatMap((zone) => zone.sourcePorts)),
    icmpBlocks: strings((zone) => zone.icmpBlocks),
    icmpBlockInversion: zones.some((zone) => zone.icmpBlockInversion),
    masquerade: zones.some((zone) => zone.masquerade),
    forward: zones.some((zone) => zone.forward),
    forwardPorts: strings((zone) => zone.forwardPorts),
    richRules: strings((zone) => zone.richRules),
  };
}

function runtimeConfig(facts: RunningFirewalld, broken: BrokenFile[]): FirewalldConfig {
  const collect = <T>(
    kind: string,
    source: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    build: (name: string, settings: Settings) => T,
  ) => {
    const found = new Map<string, T>();
    for (const [name, settings] of Object.entries(source)) {
      try {
        found.set(name, build(name, settings));
      } catch (error) {
        if (!(error instanceof XmlError)) throw error;
        broken.push({ path: `runtime ${kind} ${name}`, why: error.message });
      }
    }
    return found;
  };
  return {
    zones: collect('zone', facts.runtime.zones, runtimeZone),
    services: collect('service', facts.runtime.services, runtimeService),
    ipsets: collect('ipset', facts.runtime.ipsets, runtimeIpset),
  };
}

type Settings = Readonly<Record<string, unknown>>;

function strings(settings: Settings, key: string): string[] {
  const value = settings[key] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new XmlError(`${key} is not a list of strings`);
  return normaliseStrings(value);
}

function text(settings: Settings, key: string): string {
  const value = settings[key] ?? '';
  if (typeof value !== 'string') throw new XmlError(`${key} is not a string`);
  return value;
}

function tuples(settings: Settings, key: string): string[][] {
  const value = settings[key] ?? [];
  if (!Array.isArray(value)) throw new XmlError(`${key} is not a list`);
  return value.map((item) => {
    if (!Array.isArray(item)) throw new XmlError(`${key} holds something that is not a tuple`);
    return item.map((part) => plainText(part, key));
  });
}

/** A value that D-Bus has as text or a number; anything else might not even let itself be made into text. */
function plainText(value: unknown, key: string): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new XmlError(`${key} holds something that is not text`);
  return String(value);
}

function ports(settings: Settings, key: string): PortProtocol[] {
  return normalisePorts(
    tuples(settings, key).map(([port, protocol]) => {
      const range = parsePortRange(port ?? '');
      if (typeof range === 'string') throw new XmlError(range);
      return { protocol: protocol ?? '', range };
    }),
  );
}

function runtimeZone(name: string, settings: Settings): ZoneConfig {
  const priority = settings['ingress_priority'];
  return {
    name,
    ...(typeof priority === 'number' && priority !== 0 ? { ingressPriority: priority } : {}),
    short: text(settings, 'short'),
    description: text(settings, 'description'),
    target: zoneTarget(text(settings, 'target')),
    interfaces: strings(settings, 'interfaces'),
    sources: strings(settings, 'sources'),
    services: strings(settings, 'services'),
    ports: ports(settings, 'ports'),
    protocols: strings(settings, 'protocols'),
    sourcePorts: ports(settings, 'source_ports'),
    icmpBlocks: strings(settings, 'icmp_blocks'),
    icmpBlockInversion: settings['icmp_block_inversion'] === true,
    masquerade: settings['masquerade'] === true,
    forward: settings['forward'] === true,
    forwardPorts: normaliseStrings(tuples(settings, 'forward_ports').map((parts) => parts.join(':'))),
    richRules: normaliseStrings(strings(settings, 'rules_str').map(canonicalRichRule)),
  };
}

function runtimeService(name: string, settings: Settings): ServiceConfig {
  const destination = settings['destination'];
  const held = typeof destination === 'object' && destination !== null ? (destination as Record<string, unknown>) : {};
  return {
    name,
    short: text(settings, 'short'),
    description: text(settings, 'description'),
    ports: ports(settings, 'ports'),
    protocols: strings(settings, 'protocols'),
    sourcePorts: ports(settings, 'source_ports'),
    helpers: strings(settings, 'helpers'),
    modules: strings(settings, 'modules'),
    includes: strings(settings, 'includes'),
    destination: {
      ipv4: typeof held['ipv4'] === 'string' ? held['ipv4'] : null,
      ipv6: typeof held['ipv6'] === 'string' ? held['ipv6'] : null,
    },
  };
}

function runtimeIpset(name: string, settings: Settings): IpsetConfig {
  const given = settings['options'];
  const options: Record<string, string> = {};
  if (typeof given === 'object' && given !== null) {
    for (const [key, value] of Object.entries(given)) options[key] = plainText(value, key);
  }
  return {
    name,
    short: text(settings, 'short'),
    description: text(settings, 'description'),
    type: text(settings, 'type'),
    family: options['family'] === 'inet6' ? 'ipv6' : 'ipv4',
    options,
    entries: strings(settings, 'entries'),
  };
}
