import type { AddressRange, AddressRanges } from '../core/address-ranges.ts';
import { uniteAll } from '../core/address-ranges.ts';
import { fieldsOf, type Ipset, readSpan } from './read-ipset-save.ts';
import { readIptablesTarget } from './read-iptables-target.ts';
import type { DataType, Field, FieldName, Match, Part, Rule, Table } from './ruleset.ts';
import { one, PROTOCOLS, readValue, WITH_PORTS } from './values.ts';

type Family = 'ipv4' | 'ipv6';

/** An option with its values and its module; options without a module belong to iptables itself. */
interface Option {
  readonly name: string;
  readonly values: readonly string[];
  readonly negated: boolean;
}

interface Group {
  readonly module: string;
  readonly options: Option[];
}

/** Reads one rule, without `-A` and its chain. */
export function readIptablesRule(
  words: readonly string[],
  text: string,
  table: Table & { readonly family: 'ip' | 'ip6' },
  sets: ReadonlyMap<string, Ipset>,
): Rule {
  const family = table.family === 'ip' ? 'ipv4' : 'ipv6';
  const { groups, target } = grouped(words);
  const parts: Part[] = groups.flatMap((group) => matchesOf(group, family, sets));
  parts.push(...readIptablesTarget(target, family, table));
  return { parts, text };
}

/** Options follow their module. */
function grouped(words: readonly string[]): { readonly groups: readonly Group[]; readonly target: readonly string[] } {
  const own: Group = { module: '', options: [] };
  const groups: Group[] = [own];
  let group = own;
  let negated = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === '-j' || word === '-g') return { groups, target: words.slice(index) };
    if (word === '!') {
      negated = true;
      continue;
    }
    const values: string[] = [];
    // The text of a comment is no option.
    if (word === '--comment' && index + 1 < words.length) {
      index += 1;
      values.push(words[index]!);
    }
    while (index + 1 < words.length && !/^(?:-{1,2}[a-z].*|!)$/i.test(words[index + 1]!)) {
      index += 1;
      values.push(words[index]!);
    }
    if (word === '-m') {
      group = { module: values[0] ?? '', options: [] };
      groups.push(group);
    } else {
      const of = /^-[a-z]$/i.test(word) ? own : group;
      of.options.push({ name: word, values, negated });
    }
    negated = false;
  }
  return { groups, target: [] };
}

/** Matches whose result cannot be known in advance. */
const CHANCE = [
  'limit',
  'hashlimit',
  'connlimit',
  'quota',
  'quota2',
  'statistic',
  'recent',
  'time',
  'mac',
  'connbytes',
];

function matchesOf({ module, options }: Group, family: Family, sets: ReadonlyMap<string, Ipset>): Match[] {
  const text = wordsOf(module, options);
  if (CHANCE.includes(module)) return [{ kind: 'chance', text }];
  if (module === 'comment') return [];
  if (module === 'rpfilter') {
    const missing = options.some(({ name }) => name === '--invert');
    return [rangesMatch(field('reverse path', 'boolean'), [one(missing ? 0 : 1)], false, text)];
  }
  if (module === 'set') return [setMatch(options, text, sets)];
  // A module that matches without any option.
  if (options.length === 0 && !QUIET.includes(module)) return [{ kind: 'unknown', text }];
  const matches = options.map((option) => matchOf(option, module, family));
  if (module !== '' && matches.every((match) => match === null)) {
    return options.length === 0 ? [] : [{ kind: 'unknown', text }];
  }
  return matches.map((match, index) => match ?? { kind: 'unknown', text: wordsOf('', [options[index]!]) });
}

const QUIET = ['', 'tcp', 'udp', 'sctp', 'dccp', 'udplite', 'icmp', 'icmp6', 'icmpv6', 'multiport'];

function wordsOf(module: string, options: readonly Option[]): string {
  const words = options.flatMap(({ name, values, negated }) => [...(negated ? ['!'] : []), name, ...values]);
  return [...(module === '' ? [] : ['-m', module]), ...words].join(' ');
}

function field(name: FieldName, type: DataType, protocols: readonly number[] | null = null): Field {
  return { name, type, family: null, protocols };
}

function rangesMatch(of: Field, ranges: AddressRanges, negated: boolean, text: string): Match {
  const test = negated ? 'not-in' : 'in';
  return { kind: 'match', fields: [of], mask: null, test, values: { kind: 'ranges', ranges }, text };
}

/** `null` when the option is not known or not understood. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one case an option of iptables, nearly all of one line
function matchOf(option: Option, module: string, family: Family): Match | null {
  const { name, values, negated } = option;
  const [value = ''] = values;
  const text = wordsOf('', [option]);
  const address: DataType = family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr';
  const match = (of: Field, range: AddressRange | null): Match | null =>
    range === null ? null : rangesMatch(of, [range], negated, text);
  const ports = (of: 'sport' | 'dport', list: readonly string[]): Match | null => {
    const ranges = list.map((port) => readSpan(port, 'inet_service', ':'));
    const protocol = Object.hasOwn(PROTOCOLS, module) ? PROTOCOLS[module] : undefined;
    if (protocol === undefined && module !== 'multiport') return null;
    const protocols = protocol === undefined ? WITH_PORTS : [protocol];
    return ranges.includes(null)
      ? null
      : rangesMatch(field(of, 'inet_service', protocols), united(ranges), negated, text);
  };
  switch (name) {
    case '-s':
    case '--ctorigsrc':
      return match(field('saddr', address), readNetwork(value, address));
    case '-d':
      return match(field('daddr', address), readNetwork(value, address));
    case '--ctorigdst':
      return match(field('original daddr', address), readNetwork(value, address));
    case '-i':
      return match(field('iifname', 'ifname'), readInterface(value));
    case '-o':
      return match(field('oifname', 'ifname'), readInterface(value));
    case '-p':
    case '--ctproto':
      return match(field('l4proto', 'inet_proto'), readValue(value, 'inet_proto'));
    case '--sport':
    case '--source-port':
      return ports('sport', [value]);
    case '--dport':
    case '--destination-port':
      return ports('dport', [value]);
    case '--sports':
      return ports('sport', value.split(','));
    case '--dports':
      return ports('dport', value.split(','));
    case '--ctorigdstport':
      return match(field('original dport', 'inet_service'), readSpan(value, 'inet_service', ':'));
    case '--src-range':
      return match(field('saddr', address), readSpan(value, address, '-'));
    case '--dst-range':
      return match(field('daddr', address), readSpan(value, address, '-'));
    case '--state':
    case '--ctstate':
      return stateMatch(value, negated, text);
    case '--ctstatus':
      return flagsMatch(field('ct status', 'ct_status'), value.toLowerCase().replace(/_/g, '-'), negated, text);
    case '--ctdir':
      return match(field('ct direction', 'ct_dir'), readValue(value.toLowerCase(), 'ct_dir'));
    case '--mark':
      return markMatch(module === 'connmark' ? 'ct mark' : 'mark', value, negated, text);
    case '--pkt-type':
      return match(field('pkttype', 'pkt_type'), readValue(value, 'pkt_type'));
    case '--src-type':
    case '--dst-type': {
      const of = field(name === '--src-type' ? 'fib saddr type' : 'fib daddr type', 'fib_addrtype');
      const types = value.split(',').map((type) => readValue(type.toLowerCase(), 'fib_addrtype'));
      return types.includes(null) ? null : rangesMatch(of, united(types), negated, text);
    }
    case '--tcp-flags':
      return tcpFlagsMatch(value, values[1] ?? '', negated, text);
    case '--icmp-type':
      return match(field('icmp type', 'icmp_type', [1]), readValue(value, 'icmp_type'));
    case '--icmpv6-type':
      return match(field('icmp type', 'icmpv6_type', [58]), readValue(value, 'icmpv6_type'));
    default:
      return null;
  }
}

function united(ranges: readonly (AddressRange | null)[]): AddressRanges {
  return uniteAll(ranges.map((range) => (range === null ? [] : [range])));
}

/** `192.0.2.0/24`, or with a full mask. */
function readNetwork(text: string, type: DataType): AddressRange | null {
  const plain = readValue(text, type);
  const [address = '', mask = ''] = text.split('/');
  if (plain !== null || mask === '') return plain;
  const first = readValue(address, type);
  const bits = readValue(mask, type);
  if (first === null || bits === null) return null;
  const wild = ((1n << (type === 'ipv4_addr' ? 32n : 128n)) - 1n) ^ bits.first;
  return (wild & (wild + 1n)) === 0n ? { first: first.first & bits.first, last: first.first | wild } : null;
}

function readInterface(name: string): AddressRange | null {
  const wild = name.endsWith('+') ? `${name.slice(0, -1)}*` : name.endsWith('*') ? `${name.slice(0, -1)}\\*` : name;
  return readValue(wild, 'ifname');
}

function stateMatch(value: string, negated: boolean, text: string): Match | null {
  const names = value.toLowerCase().split(',');
  if (names.length === 1 && (names[0] === 'dnat' || names[0] === 'snat')) {
    return flagsMatch(field('ct status', 'ct_status'), names[0], negated, text);
  }
  const states = names.map((name) => readValue(name, 'ct_state'));
  return states.includes(null) ? null : rangesMatch(field('ct state', 'ct_state'), united(states), negated, text);
}

function flagsMatch(of: Field, list: string, negated: boolean, text: string): Match | null {
  const flags = list.split(',').map((name) => readValue(name, of.type));
  if (flags.includes(null)) return null;
  const together = flags.reduce((sum, flag) => sum | (flag?.first ?? 0n), 0n);
  const values = { kind: 'ranges', ranges: [one(together)] } as const;
  return { kind: 'match', fields: [of], mask: null, test: negated ? 'no-bit' : 'any-bit', values, text };
}

function markMatch(of: 'mark' | 'ct mark', value: string, negated: boolean, text: string): Match | null {
  const [number, mask] = value.split('/').map((part) => readValue(part, 'mark'));
  if (!number || mask === null) return null;
  const values = { kind: 'ranges', ranges: [number] } as const;
  const test = negated ? 'not-in' : 'in';
  return { kind: 'match', fields: [field(of, 'mark')], mask: mask?.first ?? null, test, values, text };
}

const EVERY_FLAG = 63n;

function tcpFlagsMatch(mask: string, set: string, negated: boolean, text: string): Match | null {
  const read = (list: string): bigint | null => {
    if (list === 'ALL') return EVERY_FLAG;
    if (list === 'NONE') return 0n;
    const flags = list.split(',').map((name) => readValue(name.toLowerCase(), 'tcp_flag'));
    return flags.includes(null) ? null : flags.reduce((sum, flag) => sum | (flag?.first ?? 0n), 0n);
  };
  const bits = read(mask);
  const wanted = read(set);
  if (bits === null || wanted === null) return null;
  const values = { kind: 'ranges', ranges: [one(wanted)] } as const;
  const test = negated ? 'not-in' : 'in';
  return { kind: 'match', fields: [field('tcp flags', 'tcp_flag', [6])], mask: bits, test, values, text };
}

function setMatch(options: readonly Option[], text: string, sets: ReadonlyMap<string, Ipset>): Match {
  const [option, ...others] = options;
  const [name = '', directions = ''] = option?.values ?? [];
  const set = sets.get(name);
  const fields = set === undefined ? null : fieldsOf(set, directions.split(','));
  if (option?.name !== '--match-set' || others.length > 0 || fields === null) return { kind: 'unknown', text };
  return {
    kind: 'match',
    fields,
    mask: null,
    test: option.negated ? 'not-in' : 'in',
    values: { kind: 'set', name },
    text,
  };
}
