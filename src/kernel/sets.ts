import { type AddressRanges, uniteAll } from '../core/address-ranges.ts';
import type { Box, MapData, NamedSet, SetElement, Table, Values } from './ruleset.ts';

/** The values that a match compares with, as ranges: certain ones, and possible ones. */
export type Content =
  | { readonly kind: 'ranges'; readonly must: AddressRanges; readonly may: AddressRanges }
  | { readonly kind: 'boxes'; readonly boxes: readonly { readonly box: Box; readonly lasting: boolean }[] }
  /** Its contents are unknown, or may change. */
  | { readonly kind: 'open'; readonly must: readonly Box[] };

/** Each set is turned into ranges once, when a rule first uses it. */
const KNOWN = new WeakMap<object, Content>();

/** @returns `null` for a set that does not exist or has another type */
export function contentOf(values: Values, table: Table, dimensions: number): Content | null {
  if (values.kind === 'ranges') return { kind: 'ranges', must: values.ranges, may: values.ranges };
  if (values.kind === 'boxes') {
    return remembered(values, () => ({ kind: 'boxes', boxes: values.boxes.map((box) => ({ box, lasting: true })) }));
  }
  const set = table.sets.get(values.name);
  return set === undefined || set.types.length !== dimensions ? null : remembered(set, () => ofSet(set));
}

function remembered(key: object, make: () => Content): Content {
  let content = KNOWN.get(key);
  if (content === undefined) {
    content = make();
    KNOWN.set(key, content);
  }
  return content;
}

function ofSet(set: NamedSet): Content {
  const { elements, unknown } = set.elements();
  if (set.changing || unknown.length > 0) {
    return { kind: 'open', must: elements.filter(({ lasting }) => lasting).map(({ box }) => box) };
  }
  return contentOfElements(elements, set.types.length);
}

function contentOfElements(elements: readonly Pick<SetElement, 'box' | 'lasting'>[], dimensions: number): Content {
  if (dimensions !== 1) return { kind: 'boxes', boxes: elements };
  const may = uniteAll(elements.map(({ box }) => box));
  const certain = elements.filter(({ lasting }) => lasting);
  return {
    kind: 'ranges',
    must: certain.length === elements.length ? may : uniteAll(certain.map(({ box }) => box)),
    may,
  };
}

/** The keys of a map that have the same value. */
export interface Group<T> {
  readonly value: T;
  readonly keys: Content;
}

const GROUPS = new WeakMap<object, readonly Group<unknown>[]>();

/** The entries of a map by their value; `null` when unknown. */
export function groupsOf<T extends object>(
  map: MapData<T>,
  table: Table,
  dimensions: number,
  read: (element: SetElement) => T | null,
): readonly Group<T>[] | null {
  const set = map.kind === 'named' ? table.sets.get(map.name) : null;
  if (set === undefined || (set !== null && (set.changing || set.types.length !== dimensions))) return null;
  const key = set ?? map;
  const known = GROUPS.get(key);
  if (known !== undefined) return known as readonly Group<T>[];
  const content = set?.elements();
  if (content !== undefined && content.unknown.length > 0) return null;
  const entries =
    map.kind === 'inline'
      ? map.entries.map((entry) => ({ ...entry, lasting: true }))
      : (content?.elements ?? []).map((element) => ({ ...element, value: read(element) }));
  const byValue = new Map<string, { readonly value: T; readonly elements: Pick<SetElement, 'box' | 'lasting'>[] }>();
  for (const { value, box, lasting } of entries) {
    if (value === null) return null;
    const name = keyOf(value);
    const group = byValue.get(name);
    if (group === undefined) byValue.set(name, { value, elements: [{ box, lasting }] });
    else group.elements.push({ box, lasting });
  }
  const groups = [...byValue.values()].map(({ value, elements }) => ({
    value,
    keys: contentOfElements(elements, dimensions),
  }));
  GROUPS.set(key, groups);
  return groups;
}

function keyOf(value: object): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
