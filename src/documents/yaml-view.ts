import type { SourceLocation } from '../core/problem.ts';
import type { Converted, Entry, KeyKind } from './yaml-convert.ts';

/** A path into a document: mapping keys and list positions. */
export type YamlPath = readonly (string | number)[];

/** The part of plain data at a path; `undefined` where there is none. */
export function valueAt(value: unknown, path: YamlPath): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

/** One YAML document with the place of everything in it. */
export interface YamlFile {
  readonly file: string;
  /**
   * The document as plain data: mappings are objects, floats are numbers, timestamps are the text as written, `!unsafe`
   * text is a string; only `!vault` values (`VaultValue`) and integers beyond 2^53 (`bigint`) are not JSON.
   * Aliased parts are shared, so treat it as read-only.
   */
  readonly value: unknown;
  /**
   * The same with nothing lost: floats are `YamlFloat`, timestamps `YamlTimestamp`, `!unsafe` text `UnsafeText`. What a
   * mapping's keys were before they became text is known to `exactKeys`.
   */
  readonly exact: unknown;
  /** The place of the innermost part of `path` that exists; of a mapping's entry either the key or the value (default). */
  locate(path: YamlPath, at?: 'key' | 'value'): SourceLocation;
  /** The keys of the mapping at `path` in the order written (merged ones first); empty when there is no mapping. */
  keys(path: YamlPath): readonly string[];
  /** What the last step of `path`, a mapping's key, was written as; `null` when there is no such entry. */
  keyKind(path: YamlPath): KeyKind | null;
}

/** A converted document for those who read it. */
export function viewOf(root: Converted, file: string, place: (offset: number) => SourceLocation): YamlFile {
  const walk = (path: YamlPath): { node: Converted; entry: Entry | null; complete: boolean } => {
    let node = root;
    let entry: Entry | null = null;
    for (const step of path) {
      const next = node.entries?.get(step) ?? (typeof step === 'number' ? node.entries?.get(String(step)) : undefined);
      if (next === undefined) return { node, entry, complete: false };
      node = next.value;
      entry = next;
    }
    return { node, entry, complete: true };
  };
  return {
    file,
    value: root.plain,
    exact: root.exact,
    locate(path, at = 'value') {
      const { node, entry, complete } = walk(path);
      return place(at === 'key' && complete && entry !== null ? entry.keyOffset : node.offset);
    },
    keys(path) {
      const { node, complete } = walk(path);
      return complete && node.entries !== null && !Array.isArray(node.plain)
        ? [...node.entries.keys()].map(String)
        : [];
    },
    keyKind(path) {
      const { entry, complete } = walk(path);
      return complete ? (entry?.keyKind ?? null) : null;
    },
  };
}
