import { type AddressFamily, compareNetworks, contains, type Network, parseNetwork } from '../../core/addresses.ts';
import { normaliseStrings } from '../../firewalld/normalise.ts';
import type { RuntimeCall } from '../steps.ts';

/** An entry that comes or goes, with where it is in its list. */
interface Moving {
  readonly entry: string;
  readonly index: number;
  readonly comes: boolean;
  readonly network: Network;
}

/**
 * The calls that add and remove entries of an ipset. firewalld refuses overlaps, so that an entry has to leave before another
 * that covers it or is inside it: a wider one comes while things are opened, a narrower one while they are closed, and each
 * right after what it replaces. Linearithmic in the number of entries: networks overlap only by one containing the other.
 */
export function entryCalls(
  name: string,
  add: readonly string[],
  remove: readonly string[],
): { readonly opened: readonly RuntimeCall[]; readonly closed: readonly RuntimeCall[] } {
  const replaced = new Map<string, string[]>();
  const after = new Map<string, string[]>();
  const early = new Set<string>();
  const late = new Set<string>();
  const around: Moving[] = [];
  for (const item of moving(add, remove)) {
    while (around.length > 0 && !contains(around.at(-1)!.network, item.network)) around.pop();
    if (item.comes) {
      const last = around.filter((other) => !other.comes).sort((a, b) => b.index - a.index)[0];
      if (last !== undefined) {
        append(after, last.entry, item.entry);
        late.add(item.entry);
      }
    } else {
      const wider = around.find((other) => other.comes);
      if (wider !== undefined) {
        append(replaced, wider.entry, item.entry);
        early.add(item.entry);
      }
    }
    around.push(item);
  }
  const opened: RuntimeCall[] = [];
  const closed: RuntimeCall[] = [];
  for (const entry of add) {
    for (const other of replaced.get(entry) ?? []) opened.push(['remove-entry', name, other]);
    if (!late.has(entry)) opened.push(['add-entry', name, entry]);
  }
  for (const entry of remove) {
    if (early.has(entry)) continue;
    closed.push(['remove-entry', name, entry]);
    for (const other of after.get(entry) ?? []) closed.push(['add-entry', name, other]);
  }
  return { opened, closed };
}

/** Networks that come and go, each before those inside it; what is no network overlaps nothing. */
function moving(add: readonly string[], remove: readonly string[]): Moving[] {
  const parsed = (entries: readonly string[], comes: boolean) =>
    entries.flatMap((entry, index): Moving[] => {
      const network = parseNetwork(entry);
      return network === null ? [] : [{ entry, index, comes, network }];
    });
  return [...parsed(add, true), ...parsed(remove, false)].sort((a, b) => compareNetworks(a.network, b.network));
}

function append(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Entries with those of others that none of them overlaps; firewalld refuses a file with overlaps. */
export function joined(held: readonly string[], others: readonly string[]): readonly string[] {
  const taken = new Overlaps(held);
  return normaliseStrings([...held, ...others.filter((other) => !taken.overlaps(other))]);
}

/** Whether two lists hold the same in the same order. */
export function sameList(left: readonly string[] | undefined, right: readonly string[]): boolean {
  if (left === right) return true;
  return left !== undefined && left.length === right.length && left.every((item, index) => item === right[index]);
}

/** Answers whether a network overlaps one of many, in logarithmic time. */
class Overlaps {
  readonly #sides: Readonly<Record<AddressFamily, { firsts: bigint[]; reach: bigint[] }>> = {
    ipv4: { firsts: [], reach: [] },
    ipv6: { firsts: [], reach: [] },
  };

  constructor(entries: readonly string[]) {
    const networks = entries.map(parseNetwork).filter((network) => network !== null);
    for (const { family, first, last } of networks.sort(compareNetworks)) {
      const { firsts, reach } = this.#sides[family];
      const before = reach.at(-1) ?? -1n;
      firsts.push(first);
      // The highest address that any network so far reaches.
      reach.push(last > before ? last : before);
    }
  }

  overlaps(entry: string): boolean {
    const network = parseNetwork(entry);
    if (network === null) return false;
    const { firsts, reach } = this.#sides[network.family];
    let low = 0;
    let high = firsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (firsts[middle]! <= network.last) low = middle + 1;
      else high = middle;
    }
    return low > 0 && reach[low - 1]! >= network.first;
  }
}
