import { contains, parseNetwork } from '../core/addresses.ts';
import { normaliseStrings } from '../firewalld/normalise.ts';

/** One call on the running daemon: the operation's name as steps.py knows it, and its arguments. */
export type RuntimeCall = readonly [operation: string, ...args: string[]];

/**
 * From the entries that an ipset holds to those that it should. firewalld refuses overlaps, so that an entry has to leave
 * before another that covers it or lies in it: a wider one comes while things are opened, a narrower one while they are
 * closed, and each right after what it takes the place of.
 */
export function entryCalls(
  name: string,
  held: readonly string[],
  wanted: readonly string[],
): { readonly opened: readonly RuntimeCall[]; readonly closed: readonly RuntimeCall[] } {
  const opened: RuntimeCall[] = [];
  const closed: RuntimeCall[] = [];
  const add = wanted.filter((entry) => !held.includes(entry));
  const remove = new Set(held.filter((entry) => !wanted.includes(entry)));
  const narrower: string[] = [];
  for (const entry of add) {
    const covered = [...remove].filter((other) => covers(entry, other));
    if (covered.length === 0 && [...remove].some((other) => covers(other, entry))) {
      narrower.push(entry);
      continue;
    }
    for (const other of covered) {
      remove.delete(other);
      opened.push(['remove-entry', name, other]);
    }
    opened.push(['add-entry', name, entry]);
  }
  for (const entry of remove) {
    closed.push(['remove-entry', name, entry]);
    for (const other of narrower) if (covers(entry, other)) closed.push(['add-entry', name, other]);
  }
  return { opened, closed };
}

/** Entries with those of others that none of them overlaps; firewalld refuses a file with overlaps. */
export function joined(held: readonly string[], others: readonly string[]): readonly string[] {
  const apart = others.filter((other) => !held.some((entry) => covers(entry, other) || covers(other, entry)));
  return normaliseStrings([...held, ...apart]);
}

function covers(outer: string, inner: string): boolean {
  const left = parseNetwork(outer);
  const right = parseNetwork(inner);
  return left !== null && right !== null && contains(left, right);
}
