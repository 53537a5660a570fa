import {
  type AddressRanges,
  countNetworks,
  EVERY_ADDRESS,
  firstNetworks,
  sameRanges,
  subtract,
} from '../../core/address-ranges.ts';
import type { AddressFamily } from '../../core/addresses.ts';
import { type PortRange, type Protocol, parsePortRange } from '../../core/ports.ts';
import { stretches as portStretches } from '../../kernel/stretches.ts';
import type { Comers } from './comers.ts';
import { type Filter, passage } from './passage.ts';

/** How many networks a plan lists of those that may come in. */
const MOST_SOURCES = 40;

/** One port of one address of the host, as a flow finds it. */
export interface Door {
  readonly interface: string;
  readonly destination: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/**
 * Who gets in where under one configuration. What is not certain (MACs, rates) counts neither as open nor as closed.
 *
 * Between two ports that some rule begins or ends at, all ports are treated alike: each such stretch is asked once.
 */
export class Reach {
  readonly filter: Filter;
  readonly #starts: readonly number[];
  readonly #known = new Map<string, AddressRanges>();
  readonly #told = new Map<string, Comers>();

  /** @param starts see {@link stretches} */
  constructor(filter: Filter, starts: readonly number[]) {
    this.filter = filter;
    this.#starts = starts;
  }

  /** The sources whose new flows get in by a door. */
  through(door: Door): AddressRanges {
    const key = doorKey(door, this.#starts);
    let ranges = this.#known.get(key);
    if (ranges === undefined) {
      const family = familyOf(door.destination);
      ranges = passage(this.filter, { ...door, family, sources: EVERY_ADDRESS[family] }, false).accepted;
      this.#known.set(key, ranges);
    }
    return ranges;
  }

  /** The same in words. */
  comersAt(door: Door): Comers {
    const key = doorKey(door, this.#starts);
    let told = this.#told.get(key);
    if (told === undefined) {
      told = comers(this.through(door), familyOf(door.destination));
      this.#told.set(key, told);
    }
    return told;
  }
}

/** The same text for doors that all filters treat alike. @param starts see {@link stretches} */
export function doorKey({ interface: name, destination, protocol, port }: Door, starts: readonly number[]): string {
  return `${name} ${destination} ${protocol} ${stretchOf(starts, port)}`;
}

/** The ports at which the treatment by any of the filters may change, sorted. */
export function stretches(filters: readonly Filter[]): readonly number[] {
  const starts = new Set<number>([1]);
  const add = (range: PortRange | string) => {
    if (typeof range === 'string') return;
    starts.add(range.first);
    starts.add(range.last + 1);
  };
  for (const { config, policies, kernel } of filters) {
    if (kernel !== undefined) {
      for (const port of portStretches([kernel.rules.ruleset])) starts.add(port);
      continue;
    }
    for (const { ports } of config.services.values()) for (const { range } of ports) add(range);
    for (const holder of [...config.zones.values(), ...policies]) {
      for (const { range } of holder.ports) add(range);
      for (const forward of holder.forwardPorts) add(parsePortRange(forward.split(':')[0] ?? ''));
      for (const { port, forwardPort } of holder.richRules) {
        if (port !== null) add(parsePortRange(port.port));
        if (forwardPort !== null) add(parsePortRange(forwardPort.port));
      }
    }
  }
  return [...starts].filter((port) => port <= 65535).sort((a, b) => a - b);
}

/** The number of a port's stretch. */
export function stretchOf(starts: readonly number[], port: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= port) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The family of an address of the host; facts hold no other than valid ones, so a look is enough. */
export function familyOf(address: string): AddressFamily {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** A set of sources in as few words as it takes. */
function comers(ranges: AddressRanges, family: AddressFamily): Comers {
  if (ranges.length === 0) return { who: 'nobody', sources: [], more: 0 };
  const every = EVERY_ADDRESS[family];
  if (sameRanges(ranges, every)) return { who: 'anybody', sources: [], more: 0 };
  const others = subtract(every, ranges);
  const inside = countNetworks(ranges, family);
  const outside = countNetworks(others, family);
  // Everybody but one is 32 networks otherwise.
  const [who, set, count] =
    outside < inside ? (['anybody-but', others, outside] as const) : (['these', ranges, inside] as const);
  return { who, sources: firstNetworks(set, family, MOST_SOURCES), more: Math.max(0, count - MOST_SOURCES) };
}
