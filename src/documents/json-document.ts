import type { Fault } from '../core/failure.ts';
import { InputError, Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { noteKeys } from './exact-keys.ts';
import { placesIn } from './source-text.ts';
import { type Converted, define, type Entry, MAX_DEPTH, type Report, TOO_DEEP } from './yaml-convert.ts';
import { UnsafeText, VaultValue, YamlFloat } from './yaml-scalars.ts';
import { viewOf, type YamlFile } from './yaml-view.ts';

/**
 * JSON as Python's `json.loads` reads it, which Ansible tries before YAML: `NaN` and `Infinity` are numbers, whole numbers
 * have no limit. A mapping with `__ansible_vault` or `__ansible_unsafe` is the value that Ansible wrote in this way.
 * Stricter in one point: a key that appears twice is an error.
 */

/** Text that is no JSON, and where. */
export interface JsonFault extends Fault {
  readonly offset: number;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const BLANK = /[ \t\n\r]*/y;
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const WORDS: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', new YamlFloat(Number.NaN)],
  ['Infinity', new YamlFloat(Number.POSITIVE_INFINITY)],
  ['-Infinity', new YamlFloat(Number.NEGATIVE_INFINITY)],
];

/**
 * Reads JSON text.
 *
 * @param file the name that locations carry
 * @throws InputError with every problem found
 */
export function parseJson(text: string, file: string): YamlFile {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const place = placesIn({ text: source, file, secret: null });
  const problems: Problem[] = [];
  const report: Report = (offset, code, what, solve) => {
    problems.push(new Problem({ severity: 'error', code, what, solve, location: place(offset) }));
  };
  const root = convertJson(source, report);
  if ('what' in root && problems.length === 0) report(root.offset, 'json-syntax', root.what, root.solve);
  if ('what' in root || problems.length > 0) throw new InputError(sortProblems(problems));
  return viewOf(root, file, place);
}

/** Converts JSON text, or says where it stops being JSON. Problems of sound JSON are reported. */
export function convertJson(source: string, report: Report): Converted | JsonFault {
  try {
    return new JsonReader(source, report).read();
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    const { offset, expected } = error;
    const found = offset >= source.length ? 'the text ends' : `${shown(source.charAt(offset))} is`;
    return { offset, what: `this is not JSON: ${found} where ${expected} should be`, solve: 'Correct it here' };
  }
}

class NoJson extends Error {
  readonly offset: number;
  readonly expected: string;

  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

class JsonReader {
  private readonly source: string;
  private readonly report: Report;
  private at = 0;
  private tooDeep = false;

  constructor(source: string, report: Report) {
    this.source = source;
    this.report = report;
  }

  read(): Converted {
    const root = this.value(0);
    this.skipBlanks();
    if (this.at < this.source.length) throw new NoJson(this.at, 'the end');
    return root;
  }

  private value(depth: number): Converted {
    this.skipBlanks();
    const offset = this.at;
    switch (this.source.charAt(offset)) {
      case '{':
        return this.enter(depth, offset) ?? this.mapping(depth, offset);
      case '[':
        return this.enter(depth, offset) ?? this.list(depth, offset);
      case '"':
        return leaf(this.text(), offset);
    }
    for (const [word, value] of WORDS) {
      if (!this.source.startsWith(word, offset)) continue;
      this.at += word.length;
      return leaf(value, offset);
    }
    NUMBER.lastIndex = offset;
    const number = NUMBER.exec(this.source);
    if (number === null) throw new NoJson(offset, 'a value');
    this.at = NUMBER.lastIndex;
    if (number[1] !== undefined || number[2] !== undefined) return leaf(new YamlFloat(Number(number[0])), offset);
    const whole = Number(number[0]);
    return leaf(Number.isSafeInteger(whole) ? whole + 0 : BigInt(number[0]), offset);
  }

  /** Refuses what is nested too deep. The rest is not read: one such message is enough. */
  private enter(depth: number, offset: number): null {
    if (depth < MAX_DEPTH) return null;
    if (!this.tooDeep) this.report(offset, 'nesting-too-deep', ...TOO_DEEP);
    this.tooDeep = true;
    throw new NoJson(offset, 'a value that is nested less deep');
  }

  private list(depth: number, offset: number): Converted {
    const entries = new Map<number, Entry>();
    const plain: unknown[] = [];
    const exact: unknown[] = [];
    let size = 1;
    this.at += 1;
    if (this.take(']')) return { plain, exact, offset, size, entries };
    do {
      const value = this.value(depth + 1);
      entries.set(plain.length, { key: plain.length, keyOffset: value.offset, keyKind: 'number', value });
      plain.push(value.plain);
      exact.push(value.exact);
      size += value.size;
    } while (this.take(','));
    this.expect(']', '"," or "]"');
    return { plain, exact, offset, size, entries };
  }

  private mapping(depth: number, offset: number): Converted {
    const entries = new Map<string, Entry>();
    const plain: Record<string, unknown> = {};
    const exact: Record<string, unknown> = {};
    let size = 1;
    this.at += 1;
    if (this.take('}')) return { plain, exact, offset, size, entries };
    do {
      this.skipBlanks();
      const keyOffset = this.at;
      if (this.source.charAt(keyOffset) !== '"') throw new NoJson(keyOffset, 'a key in double quotes');
      const name = this.text();
      this.expect(':', '":"');
      const value = this.value(depth + 1);
      size += value.size;
      if (entries.has(name)) {
        const what = `the key ${shown(name)} appears twice in one mapping`;
        this.report(keyOffset, 'duplicate-key', what, 'Keep one of the two');
        continue;
      }
      entries.set(name, { key: name, keyOffset, keyKind: 'string', value });
      define(plain, name, value.plain);
      define(exact, name, value.exact);
    } while (this.take(','));
    this.expect('}', '"," or "}"');
    for (const [name, entry] of entries) {
      if (typeof entry.value.plain !== 'string') continue;
      if (name === '__ansible_vault') return leaf(new VaultValue(entry.value.plain), offset);
      if (name === '__ansible_unsafe') return leaf(new UnsafeText(entry.value.plain), offset);
    }
    noteKeys(exact, [...entries.keys()]);
    return { plain, exact, offset, size, entries };
  }

  private text(): string {
    this.at += 1;
    let text = '';
    for (;;) {
      PLAIN_TEXT.lastIndex = this.at;
      text += PLAIN_TEXT.exec(this.source)![0];
      this.at = PLAIN_TEXT.lastIndex;
      const character = this.source.charAt(this.at);
      if (character !== '\\') {
        if (character !== '"') throw new NoJson(this.at, 'a closing quote');
        this.at += 1;
        return text;
      }
      text += this.escape();
    }
  }

  private escape(): string {
    const kind = this.source.charAt(this.at + 1);
    if (kind === 'u') {
      const digits = this.source.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new NoJson(this.at, 'an escape with four hexadecimal digits');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = ESCAPES[kind];
    if (character === undefined) throw new NoJson(this.at, 'a known escape');
    this.at += 2;
    return character;
  }

  private take(character: string): boolean {
    this.skipBlanks();
    if (this.source.charAt(this.at) !== character) return false;
    this.at += 1;
    return true;
  }

  private expect(character: string, expected: string): void {
    if (!this.take(character)) throw new NoJson(this.at, expected);
  }

  private skipBlanks(): void {
    BLANK.lastIndex = this.at;
    BLANK.exec(this.source);
    this.at = BLANK.lastIndex;
  }
}

function leaf(exact: unknown, offset: number): Converted {
  const plain = exact instanceof YamlFloat ? exact.value : exact instanceof UnsafeText ? exact.text : exact;
  return { plain, exact, offset, size: 1, entries: null };
}
