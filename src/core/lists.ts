import { shown } from './shown.ts';

/** A list in words; a long one ends with a count. A list of addresses may have 100,000 entries, and each change shows its reasons. */
export function listed(items: readonly string[]): string {
  return inWords(items, 20, 20, ', ');
}

/** The same where there is room for a few: up to five, or four of more. */
export function few(items: readonly string[], separator = ', '): string {
  return inWords(items, 4, 5, separator);
}

/** The same where there is room for three. */
export function three(items: readonly string[]): string {
  return inWords(items, 3, 3, ', ');
}

/** Up to three names as messages show them, and how many more there are. */
export function threeShown(names: readonly string[]): string {
  return three(names.map(shown));
}

/** `1 host`, `2 hosts`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** @param first how many are named of a list with more than `all` */
function inWords(items: readonly string[], first: number, all: number, separator: string): string {
  if (items.length <= all) return items.join(separator);
  return `${items.slice(0, first).join(separator)} and ${items.length - first} more`;
}
