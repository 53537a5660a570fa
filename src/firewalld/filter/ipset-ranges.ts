import { type AddressRanges, addressRanges, EVERY_ADDRESS } from '../../core/address-ranges.ts';
import type { AddressFamily } from '../../core/addresses.ts';
import type { IpsetConfig } from '../kinds/ipset.ts';

/** Which sources something matches for certain, and which perhaps: `must` lies in `may`. */
export interface Matched {
  readonly must: AddressRanges;
  readonly may: AddressRanges;
}

/** The type of a set of MAC addresses, which belong to no family. */
export const MACS = 'hash:mac';

/**
 * The addresses in ipsets. A set may have 100,000 entries, and many approaches ask about it: each is read once, for all
 * filters that this is given to.
 */
export class IpsetRanges {
  readonly #read = new Map<IpsetConfig, AddressRanges | null>();

  /** The addresses of one family in an ipset. Of one that is not known, of MACs or with further dimensions: perhaps all. */
  members(ipset: IpsetConfig | undefined, family: AddressFamily): Matched {
    const perhaps = { must: [], may: EVERY_ADDRESS[family] };
    if (ipset === undefined) return perhaps;
    if (ipset.type !== MACS && ipset.family !== family) return { must: [], may: [] };
    let ranges = this.#read.get(ipset);
    if (ranges === undefined) {
      ranges = isReadable(ipset) ? addressRanges(ipset.entries, family) : null;
      this.#read.set(ipset, ranges);
    }
    return ranges === null ? perhaps : { must: ranges, may: ranges };
  }
}

/** Whether an ipset's entries say which addresses are in it, and stay. */
export function isReadable(ipset: IpsetConfig): boolean {
  return /^hash:(?:ip|net)$/.test(ipset.type) && !Object.hasOwn(ipset.options, 'timeout');
}
