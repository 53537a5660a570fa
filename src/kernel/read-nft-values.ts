import { type AddressRange, type AddressRanges, uniteAll } from '../core/address-ranges.ts';
import { get, isObject, type Json, list, single } from './json.ts';
import { valueText } from './nft-text.ts';
import type {
  Box,
  DataType,
  Destination,
  Field,
  FieldName,
  MapData,
  MapEntry,
  SetElement,
  Values,
  Verdict,
} from './ruleset.ts';
import { one, PROTOCOLS, readValue, WITH_PORTS } from './values.ts';

/** Reads packet fields and constants from nft's JSON. Anything else becomes a field `unknown`. */

const ANY = { family: null, protocols: null } as const;

export const UNKNOWN_FIELD: Field = { name: 'unknown', type: 'unknown', ...ANY };

/** The fields of an expression; several for a concatenation. */
export function readFields(expression: Json): readonly Field[] {
  const parts = get(expression, 'concat');
  return Array.isArray(parts) ? parts.map(readField) : [readField(expression)];
}

export function readField(expression: Json): Field {
  const item = single(expression);
  switch (item?.key) {
    case 'payload':
      return payloadField(get(item.value, 'protocol'), get(item.value, 'field'));
    case 'meta':
      return metaField(get(item.value, 'key'));
    case 'ct':
      return ctField(item.value);
    case 'fib':
      return fibField(item.value);
    default:
      return UNKNOWN_FIELD;
  }
}

function payloadField(protocol: Json, field: Json): Field {
  if (protocol === 'ip' || protocol === 'ip6') {
    const family = protocol === 'ip' ? 'ipv4' : 'ipv6';
    const type = protocol === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
    if (field === 'saddr' || field === 'daddr') return { name: field, type, family, protocols: null };
    if (field === 'protocol' || field === 'nexthdr')
      return { name: 'l4proto', type: 'inet_proto', family, protocols: null };
    if (field === 'version') return { name: 'unknown', type: 'unknown', family, protocols: null };
    return { name: 'unknown', type: 'unknown', family, protocols: null };
  }
  if (protocol === 'icmp' || protocol === 'icmpv6') {
    const type = protocol === 'icmp' ? 'icmp_type' : 'icmpv6_type';
    const protocols = [PROTOCOLS[protocol]!];
    return field === 'type'
      ? { name: 'icmp type', type, family: null, protocols }
      : { name: 'unknown', type: 'unknown', family: null, protocols };
  }
  const number = typeof protocol === 'string' && Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol]! : null;
  const protocols = protocol === 'th' ? WITH_PORTS : number === null ? null : [number];
  if (protocols !== null && WITH_PORTS.includes(protocols[0]!)) {
    if (field === 'dport' || field === 'sport') return { name: field, type: 'inet_service', family: null, protocols };
    if (protocol === 'tcp' && field === 'flags')
      return { name: 'tcp flags', type: 'tcp_flag', family: null, protocols };
  }
  return { ...UNKNOWN_FIELD, protocols };
}

const META: Readonly<Record<string, readonly [FieldName, DataType]>> = {
  nfproto: ['nfproto', 'nf_proto'],
  protocol: ['ethertype', 'ether_type'],
  l4proto: ['l4proto', 'inet_proto'],
  iif: ['iifname', 'ifname'],
  iifname: ['iifname', 'ifname'],
  oif: ['oifname', 'ifname'],
  oifname: ['oifname', 'ifname'],
  mark: ['mark', 'mark'],
  pkttype: ['pkttype', 'pkt_type'],
};

function metaField(key: Json): Field {
  const known = typeof key === 'string' && Object.hasOwn(META, key) ? META[key] : undefined;
  return known === undefined ? UNKNOWN_FIELD : { name: known[0], type: known[1], ...ANY };
}

function ctField(value: Json): Field {
  const key = get(value, 'key');
  const direction = get(value, 'dir');
  if (direction !== undefined && direction !== 'original') return UNKNOWN_FIELD;
  const family = key === 'ip6 saddr' || key === 'ip6 daddr' || get(value, 'family') === 'ip6' ? 'ipv6' : 'ipv4';
  const type = family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr';
  switch (key) {
    case 'state':
      return { name: 'ct state', type: 'ct_state', ...ANY };
    case 'status':
      return { name: 'ct status', type: 'ct_status', ...ANY };
    case 'direction':
      return { name: 'ct direction', type: 'ct_dir', ...ANY };
    case 'mark':
      return { name: 'ct mark', type: 'mark', ...ANY };
    case 'ip saddr':
    case 'ip6 saddr':
      return direction === undefined ? UNKNOWN_FIELD : { name: 'saddr', type, family, protocols: null };
    case 'ip daddr':
    case 'ip6 daddr':
      return direction === undefined ? UNKNOWN_FIELD : { name: 'original daddr', type, family, protocols: null };
    case 'proto-dst':
      return direction === undefined
        ? UNKNOWN_FIELD
        : { name: 'original dport', type: 'inet_service', family: null, protocols: null };
    case 'l3proto':
      return { name: 'nfproto', type: 'nf_proto', ...ANY };
    case 'protocol':
      return { name: 'l4proto', type: 'inet_proto', ...ANY };
    default:
      return UNKNOWN_FIELD;
  }
}

function fibField(value: Json): Field {
  const given = get(value, 'flags');
  const flags = Array.isArray(given) ? given : [given];
  const result = get(value, 'result');
  const ofSource = flags.includes('saddr');
  if (result === 'oif' || result === 'oifname' || result === 'check') {
    // `eq` with an interface's name has another meaning; its value is no boolean and is not read.
    return ofSource ? { name: 'reverse path', type: 'boolean', ...ANY } : UNKNOWN_FIELD;
  }
  if (result !== 'type' || flags.some((flag) => flag === 'iif' || flag === 'oif')) return UNKNOWN_FIELD;
  return { name: ofSource ? 'fib saddr type' : 'fib daddr type', type: 'fib_addrtype', ...ANY };
}

/** One value or range of a type; `null` when it cannot be read. */
export function readRange(value: Json, type: DataType): AddressRange | null {
  if (typeof value === 'string') return readValue(value, type);
  if (typeof value === 'number') {
    return Number.isInteger(value) && value >= 0 && type !== 'ifname' && type !== 'unknown' ? one(value) : null;
  }
  if (typeof value === 'boolean') return type === 'boolean' ? one(value ? 1 : 0) : null;
  const item = single(value);
  switch (item?.key) {
    case 'prefix':
      return readValue(`${valueText(get(item.value, 'addr'))}/${valueText(get(item.value, 'len'))}`, type);
    case 'range': {
      const [from, to, ...more] = list(item.value).map((end) => readRange(end, type));
      return from && to && more.length === 0 && from.first <= to.last ? { first: from.first, last: to.last } : null;
    }
    case 'elem':
      return readRange(get(item.value, 'val'), type);
    default:
      return null;
  }
}

/** Combined flags: `["fin","syn"]`, `{"|": ["fin","syn"]}`, or one flag. */
export function readFlags(value: Json, type: DataType): bigint | null {
  const parts = Array.isArray(value) ? value : get(value, '|');
  if (!Array.isArray(parts)) {
    const range = readRange(value, type);
    return range !== null && range.first === range.last ? range.first : null;
  }
  let together = 0n;
  for (const part of parts) {
    const flag = readFlags(part, type);
    if (flag === null) return null;
    together |= flag;
  }
  return together;
}

/** An anonymous set, a named set, or one value. */
export function readValues(value: Json, types: readonly DataType[]): Values | null {
  if (typeof value === 'string' && value.startsWith('@')) return { kind: 'set', name: value.slice(1) };
  const members = get(value, 'set');
  const given = members === undefined ? (Array.isArray(value) ? value : [value]) : list(members);
  const boxes: Box[] = [];
  for (const member of given) {
    const box = readBox(member, types);
    if (box === null) return null;
    boxes.push(box);
  }
  return valuesOf(boxes, types.length);
}

/** Boxes of one dimension are ranges. */
export function valuesOf(boxes: readonly Box[], dimensions: number): Values {
  return dimensions === 1 ? { kind: 'ranges', ranges: rangesOf(boxes) } : { kind: 'boxes', boxes };
}

export function rangesOf(boxes: readonly Box[]): AddressRanges {
  return uniteAll(boxes.map((box) => box.slice(0, 1)));
}

export function readBox(value: Json, types: readonly DataType[]): Box | null {
  const bare = get(value, 'elem');
  const inner = isObject(bare) ? get(bare, 'val') : value;
  const parts = types.length === 1 ? [inner] : list(get(inner, 'concat'));
  if (parts.length !== types.length) return null;
  const box: AddressRange[] = [];
  for (const [index, type] of types.entries()) {
    const range = parts[index] === '*' ? null : readRange(parts[index], type);
    if (range === null) return null;
    box.push(range);
  }
  return box;
}

/** `null` when it is no verdict. */
export function readVerdict(expression: Json): Verdict | null {
  const item = single(expression);
  switch (item?.key) {
    case 'accept':
    case 'drop':
    case 'reject':
    case 'return':
    case 'continue':
      return { kind: item.key };
    case 'jump':
    case 'goto': {
      const target = get(item.value, 'target');
      return typeof target === 'string' ? { kind: item.key, target } : null;
    }
    default:
      return null;
  }
}

/** The value of a NAT map: an address, a port, or both. */
export function readDestination(value: Json): Destination | null {
  if (typeof value === 'number') {
    const port = readRange(value, 'inet_service');
    return port === null ? null : { address: 'same', port };
  }
  const parts = get(value, 'concat');
  const [first, second, ...more] = Array.isArray(parts) ? parts : [value];
  if (more.length > 0) return null;
  const address = readRange(first, valueText(first).includes(':') ? 'ipv6_addr' : 'ipv4_addr');
  const port = second === undefined ? 'same' : readRange(second, 'inet_service');
  return address === null || port === null ? null : { address, port };
}

/** The data of a named or an anonymous map; `null` when an entry cannot be read. */
export function readMap<T>(data: Json, types: readonly DataType[], read: (value: Json) => T | null): MapData<T> | null {
  if (typeof data === 'string') return data.startsWith('@') ? { kind: 'named', name: data.slice(1) } : null;
  const entries: MapEntry<T>[] = [];
  for (const pair of list(get(data, 'set'))) {
    const [key, given] = list(pair);
    const box = readBox(key, types);
    const value = read(given);
    if (box === null || value === null) return null;
    entries.push({ box, value });
  }
  return { kind: 'inline', entries };
}

/** One element of a named set or map. */
export function readElement(element: Json, types: readonly DataType[], expires: boolean): SetElement | null {
  const pair = Array.isArray(element) && element.length === 2 ? element : null;
  const key: Json = pair === null ? element : pair[0];
  const box = readBox(key, types);
  if (box === null) return null;
  const own = get(key, 'elem');
  const leaves = expires || get(own, 'timeout') !== undefined || get(own, 'expires') !== undefined;
  const limited = list(get(own, 'stmt')).length > 0 || get(own, 'limit') !== undefined;
  return {
    box,
    lasting: !leaves && !limited,
    verdict: pair === null ? null : readVerdict(pair[1]),
    destination: pair === null ? null : readDestination(pair[1]),
  };
}
