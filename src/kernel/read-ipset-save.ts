import type { AddressRange } from '../core/address-ranges.ts';
import { splitWords } from './iptables-words.ts';
import type { DataType, Field, NamedSet, SetContent, SetElement } from './ruleset.ts';
import { one, readValue } from './values.ts';

/** A set of `ipset`, with the field that each part of its entries matches. */
export interface Ipset extends NamedSet {
  readonly family: 'ipv4' | 'ipv6';
  readonly dimensions: readonly Dimension[];
}

type Dimension = 'ip' | 'net' | 'port' | 'iface' | 'mark' | 'mac' | 'only-port' | 'unknown';

/** Reads what `ipset save` printed. Lines that are not understood are skipped: a rule that needs such a set finds none. */
export function readIpsetSave(text: string): ReadonlyMap<string, Ipset> {
  const creations = new Map<string, readonly string[]>();
  const entries = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [verb, name, rest] = firstWords(line);
    if (name === undefined || rest === undefined) continue;
    if (verb === 'create') {
      creations.set(name, splitWords(rest));
      entries.set(name, []);
    } else if (verb === 'add') entries.get(name)?.push(rest);
  }
  return new Map([...creations].map(([name, words]) => [name, ipset(name, words, entries.get(name) ?? [])]));
}

/** There may be many lines: only what is needed is split. */
function firstWords(line: string): readonly (string | undefined)[] {
  return /^(create|add) (\S+) (.*)$/.exec(line)?.slice(1) ?? [];
}

const DIMENSIONS: readonly string[] = ['ip', 'net', 'port', 'iface', 'mark', 'mac'];

function ipset(name: string, creation: readonly string[], entries: readonly string[]): Ipset {
  const [type = '', ...options] = creation;
  const family = options[options.indexOf('family') + 1] === 'inet6' && options.includes('family') ? 'ipv6' : 'ipv4';
  const [method, parts = ''] = type.split(':');
  const dimensions = parts.split(',').map((part): Dimension => {
    if (method === 'list') return 'unknown';
    if (method === 'bitmap' && part === 'port') return 'only-port';
    return DIMENSIONS.includes(part) ? (part as Dimension) : 'unknown';
  });
  // The kernel cuts both the looked-up addresses and the entries by this mask.
  const netmask = ['netmask', 'bitmask', 'markmask'].some((option) => options.includes(option));
  let content: SetContent | null = null;
  return {
    name,
    family,
    dimensions,
    types: dimensions.flatMap((dimension) => typesOf(dimension, family)),
    changing: false,
    elements() {
      content ??= netmask ? { elements: [], unknown: entries } : read(entries, dimensions, family);
      return content;
    },
    lines() {
      // The size of the table and its seed do not change what matches.
      const shown = creation.join(' ').replace(/ (?:hashsize|initval|bucketsize) \S+/g, '');
      return [
        `ipset ${name} ${shown}`,
        ...entries.map((entry) => entry.replace(/ (?:packets|bytes|timeout) \d+/g, '')).sort(),
      ];
    },
  };
}

function typesOf(dimension: Dimension, family: 'ipv4' | 'ipv6'): readonly DataType[] {
  switch (dimension) {
    case 'ip':
    case 'net':
      return [family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr'];
    case 'port':
      return ['inet_proto', 'inet_service'];
    case 'only-port':
      return ['inet_service'];
    case 'iface':
      return ['ifname'];
    case 'mark':
      return ['mark'];
    case 'mac':
    case 'unknown':
      return ['unknown'];
  }
}

function read(entries: readonly string[], dimensions: readonly Dimension[], family: 'ipv4' | 'ipv6'): SetContent {
  const elements: SetElement[] = [];
  const unknown: string[] = [];
  for (const entry of entries) {
    const [key = '', ...options] = entry.split(' ');
    const box = readKey(key, dimensions, family);
    const timeout = options[options.indexOf('timeout') + 1];
    // An exception (`nomatch`) excludes from other entries, and a wildcard matches by the beginning of a name.
    if (box === null || options.includes('nomatch') || options.includes('wildcard')) unknown.push(entry);
    else {
      const lasting = !options.includes('timeout') || timeout === '0';
      elements.push({ box, lasting, verdict: null, destination: null });
    }
  }
  return { elements, unknown };
}

function readKey(key: string, dimensions: readonly Dimension[], family: 'ipv4' | 'ipv6'): AddressRange[] | null {
  const parts = key.split(',');
  if (parts.length !== dimensions.length) return null;
  const box: AddressRange[] = [];
  for (const [index, dimension] of dimensions.entries()) {
    const part = parts[index]!;
    const ranges = readPart(part, dimension, family);
    if (ranges === null) return null;
    box.push(...ranges);
  }
  return box;
}

function readPart(part: string, dimension: Dimension, family: 'ipv4' | 'ipv6'): AddressRange[] | null {
  const [type] = typesOf(dimension, family);
  if (type === undefined || type === 'unknown') return null;
  // A port of a bridge, which is not the interface by which the packet arrives.
  if (dimension === 'iface' && part.startsWith('physdev:')) return null;
  if (dimension !== 'port') {
    const range = readSpan(part, type, '-');
    return range === null ? null : [range];
  }
  const match = /^(?:([a-z0-9-]+):)?(\d+(?:-\d+)?)$/.exec(part);
  const protocol = match === null ? null : readValue(match[1] ?? 'tcp', 'inet_proto');
  const ports = match === null ? null : readSpan(match[2]!, 'inet_service', '-');
  return protocol === null || ports === null ? null : [protocol, ports];
}

/** One value, or two with a separator. */
export function readSpan(text: string, type: DataType, between: string): AddressRange | null {
  const whole = readValue(text, type);
  if (whole !== null) return whole;
  const [from, to, ...more] = text.split(between);
  if (from === undefined || to === undefined || more.length > 0) return null;
  const first = from === '' && between === ':' ? one(0) : readValue(from, type);
  const last = to === '' && between === ':' ? one(65535) : readValue(to, type);
  return first === null || last === null || last.last < first.first ? null : { first: first.first, last: last.last };
}

/** The fields that a rule compares with a set's entries, by `src` and `dst`; `null` where they do not fit. */
export function fieldsOf(set: Ipset, directions: readonly string[]): readonly Field[] | null {
  if (directions.length < set.dimensions.length) return null;
  const fields = set.dimensions.map((dimension, index): Field[] | null => {
    const source = directions[index] === 'src';
    if (!source && directions[index] !== 'dst') return null;
    switch (dimension) {
      case 'ip':
      case 'net': {
        const type = set.family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr';
        return [{ name: source ? 'saddr' : 'daddr', type, family: set.family, protocols: null }];
      }
      case 'port':
        return [{ name: 'l4proto', type: 'inet_proto', family: null, protocols: null }, portField(source)];
      case 'only-port':
        return [portField(source)];
      case 'iface':
        return [{ name: source ? 'iifname' : 'oifname', type: 'ifname', family: null, protocols: null }];
      case 'mark':
        return [{ name: 'mark', type: 'mark', family: null, protocols: null }];
      default:
        return null;
    }
  });
  return fields.includes(null) ? null : fields.flatMap((field) => field ?? []);
}

function portField(source: boolean): Field {
  return { name: source ? 'sport' : 'dport', type: 'inet_service', family: null, protocols: null };
}
