import { UnsafeText, YamlFloat, YamlTimestamp } from './yaml-scalars.ts';

/**
 * What the keys of mappings were before they became text, in the order written. JavaScript's objects know neither: they hold
 * text alone, and put what looks like a whole number first.
 */
const KEYS = new WeakMap<object, readonly unknown[]>();

/** Remembers the keys of a mapping where its object does not tell them. */
export function rememberKeys(mapping: object, keys: readonly unknown[]): void {
  if (keys.some((key) => typeof key !== 'string' || /^\d/.test(key))) KEYS.set(mapping, keys);
}

/** The keys of a mapping in the order written, as they were written: text, numbers, booleans, `null`, `YamlTimestamp`. */
export function exactKeys(mapping: object): readonly unknown[] {
  return KEYS.get(mapping) ?? Object.keys(mapping);
}

/** A key as Python's `json.dumps` turns it into text. */
export function keyText(key: unknown): string {
  if (key instanceof UnsafeText) return key.text;
  if (key instanceof YamlTimestamp) return key.source;
  if (key instanceof YamlFloat) return key.toString();
  return String(key);
}
