import { type AddressRanges, countNetworks, holds } from '../../core/address-ranges.ts';
import { type AddressFamily, parseAddress, rangeNetworks } from '../../core/addresses.ts';
import type { Rehearsal, RehearsedName, TrialResult, TrialWay } from '../rehearsal.ts';
import type { Way } from './proof-ways.ts';

/** At most so many connections are tried in a rehearsal: each takes a few milliseconds on the host. */
const MOST_TRIALS = 64;

/** One source of a way, tried at each of the way's places. */
interface Sample {
  readonly way: Way;
  readonly source: string;
  /** Positions in `ways`, one a place. */
  readonly trials: readonly number[];
}

/** The real packets that are sent for ways. */
export interface Trials {
  readonly ways: readonly TrialWay[];
  readonly samples: readonly Sample[];
}

/** One or two sources of each way: its own, or the ends of its first network. Ways that are guessed are not tried. */
export function trialsOf(ways: readonly Way[]): Trials {
  const tried: TrialWay[] = [];
  const samples: Sample[] = [];
  for (const way of ways) {
    if (way.guessed) continue;
    for (const source of sampled(way.sources, way.family)) {
      // A way with too many places is skipped, so that others can be tried.
      if (tried.length + way.places.length > MOST_TRIALS) continue;
      const trials = way.places.map((place) => tried.push({ ...place, source }) - 1);
      samples.push({ way, source, trials });
    }
  }
  return { ways: tried, samples };
}

function sampled(ranges: AddressRanges, family: AddressFamily): string[] {
  const [range] = ranges;
  if (range === undefined || countNetworks(ranges, family) === 0) return [];
  // The first and last address of a network belong to no machine.
  const wide = range.last - range.first > 2n;
  const ends = wide ? [range.first + 1n, range.last - 1n] : [range.first];
  return ends
    .flatMap((end) => rangeNetworks(end, end, family))
    .map((text) => text.split('/')[0]!)
    .filter((address) => !/^(?:0|127|22[4-9]|2[3-5]\d)\.|^::1?$|^ff/i.test(address));
}

/** The result of real packets from one source of a way in one state. */
export interface Tried {
  readonly source: string;
  readonly result: TrialResult;
  /** Whether the same packets got in in any state: then the trial itself works. */
  readonly sound: boolean;
}

/** What was tried for a way in a state; empty where nothing was. */
export function triedFor(way: Way, state: RehearsedName, trials: Trials, rehearsal: Rehearsal | null): Tried[] {
  if (rehearsal?.kind !== 'rehearsed') return [];
  const results = (name: RehearsedName, sample: Sample): TrialResult | null => {
    const found = rehearsal.states.find((one) => one.name === name);
    if (found === undefined || !found.loads) return null;
    const all = sample.trials.map((number) => found.packets[number] ?? 'silent');
    return all.find((result) => result === 'open') ?? all.find((result) => result === 'refused') ?? 'silent';
  };
  return trials.samples
    .filter((sample) => sample.way === way)
    .flatMap((sample) => {
      const result = results(state, sample);
      if (result === null) return [];
      const sound = rehearsal.states.some(({ name }) => results(name, sample) === 'open');
      return [{ source: sample.source, result, sound }];
    });
}

/** Whether an address is in a set. */
export function inRanges(address: string, ranges: AddressRanges): boolean {
  const parsed = parseAddress(address);
  return parsed !== null && holds(ranges, parsed.first);
}
