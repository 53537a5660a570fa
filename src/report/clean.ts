import { terminalLine } from '../core/terminal-text.ts';

/** Longer than any rich rule or list of entries. The limit is for hostile hosts. */
const LONG = 4000;

/** Text from a host or a file, on one line, without control characters and invisible characters. */
export function oneLine(text: string): string {
  return terminalLine(text, LONG);
}

/**
 * The same value with every text in it made safe by `oneLine`. This is the one place where the texts of views are cleaned, so
 * no output can forget it. An output must only escape its own markup (`<` in HTML, `*` in Markdown).
 */
export function cleaned<T>(value: T): T {
  return cleanedValue(value) as T;
}

function cleanedValue(value: unknown): unknown {
  if (typeof value === 'string') return oneLine(value);
  if (Array.isArray(value)) return value.map(cleanedValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, cleanedValue(part)]));
}
