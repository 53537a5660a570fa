import { intersect, subtract } from '../../core/address-ranges.ts';
import type { Protocol } from '../../core/ports.ts';
import type { Filter } from '../../firewalld/filter/dispatch.ts';
import { type Crowd, Crowds, Reach } from '../../firewalld/filter/reach.ts';
import { type Door, sortedPorts } from '../../firewalld/filter/treatment.ts';
import type { Turn } from '../access-types.ts';

/** Who gets in by a door before and after a plan. Equal ones are the same object. */
export interface Ends {
  readonly before: Crowd;
  readonly after: Crowd;
  readonly turn: Turn;
}

/** The same doors under two configurations. Two sets of sources are compared once: a set may have 100,000 ranges. */
export class ReachPair {
  readonly before: Reach;
  readonly after: Reach;
  readonly #crowds = new Crowds();
  readonly #ends = new Map<Crowd, Map<Crowd, Ends>>();
  readonly #starts = new Map<string, readonly number[]>();

  /** @param after the same filter for a plan that changes nothing: then each door is asked once */
  constructor(before: Filter, after: Filter) {
    this.before = new Reach(before, this.#crowds);
    this.after = after === before ? this.before : new Reach(after, this.#crowds);
  }

  at(door: Door): Ends {
    const before = this.before.crowdAt(door);
    return this.ends(before, this.after === this.before ? before : this.after.crowdAt(door));
  }

  ends(before: Crowd, after: Crowd): Ends {
    let known = this.#ends.get(before);
    if (known === undefined) {
      known = new Map();
      this.#ends.set(before, known);
    }
    let ends = known.get(after);
    if (ends === undefined) {
      ends = { before, after, turn: turnOf(before, after) };
      known.set(after, ends);
    }
    return ends;
  }

  /** Those who are in each of the crowds of one family. */
  common(crowds: readonly [Crowd, ...Crowd[]]): Crowd {
    const [first, ...others] = new Set(crowds);
    const ranges = others.reduce((left, { ranges: right }) => intersect(left, right), first!.ranges);
    return this.#crowds.of(ranges, first!.family);
  }

  /** The ports at which the treatment at an interface may change, before or after, sorted; the first is 1. */
  startsAt(name: string, protocol: Protocol): readonly number[] {
    const key = `${name} ${protocol}`;
    let starts = this.#starts.get(key);
    if (starts === undefined) {
      const { before, after } = this;
      starts = before.treatments.startsAt(name, protocol);
      if (after !== before) starts = sortedPorts([...starts, ...after.treatments.startsAt(name, protocol)]);
      this.#starts.set(key, starts);
    }
    return starts;
  }

  /** The same for all interfaces and both protocols. */
  starts(): readonly number[] {
    return sortedPorts([...this.before.treatments.starts(), ...this.after.treatments.starts()]);
  }
}

function turnOf(before: Crowd, after: Crowd): Turn {
  if (before === after) return 'same';
  if (before.ranges.length === 0) return 'opened';
  if (after.ranges.length === 0) return 'closed';
  const lost = subtract(before.ranges, after.ranges).length > 0;
  const gained = subtract(after.ranges, before.ranges).length > 0;
  if (lost && gained) return 'changed';
  return lost ? 'narrowed' : 'widened';
}

/** Whether some who got in no longer do. */
export function takesAway(turn: Turn): boolean {
  return turn === 'closed' || turn === 'narrowed' || turn === 'changed';
}

/** Whether some get in who did not. */
export function letsMoreIn(turn: Turn): boolean {
  return turn === 'opened' || turn === 'widened' || turn === 'changed';
}
