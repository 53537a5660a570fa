import { type AddressRanges, uniteAll } from '../core/address-ranges.ts';
import type { Box, MapData, NamedSet, SetElement, Table, Values } from './ruleset.ts';

/** The values that a match compares with, as ranges: certain ones, and possible ones. */
export type Content =
  | { readonly kind: 'ranges'; readonly must: AddressRanges; readonly may: AddressRanges }
  | { readonly kind: 'boxes'; readonly boxes: readonly { readonly box: Box; readonly lasting: boolean }[] }
  /** Its contents are unknown, or may change. */
  | { readonly kind: 'open'; readonly must: readonly Box[] };

/** What the sets and maps of a ruleset hold: each is turned into ranges once, when a rule first uses it. */
export class SetContents {
  readonly #contents = new Map<object, Content>();
  readonly #groups = new Map<object, readonly Group<unknown>[]>();

  /** @returns `null` for a set that does not exist or has another type */
  of(values: Values, table: Table, dimensions: number): Content | null {
    if (values.kind === 'ranges') return { kind: 'ranges', must: values.ranges, may: values.ranges };
    if (values.kind === 'boxes') {
      const boxes = (): Content => ({ kind: 'boxes', boxes: values.boxes.map((box) => ({ box, lasting: true })) });
      return this.#once(values, boxes);
    }
    const set = table.sets.get(values.name);
    return set === undefined || set.types.length !== dimensions ? null : this.#once(set, () => ofSet(set));
  }

  #once(key: object, make: () => Content): Content {
    const content = this.#contents.get(key) ?? make();
    this.#contents.set(key, content);
    return content;
  }

  /** The entries of a map by their value; `null` when nobody knows them. */
  groupsOf<T extends object>(
    map: MapData<T>,
    table: Table,
    dimensions: number,
    read: (element: SetElement) => T | null,
  ): readonly Group<T>[] | null {
    const set = map.kind === 'named' ? table.sets.get(map.name) : null;
    if (set === undefined || (set !== null && (set.changing || set.types.length !== dimensions))) return null;
    const key = set ?? map;
    const known = this.#groups.get(key);
    if (known !== undefined) return known as readonly Group<T>[];
    const content = set?.elements();
    if (content !== undefined && content.unknown.length > 0) return null;
    const entries =
      map.kind === 'inline'
        ? map.entries.map((entry) => ({ ...entry, lasting: true }))
        : (content?.elements ?? []).map((element) => ({ ...element, value: read(element) }));
    const groups = grouped(entries, dimensions);
    if (groups !== null) this.#groups.set(key, groups);
    return groups;
  }
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

/** Entries by their value; `null` when unknown. */
function grouped<T extends object>(
  entries: readonly (Pick<SetElement, 'box' | 'lasting'> & { readonly value: T | null })[],
  dimensions: number,
): readonly Group<T>[] | null {
  const byValue = new Map<string, { readonly value: T; readonly elements: Pick<SetElement, 'box' | 'lasting'>[] }>();
  for (const { value, box, lasting } of entries) {
    if (value === null) return null;
    const name = keyOf(value);
    const group = byValue.get(name);
    if (group === undefined) byValue.set(name, { value, elements: [{ box, lasting }] });
    else group.elements.push({ box, lasting });
  }
  return [...byValue.values()].map(({ value, elements }) => ({ value, keys: contentOfElements(elements, dimensions) }));
}

function keyOf(value: object): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
