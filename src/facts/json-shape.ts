import { Unreadable } from './unreadable.ts';

/** Far more than any answer has. Deeper nesting would exhaust the stack. */
const MAX_DEPTH = 50;

/** Whether a parsed value is nested too deeply; looks without recursion. */
function isDeep(value: unknown): boolean {
  const isNested = (part: unknown): part is object => typeof part === 'object' && part !== null;
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= MAX_DEPTH) return true;
    level = level.flatMap((part) => Object.values(part).filter(isNested));
  }
  return false;
}

/**
 * Reads values out of JSON that a host sent, with a checked type. Every getter throws `Unreadable` with the
 * section and the key's path.
 */
export class JsonObject {
  readonly #section: string;
  readonly #path: string;
  readonly #value: Readonly<Record<string, unknown>>;

  constructor(section: string, path: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Unreadable(section, `${path === '' ? 'the answer' : path} is not an object`);
    }
    this.#section = section;
    this.#path = path;
    this.#value = value as Record<string, unknown>;
  }

  /** Parses a section's lines as one JSON object. */
  static parse(section: string, lines: readonly string[]): JsonObject {
    let value: unknown;
    try {
      value = JSON.parse(lines.join('\n'));
    } catch {
      throw new Unreadable(section, 'it is not valid JSON, or was cut off');
    }
    if (isDeep(value)) throw new Unreadable(section, `it is nested more than ${MAX_DEPTH} deep`);
    return new JsonObject(section, '', value);
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#value, key) ? this.#value[key] : undefined;
  }

  #wrong(key: string, what: string): never {
    throw new Unreadable(this.#section, `${this.#at(key)} is not ${what}`);
  }

  #at(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`;
  }

  /** A string of at most `max` characters. */
  text(key: string, max = 1024): string {
    const value = this.#get(key);
    if (typeof value !== 'string' || value.length > max) this.#wrong(key, `text of at most ${max} characters`);
    return value;
  }

  /** A string of at most `max` characters that matches the pattern; `what` names it in the error. */
  matching(key: string, pattern: RegExp, what: string, max = 1024): string {
    const value = this.text(key, max);
    if (!pattern.test(value)) this.#wrong(key, what);
    return value;
  }

  flag(key: string): boolean {
    const value = this.#get(key);
    if (typeof value !== 'boolean') this.#wrong(key, 'true or false');
    return value;
  }

  /** Whether the key exists with a value other than null. */
  has(key: string): boolean {
    return (this.#get(key) ?? null) !== null;
  }

  integer(key: string, min: number, max: number): number {
    const value = this.#get(key);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      this.#wrong(key, `a whole number from ${min} to ${max}`);
    return value;
  }

  texts(key: string, maxItems: number, maxLength = 1024): readonly string[] {
    const value = this.#get(key);
    const valid =
      Array.isArray(value) &&
      value.length <= maxItems &&
      value.every((item) => typeof item === 'string' && item.length <= maxLength);
    if (!valid) this.#wrong(key, `a list of at most ${maxItems} texts`);
    return value as string[];
  }

  /** Lists of exactly `width` texts. */
  rows(key: string, maxItems: number, width: number, maxLength: number): readonly (readonly string[])[] {
    const value = this.#get(key);
    const isText = (item: unknown): boolean => typeof item === 'string' && item.length <= maxLength;
    const isRow = (row: unknown): boolean => Array.isArray(row) && row.length === width && row.every(isText);
    if (!Array.isArray(value) || value.length > maxItems || !value.every(isRow))
      this.#wrong(key, `a list of at most ${maxItems} lists of ${width} texts`);
    return value as string[][];
  }

  /** A part of the document as JSON text, for another reader. */
  json(key: string): string {
    return JSON.stringify(this.#get(key) ?? null);
  }

  object(key: string): JsonObject {
    return new JsonObject(this.#section, this.#at(key), this.#get(key));
  }

  objects(key: string, maxItems: number): readonly JsonObject[] {
    const value = this.#get(key);
    if (!Array.isArray(value) || value.length > maxItems) this.#wrong(key, `a list of at most ${maxItems} objects`);
    return value.map((item, index) => new JsonObject(this.#section, `${this.#at(key)}[${index}]`, item));
  }

  /** Objects by name, their contents unchecked. */
  records(key: string, maxItems: number): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const value = this.#get(key);
    const isObject = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item);
    if (!isObject(value)) this.#wrong(key, 'an object');
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > maxItems) this.#wrong(key, `an object of at most ${maxItems} entries`);
    for (const [name, item] of entries) if (!isObject(item)) this.#wrong(`${key}.${name.slice(0, 64)}`, 'an object');
    return value as Record<string, Record<string, unknown>>;
  }
}
