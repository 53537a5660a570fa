import type { CodedFault } from '../../core/failure.ts';
import { PYTHON_ESCAPES } from '../python-escapes.ts';
/**
 * Values inside templates, and Python's view of them. Mappings are Maps, since they come from files: no key of theirs can
 * touch a prototype, and their order stays.
 */
export type Value = null | boolean | number | bigint | string | readonly Value[] | ValueMap | Lazy;

/** The value of `omit` until the evaluation is over. */
export const OMIT = '__omit_place_holder__portfw';

export type ValueMap = ReadonlyMap<string, Value>;

/** A mapping whose entries are evaluated when they are asked for: `hostvars`, or the variables of one host. */
export interface Lazy {
  readonly lazy: true;
  keys(): readonly string[];
  /** `undefined` when there is no such key, or when its value is undefined itself. */
  get(key: string): Value | undefined;
}

/** An argument of `map()`: items for which it finds nothing are left out. */
export const PASS_OVER = '__pass_over';

/** What is wrong with an expression, as a sentence's end: "the filter int …". */
export class ExpressionError extends Error implements CodedFault {
  readonly code: string;
  readonly what: string;
  readonly solve: string;

  constructor(what: string, solve: string, code = 'template-error') {
    super(what);
    this.code = code;
    this.what = what;
    this.solve = solve;
  }
}

export function isLazy(value: unknown): value is Lazy {
  return typeof value === 'object' && value !== null && (value as { lazy?: unknown }).lazy === true;
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value | undefined): value is ValueMap | Lazy {
  return value instanceof Map || isLazy(value);
}

/** A mapping with all its entries; those of a lazy one that cannot be had are left out. */
export function entriesOf(value: ValueMap | Lazy): [string, Value][] {
  if (!isLazy(value)) return [...value];
  return value.keys().flatMap((key): [string, Value][] => {
    const item = value.get(key);
    return item === undefined ? [] : [[key, item]];
  });
}

/** Python's truth of a value. */
export function truthy(value: Value | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === 0n || value === '')
    return false;
  if (isList(value)) return value.length > 0;
  if (isLazy(value)) return value.keys().length > 0;
  return !(value instanceof Map && value.size === 0);
}

/** Python's `str()`; nothing (`None`) is `None`. */
export function pythonText(value: Value): string {
  return typeof value === 'string' ? value : pythonRepr(value);
}

/** Python's `repr()`. */
export function pythonRepr(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escaped = value
      .replaceAll('\\', '\\\\')
      .replaceAll('\n', '\\n')
      .replaceAll('\r', '\\r')
      .replaceAll('\t', '\\t')
      .replaceAll(quote, `\\${quote}`);
    return quote + escaped + quote;
  }
  if (isList(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (isMap(value))
    return `{${entriesOf(value)
      .map(([key, item]) => `${pythonRepr(key)}: ${pythonRepr(item)}`)
      .join(', ')}}`;
  return String(value);
}

/** Whether two values are equal, as Python sees it: `1 == 1.0 == True`. */
export function equal(a: Value | undefined, b: Value | undefined): boolean {
  const number = (value: Value | undefined): Value | undefined => (typeof value === 'boolean' ? Number(value) : value);
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (isMap(a) && isMap(b)) {
    const right = new Map(entriesOf(b));
    const left = entriesOf(a);
    return left.length === right.size && left.every(([key, item]) => right.has(key) && equal(item, right.get(key)));
  }
  const [left, right] = [number(a), number(b)];
  // A number and a bigint may be equal: neither is less.
  return isNumber(left) && isNumber(right) ? left <= right && left >= right : left === right;
}

function isNumber(value: Value | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Python's order of two values; those of different kinds have none. */
export function compare(a: Value, b: Value): number {
  const [left, right] = [a, b].map((value) => (typeof value === 'boolean' ? Number(value) : value)) as [Value, Value];
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0;
  if (typeof left === 'string' && typeof right === 'string') return compareTexts(left, right);
  if (isList(left) && isList(right)) {
    for (const [index, item] of left.entries()) {
      const other = right[index];
      if (other === undefined) return 1;
      const order = compare(item, other);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  throw new ExpressionError(`cannot order ${kindOf(a)} and ${kindOf(b)}`, 'Order values of one kind');
}

/** By code points, as Python orders text. */
function compareTexts(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (const [index, character] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (character !== other) return character.codePointAt(0)! - other.codePointAt(0)!;
  }
  return left.length - right.length;
}

/** A value's kind, in words. */
export function kindOf(value: Value | undefined): string {
  if (value === undefined) return 'an undefined value';
  if (value === null) return 'nothing';
  if (isList(value)) return 'a list';
  if (isMap(value)) return 'a mapping';
  return { string: 'text', boolean: 'a boolean', number: 'a number', bigint: 'a number' }[typeof value as 'string'];
}

/** Something of JSON, or of MiniJinja, as a value. */
export function toValue(given: unknown): Value {
  if (given === undefined || given === null) return null;
  if (typeof given === 'bigint') return Number.isSafeInteger(Number(given)) ? Number(given) : given;
  if (Array.isArray(given)) return given.map(toValue);
  if (given instanceof Map) return new Map([...given].map(([key, item]) => [keyText(key), toValue(item)]));
  if (isLazy(given)) return given;
  if (typeof given === 'object') return new Map(Object.entries(given).map(([key, item]) => [key, toValue(item)]));
  return given as Value;
}

function keyText(key: unknown): string {
  return typeof key === 'string' ? key : pythonText(toValue(key));
}

/** A value without lazy parts, for another language: MiniJinja, or the caller of the evaluation. */
export function settled(value: Value): Value {
  if (isList(value))
    return value.some((item) => typeof item === 'object' && item !== null) ? value.map(settled) : value;
  if (isMap(value)) return new Map(entriesOf(value).map(([key, item]) => [key, settled(item)]));
  return value;
}

/** Text as Python's `literal_eval` (or JSON) would read it, when it is a list, a mapping or a boolean; else `undefined`. */
export function readLiteral(text: string): Value | undefined {
  if (text === 'True') return true;
  if (text === 'False') return false;
  if (!/^[[{]/.test(text)) return undefined;
  const reader = new LiteralReader(text);
  try {
    const value = reader.value(0);
    return reader.atEnd() ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const LITERAL =
  /\s*(?:([[\]{}:,()])|((?:'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"))|([-+]?\d[\w.+-]*)|(True|False|None|true|false|null))/y;
const MAX_DEPTH = 100;

class LiteralReader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  atEnd(): boolean {
    return this.text.slice(this.at).trim() === '';
  }

  value(depth: number): Value {
    if (depth > MAX_DEPTH) throw new SyntaxError('too deep');
    const [, mark, string, number, word] = this.token();
    if (string !== undefined) return unquote(string, true);
    if (word !== undefined) return /^[Nn]/.test(word) ? null : /^[Tt]/.test(word);
    if (number !== undefined) {
      if (!/^[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?$/.test(number)) throw new SyntaxError(number);
      return Number(number);
    }
    if (mark === '[') return this.list(']', depth);
    if (mark === '(') return this.list(')', depth);
    if (mark === '{') return this.mapping(depth);
    throw new SyntaxError('no value');
  }

  private list(end: string, depth: number): Value {
    const items: Value[] = [];
    while (!this.take(end)) {
      items.push(this.value(depth + 1));
      if (!this.take(',') && !this.peek(end)) throw new SyntaxError('no comma');
    }
    return items;
  }

  private mapping(depth: number): Value {
    const result = new Map<string, Value>();
    while (!this.take('}')) {
      const key = this.value(depth + 1);
      if (!this.take(':')) throw new SyntaxError('no colon');
      result.set(pythonText(key), this.value(depth + 1));
      if (!this.take(',') && !this.peek('}')) throw new SyntaxError('no comma');
    }
    return result;
  }

  private token(): RegExpExecArray {
    LITERAL.lastIndex = this.at;
    const found = LITERAL.exec(this.text);
    if (found === null) throw new SyntaxError('no token');
    this.at = LITERAL.lastIndex;
    return found;
  }

  private peek(mark: string): boolean {
    LITERAL.lastIndex = this.at;
    return LITERAL.exec(this.text)?.[1] === mark;
  }

  private take(mark: string): boolean {
    if (!this.peek(mark)) return false;
    this.token();
    return true;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { ...PYTHON_ESCAPES, '0': '\0' };

/** The value of a quoted string of Python or Jinja. @param escapes whether backslashes have a meaning */
export function unquote(quoted: string, escapes: boolean): string {
  const inner = quoted.slice(1, -1);
  if (!escapes) return inner;
  return inner.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|([\s\S]))/g,
    (whole, hex?: string, unicode?: string, other?: string) => {
      if (other === undefined) return String.fromCharCode(Number.parseInt((hex ?? unicode)!, 16));
      return other === '\n' ? '' : (ESCAPES[other] ?? whole);
    },
  );
}
