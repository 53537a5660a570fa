import type { Element } from '@xmldom/xmldom';
import { isBan } from '../bans.ts';
import type { PortProtocol } from '../model.ts';
import { normalisePorts, normaliseStrings } from '../normalise.ts';
import { normaliseRules, parseRichRule, type RichRule } from '../rich-rule.ts';
import { acceptRuleLines, richRuleOf } from '../rich-rule-xml.ts';
import { attribute, children, escapeXml, parseXml, XmlError } from '../xml.ts';
import { type BusSettings, busPorts, busStrings, busText, busTitles, busTuples } from './bus-parts.ts';
import type { Fields, OurKind } from './kind.ts';
import {
  byTag,
  documentText,
  eachRequired,
  forwardPortOf,
  nameLine,
  portOf,
  titleLines,
  titlesIn,
} from './xml-parts.ts';

/** firewalld.zone(5). `default` is the target that rejects what nothing else accepts. */
export interface ZoneConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly target: 'default' | 'ACCEPT' | 'DROP' | '%%REJECT%%';
  readonly interfaces: readonly string[];
  readonly sources: readonly string[];
  readonly services: readonly string[];
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly sourcePorts: readonly PortProtocol[];
  readonly icmpBlocks: readonly string[];
  readonly icmpBlockInversion: boolean;
  readonly masquerade: boolean;
  readonly forward: boolean;
  /** Forward ports as `port:protocol:to-port:to-addr`. */
  readonly forwardPorts: readonly string[];
  readonly richRules: readonly RichRule[];
  /** From firewalld 2.0 on, zones with a lower one are evaluated first; 0 when left out. */
  readonly ingressPriority?: number;
}

/**
 * A portfw zone. It never has the target ACCEPT: that also lets everything be forwarded out of the zone, and on 0.9
 * into it, which makes the host a router. See `ACCEPT_ALL` in rich-rule.ts for a zone that lets all input in.
 */
export interface OurZoneConfig extends ZoneConfig {
  readonly target: Exclude<ZoneConfig['target'], 'ACCEPT'>;
}

/** A portfw zone as a plan and a request hold it: JSON, with rich rules as text. */
export interface ZoneSettings extends Omit<OurZoneConfig, 'richRules'> {
  readonly richRules: readonly string[];
}

/** The fields of an empty zone, without name and texts; XML and D-Bus leave out most of them. */
export const EMPTY_ZONE: Omit<OurZoneConfig, 'name' | 'short' | 'description'> = {
  target: 'default',
  interfaces: [],
  sources: [],
  services: [],
  ports: [],
  protocols: [],
  sourcePorts: [],
  icmpBlocks: [],
  icmpBlockInversion: false,
  masquerade: false,
  forward: false,
  forwardPorts: [],
  richRules: [],
};

/** Reads a zone file. @throws XmlError when it is malformed or lacks what firewalld needs */
export function readZoneXml(name: string, text: string): ZoneConfig {
  const root = parseXml(text, 'zone');
  const of = byTag(children(root));
  const priority = Number(attribute(root, 'ingress-priority') ?? attribute(root, 'priority') ?? 0) || 0;
  return {
    name,
    ...titlesIn(of),
    ...(priority === 0 ? {} : { ingressPriority: priority }),
    target: targetOf(attribute(root, 'target')),
    interfaces: normaliseStrings(eachRequired(of('interface'), 'name')),
    sources: normaliseStrings(of('source').map(sourceOf)),
    services: normaliseStrings(eachRequired(of('service'), 'name')),
    ports: normalisePorts(of('port').map(portOf)),
    protocols: normaliseStrings(eachRequired(of('protocol'), 'value')),
    sourcePorts: normalisePorts(of('source-port').map(portOf)),
    icmpBlocks: normaliseStrings(eachRequired(of('icmp-block'), 'name')),
    icmpBlockInversion: of('icmp-block-inversion').length > 0,
    masquerade: of('masquerade').length > 0,
    forward: of('forward').length > 0,
    forwardPorts: normaliseStrings(of('forward-port').map(forwardPortOf)),
    richRules: normaliseRules(of('rule').map(richRuleOf)),
  };
}

function sourceOf(element: Element): string {
  const ipset = attribute(element, 'ipset');
  const bound =
    attribute(element, 'address') ?? attribute(element, 'mac') ?? (ipset === null ? null : `${OF_IPSET}${ipset}`);
  if (bound === null) throw new XmlError('<source> has neither address nor mac nor ipset');
  return bound;
}

/** The target as our model has it; a zone without one has firewalld's default. */
function targetOf(value: string | null): ZoneConfig['target'] {
  if (value === null || value === '' || value === 'default' || value === '{chain}_{zone}') return 'default';
  if (value === 'ACCEPT' || value === 'DROP' || value === '%%REJECT%%') return value;
  if (value === 'REJECT') return '%%REJECT%%';
  throw new XmlError(`unknown target ${value}`);
}

/** A portfw zone as a file. Our zones hold interfaces, services and accepting rich rules only. */
export function writeZoneXml(zone: ZoneConfig): string {
  const lines = titleLines(zone);
  for (const name of zone.interfaces) lines.push(nameLine('interface', name));
  for (const name of zone.services) lines.push(nameLine('service', name));
  // Without the element XML means no forwarding between the zone's interfaces, and D-Bus means the opposite.
  if (zone.forward) lines.push('<forward/>');
  // Foreign bans stay: the host copies them into the new file (src/host/remote/bans.py).
  lines.push(...zone.richRules.filter((rule) => !isBan(rule)).flatMap(acceptRuleLines));
  const target = zone.target === 'default' ? '' : ` target="${escapeXml(zone.target)}"`;
  // portfw sets none, and keeps one that was set by hand on a portfw zone.
  const priority = zone.ingressPriority === undefined ? '' : ` ingress-priority="${zone.ingressPriority}"`;
  return documentText(`<zone${target}${priority}>`, lines, '</zone>');
}

function readZoneBus(name: string, settings: BusSettings): ZoneConfig {
  const priority = settings['ingress_priority'];
  return {
    name,
    ...busTitles(settings),
    ...(typeof priority === 'number' && priority !== 0 ? { ingressPriority: priority } : {}),
    target: targetOf(busText(settings, 'target')),
    interfaces: busStrings(settings, 'interfaces'),
    sources: busStrings(settings, 'sources'),
    services: busStrings(settings, 'services'),
    ports: busPorts(settings, 'ports'),
    protocols: busStrings(settings, 'protocols'),
    sourcePorts: busPorts(settings, 'source_ports'),
    icmpBlocks: busStrings(settings, 'icmp_blocks'),
    icmpBlockInversion: settings['icmp_block_inversion'] === true,
    masquerade: settings['masquerade'] === true,
    forward: settings['forward'] === true,
    forwardPorts: normaliseStrings(busTuples(settings, 'forward_ports').map((parts) => parts.join(':'))),
    richRules: normaliseRules(busStrings(settings, 'rules_str').map(parseRichRule)),
  };
}

/** Zones united as firewalld does it: everything but texts, target and priority, which it takes from `base` alone. */
function united(name: string, parts: readonly ZoneConfig[], base: ZoneConfig | null): ZoneConfig {
  const zones = base === null ? parts : [...parts, base];
  const all = (pick: (zone: ZoneConfig) => readonly string[]) => normaliseStrings(zones.flatMap(pick));
  return {
    name,
    short: '',
    description: '',
    target: base?.target ?? 'default',
    interfaces: all((zone) => zone.interfaces),
    sources: all((zone) => zone.sources),
    services: all((zone) => zone.services),
    ports: normalisePorts(zones.flatMap((zone) => zone.ports)),
    protocols: all((zone) => zone.protocols),
    sourcePorts: normalisePorts(zones.flatMap((zone) => zone.sourcePorts)),
    icmpBlocks: all((zone) => zone.icmpBlocks),
    icmpBlockInversion: zones.some((zone) => zone.icmpBlockInversion),
    masquerade: zones.some((zone) => zone.masquerade),
    forward: zones.some((zone) => zone.forward),
    forwardPorts: all((zone) => zone.forwardPorts),
    richRules: normaliseRules(zones.flatMap((zone) => zone.richRules)),
  };
}

function fields(zone: ZoneConfig): Fields {
  return new Map([
    ['target', zone.target],
    ['forward', zone.forward ? 'yes' : 'no'],
    ['short', zone.short],
    ['description', zone.description],
  ]);
}

/** What a zone's source binding begins with when it is the entries of an ipset. */
const OF_IPSET = 'ipset:';

/** The services and ipsets that a zone refers to: also those of its rich rules, and ipsets whose entries it is bound to. */
export function zoneRefersTo({ services, sources, richRules }: ZoneConfig): {
  services: readonly string[];
  ipsets: readonly string[];
} {
  const named = rulesReferTo(richRules);
  const bound = sources.filter((source) => source.startsWith(OF_IPSET)).map((source) => source.slice(OF_IPSET.length));
  return { services: [...services, ...named.services], ipsets: [...named.ipsets, ...bound] };
}

/** What the rich rules of a zone or policy refer to. */
export function rulesReferTo(rules: readonly RichRule[]): { services: readonly string[]; ipsets: readonly string[] } {
  const named = (names: readonly (string | null)[]) => names.filter((name) => name !== null);
  return {
    services: named(rules.map((rule) => rule.service)),
    ipsets: named(rules.flatMap((rule) => [rule.sourceIpset, rule.destinationIpset])),
  };
}

/** Whether something is bound to a zone, so that firewalld evaluates it. */
export function isBound({ interfaces, sources }: ZoneConfig): boolean {
  return interfaces.length + sources.length > 0;
}

/** Whether a binding of a zone matches an interface: its name, or a pattern such as `eth+`, for every name that begins with `eth`. */
export function coversInterface(bound: string, name: string): boolean {
  return bound.endsWith('+') ? name.startsWith(bound.slice(0, -1)) : bound === name;
}

/** The zone that an interface is in at runtime: the one that names it, else one that has a pattern for it. */
export function zoneHolding(
  { zones: all }: { readonly zones: ReadonlyMap<string, ZoneConfig> },
  name: string,
): ZoneConfig | undefined {
  const zones = [...all.values()];
  return (
    zones.find(({ interfaces }) => interfaces.includes(name)) ??
    zones.find(({ interfaces }) => interfaces.some((bound) => coversInterface(bound, name)))
  );
}

export const ZONE: OurKind<'zones', 'zone', ZoneConfig, OurZoneConfig, ZoneSettings> = {
  folder: 'zones',
  object: 'zone',
  fileName: /^[\p{L}\p{N}_-]{1,17}$/u,
  readXml: readZoneXml,
  writeXml: writeZoneXml,
  readBus: readZoneBus,
  united,
  refersTo: zoneRefersTo,
  inForce: isBound,
  settingsOf: (zone) => ({ ...zone, richRules: zone.richRules.map(({ text }) => text) }),
  ofSettings: (settings) => ({ ...settings, richRules: settings.richRules.map(parseRichRule) }),
  fields,
};
