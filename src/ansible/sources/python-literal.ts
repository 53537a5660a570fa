import { YamlFloat } from '../../documents/yaml-scalars.ts';
import { PYTHON_ESCAPES } from '../python-escapes.ts';

/**
 * Python literals, as `ast.literal_eval` takes them: what Ansible makes of values in INI inventories.
 * Source: https://docs.python.org/3/library/ast.html#ast.literal_eval and the lexical analysis chapter of Python's reference.
 */

/** Python's own limit to nested brackets. */
const MAX_BRACKETS = 200;
/** And to the digits of a whole number. */
const MAX_DIGITS = 4300;

/**
 * The value of a Python literal: text, numbers (`YamlFloat` for floats, `bigint` beyond 2^53), booleans, `null`,
 * lists (of tuples and sets too), and mappings as a `Map`, whose keys need not be text.
 *
 * @returns `undefined` for text that is no literal, or one that has no JSON form (complex numbers, `...`)
 */
export function pythonLiteral(text: string): unknown {
  if (text.includes('\u0000')) return undefined;
  try {
    const reader = new LiteralReader(text.replace(/^[ \t]+/, ''));
    return reader.read();
  } catch (error) {
    if (error instanceof NotLiteral) return undefined;
    throw error;
  }
}

class NotLiteral extends Error {}

const BLANK = /(?:[ \t\f]|#[^\n]*$)*/y;
const NUMBER =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?|[0-9](?:_?[0-9])*\.?(?:[eE][-+]?[0-9](?:_?[0-9])*)?/y;
const WHOLE = /^(?:0[xXoObB]|[1-9]|0(?:_?0)*$)/;
const STRING = /([rR][bB]?|[bB][rR]?|[uU])?('''|"""|'|")/y;
const WORD = /(?:True|False|None)(?![\p{L}\p{N}_])/uy;
const EMPTY_SET = /set[ \t\f]*\([ \t\f]*\)/y;

class LiteralReader {
  private readonly text: string;
  private at = 0;
  private brackets = 0;

  constructor(text: string) {
    this.text = text;
  }

  read(): unknown {
    const value = this.items(null);
    this.skipBlanks();
    if (this.at < this.text.length) throw new NotLiteral();
    return value;
  }

  /** The contents of brackets, or of the whole text: one value, or several with commas, which make a tuple. */
  private items(close: string | null): unknown {
    const values: unknown[] = [];
    let isTuple = false;
    for (;;) {
      this.skipBlanks();
      const ends = close === null ? this.at >= this.text.length : this.text.startsWith(close, this.at);
      if (ends && (isTuple || close !== null)) break;
      values.push(this.value());
      if (!this.take(',')) break;
      isTuple = true;
    }
    if (close !== null) this.expect(close);
    if (isTuple || values.length === 0) return values;
    return values[0];
  }

  private value(): unknown {
    this.skipBlanks();
    switch (this.text.charAt(this.at)) {
      case '(':
        return this.nested(() => this.items(')'));
      case '[':
        return this.nested(() => this.list(']'));
      case '{':
        return this.nested(() => this.braces());
      case '-':
      case '+':
        return this.signed();
    }
    return this.match(STRING) !== null ? this.strings() : this.simple();
  }

  private nested(read: () => unknown): unknown {
    this.at += 1;
    this.brackets += 1;
    if (this.brackets > MAX_BRACKETS) throw new NotLiteral();
    const value = read();
    this.brackets -= 1;
    return value;
  }

  private list(close: string): unknown[] {
    const values: unknown[] = [];
    while (!this.take(close)) {
      values.push(this.value());
      if (this.take(',')) continue;
      this.expect(close);
      break;
    }
    return values;
  }

  private braces(): unknown {
    if (this.take('}')) return new Map();
    const first = hashable(this.value());
    if (!this.take(':')) return this.set(first);
    const mapping = new Map<unknown, unknown>([[first, this.value()]]);
    while (!this.take('}')) {
      this.expect(',');
      if (this.take('}')) break;
      const key = hashable(this.value());
      this.expect(':');
      mapping.set(key, this.value());
    }
    return mapping;
  }

  private set(first: unknown): unknown[] {
    const members = new Set([first]);
    while (!this.take('}')) {
      this.expect(',');
      if (this.take('}')) break;
      members.add(hashable(this.value()));
    }
    return [...members];
  }

  private signed(): unknown {
    const sign = this.text.charAt(this.at);
    this.at += 1;
    this.skipBlanks();
    const value = this.match(NUMBER) === null ? undefined : this.simple();
    if (value instanceof YamlFloat) return sign === '-' ? new YamlFloat(-value.value) : value;
    if (typeof value === 'bigint') return sign === '-' ? -value : value;
    if (typeof value === 'number') return sign === '-' ? 0 - value : value;
    throw new NotLiteral();
  }

  private simple(): unknown {
    const word = this.take(WORD);
    if (word !== null) return word[0] === 'None' ? null : word[0] === 'True';
    if (this.take(EMPTY_SET) !== null) return [];
    const found = this.take(NUMBER);
    // A number runs into nothing else: `1j` is complex, `1_` and `1x` are wrong.
    if (found === null || /[\p{L}\p{N}_.]/u.test(this.text.charAt(this.at))) throw new NotLiteral();
    const digits = found[0].replaceAll('_', '');
    if (/^[0-9]+$/.test(digits) && digits.length > MAX_DIGITS) throw new NotLiteral();
    if (WHOLE.test(digits) && !/[.eE]/.test(digits.replace(/^0[xX].*/, ''))) {
      const value = BigInt(/^0+$/.test(digits) ? '0' : digits.toLowerCase());
      return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
    }
    // 0644 is no number in Python.
    if (/^[0-9]+$/.test(digits)) throw new NotLiteral();
    return new YamlFloat(Number(digits));
  }

  /** One string, or several side by side, which are one. */
  private strings(): string {
    let text = '';
    let bytes: boolean | null = null;
    for (let start = this.take(STRING); start !== null; start = this.take(STRING)) {
      const prefix = (start[1] ?? '').toLowerCase();
      const isBytes = prefix.includes('b');
      if (bytes !== null && bytes !== isBytes) throw new NotLiteral();
      bytes = isBytes;
      text += this.string(start[2]!, prefix.includes('r'), isBytes);
      this.skipBlanks();
    }
    return bytes === true ? utf8(text) : text;
  }

  private string(quote: string, raw: boolean, bytes: boolean): string {
    let text = '';
    while (!this.text.startsWith(quote, this.at)) {
      const character = this.text.charAt(this.at);
      if (character === '' || (bytes && character > '\u007f')) throw new NotLiteral();
      if (character !== '\\') {
        text += character;
        this.at += 1;
      } else if (raw) {
        if (this.at + 1 >= this.text.length) throw new NotLiteral();
        text += this.text.slice(this.at, this.at + 2);
        this.at += 2;
      } else text += this.escape(bytes);
    }
    this.at += quote.length;
    return text;
  }

  private escape(bytes: boolean): string {
    const found = (bytes ? BYTES_ESCAPE : TEXT_ESCAPE).exec(this.text.slice(this.at, this.at + 10));
    if (found === null) {
      const next = this.text.charAt(this.at + 1);
      // \N{NAME} needs the table of all names, which we do not have; the others are wrong.
      if (next === '' || next === 'x' || (!bytes && /[uUN]/.test(next))) throw new NotLiteral();
      this.at += 1;
      return '\\';
    }
    this.at += found[0].length;
    const [, letter, octal, digits] = found;
    if (letter !== undefined) return PYTHON_ESCAPES[letter]!;
    const code = octal === undefined ? Number.parseInt(digits!.slice(1), 16) : Number.parseInt(octal, 8);
    if (code > 0x10ffff) throw new NotLiteral();
    return String.fromCodePoint(bytes ? code & 0xff : code);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text);
  }

  private take(pattern: RegExp): RegExpExecArray | null;
  private take(character: string): boolean;
  private take(what: RegExp | string): RegExpExecArray | null | boolean {
    if (typeof what === 'string') {
      this.skipBlanks();
      if (!this.text.startsWith(what, this.at)) return false;
      this.at += what.length;
      return true;
    }
    const found = this.match(what);
    if (found !== null) this.at = what.lastIndex;
    return found;
  }

  private expect(character: string): void {
    if (!this.take(character)) throw new NotLiteral();
  }

  private skipBlanks(): void {
    this.take(BLANK);
  }
}

const TEXT_ESCAPE = /^\\(?:([\\'"abfnrtv])|([0-7]{1,3})|(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))/;
const BYTES_ESCAPE = /^\\(?:([\\'"abfnrtv])|([0-7]{1,3})|(x[0-9a-fA-F]{2}))/;

/** A list or a mapping cannot be a key in Python either. */
function hashable(key: unknown): unknown {
  if (key instanceof Map || Array.isArray(key)) throw new NotLiteral();
  return key instanceof YamlFloat && Number.isInteger(key.value) ? key.value : key;
}

/** Bytes, one a character, as the text that they encode. */
function utf8(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw new NotLiteral();
  }
}
