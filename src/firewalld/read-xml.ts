import type { Element } from '@xmldom/xmldom';
import { parsePortRange } from '../core/ports.ts';
import type { IpsetConfig, PortProtocol, ServiceConfig, ZoneConfig } from './model.ts';
import { normalisePorts, normaliseStrings } from './normalise.ts';
import { canonicalRichRule } from './rich-rule.ts';
import { attribute, children, parseXml, XmlError } from './xml.ts';

/** An attribute that must be there. @throws XmlError when it is missing */
export function required(element: Element, name: string): string {
  const value = attribute(element, name);
  if (value === null) throw new XmlError(`<${element.tagName}> has no ${name}`);
  return value;
}

function textOf(element: Element): string {
  return (element.textContent ?? '').trim();
}

function isTrue(value: string | null): boolean {
  return value !== null && ['yes', 'true', '1'].includes(value.toLowerCase());
}

/** A `<port>` or `<source-port>`. @throws XmlError when it is none */
export function portOf(element: Element): PortProtocol {
  const range = parsePortRange(required(element, 'port'));
  if (typeof range === 'string') throw new XmlError(range);
  return { protocol: required(element, 'protocol'), range };
}

/** The order in which the daemon prints a rule's elements; the element that the rule is about comes after the second. */
const RULE_ORDER = ['source', 'destination', '', 'log', 'nflog', 'audit', 'accept', 'reject', 'drop', 'mark'];
/** The order in which it prints their attributes. */
const ATTRIBUTES = [
  'name',
  'address',
  'mac',
  'ipset',
  'port',
  'protocol',
  'to-port',
  'to-addr',
  'group',
  'prefix',
  'level',
  'queue-size',
  'set',
  'type',
  'value',
];

/** A rich rule's elements (of a zone or a policy) in the spelling that the daemon has for them. */
export function richRuleOf(element: Element): string {
  const head = ['rule', ...attributesOf(element, ['priority', 'family'])];
  const rank = (tag: string) => RULE_ORDER.indexOf(RULE_ORDER.includes(tag) ? tag : '');
  const parts = children(element).sort((a, b) => rank(a.tagName) - rank(b.tagName));
  return canonicalRichRule([...head, ...parts.map(richElementOf)].join(' '));
}

function richElementOf(element: Element): string {
  const words: string[] = [element.tagName];
  if (isTrue(attribute(element, 'invert'))) words.push('NOT');
  words.push(...attributesOf(element, ATTRIBUTES));
  if (element.tagName === 'tcp-mss-clamp' && attribute(element, 'value') === null) words.push('value="pmtu"');
  for (const child of children(element)) {
    if (child.tagName === 'limit') words.push('limit', ...attributesOf(child, ['value', 'burst']));
  }
  return words.join(' ');
}

function attributesOf(element: Element, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = attribute(element, name);
    return value === null ? [] : [`${name}="${value}"`];
  });
}

/**
 * Reads a zone file (firewalld.zone(5)).
 *
 * @throws XmlError when it is malformed or lacks what firewalld needs
 */
export function readZoneXml(name: string, text: string): ZoneConfig {
  const root = parseXml(text, 'zone');
  const zone = {
    short: '',
    description: '',
    interfaces: [] as string[],
    sources: [] as string[],
    services: [] as string[],
    ports: [] as PortProtocol[],
    protocols: [] as string[],
    sourcePorts: [] as PortProtocol[],
    icmpBlocks: [] as string[],
    icmpBlockInversion: false,
    masquerade: false,
    forward: false,
    forwardPorts: [] as string[],
    richRules: [] as string[],
  };
  for (const element of children(root)) {
    switch (element.tagName) {
      case 'short':
        zone.short = textOf(element);
        break;
      case 'description':
        zone.description = textOf(element);
        break;
      case 'interface':
        zone.interfaces.push(required(element, 'name'));
        break;
      case 'source': {
        const ipset = attribute(element, 'ipset');
        const bound =
          attribute(element, 'address') ?? attribute(element, 'mac') ?? (ipset === null ? null : `ipset:${ipset}`);
        if (bound === null) throw new XmlError('<source> has neither address nor mac nor ipset');
        zone.sources.push(bound);
        break;
      }
      case 'service':
        zone.services.push(required(element, 'name'));
        break;
      case 'port':
        zone.ports.push(portOf(element));
        break;
      case 'protocol':
        zone.protocols.push(required(element, 'value'));
        break;
      case 'source-port':
        zone.sourcePorts.push(portOf(element));
        break;
      case 'icmp-block':
        zone.icmpBlocks.push(required(element, 'name'));
        break;
      case 'icmp-block-inversion':
        zone.icmpBlockInversion = true;
        break;
      case 'masquerade':
        zone.masquerade = true;
        break;
      case 'forward':
        zone.forward = true;
        break;
      case 'forward-port':
        zone.forwardPorts.push(
          ['port', 'protocol', 'to-port', 'to-addr'].map((field) => attribute(element, field) ?? '').join(':'),
        );
        break;
      case 'rule':
        zone.richRules.push(richRuleOf(element));
        break;
      default:
        break;
    }
  }
  const priority = Number(attribute(root, 'ingress-priority') ?? attribute(root, 'priority') ?? 0) || 0;
  return {
    ...zone,
    name,
    ...(priority === 0 ? {} : { ingressPriority: priority }),
    target: zoneTarget(attribute(root, 'target')),
    interfaces: normaliseStrings(zone.interfaces),
    sources: normaliseStrings(zone.sources),
    services: normaliseStrings(zone.services),
    ports: normalisePorts(zone.ports),
    protocols: normaliseStrings(zone.protocols),
    sourcePorts: normalisePorts(zone.sourcePorts),
    icmpBlocks: normaliseStrings(zone.icmpBlocks),
    forwardPorts: normaliseStrings(zone.forwardPorts),
    richRules: normaliseStrings(zone.richRules),
  };
}

/** The target as our model has it; a zone file without one has firewalld's default. */
export function zoneTarget(value: string | null): ZoneConfig['target'] {
  if (value === null || value === '' || value === 'default' || value === '{chain}_{zone}') return 'default';
  if (value === 'ACCEPT' || value === 'DROP' || value === '%%REJECT%%') return value;
  if (value === 'REJECT') return '%%REJECT%%';
  throw new XmlError(`unknown target ${value}`);
}

/** Reads a service file (firewalld.service(5)). @throws XmlError as `readZoneXml` */
export function readServiceXml(name: string, text: string): ServiceConfig {
  const root = parseXml(text, 'service');
  let short = '';
  let description = '';
  const ports: PortProtocol[] = [];
  const protocols: string[] = [];
  const sourcePorts: PortProtocol[] = [];
  const helpers: string[] = [];
  const modules: string[] = [];
  const includes: string[] = [];
  let destination: { ipv4: string | null; ipv6: string | null } = { ipv4: null, ipv6: null };
  for (const element of children(root)) {
    if (element.tagName === 'short') short = textOf(element);
    else if (element.tagName === 'description') description = textOf(element);
    else if (element.tagName === 'port' && attribute(element, 'port')) ports.push(portOf(element));
    else if (element.tagName === 'port' || element.tagName === 'protocol')
      protocols.push(attribute(element, 'value') ?? required(element, 'protocol'));
    else if (element.tagName === 'source-port') sourcePorts.push(portOf(element));
    else if (element.tagName === 'helper') helpers.push(required(element, 'name'));
    else if (element.tagName === 'module') modules.push(required(element, 'name'));
    else if (element.tagName === 'include') includes.push(required(element, 'service'));
    else if (element.tagName === 'destination')
      destination = { ipv4: attribute(element, 'ipv4'), ipv6: attribute(element, 'ipv6') };
  }
  return {
    name,
    short,
    description,
    ports: normalisePorts(ports),
    protocols: normaliseStrings(protocols),
    sourcePorts: normalisePorts(sourcePorts),
    helpers: normaliseStrings(helpers),
    modules: normaliseStrings(modules),
    includes: normaliseStrings(includes),
    destination,
  };
}

/** An entry of nothing but what addresses, MACs and interfaces are written with, and the space behind it. */
const PLAIN_ENTRY = /<entry>([\w \t\r\n.:/,+-]*)<\/entry>[ \t\r\n]*/y;
/** What no plain entry holds. */
const MARK = '~';
const LONG_RUN = 8;

/**
 * A file with long runs of plain entries cut down to one entry for each run: a set may have 100,000, and a tree of that many
 * elements takes seconds. The file is malformed, or not, as it was. One with anything in which an element is no element
 * (comments, CDATA, a DOCTYPE) is left as it is.
 */
function withoutRuns(text: string): { readonly short: string; readonly runs: ReadonlyMap<string, readonly string[]> } {
  const runs = new Map<string, readonly string[]>();
  if (text.includes('<!') || text.includes('<?', 1) || text.includes(MARK)) return { short: text, runs };
  let short = '';
  let copied = 0;
  let begin = text.indexOf('<entry>');
  while (begin !== -1) {
    const run: string[] = [];
    let end = begin + 1;
    PLAIN_ENTRY.lastIndex = begin;
    for (let found = PLAIN_ENTRY.exec(text); found !== null; found = PLAIN_ENTRY.exec(text)) {
      run.push(found[1]!.trim());
      end = PLAIN_ENTRY.lastIndex;
    }
    if (run.length >= LONG_RUN) {
      const name = `${MARK}${runs.size}`;
      runs.set(name, run);
      short += `${text.slice(copied, begin)}<entry>${name}</entry>`;
      copied = end;
    }
    begin = text.indexOf('<entry>', end);
  }
  return { short: short + text.slice(copied), runs };
}

/** Reads an ipset file (firewalld.ipset(5)). @throws XmlError as `readZoneXml` */
export function readIpsetXml(name: string, text: string): IpsetConfig {
  const { short: rest, runs } = withoutRuns(text);
  const root = parseXml(rest, 'ipset');
  let short = '';
  let description = '';
  const options: Record<string, string> = {};
  const entries: string[] = [];
  for (const element of children(root)) {
    if (element.tagName === 'short') short = textOf(element);
    else if (element.tagName === 'description') description = textOf(element);
    else if (element.tagName === 'option') options[required(element, 'name')] = attribute(element, 'value') ?? '';
    else if (element.tagName === 'entry') {
      const entry = textOf(element);
      for (const one of runs.get(entry) ?? [entry]) entries.push(one);
    }
  }
  return {
    name,
    short,
    description,
    type: required(root, 'type'),
    family: options['family'] === 'inet6' ? 'ipv6' : 'ipv4',
    options,
    entries: normaliseStrings(entries),
  };
}
