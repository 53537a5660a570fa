import { type AddressFamily, countRangeNetworks, parseAddress, parseNetwork, rangeNetworks } from './addresses.ts';
import { rememberingPairs } from './remember.ts';

/** An inclusive range of addresses, as numbers. */
export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** A set of addresses of one family: sorted ranges that neither overlap nor touch. */
export type AddressRanges = readonly AddressRange[];

/** All addresses of a family. */
export const EVERY_ADDRESS: Readonly<Record<AddressFamily, AddressRanges>> = {
  ipv4: [{ first: 0n, last: (1n << 32n) - 1n }],
  ipv6: [{ first: 0n, last: (1n << 128n) - 1n }],
};

/**
 * The addresses of one family that addresses, networks and ranges (`192.0.2.1-192.0.2.9`) mean; those of the other
 * family are ignored.
 *
 * @returns `null` when one of them is none of these
 */
export function addressRanges(networks: readonly string[], family: AddressFamily): AddressRanges | null {
  const ranges: AddressRange[] = [];
  for (const text of networks) {
    const range = parseNetwork(text) ?? readRange(text);
    if (range === null) return null;
    if (range.family === family) ranges.push({ first: range.first, last: range.last });
  }
  return merged(ranges);
}

function readRange(text: string): (AddressRange & { readonly family: AddressFamily }) | null {
  const [from, to, ...more] = text.split('-').map(parseAddress);
  if (more.length > 0 || !from || !to || from.family !== to.family || to.first < from.first) return null;
  return { family: from.family, first: from.first, last: to.first };
}

/** The set of one address; empty when the text is none of that family. */
export function oneAddress(address: string, family: AddressFamily): AddressRanges {
  return addressRanges([address], family) ?? [];
}

type Operation = (left: AddressRanges, right: AddressRanges) => AddressRanges;

/** From this many ranges on, a result is cached as long as both sets exist. */
const LARGE = 256;

/**
 * The same operation, which gives the same large result for the same two sets. The difference of a list of 100,000
 * addresses and all others is needed for each port of each interface, and must not be in memory a thousand times.
 */
function remembering(operation: Operation): Operation {
  return rememberingPairs(operation, (left, right) => left.length + right.length >= LARGE);
}

/** What is in either. */
export const unite: Operation = remembering((left, right) => {
  if (left.length === 0) return right;
  return right.length === 0 ? left : merged([...left, ...right]);
});

/** Up to this many sets are united one after the other, so that the result can be cached. */
const FEW_SETS = 4;

/** What is in any of them. */
export function uniteAll(sets: Iterable<AddressRanges>): AddressRanges {
  const filled = [...sets].filter((set) => set.length > 0);
  if (filled.length <= FEW_SETS) return filled.reduce<AddressRanges>(unite, []);
  return merged(filled.flat());
}

/** Whether an address is in a set. */
export function holds(ranges: AddressRanges, address: bigint): boolean {
  const found = ranges[reaching(ranges, address, 0)];
  return found !== undefined && found.first <= address;
}

/** The place of the first range, from a place on, that ends at an address or behind it. */
export function reaching(ranges: AddressRanges, address: bigint, from = 0): number {
  let low = from;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.last < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Up to this many holes are cut one by one: a rule is about one network, and what is left of all addresses may be many ranges. */
const FEW_HOLES = 8;

function cutOut(from: AddressRanges, holes: AddressRanges): AddressRanges {
  const rest = [...from];
  for (const { first, last } of holes) {
    const begin = reaching(rest, first, 0);
    let end = begin;
    while (end < rest.length && rest[end]!.first <= last) end += 1;
    if (begin === end) continue;
    const pieces: AddressRange[] = [];
    if (rest[begin]!.first < first) pieces.push({ first: rest[begin]!.first, last: first - 1n });
    if (rest[end - 1]!.last > last) pieces.push({ first: last + 1n, last: rest[end - 1]!.last });
    rest.splice(begin, end - begin, ...pieces);
  }
  return rest;
}

/** What is in the first and not in the second. */
export const subtract: Operation = remembering((from, what) => {
  if (from.length === 0 || what.length === 0) return from;
  if (what.length <= FEW_HOLES) return cutOut(from, what);
  const rest: AddressRange[] = [];
  let index = 0;
  for (const range of from) {
    let { first } = range;
    index = reaching(what, first, index);
    for (let next = index; next < what.length && what[next]!.first <= range.last; next += 1) {
      const hole = what[next]!;
      if (hole.first > first) rest.push({ first, last: hole.first - 1n });
      first = hole.last + 1n;
    }
    if (first <= range.last) rest.push({ first, last: range.last });
  }
  return rest;
});

/** What is in both. */
export const intersect: Operation = remembering((left, right) => {
  const [few, many] = left.length <= right.length ? [left, right] : [right, left];
  const [one, ...others] = few;
  if (one === undefined) return few;
  // Most questions are about all addresses: then the result is the same set.
  if (others.length === 0 && one.first <= many[0]!.first && many.at(-1)!.last <= one.last) return many;
  const both: AddressRange[] = [];
  let index = 0;
  for (const { first, last } of few) {
    index = reaching(many, first, index);
    for (let next = index; next < many.length && many[next]!.first <= last; next += 1) {
      both.push(common({ first, last }, many[next]!));
    }
  }
  return both;
});

function common(one: AddressRange, other: AddressRange): AddressRange {
  let { first, last } = one;
  if (other.first > first) first = other.first;
  if (other.last < last) last = other.last;
  return { first, last };
}

/** Whether two sets hold the same addresses. */
export function sameRanges(left: AddressRanges, right: AddressRanges): boolean {
  return (
    left.length === right.length &&
    left.every((range, index) => range.first === right[index]!.first && range.last === right[index]!.last)
  );
}

/** How many networks {@link networksOf} gives, without writing them down. */
export function countNetworks(ranges: AddressRanges, family: AddressFamily): number {
  return ranges.reduce((sum, { first, last }) => sum + countRangeNetworks(first, last, family), 0);
}

/** The first so many of {@link networksOf}. */
export function firstNetworks(ranges: AddressRanges, family: AddressFamily, most: number): readonly string[] {
  return networksOf(ranges.slice(0, most), family).slice(0, most);
}

/** The fewest networks that cover exactly these addresses, in their normal form. */
export function networksOf(ranges: AddressRanges, family: AddressFamily): readonly string[] {
  return ranges.flatMap(({ first, last }) => rangeNetworks(first, last, family));
}

function merged(ranges: AddressRange[]): AddressRanges {
  const result: AddressRange[] = [];
  for (const range of ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const previous = result.at(-1);
    if (previous === undefined || range.first > previous.last + 1n) result.push(range);
    else if (range.last > previous.last) result[result.length - 1] = { first: previous.first, last: range.last };
  }
  return result;
}
