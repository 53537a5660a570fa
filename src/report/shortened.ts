/** The first items of a list; `more` says how many are left out. */
export interface Shortened<T> {
  readonly shown: readonly T[];
  readonly more: number;
}

/** `full` has complete lists, and titles and descriptions of new definitions; `short` fits a screen. */
export type Extent = 'short' | 'full';

/** At most `most` items and a count of the rest. One item more is shown too, because a line that counts it is no shorter. */
export function shorten<T>(items: readonly T[], most: number, extent: Extent = 'short'): Shortened<T> {
  return extent === 'full' || items.length <= most + 1 ? { shown: items, more: 0 } : firstOf(items, most);
}

/** At most `most` items, and a count of the rest. */
export function firstOf<T>(items: readonly T[], most: number): Shortened<T> {
  return { shown: items.slice(0, most), more: Math.max(0, items.length - most) };
}

/** `a, b and 3 more`. */
export function shortenedText({ shown, more }: Shortened<string>, separator = ', '): string {
  return `${shown.join(separator)}${more === 0 ? '' : ` and ${more} more`}`;
}
