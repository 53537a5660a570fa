import type { Shortened } from '../shortened.ts';

/** The items, and a line that says how many are left out. */
export function moreLines({ shown, more }: Shortened<string>, what = ''): readonly string[] {
  return more === 0 ? shown : [...shown, `and ${more} more${what} (-v shows them)`];
}
