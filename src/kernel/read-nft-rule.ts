import type { AddressRanges } from '../core/address-ranges.ts';
import { get, isObject, type Json, list, shallow, single } from './json.ts';
import { ruleText, statementText, valueText } from './nft-text.ts';
import {
  readDestination,
  readField,
  readFields,
  readFlags,
  readMap,
  readRange,
  readValues,
  readVerdict,
} from './read-nft-values.ts';
import type { DataType, Field, MarkValue, Match, Part, Rule, Target } from './ruleset.ts';
import { FLAG_TYPES, highest } from './values.ts';

/** The kernel allows 128 expressions in a rule. */
const MOST_EXPRESSIONS = 128;

/** Reads the expressions of one rule. One that is not understood becomes a part `unknown`. */
export function readRule(expressions: readonly Json[], comment: Json): Rule {
  if (expressions.length > MOST_EXPRESSIONS) {
    const text = 'a rule that is longer than the kernel takes';
    return { parts: [{ kind: 'unknown-statement', text }], text };
  }
  if (!shallow(expressions)) {
    const text = 'a rule that is nested too deep';
    return { parts: [{ kind: 'unknown-statement', text }], text };
  }
  return { parts: expressions.map(readPart), text: ruleText(expressions, comment) };
}

const ASIDE = [
  'counter',
  'log',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'flow',
  'dup',
  'last',
  'secmark',
  'tcp option',
];

function readPart(expression: Json): Part {
  const item = single(expression);
  const text = () => statementText(expression);
  if (item === null) return { kind: 'unknown-statement', text: text() };
  const { key, value } = item;
  const verdict = readVerdict(expression);
  if (verdict !== null) return { kind: 'verdict', verdict };
  if (ASIDE.includes(key)) return { kind: 'aside' };
  switch (key) {
    case 'match':
      return readMatch(value, text());
    case 'limit':
    case 'quota':
    case 'ct count':
    case 'meter':
      return { kind: 'chance', text: text() };
    case 'set':
      // An element that is added with a limit: what follows applies within the limit.
      return list(get(value, 'stmt')).length > 0 ? { kind: 'chance', text: text() } : { kind: 'aside' };
    case 'xt':
      return { kind: get(value, 'type') === 'match' ? 'unknown' : 'unknown-statement', text: text() };
    case 'notrack':
      return { kind: 'untrack' };
    case 'vmap': {
      const fields = readFields(get(value, 'key'));
      const map = readMap(get(value, 'data'), typesOf(fields), readVerdict);
      return map === null || fields.some(({ name }) => name === 'unknown')
        ? { kind: 'unknown-statement', text: text() }
        : { kind: 'verdict-map', fields, map };
    }
    case 'mangle':
      return readMangle(value, text());
    case 'snat':
    case 'masquerade':
      return { kind: 'translate-source' };
    case 'dnat':
    case 'redirect':
      return { kind: 'translate-destination', to: readTarget(value, key === 'redirect') };
    case 'queue':
      return { kind: 'queue', text: text() };
    default:
      return { kind: 'unknown-statement', text: text() };
  }
}

function typesOf(fields: readonly Field[]): readonly DataType[] {
  return fields.map(({ type }) => type);
}

function readMatch(value: Json, text: string): Match {
  const unknown: Match = { kind: 'unknown', text };
  const operator = get(value, 'op');
  const right = get(value, 'right');
  let left = get(value, 'left');
  let mask: Json;
  const masked = get(left, '&');
  if (Array.isArray(masked)) {
    if (masked.length !== 2) return unknown;
    [left, mask] = masked;
  }
  const fields = readFields(left);
  const [field] = fields;
  if (field === undefined || fields.some(({ name }) => name === 'unknown')) {
    return isChance(left) ? { kind: 'chance', text } : unknown;
  }
  if (fields.length > 1) {
    const values = mask === undefined ? readValues(right, typesOf(fields)) : null;
    if (values === null || (operator !== '==' && operator !== 'in' && operator !== '!=')) return unknown;
    return { kind: 'match', fields, mask: null, test: operator === '!=' ? 'not-in' : 'in', values, text };
  }
  const bits = mask === undefined ? null : readFlags(mask, field.type);
  if (mask !== undefined && bits === null) return unknown;
  const match = (test: 'in' | 'not-in' | 'any-bit' | 'no-bit', ranges: AddressRanges, own = bits): Match => ({
    kind: 'match',
    fields,
    mask: own,
    test,
    values: { kind: 'ranges', ranges },
    text,
  });
  const isSet = isObject(get(right, 'set')) || Array.isArray(get(right, 'set')) || isSetName(right);
  if (FLAG_TYPES.includes(field.type) && !isSet) {
    const flags = readFlags(right, field.type);
    if (flags === null) return unknown;
    const ranges = [{ first: flags, last: flags }];
    if (operator === 'in') return match('any-bit', ranges);
    if (operator === '!') return match('no-bit', ranges);
    return operator === '==' ? match('in', ranges) : operator === '!=' ? match('not-in', ranges) : unknown;
  }
  if (operator === '<' || operator === '<=' || operator === '>' || operator === '>=') {
    const range = readRange(right, field.type);
    return range === null ? unknown : match('in', compared(operator, range.first, field.type));
  }
  if (operator !== '==' && operator !== '!=' && operator !== 'in') return unknown;
  const test = operator === '!=' ? 'not-in' : 'in';
  if (bits !== null && field.type !== 'mark') {
    const ranges = underMask(bits, right, field.type);
    return ranges === null ? unknown : match(test, ranges, null);
  }
  const values = readValues(right, typesOf(fields));
  return values === null ? unknown : { kind: 'match', fields, mask: bits, test, values, text };
}

/** The values of these fields cannot be known in advance. */
const CHANCE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  ip: ['ttl', 'dscp', 'ecn', 'length', 'id'],
  ip6: ['hoplimit', 'dscp', 'ecn', 'length', 'flowlabel'],
  meta: ['length', 'time', 'day', 'hour', 'random', 'cpu'],
};

function isChance(field: Json): boolean {
  const protocol = get(get(field, 'payload'), 'protocol');
  if (protocol === 'ether') return true;
  const [group, name] =
    typeof protocol === 'string'
      ? [protocol, get(get(field, 'payload'), 'field')]
      : ['meta', get(get(field, 'meta'), 'key')];
  return typeof name === 'string' && Object.hasOwn(CHANCE_FIELDS, group) && CHANCE_FIELDS[group]!.includes(name);
}

function isSetName(value: Json): boolean {
  return typeof value === 'string' && value.startsWith('@');
}

function compared(operator: '<' | '<=' | '>' | '>=', bound: bigint, type: DataType): AddressRanges {
  const top = highest(type);
  if (operator === '<') return bound === 0n ? [] : [{ first: 0n, last: bound - 1n }];
  if (operator === '<=') return [{ first: 0n, last: bound }];
  const first = operator === '>' ? bound + 1n : bound;
  return first > top ? [] : [{ first, last: top }];
}

/** `ip saddr & 255.255.255.0 == 192.0.2.0` is a network; `null` for a mask with holes. */
function underMask(mask: bigint, right: Json, type: DataType): AddressRanges | null {
  const value = readRange(right, type);
  const wild = highest(type) ^ mask;
  if (value === null || value.first !== value.last || (wild & (wild + 1n)) !== 0n) return null;
  return (value.first & wild) === 0n ? [{ first: value.first, last: value.first | wild }] : [];
}

function readMangle(value: Json, text: string): Part {
  const key = get(value, 'key');
  const field = readField(key);
  if (field.name === 'mark' || field.name === 'ct mark') {
    return { kind: 'set-mark', of: field.name, to: readMarkValue(get(value, 'value')) };
  }
  // Changes of other fields decide nothing, except those on which the path depends.
  return ['saddr', 'daddr', 'sport', 'dport'].includes(field.name)
    ? { kind: 'unknown-statement', text }
    : { kind: 'aside' };
}

const ALL_BITS = (1n << 32n) - 1n;

function readMarkValue(value: Json): MarkValue {
  if (typeof value === 'number')
    return Number.isInteger(value) ? { from: 'nothing', and: 0n, xor: BigInt.asUintN(32, BigInt(value)) } : null;
  const item = single(value);
  if (item?.key === 'meta' || item?.key === 'ct') {
    const { name } = readField(value);
    return name === 'mark' || name === 'ct mark' ? { from: name, and: ALL_BITS, xor: 0n } : null;
  }
  if (item?.key !== '&' && item?.key !== '|' && item?.key !== '^') return null;
  const [first, ...others] = list(item.value);
  let result = readMarkValue(first);
  for (const other of others) {
    const range = readRange(other, 'mark');
    if (result === null || range === null) return null;
    result = combined(result, item.key, range.first);
  }
  return result;
}

/** A mark value with one more operation on it. */
export function combined(mark: NonNullable<MarkValue>, operator: '&' | '|' | '^', bits: bigint): MarkValue {
  const { from, and, xor } = mark;
  switch (operator) {
    case '&':
      return { from, and: and & bits, xor: xor & bits };
    case '|':
      return { from, and: and & ~bits & ALL_BITS, xor: (xor & ~bits & ALL_BITS) | bits };
    case '^':
      return { from, and, xor: xor ^ bits };
  }
}

function readTarget(value: Json, redirect: boolean): Target {
  const port = get(value, 'port');
  const address = get(value, 'addr');
  const given = get(value, 'family');
  const same = redirect ? 'here' : 'same';
  const mapped = get(address, 'map') ?? get(port, 'map');
  if (mapped !== undefined) {
    const fields = readFields(get(mapped, 'key'));
    const data = readMap(get(mapped, 'data'), typesOf(fields), readDestination);
    const known = data !== null && fields.every(({ name }) => name !== 'unknown');
    if (!known) return { family: null, address: redirect ? 'here' : null, port: null, map: null };
    return {
      family: null,
      address: same,
      port: get(port, 'map') === undefined ? readPort(port) : 'same',
      map: { fields, data },
    };
  }
  const to = address === undefined ? null : (readDestination(address)?.address ?? null);
  const family =
    given === 'ip'
      ? 'ipv4'
      : given === 'ip6'
        ? 'ipv6'
        : to === null
          ? null
          : valueText(address).includes(':')
            ? 'ipv6'
            : 'ipv4';
  return { family, address: address === undefined ? same : to, port: readPort(port), map: null };
}

function readPort(port: Json): Target['port'] {
  return port === undefined ? 'same' : readRange(port, 'inet_service');
}
