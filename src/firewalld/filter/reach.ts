import {
  type AddressRanges,
  countNetworks,
  EVERY_ADDRESS,
  firstNetworks,
  sameRanges,
  subtract,
} from '../../core/address-ranges.ts';
import type { AddressFamily } from '../../core/addresses.ts';
import type { Comers } from './comers.ts';
import { type Filter, passage } from './passage.ts';
import { type Door, familyOf, Treatments } from './treatment.ts';

/** How many networks a plan lists of those that may come in. */
const MOST_SOURCES = 40;

/**
 * Who gets in where under one configuration. What is not certain (MACs, rates) counts neither as open nor as closed. Of doors
 * that are treated alike, one is asked.
 */
export class Reach {
  readonly filter: Filter;
  readonly treatments: Treatments;
  readonly #crowds: Crowds;
  readonly #known = new Map<string, Crowd>();

  /** @param crowds given where several of them are compared */
  constructor(filter: Filter, crowds: Crowds = new Crowds()) {
    this.filter = filter;
    this.treatments = new Treatments(filter);
    this.#crowds = crowds;
  }

  /** The sources whose new flows get in by a door. */
  crowdAt(door: Door): Crowd {
    const key = this.treatments.keyOf(door);
    let crowd = this.#known.get(key);
    if (crowd === undefined) {
      const family = familyOf(door.destination);
      const sources = EVERY_ADDRESS[family];
      crowd = this.#crowds.of(passage(this.filter, { ...door, family, sources }, false).accepted, family);
      this.#known.set(key, crowd);
    }
    return crowd;
  }
}

/** Sources of one family. */
export class Crowd {
  readonly ranges: AddressRanges;
  readonly family: AddressFamily;
  #told: Comers | null = null;

  constructor(ranges: AddressRanges, family: AddressFamily) {
    this.ranges = ranges;
    this.family = family;
  }

  /** The same in as few words as it takes. */
  get comers(): Comers {
    this.#told ??= comers(this.ranges, this.family);
    return this.#told;
  }
}

/** Sets of sources, each once: two of them are equal when they are the same object. A set may have 100,000 ranges. */
export class Crowds {
  readonly #held = new Map<string, Crowd[]>();

  of(ranges: AddressRanges, family: AddressFamily): Crowd {
    const key = `${family} ${ranges.length} ${ranges[0]?.first} ${ranges.at(-1)?.last}`;
    const alike = this.#held.get(key) ?? [];
    this.#held.set(key, alike);
    let crowd = alike.find((held) => held.ranges === ranges || sameRanges(held.ranges, ranges));
    if (crowd === undefined) {
      crowd = new Crowd(ranges, family);
      alike.push(crowd);
    }
    return crowd;
  }
}

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
