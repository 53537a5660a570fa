import { type AddressFamily, parseAddress, parseNetwork, rangeNetworks } from './addresses.ts';

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
 * The addresses of one family that addresses, networks and ranges (`192.0.2.1-192.0.2.9`) stand for; those of the other
 * family are passed over.
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

/** What is in either. */
export function unite(left: AddressRanges, right: AddressRanges): AddressRanges {
  if (left.length === 0) return right;
  return right.length === 0 ? left : merged([...left, ...right]);
}

/** What is in the first and not in the second. */
export function subtract(from: AddressRanges, what: AddressRanges): AddressRanges {
  const rest: AddressRange[] = [];
  let index = 0;
  for (const range of from) {
    let { first } = range;
    while (index < what.length && what[index]!.last < first) index += 1;
    for (let next = index; next < what.length && what[next]!.first <= range.last; next += 1) {
      const hole = what[next]!;
      if (hole.first > first) rest.push({ first, last: hole.first - 1n });
      first = hole.last + 1n;
    }
    if (first <= range.last) rest.push({ first, last: range.last });
  }
  return rest;
}

/** What is in both. */
export function intersect(left: AddressRanges, right: AddressRanges): AddressRanges {
  return subtract(left, subtract(left, right));
}

/** Whether two sets hold the same addresses. */
export function sameRanges(left: AddressRanges, right: AddressRanges): boolean {
  return (
    left.length === right.length &&
    left.every((range, index) => range.first === right[index]!.first && range.last === right[index]!.last)
  );
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
