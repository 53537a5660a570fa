import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { shown } from './shown.ts';

export type AddressFamily = 'ipv4' | 'ipv6';

/** An address block; a single address has the full prefix length. */
export interface Network {
  readonly family: AddressFamily;
  /** The lowest address, as a number. */
  readonly first: bigint;
  /** The highest address, as a number. */
  readonly last: bigint;
  readonly prefix: number;
}

/** Addresses or networks of both families, normalised and sorted; single addresses without `/32` or `/128`. */
export interface AddressesByFamily {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

const BITS: Readonly<Record<AddressFamily, number>> = { ipv4: 32, ipv6: 128 };

/** The family of an address text, or `null` when it is not a strictly written address. */
export function addressFamily(text: string): AddressFamily | null {
  // Programs read octal-looking or shortened IPv4 differently: only four plain decimals are accepted.
  if (ipv4Value(text) !== null) return 'ipv4';
  return isIPv6(text) && !text.includes('%') ? 'ipv6' : null;
}

/**
 * Reads one IPv4 or IPv6 address.
 *
 * @returns the address as a one-address network, or `null` for anything else: `10.1`, `010.0.0.1`, `fe80::1%eth0`, a CIDR
 */
export function parseAddress(text: string): Network | null {
  const plain = ipv4Value(text);
  const family = plain === null ? addressFamily(text) : 'ipv4';
  if (family === null) return null;
  const value = plain === null ? toNumber(text, family) : BigInt(plain);
  return { family, first: value, last: value, prefix: BITS[family] };
}

/**
 * Reads an address with a prefix length (`192.0.2.7/24`, as interfaces have it) as the network it lies in; a bare address
 * is a network of one.
 *
 * @returns `null` when it is neither
 */
export function parseNetwork(text: string): Network | null {
  const parts = splitPrefix(text);
  if (parts === null) return null;
  const address = parseAddress(parts.address);
  if (address === null) return null;
  const bits = BITS[address.family];
  const prefix = parts.prefix ?? bits;
  if (prefix > bits) return null;
  const hostMask = (1n << BigInt(bits - prefix)) - 1n;
  const first = address.first & ~hostMask;
  return { family: address.family, first, last: first | hostMask, prefix };
}

/**
 * Reads an address or network that a user wrote as a source, strictly: a network must be written with its first address.
 *
 * @returns the network, or a sentence that says what is wrong with it
 */
export function parseSource(text: string): Network | string {
  const network = parseNetwork(text);
  const parts = splitPrefix(text);
  if (network === null || parts === null) return explainBadSource(text);
  if (parts.prefix !== null && toNumber(parts.address, network.family) !== network.first) {
    return `"${text}" has bits set behind its prefix; the network is ${formatNetwork(network)}, the host ${parts.address}`;
  }
  return network;
}

/** The normal form: RFC 5952 for IPv6, no prefix length for a single address. */
export function formatNetwork(network: Network): string {
  const address = fromNumber(network.first, network.family);
  return network.prefix === BITS[network.family] ? address : `${address}/${network.prefix}`;
}

/** The normal form of an address (`2001:DB8::0:1` → `2001:db8::1`), or `null` when the text is none. */
export function normaliseAddress(text: string): string | null {
  const address = parseAddress(text);
  return address === null ? null : formatNetwork(address);
}

/** Whether every address of `inner` lies in `outer`. */
export function contains(outer: Network, inner: Network): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

/**
 * The smallest sorted list of networks that covers exactly the given addresses and networks, without overlaps.
 * firewalld refuses overlapping ipset entries from 1.0 on.
 *
 * @param sources addresses and CIDRs; one with bits behind its prefix counts as the network it lies in
 * @throws RangeError when one of them is neither
 */
export function aggregate(sources: Iterable<string>): AddressesByFamily {
  const networks: Network[] = [];
  for (const source of sources) {
    const network = parseNetwork(source);
    if (network === null) throw new RangeError(explainBadSource(source));
    networks.push(network);
  }
  return { ipv4: cover(networks, 'ipv4'), ipv6: cover(networks, 'ipv6') };
}

/** Orders by family (IPv4 first), then by address, then wider networks first. */
export function compareNetworks(a: Network, b: Network): number {
  if (a.family !== b.family) return a.family === 'ipv4' ? -1 : 1;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.prefix - b.prefix;
}

function cover(networks: readonly Network[], family: AddressFamily): string[] {
  const result: string[] = [];
  let first: bigint | null = null;
  let last = -1n;
  for (const network of networks.filter((one) => one.family === family).sort(compareNetworks)) {
    if (first !== null && network.first <= last + 1n) {
      if (network.last > last) last = network.last;
      continue;
    }
    if (first !== null) result.push(...rangeNetworks(first, last, family));
    first = network.first;
    last = network.last;
  }
  if (first !== null) result.push(...rangeNetworks(first, last, family));
  return result;
}

/** A range of addresses as the fewest aligned networks. */
export function rangeNetworks(from: bigint, to: bigint, family: AddressFamily): string[] {
  if (family === 'ipv4') {
    const networks: string[] = [];
    alignedBlocks(Number(from), Number(to), (first, bits) => {
      networks.push(bits === 0 ? ipv4Text(first) : `${ipv4Text(first)}/${32 - bits}`);
    });
    return networks;
  }
  const bits = BITS[family];
  const result: string[] = [];
  let first = from;
  while (first <= to) {
    let hostBits = 0;
    while (hostBits < bits) {
      const size = 1n << BigInt(hostBits + 1);
      if (first % size !== 0n || first + size - 1n > to) break;
      hostBits += 1;
    }
    const last = first + (1n << BigInt(hostBits)) - 1n;
    result.push(formatNetwork({ family, first, last, prefix: bits - hostBits }));
    first = last + 1n;
  }
  return result;
}

/** How many networks {@link rangeNetworks} gives, without writing them down. */
export function countRangeNetworks(from: bigint, to: bigint, family: AddressFamily): number {
  if (family === 'ipv6') return rangeNetworks(from, to, family).length;
  let count = 0;
  alignedBlocks(Number(from), Number(to), () => {
    count += 1;
  });
  return count;
}

/** Tells the aligned blocks of an IPv4 range, each by its first address and the bits that are free in it. */
function alignedBlocks(from: number, to: number, tell: (first: number, bits: number) => void): void {
  let first = from;
  while (first <= to) {
    let bits = 0;
    let size = 1;
    while (bits < 32 && first % (size * 2) === 0 && first + size * 2 - 1 <= to) {
      bits += 1;
      size *= 2;
    }
    tell(first, bits);
    first += size;
  }
}

const ZERO = 48;
const NINE = 57;
const DOT = 46;

/** The value of an address in four plain decimals, or `null`. Lists have 100,000 of them, so it is read by hand. */
function ipv4Value(text: string): number | null {
  let value = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= ZERO && code <= NINE) {
      // A leading zero is octal to some programs.
      if (digits > 0 && part === 0) return null;
      part = part * 10 + code - ZERO;
      digits += 1;
      if (part > 255) return null;
    } else if (code === DOT && digits > 0 && dots < 3) {
      value = value * 256 + part;
      part = 0;
      digits = 0;
      dots += 1;
    } else return null;
  }
  return dots === 3 && digits > 0 ? value * 256 + part : null;
}

function ipv4Text(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function splitPrefix(text: string): { address: string; prefix: number | null } | null {
  const slash = text.indexOf('/');
  if (slash === -1) return { address: text, prefix: null };
  const prefix = text.slice(slash + 1);
  return /^(?:0|[1-9]\d{0,2})$/.test(prefix) ? { address: text.slice(0, slash), prefix: Number(prefix) } : null;
}

function toNumber(text: string, family: AddressFamily): bigint {
  if (family === 'ipv4') return BigInt(ipv4Value(text) ?? 0);
  const words = ipaddr.IPv6.parse(text).parts.map((part) => part.toString(16).padStart(4, '0'));
  return BigInt(`0x${words.join('')}`);
}

function fromNumber(value: bigint, family: AddressFamily): string {
  if (family === 'ipv4') return ipv4Text(Number(value));
  const words = value.toString(16).padStart(32, '0').match(/.{4}/g) ?? [];
  return new ipaddr.IPv6(words.map((word) => Number.parseInt(word, 16))).toString();
}

/** A sentence that says why text is neither an address nor a network. */
export function explainBadSource(text: string): string {
  if (/^0\d|\.0\d/.test(text) && /^[\d./]+$/.test(text)) {
    return `${shown(text)} has a part with a leading zero, which some programs read as octal`;
  }
  if (text.includes('%')) return `${shown(text)} names an interface; write the address without "%" and what follows`;
  const prefix = /^([^/]+)\/(.*)$/.exec(text);
  if (prefix !== null) {
    const family = addressFamily(prefix[1]!);
    if (family !== null) return `${shown(`/${prefix[2]}`)} is not a prefix length between 0 and ${BITS[family]}`;
  }
  return `${shown(text)} is neither an IPv4 or IPv6 address nor a network in CIDR notation`;
}
