import { terminalLine } from '../core/terminal-text.ts';

/** Long enough for every rich rule and list of entries; the cut only bounds what a hostile host can print. */
const LONG = 4000;

/** Text from a host or a file on one line, without anything that could steer a terminal or a browser's text direction. */
export function oneLine(text: string): string {
  return terminalLine(text, LONG);
}

/**
 * The same value with every text in it on one line and safe to show. Views pass through here once, as they are made, so no
 * output can forget it; an output only escapes what its own form gives a meaning (`<` in HTML, `*` in Markdown).
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
