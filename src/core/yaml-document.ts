import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  Scalar,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { InputError, type Problem, type SourceLocation } from './problem.ts';
import { safeText, shown } from './shown.ts';
import { sortProblems } from './sort-problems.ts';
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

/** A path into a document: mapping keys and list positions. */
export type YamlPath = readonly (string | number)[];

/** What kind of scalar a mapping's key was before it became a string. */
export type KeyKind = 'string' | 'number' | 'boolean' | 'null' | 'timestamp';

/** One YAML document with the place of everything in it. */
export interface YamlFile {
  readonly file: string;
  /**
   * The document as plain data: mappings are objects, floats are numbers, timestamps are the text as written, `!unsafe`
   * text is a string; only `!vault` values (`VaultValue`) and integers beyond 2^53 (`bigint`) are not JSON.
   * Aliased parts are shared, so treat it as read-only.
   */
  readonly value: unknown;
  /** The same with nothing lost: floats are `YamlFloat`, timestamps `YamlTimestamp`, `!unsafe` text `UnsafeText`. */
  readonly exact: unknown;
  /** The place of the innermost part of `path` that exists; of a mapping's entry either the key or the value (default). */
  locate(path: YamlPath, at?: 'key' | 'value'): SourceLocation;
  /** The keys of the mapping at `path` in the order written (merged ones first); empty when there is no mapping. */
  keys(path: YamlPath): readonly string[];
  /** What the last step of `path`, a mapping's key, was written as; `null` when there is no such entry. */
  keyKind(path: YamlPath): KeyKind | null;
}

/** The deepest nesting of lists and mappings that we read. */
const MAX_DEPTH = 100;
/** How many nodes aliases may add to those that are written out. */
const MAX_ALIASED_NODES = 100_000;
const MAX_ERRORS = 50;

const TOO_DEEP = [
  `lists and mappings are nested more than ${MAX_DEPTH} deep`,
  'Flatten the structure; no setting needs such depth',
] as const;

/** A converted node: its data in both forms, and the places of its parts. */
interface Converted {
  readonly plain: unknown;
  readonly exact: unknown;
  readonly offset: number;
  /** How many nodes it stands for, with aliases expanded. */
  readonly size: number;
  readonly entries: ReadonlyMap<string | number, Entry> | null;
}

interface Entry {
  readonly keyOffset: number;
  readonly keyKind: KeyKind;
  readonly value: Converted;
}

/**
 * Reads YAML text as Ansible does: YAML 1.1 as PyYAML resolves it, with merge keys, anchors, `!vault` and `!unsafe`.
 * Stricter where Ansible only warns: a key that appears twice is an error.
 *
 * @param file the name that locations carry
 * @throws InputError with every problem found
 */
export function parseYaml(text: string, file: string): YamlFile {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lines = new LineCounter();
  const problems: Problem[] = [];
  const place = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, source.length)));
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const report = (offset: number, code: string, message: string, hint: string): void => {
    if (problems.length < MAX_ERRORS)
      problems.push({ severity: 'error', code, message, hint, location: place(offset) });
  };

  const control = source.search(/[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
  const depthAt = findDeepNesting(source);
  let document: Document.Parsed | null = null;
  if (depthAt === null) {
    try {
      document = parseDocument(source, {
        lineCounter: lines,
        prettyErrors: false,
        // Scalars are resolved here, PyYAML's way, and duplicates found in linear time.
        schema: 'failsafe',
        resolveKnownTags: false,
        uniqueKeys: false,
        keepSourceTokens: false,
        logLevel: 'error',
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  if (lines.lineStarts.length === 0) countLines(source, lines);
  if (control !== -1) {
    const character = source.codePointAt(control)!.toString(16).toUpperCase().padStart(4, '0');
    report(
      control,
      'control-character',
      `the character U+${character} may not stand in a YAML file`,
      'Remove it, or write it as an escape such as "\\x07" in a double-quoted string',
    );
  }
  if (document === null) {
    report(depthAt ?? 0, 'nesting-too-deep', ...TOO_DEEP);
    throw new InputError(problems);
  }
  const overflow = document.errors.find((error) => /call stack/i.test(error.message));
  if (overflow !== undefined) {
    report(overflow.pos[0], 'nesting-too-deep', ...TOO_DEEP);
    throw new InputError(problems);
  }
  for (const error of document.errors) {
    const { message, hint } = explain(error);
    report(error.pos[0], 'yaml-syntax', message, hint);
  }
  if (problems.length > 0) throw new InputError(sortProblems(problems));

  const root = convertDocument(document, isJson(source), report);
  if (problems.length > 0) throw new InputError(sortProblems(problems));

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

/** Where flow brackets or block indentation go deeper than we read, or `null`; a rough count that errs towards `null`. */
function findDeepNesting(source: string): number | null {
  let depth = 0;
  // Quoted strings, comments and block scalars may hold brackets, but hundreds that are never closed are no plain text.
  const limit = MAX_DEPTH * 3;
  for (let i = 0; i < source.length; i += 1) {
    const code = source.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > limit) return i;
    } else if ((code === 0x5d || code === 0x7d) && depth > 0) depth -= 1;
  }
  // "- - - - …" and "? ? ? …" nest without brackets.
  const indicators = /(?:[-?:][ \t]+){300}/.exec(source);
  return indicators === null ? null : indicators.index;
}

function countLines(source: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let i = source.indexOf('\n'); i !== -1; i = source.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
}

/** The parser's error as a sentence of what is wrong and one of how to solve it. */
function explain(error: YAMLError): { message: string; hint: string } {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab stands where YAML wants spaces', hint: 'Indent with spaces' };
    case 'MULTIPLE_DOCS':
      return {
        message: 'the file holds more than one YAML document',
        hint: 'Remove the second "---" and what follows it',
      };
    case 'BAD_ALIAS':
      return { message: 'this alias is empty or ends in a colon', hint: 'Write the name of an anchor after the "*"' };
    case 'BAD_INDENT':
      return {
        message: 'the indentation does not fit what stands above',
        hint: 'Align entries of one list or mapping in one column',
      };
    case 'MISSING_CHAR':
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Close every quote and bracket, and leave a space after each colon',
      };
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Is a colon missing, or a quote needed around text that contains ": "?',
      };
    default:
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Correct the YAML syntax here; quote text with special characters',
      };
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

type Report = (offset: number, code: string, message: string, hint: string) => void;

const NOTHING: Converted = { plain: null, exact: null, offset: 0, size: 1, entries: null };

function convertDocument(document: Document.Parsed, json: boolean, report: Report): Converted {
  const anchors = new Map<string, Converted>();
  let aliased = 0;

  const anchored = (node: { anchor?: string | undefined }, converted: Converted): Converted => {
    if (node.anchor !== undefined) anchors.set(node.anchor, converted);
    return converted;
  };

  const convert = (node: unknown, depth: number, fallback: number, unsafe: boolean): Converted => {
    if (isAlias(node)) return convertAlias(node);
    if (isScalar(node)) return anchored(node, convertScalar(node, fallback, unsafe));
    if (!isMap(node) && !isSeq(node)) return { ...NOTHING, offset: fallback };
    const offset = node.range?.[0] ?? fallback;
    if (depth >= MAX_DEPTH) {
      report(offset, 'nesting-too-deep', ...TOO_DEEP);
      return { ...NOTHING, offset };
    }
    const tagUnsafe = checkCollectionTag(node, offset) || unsafe;
    const converted = isMap(node)
      ? convertMap(node, depth, offset, tagUnsafe)
      : convertSeq(node, depth, offset, tagUnsafe);
    return anchored(node, converted);
  };

  const convertAlias = (node: Alias): Converted => {
    const offset = node.range?.[0] ?? 0;
    const target = anchors.get(node.source);
    if (target === undefined) {
      report(
        offset,
        'unknown-anchor',
        `there is no anchor ${shown(node.source)} above this alias`,
        'Define it with "&" before it is used',
      );
      return { ...NOTHING, offset };
    }
    aliased += target.size;
    if (aliased > MAX_ALIASED_NODES) {
      if (aliased - target.size <= MAX_ALIASED_NODES) {
        report(
          offset,
          'alias-expansion',
          `aliases expand this file by more than ${MAX_ALIASED_NODES} values`,
          'Write the values out, or use group variables instead of anchors',
        );
      }
      return { ...NOTHING, offset };
    }
    return { ...target, offset };
  };

  const checkCollectionTag = (node: YAMLMap | YAMLSeq, offset: number): boolean => {
    const expected = isMap(node) ? 'map' : 'seq';
    const tag = shortTag(node.tag);
    if (tag === null || tag === `!!${expected}` || tag === '!') return false;
    if (tag === '!unsafe') return true;
    reportTag(offset, tag, report);
    return false;
  };

  const convertSeq = (node: YAMLSeq, depth: number, offset: number, unsafe: boolean): Converted => {
    const entries = new Map<number, Entry>();
    const plain: unknown[] = [];
    const exact: unknown[] = [];
    let size = 1;
    for (const [index, item] of node.items.entries()) {
      const value = convert(item, depth + 1, offset, unsafe);
      plain.push(value.plain);
      exact.push(value.exact);
      size += value.size;
      entries.set(index, { keyOffset: value.offset, keyKind: 'number', value });
    }
    return { plain, exact, offset, size, entries };
  };

  const convertMap = (node: YAMLMap, depth: number, offset: number, unsafe: boolean): Converted => {
    const own = new Map<string, Entry>();
    const merged: Converted[] = [];
    for (const pair of node.items as Pair[]) {
      const keyOffset = offsetOf(pair.key) ?? offsetOf(pair.value) ?? offset;
      if (isMergeKey(pair.key)) {
        merged.push(...mergeSources(pair.value, depth, keyOffset, unsafe));
        continue;
      }
      const key = convert(pair.key, depth + 1, keyOffset, false);
      if (key.entries !== null || key.plain instanceof VaultValue) {
        report(keyOffset, 'complex-key', 'a list, a mapping or a secret cannot be a key', 'Use plain text as the key');
        continue;
      }
      const name = keyText(key.exact);
      const value = convert(pair.value, depth + 1, keyOffset, unsafe);
      if (own.has(name)) {
        report(
          keyOffset,
          'duplicate-key',
          `the key ${shown(name)} appears twice in one mapping`,
          'Keep one of the two',
        );
        continue;
      }
      own.set(name, { keyOffset, keyKind: keyKindOf(key.exact), value });
    }
    // PyYAML puts merged entries first; the mapping's own keys win over all of them.
    const entries = new Map<string, Entry>();
    for (const source of merged) {
      for (const [name, entry] of source.entries ?? []) entries.set(String(name), entry);
    }
    for (const [name, entry] of own) entries.set(name, entry);
    const plain: Record<string, unknown> = {};
    const exact: Record<string, unknown> = {};
    let size = 1;
    for (const [name, { value }] of entries) {
      define(plain, name, value.plain);
      define(exact, name, value.exact);
      size += value.size;
    }
    const vault = plain['__ansible_vault'];
    if (json && own.size === 1 && typeof vault === 'string') return scalar(new VaultValue(vault), offset);
    const text = plain['__ansible_unsafe'];
    if (json && own.size === 1 && typeof text === 'string') return scalar(new UnsafeText(text), offset);
    return { plain, exact, offset, size, entries };
  };

  const mergeSources = (node: unknown, depth: number, fallback: number, unsafe: boolean): Converted[] => {
    const converted = convert(node, depth + 1, fallback, unsafe);
    if (isPlainObject(converted.plain)) return [converted];
    const items = Array.isArray(converted.plain)
      ? [...(converted.entries?.values() ?? [])].map((entry) => entry.value)
      : null;
    // Of a list the first source wins, so it comes last; of several "<<" the last one wins.
    if (items?.every((item) => isPlainObject(item.plain))) return items.reverse();
    report(
      converted.offset,
      'bad-merge',
      '"<<" can only merge a mapping or a list of mappings',
      'Put an alias of a mapping after "<<:"',
    );
    return [];
  };

  const convertScalar = (node: Scalar, fallback: number, unsafe: boolean): Converted => {
    const offset = node.range?.[0] ?? fallback;
    const text = typeof node.value === 'string' ? node.value : node.value === null ? '' : String(node.value);
    const exact =
      json && node.type === Scalar.PLAIN ? resolveJson(text) : scalarValue(text, node, offset, unsafe, report);
    return scalar(exact, offset);
  };

  if (document.contents === null) return NOTHING;
  return convert(document.contents, 0, 0, false);
}

function scalar(exact: unknown, offset: number): Converted {
  return { plain: plainOf(exact), exact, offset, size: 1, entries: null };
}

function scalarValue(text: string, node: Scalar, offset: number, unsafe: boolean, report: Report): unknown {
  const tag = shortTag(node.tag);
  try {
    switch (tag) {
      case null: {
        if (node.type !== Scalar.PLAIN && node.type !== undefined) return unsafe ? new UnsafeText(text) : text;
        const value = resolvePlain(text);
        return unsafe && typeof value === 'string' ? new UnsafeText(value) : value;
      }
      case '!':
      case '!!str':
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

/** Whether the text is a JSON document: Ansible then reads its numbers as JSON has them (`1e3` is one, which YAML 1.1 denies). */
function isJson(source: string): boolean {
  if (!/^\s*[[{]/.test(source)) return false;
  try {
    JSON.parse(source);
    return true;
  } catch {
    return false;
  }
}

function resolveJson(text: string): unknown {
  return /^-?\d/.test(text) && /[.eE]/.test(text) ? new YamlFloat(Number(text)) : resolvePlain(text);
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

/** A key as Python's `json.dumps` would turn it into a string. */
function keyText(key: unknown): string {
  if (key instanceof UnsafeText) return key.text;
  if (key instanceof YamlTimestamp) return key.source;
  if (key instanceof YamlFloat) return key.toString();
  return String(key);
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
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
