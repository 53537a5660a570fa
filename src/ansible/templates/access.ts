import { shown } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';
import { ExpressionError, entriesOf, equal, isLazy, isList, isMap, kindOf, pythonText, type Value } from './values.ts';

/** Access to values in expressions: parts by key, slices, and Python's methods. */

/** `value[key]` or `value.key`; `undefined` when there is no such part, as Jinja has it. */
export function keyOf(value: Value, key: Value): Value | undefined {
  if (isMap(value)) return value.get(pythonText(key));
  if (isList(value) || typeof value === 'string') {
    const items: readonly Value[] = isList(value) ? value : [...value];
    const index = typeof key === 'string' && /^-?\d+$/.test(key) ? Number(key) : key;
    return typeof index === 'number' ? items.at(index) : undefined;
  }
  return undefined;
}

/** `value[start:stop:step]`. */
export function sliceOf(value: Value, start: Value, stop: Value, step: Value): Value {
  if (!isList(value) && typeof value !== 'string') {
    throw new ExpressionError(`${kindOf(value)} has no slices`, 'Take a slice of a list or of text');
  }
  const items: readonly Value[] = isList(value) ? value : [...value];
  const by = wholeNumber(step) ?? 1;
  if (by === 0) throw new ExpressionError('the step of a slice is 0', 'Write another step');
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(high, Math.max(low, index < 0 ? index + items.length : index));
  const picked: Value[] = [];
  if (by > 0) {
    const end = clamp(wholeNumber(stop) ?? items.length, 0, items.length);
    for (let at = clamp(wholeNumber(start) ?? 0, 0, items.length); at < end; at += by) picked.push(items[at]!);
  } else {
    const end = wholeNumber(stop) === null ? -1 : clamp(wholeNumber(stop)!, -1, items.length - 1);
    const first = clamp(wholeNumber(start) ?? items.length - 1, -1, items.length - 1);
    for (let at = first; at > end; at += by) picked.push(items[at]!);
  }
  return isList(value) ? picked : picked.join('');
}

function wholeNumber(value: Value): number | null {
  if (value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new ExpressionError(`a slice's bound is ${kindOf(value)}`, 'Write whole numbers');
}

type Method<T> = (value: T, args: readonly Value[]) => Value | undefined;

/** The characters that Python takes for blank. */
const BLANK = /\s/u;

const TEXT_METHODS: Readonly<Record<string, Method<string>>> = {
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  title: (text) => text.replace(/\p{L}+/gu, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()),
  capitalize: (text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase(),
  strip: (text, [characters]) => strip(text, characters, true, true),
  lstrip: (text, [characters]) => strip(text, characters, true, false),
  rstrip: (text, [characters]) => strip(text, characters, false, true),
  split: (text, [separator, most]) => splitText(text, separator ?? null, most),
  rsplit: (text, [separator, most]) =>
    (
      splitText(
        [...text].reverse().join(''),
        typeof separator === 'string' ? [...separator].reverse().join('') : null,
        most,
      ) as string[]
    )
      .map((part) => [...part].reverse().join(''))
      .reverse(),
  splitlines: (text) => {
    const lines = text.split(/\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/);
    return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  },
  join: (text, [items]) => {
    if (!isList(items)) throw new ExpressionError(`join() is given ${kindOf(items)}`, 'Give it a list of texts');
    return items.map((item) => textOf(item, 'join()')).join(text);
  },
  replace: (text, [from, to, most]) => replaceText(text, textOf(from, 'replace()'), textOf(to, 'replace()'), most),
  startswith: (text, [start]) => texts(start, 'startswith()').some((one) => text.startsWith(one)),
  endswith: (text, [end]) => texts(end, 'endswith()').some((one) => text.endsWith(one)),
  removeprefix: (text, [start]) =>
    text.startsWith(textOf(start, 'removeprefix()')) ? text.slice(pythonText(start!).length) : text,
  removesuffix: (text, [end]) =>
    text.endsWith(textOf(end, 'removesuffix()')) && end !== '' ? text.slice(0, -pythonText(end!).length) : text,
  find: (text, [part]) => text.indexOf(textOf(part, 'find()')),
  rfind: (text, [part]) => text.lastIndexOf(textOf(part, 'rfind()')),
  count: (text, [part]) => text.split(textOf(part, 'count()')).length - 1,
  partition: (text, [separator]) => {
    const by = textOf(separator, 'partition()');
    const at = text.indexOf(by);
    return at === -1 ? [text, '', ''] : [text.slice(0, at), by, text.slice(at + by.length)];
  },
  rpartition: (text, [separator]) => {
    const by = textOf(separator, 'rpartition()');
    const at = text.lastIndexOf(by);
    return at === -1 ? ['', '', text] : [text.slice(0, at), by, text.slice(at + by.length)];
  },
  zfill: (text, [width]) => {
    const sign = /^[-+]/.exec(text)?.[0] ?? '';
    return sign + text.slice(sign.length).padStart(boundedWidth(width) - sign.length, '0');
  },
  ljust: (text, [width, fill]) => text.padEnd(boundedWidth(width), fill === undefined ? ' ' : pythonText(fill)),
  rjust: (text, [width, fill]) => text.padStart(boundedWidth(width), fill === undefined ? ' ' : pythonText(fill)),
  isdigit: (text) => /^\p{Nd}+$/u.test(text),
  isnumeric: (text) => /^\p{N}+$/u.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isspace: (text) => /^\s+$/u.test(text),
  format: (text, args) => formatText(text, args),
};

const LIST_METHODS: Readonly<Record<string, Method<readonly Value[]>>> = {
  index: (items, [item]) => {
    const at = items.findIndex((one) => equal(one, item));
    if (at === -1)
      throw new ExpressionError(`index() does not find ${shown(item)} in the list`, 'Check with "in" first');
    return at;
  },
  count: (items, [item]) => items.filter((one) => equal(one, item)).length,
  copy: (items) => items,
};

const MAP_METHODS: readonly string[] = ['get', 'items', 'keys', 'values', 'copy'];

/**
 * Calls a method of Python's on a value.
 *
 * @throws ExpressionError when the value has no such method
 */
export function callMethod(name: string, value: Value, args: readonly Value[]): Value | undefined {
  const method =
    typeof value === 'string' ? own(TEXT_METHODS, name) : isList(value) ? own(LIST_METHODS, name) : undefined;
  if (method !== undefined) return (method as Method<Value>)(value, args);
  if (isMap(value)) {
    if (name === 'get') return value.get(pythonText(args[0] ?? null)) ?? args[1] ?? null;
    if (name === 'keys') return isLazy(value) ? value.keys() : [...value.keys()];
    if (name === 'items') return entriesOf(value);
    if (name === 'values') return entriesOf(value).map(([, item]) => item);
    if (name === 'copy') return value;
  }
  const known =
    typeof value === 'string'
      ? Object.keys(TEXT_METHODS)
      : isList(value)
        ? Object.keys(LIST_METHODS)
        : isMap(value)
          ? MAP_METHODS
          : [];
  throw new ExpressionError(
    `${kindOf(value)} has no method "${name}()"`,
    suggestion(name, known, 'methods'),
    'template-unknown-method',
  );
}

function own<T>(methods: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** Text, as an argument must be. */
export function textOf(value: Value | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw new ExpressionError(`${what} is given ${kindOf(value)}`, 'Give it text, or add "| string"');
}

function texts(value: Value | undefined, what: string): readonly string[] {
  return isList(value) ? value.map((one) => textOf(one, what)) : [textOf(value, what)];
}

/** The widest padding that is made. */
const MOST_WIDTH = 10_000;

function boundedWidth(value: Value | undefined): number {
  return typeof value === 'number' ? Math.min(value, MOST_WIDTH) : 0;
}

function strip(text: string, characters: Value | undefined, start: boolean, end: boolean): string {
  const all = [...text];
  const set = typeof characters === 'string' ? new Set(characters) : null;
  const goes = (character: string): boolean => (set === null ? BLANK.test(character) : set.has(character));
  let from = 0;
  let to = all.length;
  while (start && from < to && goes(all[from]!)) from += 1;
  while (end && to > from && goes(all[to - 1]!)) to -= 1;
  return all.slice(from, to).join('');
}

/** Python's `split`: at runs of blanks when there is no separator; at most `most` times. */
export function splitText(text: string, separator: Value, most: Value | undefined): readonly string[] {
  const limit = typeof most === 'number' && most >= 0 ? most : Number.POSITIVE_INFINITY;
  if (separator === '')
    throw new ExpressionError('split() is given an empty separator', 'Use "| list" for single characters');
  if (separator !== null) {
    const by = textOf(separator, 'split()');
    const parts = text.split(by);
    return parts.length <= limit + 1 ? parts : [...parts.slice(0, limit), parts.slice(limit).join(by)];
  }
  const parts: string[] = [];
  let rest = strip(text, undefined, true, limit === Number.POSITIVE_INFINITY);
  while (rest !== '') {
    const at = parts.length < limit ? rest.search(BLANK) : -1;
    parts.push(at === -1 ? rest : rest.slice(0, at));
    rest = at === -1 ? '' : strip(rest.slice(at), undefined, true, false);
  }
  return parts;
}

/** The largest text that a replacement may make. */
const MOST_TEXT = 1_000_000;

/** `text.replace(from, to)`, at most `most` times. */
export function replaceText(text: string, from: string, to: string, most: Value | undefined): string {
  const parts = from === '' ? ['', ...text, ''] : text.split(from);
  const limit = typeof most === 'number' && most >= 0 ? most : Number.POSITIVE_INFINITY;
  if (text.length + parts.length * to.length > MOST_TEXT) {
    throw new ExpressionError('a replacement makes too long a text', 'Shorten it', 'template-too-long');
  }
  if (parts.length <= limit + 1) return parts.join(to);
  return [...parts.slice(0, limit), parts.slice(limit).join(from)].join(to);
}

/** `'{}:{}'.format(…)` with places that are empty or numbered. */
function formatText(text: string, args: readonly Value[]): string {
  let next = 0;
  return text.replace(/\{\{|\}\}|\{(\d*)\}|[{}]/g, (whole, index?: string) => {
    if (whole === '{{' || whole === '}}') return whole[0]!;
    if (index === undefined)
      throw new ExpressionError('format() supports only "{}" and "{0}"', 'Use the filter "format", or "~"');
    const value = args[index === '' ? next++ : Number(index)];
    if (value === undefined) throw new ExpressionError('format() is given too few values', 'Give one for each "{}"');
    return pythonText(value);
  });
}
