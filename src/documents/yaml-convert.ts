import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { shown } from '../core/shown.ts';
import { doubleQuoted } from './double-quoted.ts';
import { keyText, noteKeys } from './exact-keys.ts';
import {
  resolvePlain,
  toBool,
  toFloat,
  toInt,
  toTimestamp,
  UnsafeText,
  VaultValue,
  YamlFloat,
  YamlTimestamp,
} from './yaml-scalars.ts';

/** What kind of scalar a mapping's key was before it became a string. */
export type KeyKind = 'string' | 'number' | 'boolean' | 'null' | 'timestamp';

/** The deepest nesting of lists and mappings that we read. */
export const MAX_DEPTH = 100;
/** How many nodes aliases may add to those that are written out. */
const MAX_ALIASED_NODES = 100_000;

/** What is said of a document that is nested deeper, and how to solve it. */
export const TOO_DEEP = [
  `lists and mappings are nested more than ${MAX_DEPTH} deep`,
  'Flatten the structure; no setting needs such depth',
] as const;

/** A converted node: its data in both forms, and the places of its parts. */
export interface Converted {
  readonly plain: unknown;
  readonly exact: unknown;
  readonly offset: number;
  /** How many nodes it is, with aliases expanded. */
  readonly size: number;
  readonly entries: ReadonlyMap<string | number, Entry> | null;
}

/** An entry of a mapping or list. */
export interface Entry {
  /** What the key was before it became text. */
  readonly key: unknown;
  readonly keyOffset: number;
  readonly keyKind: KeyKind;
  readonly value: Converted;
}

/** Reports a problem at an offset: code, what is wrong, how to solve it. */
export type Report = (offset: number, code: string, what: string, solve: string) => void;

const NOTHING: Converted = { plain: null, exact: null, offset: 0, size: 1, entries: null };

/**
 * Turns a parsed document into data, as PyYAML would, and keeps the place of everything in it.
 *
 * @param source the text that was parsed
 */
export function convertDocument(document: Document.Parsed, source: string, report: Report): Converted {
  return document.contents === null ? NOTHING : new Converter(source, report).root(document.contents);
}

class Converter {
  readonly #source: string;
  readonly #report: Report;
  readonly #anchors = new Map<string, Converted>();
  /** How many nodes aliases have added. */
  #aliased = 0;

  constructor(source: string, report: Report) {
    this.#source = source;
    this.#report = report;
  }

  root(contents: unknown): Converted {
    return this.#convert(contents, 0, 0, false);
  }

  #anchored(node: { anchor?: string | undefined }, converted: Converted): Converted {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, converted);
    return converted;
  }

  #convert(node: unknown, depth: number, fallback: number, unsafe: boolean): Converted {
    if (isAlias(node)) return this.#convertAlias(node);
    if (isScalar(node)) return this.#anchored(node, this.#convertScalar(node, fallback, unsafe));
    if (!isMap(node) && !isSeq(node)) return { ...NOTHING, offset: fallback };
    const offset = node.range?.[0] ?? fallback;
    if (depth >= MAX_DEPTH) {
      this.#report(offset, 'nesting-too-deep', ...TOO_DEEP);
      return { ...NOTHING, offset };
    }
    const tag = shortTag(node.tag);
    if (isSeq(node) && (tag === '!!omap' || tag === '!!pairs')) {
      return this.#anchored(node, this.#convertPairs(node, depth, offset, unsafe));
    }
    const tagUnsafe = this.#checkCollectionTag(node, offset) || unsafe;
    const converted = isMap(node)
      ? this.#convertMap(node, depth, offset, tagUnsafe)
      : this.#convertSeq(node, depth, offset, tagUnsafe);
    return this.#anchored(node, converted);
  }

  #convertAlias(node: Alias): Converted {
    const offset = node.range?.[0] ?? 0;
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      this.#report(
        offset,
        'unknown-anchor',
        `there is no anchor ${shown(node.source)} above this alias`,
        'Define it with "&" before it is used',
      );
      return { ...NOTHING, offset };
    }
    this.#aliased += target.size;
    if (this.#aliased > MAX_ALIASED_NODES) {
      if (this.#aliased - target.size <= MAX_ALIASED_NODES) {
        this.#report(
          offset,
          'alias-expansion',
          `aliases expand this file by more than ${MAX_ALIASED_NODES} values`,
          'Write the values out, or use group variables instead of anchors',
        );
      }
      return { ...NOTHING, offset };
    }
    return { ...target, offset };
  }

  #checkCollectionTag(node: YAMLMap | YAMLSeq, offset: number): boolean {
    const expected = isMap(node) ? 'map' : 'seq';
    const tag = shortTag(node.tag);
    if (tag === null || tag === `!!${expected}` || tag === '!' || (isMap(node) && tag === '!!python/dict'))
      return false;
    if (tag === '!unsafe') return true;
    reportTag(offset, tag, this.#report);
    return false;
  }

  #convertSeq(node: YAMLSeq, depth: number, offset: number, unsafe: boolean): Converted {
    return listOf(
      node.items.map((item) => this.#convert(item, depth + 1, offset, unsafe)),
      offset,
    );
  }

  /** `!!omap` and `!!pairs`: a list of mappings with one entry each, which PyYAML turns into a list of pairs. */
  #convertPairs(node: YAMLSeq, depth: number, offset: number, unsafe: boolean): Converted {
    const pairs = node.items.map((item): Converted => {
      const at = offsetOf(item) ?? offset;
      const pair = isMap(item) && item.items.length === 1 ? (item.items[0] as Pair) : null;
      if (pair === null) {
        this.#report(
          at,
          'wrong-type',
          'an ordered mapping is a list of mappings with one entry each',
          'Write "- key: value"',
        );
        return { ...NOTHING, offset: at };
      }
      return listOf(
        [this.#convert(pair.key, depth + 2, at, unsafe), this.#convert(pair.value, depth + 2, at, unsafe)],
        at,
      );
    });
    return listOf(pairs, offset);
  }

  #convertMap(node: YAMLMap, depth: number, offset: number, unsafe: boolean): Converted {
    const own = new Map<string, Entry>();
    const identities = new Set<unknown>();
    const merged: Converted[] = [];
    for (const pair of node.items as Pair[]) {
      const keyOffset = offsetOf(pair.key) ?? offsetOf(pair.value) ?? offset;
      if (isMergeKey(pair.key)) {
        merged.push(...this.#mergeSources(pair.value, depth, keyOffset, unsafe));
        continue;
      }
      const key = this.#convert(pair.key, depth + 1, keyOffset, false);
      if (isMap(pair.key) && pair.key.flow === true && node.flow === true && pair.value === null) {
        const solve = 'Write "{{ … }}" with quotes around it';
        this.#report(
          offset,
          'unquoted-template',
          'a template must be in quotes: without them YAML reads a mapping',
          solve,
        );
        continue;
      }
      if (key.entries !== null || key.plain instanceof VaultValue) {
        this.#report(
          keyOffset,
          'complex-key',
          'a list, a mapping or a secret cannot be a key',
          'Use plain text as the key',
        );
        continue;
      }
      const name = keyText(key.exact);
      const value = this.#convert(pair.value, depth + 1, keyOffset, unsafe);
      if (own.has(name) || identities.has(identityOf(key.exact))) {
        this.#report(
          keyOffset,
          'duplicate-key',
          `the key ${shown(name)} appears twice in one mapping`,
          'Keep one of the two',
        );
        continue;
      }
      identities.add(identityOf(key.exact));
      own.set(name, { key: key.exact, keyOffset, keyKind: keyKindOf(key.exact), value });
    }
    // PyYAML puts merged entries first; the mapping's own keys win over all of them.
    const entries = new Map<string, Entry>();
    for (const source of merged) {
      for (const [name, entry] of source.entries ?? []) entries.set(String(name), entry);
    }
    for (const [name, entry] of own) entries.set(name, entry);
    return mappingOf(entries, offset);
  }

  #mergeSources(node: unknown, depth: number, fallback: number, unsafe: boolean): Converted[] {
    const converted = this.#convert(node, depth + 1, fallback, unsafe);
    if (isPlainObject(converted.plain)) return [converted];
    const items = Array.isArray(converted.plain)
      ? [...(converted.entries?.values() ?? [])].map((entry) => entry.value)
      : null;
    // Of a list the first source wins, so it comes last; of several "<<" the last one wins.
    if (items?.every((item) => isPlainObject(item.plain))) return items.reverse();
    // The merged value was too large; this is already reported.
    if (this.#aliased > MAX_ALIASED_NODES) return [];
    this.#report(
      converted.offset,
      'bad-merge',
      '"<<" can only merge a mapping or a list of mappings',
      'Put an alias of a mapping after "<<:"',
    );
    return [];
  }

  #convertScalar(node: Scalar, fallback: number, unsafe: boolean): Converted {
    const offset = node.range?.[0] ?? fallback;
    const written = typeof node.value === 'string' ? node.value : node.value === null ? '' : String(node.value);
    // The last line has no line end if the file does not end with one.
    const isLast = isBlock(node) && (node.range?.[1] ?? 0) >= this.#source.length;
    // Blanks beyond the indentation are text too.
    const unended =
      isLast &&
      written.endsWith('\n') &&
      (!/(?:^|\n) *$/.test(this.#source) || (/ $/.test(this.#source) && /\n +\n$/.test(written)));
    const unfolded =
      node.type === Scalar.QUOTE_DOUBLE ? doubleQuoted(this.#source.slice(offset, node.range?.[1]), written) : written;
    const text = unended ? written.slice(0, -1) : unfolded;
    return scalar(scalarValue(text, node, offset, unsafe, this.#report), offset);
  }
}

function mappingOf(entries: ReadonlyMap<string, Entry>, offset: number): Converted {
  const plain: Record<string, unknown> = {};
  const exact: Record<string, unknown> = {};
  let size = 1;
  for (const [name, { value }] of entries) {
    define(plain, name, value.plain);
    define(exact, name, value.exact);
    size += value.size;
  }
  noteKeys(
    exact,
    [...entries.values()].map((entry) => entry.key),
  );
  return { plain, exact, offset, size, entries };
}

function listOf(items: readonly Converted[], offset: number): Converted {
  const entries = new Map<number, Entry>(
    items.map((value, index) => [index, { key: index, keyOffset: value.offset, keyKind: 'number', value }]),
  );
  return {
    plain: items.map((item) => item.plain),
    exact: items.map((item) => item.exact),
    offset,
    size: items.reduce((sum, item) => sum + item.size, 1),
    entries,
  };
}

function isBlock(node: Scalar): boolean {
  return node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
}

function scalar(exact: unknown, offset: number): Converted {
  return { plain: plainOf(exact), exact, offset, size: 1, entries: null };
}

function scalarValue(text: string, node: Scalar, offset: number, unsafe: boolean, report: Report): unknown {
  const tag = shortTag(node.tag);
  try {
    switch (tag) {
      case null:
      // As libyaml has it, a lone "!" says nothing but that there is a value.
      case '!': {
        if (tag === '!' && text === '') return '';
        if (node.type !== Scalar.PLAIN && node.type !== undefined) return unsafe ? new UnsafeText(text) : text;
        const value = resolvePlain(text);
        return unsafe && typeof value === 'string' ? new UnsafeText(value) : value;
      }
      case '!!str':
      case '!!python/unicode':
        return unsafe ? new UnsafeText(text) : text;
      case '!unsafe':
        return new UnsafeText(text);
      case '!vault':
      case '!vault-encrypted':
        return new VaultValue(text);
      case '!!int': {
        const value = toInt(text);
        if (value === null) throw new RangeError('not an integer');
        return value;
      }
      case '!!float':
        return toFloat(text);
      case '!!bool':
        return toBool(text);
      case '!!null':
        return null;
      case '!!timestamp': {
        const value = toTimestamp(text);
        if (value === null) throw new RangeError('not a date');
        return value;
      }
      default:
        reportTag(offset, tag, report);
        return null;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(
      offset,
      'bad-scalar',
      `${shown(text)} looks like a value that it cannot be: ${error.message}`,
      'Put it in quotes if it is text',
    );
    return null;
  }
}

function reportTag(offset: number, tag: string, report: Report): void {
  report(offset, 'unknown-tag', `the tag ${shown(tag)} is not known`, 'Remove it; known tags are !vault and !unsafe');
}

function shortTag(tag: string | undefined): string | null {
  if (tag === undefined) return null;
  return tag.startsWith('tag:yaml.org,2002:') ? `!!${tag.slice('tag:yaml.org,2002:'.length)}` : tag;
}

function isMergeKey(key: unknown): boolean {
  if (!isScalar(key) || key.value !== '<<') return false;
  const tag = shortTag(key.tag);
  return tag === '!!merge' || (tag === null && key.type === Scalar.PLAIN);
}

function offsetOf(node: unknown): number | null {
  if (isScalar(node) || isAlias(node) || isMap(node) || isSeq(node)) return node.range?.[0] ?? null;
  return null;
}

/** What makes keys the same in Python, where `1`, `1.0` and `true` are one. */
function identityOf(key: unknown): unknown {
  if (key instanceof YamlFloat) return key.value;
  return typeof key === 'boolean' ? Number(key) : key;
}

function keyKindOf(key: unknown): KeyKind {
  if (key === null) return 'null';
  if (typeof key === 'boolean') return 'boolean';
  if (typeof key === 'number' || typeof key === 'bigint' || key instanceof YamlFloat) return 'number';
  return key instanceof YamlTimestamp ? 'timestamp' : 'string';
}

/** The plain form of an exact scalar. */
function plainOf(value: unknown): unknown {
  if (value instanceof YamlFloat) return value.value;
  if (value instanceof YamlTimestamp) return value.source;
  if (value instanceof UnsafeText) return value.text;
  return value;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof VaultValue);
}

/** Sets a key that may be `__proto__` without touching the prototype. */
export function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
