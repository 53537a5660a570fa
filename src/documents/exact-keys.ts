import { UnsafeText, YamlFloat, YamlTimestamp } from './yaml-scalars.ts';

/**
 * The field of a mapping that holds its keys as they were written, in their order, before they became text. JavaScript's
 * objects keep neither: their keys are text, and keys that look like whole numbers come first.
 */
const KEYS = Symbol('keys as written');

interface WithKeys {
  [KEYS]?: readonly unknown[];
}

/** Notes the keys of a mapping in it, where its object does not tell them. */
export function noteKeys(mapping: WithKeys, keys: readonly unknown[]): void {
  if (keys.some((key) => typeof key !== 'string' || /^\d/.test(key)))
    Object.defineProperty(mapping, KEYS, { value: keys });
}

/** The keys of a mapping in the order written, as they were written: text, numbers, booleans, `null`, `YamlTimestamp`. */
export function exactKeys(mapping: WithKeys): readonly unknown[] {
  return mapping[KEYS] ?? Object.keys(mapping);
}

/** A key as Python's `json.dumps` turns it into text. */
export function keyText(key: unknown): string {
  if (key instanceof UnsafeText) return key.text;
  if (key instanceof YamlTimestamp) return key.source;
  if (key instanceof YamlFloat) return key.toString();
  return String(key);
}
