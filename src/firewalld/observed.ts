import { parsePortRange } from '../core/ports.ts';
import type { RunningFirewalld } from '../facts/facts.ts';
import type { FirewalldConfig, IpsetConfig, PortProtocol, ServiceConfig, ZoneConfig } from './model.ts';
import { normalisePorts, normaliseStrings } from './normalise.ts';
import { readIpsetXml, readServiceXml, readZoneXml, zoneTarget } from './read-xml.ts';
import { canonicalRichRule } from './rich-rule.ts';
import { parseXml, XmlError } from './xml.ts';

/** What a host's firewalld is: what it loads at boot, and what it does now. */
export interface ObservedFirewalld {
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  /** Texts of the zone files below /etc/firewalld, for edits that keep every other byte. */
  readonly zoneTexts: ReadonlyMap<string, string>;
  /** Files that firewalld would choke on or silently ignore at its next reload. */
  readonly broken: readonly { readonly path: string; readonly why: string }[];
}

/** The files that firewalld reads when it loads its configuration. */
const LOADED = /^(?:(?:zones|services|ipsets|policies|helpers|icmptypes)\/[^/]+|direct|lockdown-whitelist)\.xml$/;

/** Reads the model out of the facts. Never throws for what a host sent: what cannot be read is in `broken`. */
export function observedFirewalld(facts: RunningFirewalld): ObservedFirewalld {
  const zones = new Map<string, ZoneConfig>();
  const services = new Map<string, ServiceConfig>();
  const ipsets = new Map<string, IpsetConfig>();
  const zoneTexts = new Map<string, string>();
  const broken: { path: string; why: string }[] = [];
  const read = (path: string, text: string) => {
    if (!LOADED.test(path)) return;
    const match = /^(zones|services|ipsets)\/([^/]+)\.xml$/.exec(path);
    const name = match?.[2] ?? '';
    try {
      // Policies, helpers, direct rules, …: nothing in them is ours, yet a reload fails over any that is malformed.
      if (match === null) parseXml(text, null);
      else if (match[1] === 'zones') {
        zones.set(name, readZoneXml(name, text));
        zoneTexts.set(name, text);
      } else if (match[1] === 'services') services.set(name, readServiceXml(name, text));
      else ipsets.set(name, readIpsetXml(name, text));
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      broken.push({ path: `/etc/firewalld/${path}`, why: error.message });
    }
  };
  for (const { path, text } of facts.builtin) read(path, text);
  zoneTexts.clear();
  for (const { path, text } of facts.files) read(path, text);
  const runtime = runtimeConfig(facts, broken);
  return { permanent: { zones, services, ipsets }, runtime, zoneTexts, broken };
}

function runtimeConfig(facts: RunningFirewalld, broken: { path: string; why: string }[]): FirewalldConfig {
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
