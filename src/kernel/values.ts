import type { AddressRange } from '../core/address-ranges.ts';
import { parseAddress, parseNetwork } from '../core/addresses.ts';
import type { DataType } from './ruleset.ts';

/** The protocols with names in rules. */
export const PROTOCOLS: Readonly<Record<string, number>> = {
  ip: 0,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  ipip: 4,
  tcp: 6,
  egp: 8,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  eigrp: 88,
  ospf: 89,
  ospfigp: 89,
  etherip: 97,
  pim: 103,
  comp: 108,
  ipcomp: 108,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  'mobility-header': 135,
  'ipv6-mh': 135,
  udplite: 136,
  mptcp: 262,
};

/** The protocols with ports. */
export const WITH_PORTS: readonly number[] = [6, 17, 33, 132, 136];

export const ICMP_TYPES: Readonly<Record<string, number>> = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
};

export const ICMPV6_TYPES: Readonly<Record<string, number>> = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'mld-listener-reduction': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
};

/** Names of values, by type. */
const SYMBOLS: Readonly<Partial<Record<DataType, Readonly<Record<string, number>>>>> = {
  inet_proto: PROTOCOLS,
  nf_proto: { ipv4: 2, ipv6: 10 },
  ether_type: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 },
  ct_state: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  ct_status: {
    expected: 1,
    'seen-reply': 2,
    assured: 4,
    confirmed: 8,
    snat: 16,
    dnat: 32,
    dying: 512,
  },
  ct_dir: { original: 0, reply: 1 },
  pkt_type: { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  fib_addrtype: {
    unspec: 0,
    unicast: 1,
    local: 2,
    broadcast: 3,
    anycast: 4,
    multicast: 5,
    blackhole: 6,
    unreachable: 7,
    prohibit: 8,
  },
  tcp_flag: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
  icmp_type: ICMP_TYPES,
  icmpv6_type: ICMPV6_TYPES,
  boolean: { missing: 0, exists: 1 },
};

/** The types whose values are flags: without an operator, one common bit is a match. */
export const FLAG_TYPES: readonly DataType[] = ['ct_state', 'ct_status', 'tcp_flag'];

const BITS: Readonly<Partial<Record<DataType, number>>> = {
  ipv4_addr: 32,
  ipv6_addr: 128,
  inet_service: 16,
  inet_proto: 8,
  mark: 32,
  ifname: 128,
};

/** The highest number of a type. */
export function highest(type: DataType): bigint {
  return (1n << BigInt(BITS[type] ?? 32)) - 1n;
}

/** Reads one value as a range of numbers; `null` when it is no value of that type. */
export function readValue(text: string, type: DataType): AddressRange | null {
  if (type === 'ipv4_addr' || type === 'ipv6_addr') {
    const network = text.includes('/') ? parseNetwork(text) : parseAddress(text);
    if (network === null || network.family !== (type === 'ipv4_addr' ? 'ipv4' : 'ipv6')) return null;
    return { first: network.first, last: network.last };
  }
  if (type === 'ifname') return interfaceRange(text);
  const symbol = SYMBOLS[type];
  const known = symbol !== undefined && Object.hasOwn(symbol, text) ? symbol[text] : undefined;
  if (known !== undefined) return one(known);
  if (type === 'unknown' || !/^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) return null;
  return one(BigInt(text));
}

export function one(value: number | bigint): AddressRange {
  const number = BigInt(value);
  return { first: number, last: number };
}

const NAME_BYTES = 16;

/** The name of an interface as the kernel compares it: 16 bytes. `eth*` is every name that begins so. */
function interfaceRange(text: string): AddressRange | null {
  const wild = text.endsWith('*') && !text.endsWith('\\*');
  const bytes = Buffer.from(wild ? text.slice(0, -1) : text.replace(/\\\*$/, '*'), 'utf8');
  if (bytes.length >= NAME_BYTES || bytes.includes(0)) return null;
  const first = Buffer.alloc(NAME_BYTES, 0);
  bytes.copy(first);
  const last = Buffer.alloc(NAME_BYTES, wild ? 255 : 0);
  bytes.copy(last);
  return { first: BigInt(`0x${first.toString('hex')}`), last: BigInt(`0x${last.toString('hex')}`) };
}

/** The number of an interface's name. */
export function interfaceNumber(name: string): bigint {
  return interfaceRange(name.endsWith('*') ? `${name.slice(0, -1)}\\*` : name)?.first ?? -1n;
}

/** The number of a protocol, from its name or number; `null` when unknown. */
export function protocolNumber(protocol: string): number | null {
  const range = readValue(protocol, 'inet_proto');
  return range === null ? null : Number(range.first);
}
