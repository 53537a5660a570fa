import { type AddressRange, type AddressRanges, intersect, reaching, subtract, unite } from '../core/address-ranges.ts';
import type { Flow } from './flow.ts';

/**
 * Splits flows by their sources. Thousands of rules may remove one address after the other from a set of 100,000 ranges:
 * so removed addresses are collected beside the set (`gone`), and removed from it from time to time.
 */

const NONE: AddressRanges = [];

/** The sources of a flow. */
export function sourcesOf(flow: Flow): AddressRanges {
  return flow.gone.length === 0 ? flow.sources : cutAll(flow.sources, flow.gone);
}

/** The flow of those sources that are in a set as well; the same object when all are, `null` when none is. */
export function part(flow: Flow, set: AddressRanges, every: AddressRanges): Flow | null {
  if (set.length === 0) return null;
  if (isAll(set, every)) return flow;
  const hit = intersect(flow.sources, set);
  const left = flow.gone.length === 0 || hit.length === 0 ? hit : subtract(hit, flow.gone);
  return left.length === 0 ? null : { ...flow, sources: left, gone: NONE };
}

/** Whether a set holds all addresses. */
export function isAll(set: AddressRanges, every: AddressRanges): boolean {
  return set === every || (set.length === 1 && set[0]!.first <= every[0]!.first && every[0]!.last <= set[0]!.last);
}

/** At most this many ranges are collected; more are removed at once, and the result is cached. */
const FEW = 8;

/** A flow without a part of its sources. */
export function rest(flow: Flow, taken: Flow | null): Flow | null {
  if (taken === null) return flow;
  if (taken === flow) return null;
  if (taken.gone.length === 0 && taken.sources.length <= FEW) {
    const gone = inserted(flow.gone, taken.sources);
    if (gone.length < 64 + flow.sources.length / 32) return { ...flow, gone };
    return nonEmpty({ ...flow, sources: cutAll(flow.sources, gone), gone: NONE });
  }
  return nonEmpty({ ...flow, sources: subtract(sourcesOf(flow), sourcesOf(taken)), gone: NONE });
}

function nonEmpty(flow: Flow): Flow | null {
  return flow.sources.length === 0 ? null : flow;
}

function inserted(gone: AddressRanges, ranges: AddressRanges): AddressRanges {
  const result = [...gone];
  for (const range of ranges) result.splice(reaching(result, range.first), 0, range);
  return result;
}

/** A set without sorted holes. Ranges that no hole touches are shared, not copied: hundreds of such sets are in memory. */
function cutAll(from: AddressRanges, holes: AddressRanges): AddressRanges {
  const result: AddressRange[] = [];
  let index = 0;
  /** The rest of the range at `index` after a hole was removed from it. */
  let begun: AddressRange | null = null;
  for (const hole of holes) {
    let range: AddressRange | undefined = begun ?? from[index];
    while (range !== undefined && range.last < hole.first) {
      result.push(range);
      index += 1;
      begun = null;
      range = from[index];
    }
    while (range !== undefined && range.first <= hole.last) {
      if (range.first < hole.first) result.push({ first: range.first, last: hole.first - 1n });
      if (range.last > hole.last) {
        begun = { first: hole.last + 1n, last: range.last };
        break;
      }
      index += 1;
      begun = null;
      range = from[index];
    }
  }
  if (begun !== null) {
    result.push(begun);
    index += 1;
  }
  for (; index < from.length; index += 1) result.push(from[index]!);
  return result;
}

/** Merges flows that differ only in their sources. */
export function merge(flows: readonly Flow[]): readonly Flow[] {
  if (flows.length < 2) return flows;
  const together = new Map<string, Flow>();
  for (const flow of flows) {
    const key = `${flow.mark} ${flow.ctMark} ${flow.untracked} ${flow.masked} ${flow.translation?.id}`;
    const before = together.get(key);
    together.set(
      key,
      before === undefined ? flow : { ...before, sources: unite(sourcesOf(before), sourcesOf(flow)), gone: NONE },
    );
  }
  return [...together.values()];
}
