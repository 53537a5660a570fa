/** Transport protocols that a matrix rule may name. */
export type Protocol = 'tcp' | 'udp';

/** An inclusive range of ports, 1 to 65535; a single port has `first === last`. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads `8442` or `8903-8904` (a hyphen or an en dash).
 *
 * @returns the range, or a sentence that says what is wrong with it
 */
export function parsePortRange(text: string): PortRange | string {
  const match = /^(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?$/.exec(text.trim());
  if (!match) return `"${text}" is not a port or a range of ports`;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  for (const port of [first, last]) {
    if (port < 1 || port > 65535) return `port ${port} is not between 1 and 65535`;
  }
  if (last < first) return `the range ${first}-${last} is reversed`;
  return { first, last };
}

/** `8442` or `8903-8904`: the spelling of firewalld and of our JSON rows. */
export function formatPortRange(range: PortRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}

/** Merges overlapping and adjacent ranges; the result is sorted. */
export function mergePortRanges(ranges: Iterable<PortRange>): PortRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first || a.last - b.last);
  const merged: PortRange[] = [];
  for (const range of sorted) {
    const previous = merged.at(-1);
    if (previous !== undefined && range.first <= previous.last + 1) {
      merged[merged.length - 1] = { first: previous.first, last: Math.max(previous.last, range.last) };
    } else {
      merged.push({ first: range.first, last: range.last });
    }
  }
  return merged;
}

/** The ports of `ranges` that no range of `without` covers, merged and sorted. */
export function subtractPortRanges(ranges: Iterable<PortRange>, without: Iterable<PortRange>): PortRange[] {
  let rest = mergePortRanges(ranges);
  for (const hole of mergePortRanges(without)) {
    rest = rest.flatMap((range) => {
      if (hole.last < range.first || hole.first > range.last) return [range];
      const parts: PortRange[] = [];
      if (range.first < hole.first) parts.push({ first: range.first, last: hole.first - 1 });
      if (range.last > hole.last) parts.push({ first: hole.last + 1, last: range.last });
      return parts;
    });
  }
  return rest;
}

/** Orders by protocol, then by first port, then by last port. */
export function comparePorts(
  a: { readonly protocol: string; readonly range: PortRange },
  b: { readonly protocol: string; readonly range: PortRange },
): number {
  return a.protocol.localeCompare(b.protocol) || a.range.first - b.range.first || a.range.last - b.range.last;
}
