import { shown } from '../core/shown.ts';
import { cases } from './letter-cases.ts';
import { either, inOrder, MOST_WORK, NOTHING, ONE, repeated, type Ways, workOf } from './regex-work.ts';

/**
 * Translates regular expressions of Python's `re` into JavaScript's. What Python and JavaScript read differently is
 * written out; what cannot be written out is refused. Python's grammar:
 * https://docs.python.org/3/library/re.html#regular-expression-syntax
 *
 * An expression may never end: use it only where time is limited (in the templates' thread, in host patterns).
 */

/** The deepest nesting of groups. */
const MAX_DEPTH = 50;
/** The highest count of a repeat that is written with braces. */
const MAX_REPEAT = 1_000;
/** Any character. In the mode `v`, repeats of `[^]` match one character only, at least in Node 20. */
const ANY = String.raw`\p{Any}`;

/** Python's flags that a caller may set; the expression may set others itself, as in `(?s)`. */
export interface PythonFlags {
  readonly ignoreCase?: boolean;
  readonly multiline?: boolean;
}

/** A translated expression, for `new RegExp(source, 'v')`. */
export interface TranslatedRegex {
  readonly source: string;
  /** Whether it refers back to a group. To JavaScript, other than to Python, a group that took no part matches there. */
  readonly refersBack: boolean;
}

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
  readonly ascii: boolean;
}

/** A translated part. */
interface Piece {
  readonly text: string;
  /** How many characters it takes; `null` when that varies. */
  readonly width: number | null;
  readonly kind: 'plain' | 'position' | 'repeat';
  /** What it costs to compile. */
  readonly ways: Ways;
}

/** What is wrong with an expression, or what of Python's is not supported. */
class RegexError extends Error {}

/**
 * Translates a regular expression.
 *
 * @returns the translation, or what is wrong with it, as the rest of a sentence after "the regular expression …"
 */
export function translatePythonRegex(source: string, flags: PythonFlags = {}): TranslatedRegex | string {
  try {
    return new Parser(source, flags).parse();
  } catch (error) {
    if (error instanceof RegexError) return error.message;
    throw error;
  }
}

/** A character escaped for an expression, so that it only matches itself. */
export function regexCharacter(character: string): string {
  return /^[A-Za-z0-9_]$/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

class Parser {
  private readonly characters: readonly string[];
  private at = 0;
  private depth = 0;
  private flags: Flags;
  private refersBack = false;
  /** The groups that keep what they match, in their order: their names, and their widths once they are closed. */
  private readonly groups: { readonly name: string | null; width: number | null | 'open' }[] = [];

  constructor(source: string, { ignoreCase = false, multiline = false }: PythonFlags) {
    this.characters = [...source];
    this.flags = { ignoreCase, multiline, dotAll: false, ascii: false };
  }

  parse(): TranslatedRegex {
    const { text, ways } = this.either();
    if (this.at < this.characters.length) throw new RegexError('closes a parenthesis that was never opened');
    if (workOf(ways) > MOST_WORK)
      throw new RegexError('has too many optional parts or alternatives that follow each other');
    return { source: text, refersBack: this.refersBack };
  }

  private peek(text: string): boolean {
    return this.characters.slice(this.at, this.at + text.length).join('') === text;
  }

  private take(text: string): boolean {
    if (!this.peek(text)) return false;
    this.at += text.length;
    return true;
  }

  private next(): string {
    const character = this.characters[this.at];
    if (character === undefined) throw new RegexError('ends with a backslash');
    this.at += 1;
    return character;
  }

  /** Everything up to a character, which is taken too. */
  private until(end: string, what: string): string {
    const close = this.characters.indexOf(end, this.at);
    if (close === -1) throw new RegexError(`has ${what} that is never closed`);
    const text = this.characters.slice(this.at, close).join('');
    this.at = close + 1;
    return text;
  }

  private either(): Piece {
    const branches = [this.sequence()];
    while (this.take('|')) branches.push(this.sequence());
    const widths = new Set(branches.map(({ width }) => width));
    return {
      text: branches.map(({ text }) => text).join('|'),
      width: widths.size === 1 ? [...widths][0]! : null,
      kind: 'plain',
      ways: either(branches.map(({ ways }) => ways)),
    };
  }

  private sequence(): Piece {
    const parts: Piece[] = [];
    while (this.at < this.characters.length && !this.peek('|') && !this.peek(')')) {
      const start = this.at;
      const range = this.repeat();
      if (range === null) {
        const item = this.item();
        if (item !== null) parts.push(item);
        continue;
      }
      // It repeats the item before it; comments are skipped.
      const what = parts.pop();
      if (what === undefined || what.kind === 'position')
        throw new RegexError(`has nothing to repeat at ${this.excerpt(start)}`);
      if (what.kind === 'repeat') throw new RegexError(`repeats a repeat at ${this.excerpt(start)}`);
      if (this.take('+')) throw new RegexError('has a possessive repeat ("*+", "++", "?+"), which is not supported');
      const [least, most] = range;
      const count = `{${least},${most === Number.POSITIVE_INFINITY ? '' : most}}${this.take('?') ? '?' : ''}`;
      const width = what.width === null || least !== most ? null : what.width * least;
      parts.push({ text: `${what.text}${count}`, width, kind: 'repeat', ways: repeated(what.ways, least, most) });
    }
    const width = parts.reduce<number | null>((sum, part) => add(sum, part.width), 0);
    const ways = inOrder(parts.map((part) => part.ways));
    return { text: parts.map(({ text }) => text).join(''), width, kind: 'plain', ways };
  }

  private repeat(): readonly [number, number] | null {
    const many = Number.POSITIVE_INFINITY;
    if (this.take('*')) return [0, many];
    if (this.take('+')) return [1, many];
    if (this.take('?')) return [0, 1];
    const braces = /^\{(\d*)(,?)(\d*)\}/.exec(this.characters.slice(this.at, this.at + 40).join(''));
    if (braces === null || braces[0] === '{}') return null;
    this.at += braces[0].length;
    const [, low, comma, high] = braces;
    const least = low === '' ? 0 : Number(low);
    const most = comma === '' ? least : high === '' ? many : Number(high);
    if (most < least) throw new RegexError(`has the repeat ${braces[0]}, whose ends are reversed`);
    if (least > MAX_REPEAT || (most !== many && most > MAX_REPEAT))
      throw new RegexError(`repeats something more than ${MAX_REPEAT} times`);
    return [least, most];
  }

  /** One thing, with what repeats it still ahead; `null` for a comment or for flags, which match nothing. */
  private item(): Piece | null {
    const character = this.next();
    switch (character) {
      case '.':
        return one(this.flags.dotAll ? ANY : String.raw`[^\n]`);
      // In Python only a line feed ends a line; JavaScript's "^" and "$" also stop at other characters.
      case '^':
        return position(this.flags.multiline ? String.raw`(?<![^\n])` : '^');
      case '$':
        // Python's end of a text may stand before a last line feed.
        return position(this.flags.multiline ? String.raw`(?![^\n])` : String.raw`(?=\n?$)`);
      case '(':
        return this.group();
      case '[':
        return this.set();
      case '\\':
        return this.escape();
      default:
        return this.literal(character);
    }
  }

  private excerpt(from: number): string {
    return shown(this.characters.slice(from, from + 20).join(''));
  }

  private literal(character: string): Piece {
    const code = character.codePointAt(0)!;
    const others = this.otherCases(code, code);
    return one(others === '' ? regexCharacter(character) : `[${regexCharacter(character)}${others}]`);
  }

  /** What the flag `i` adds to a range of characters. */
  private otherCases(from: number, to: number): string {
    if (!this.flags.ignoreCase) return '';
    const added =
      from === to
        ? (cases().get(from) ?? [])
        : [...cases()].flatMap(([code, same]) => (from <= code && code <= to ? same : []));
    return [...new Set(added)].map(regexCharacter).join('');
  }

  private group(): Piece | null {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new RegexError(`has groups nested more than ${MAX_DEPTH} deep`);
    const outer = this.flags;
    const opening = this.opening();
    // A whole item has been read: a comment, flags, or a reference by name.
    if (opening === null || typeof opening !== 'string') {
      this.depth -= 1;
      return opening;
    }
    const group = KEPT.test(opening) ? this.groups.at(-1)! : null;
    const { text, width, ways } = this.either();
    if (!this.take(')')) throw new RegexError('has a parenthesis that is never closed');
    this.flags = outer;
    this.depth -= 1;
    if (group !== null) group.width = width;
    if (!LOOK.test(opening)) return { text: `${opening}${text})`, width, kind: 'plain', ways };
    if (/^\(\?</.test(opening) && width === null) throw new RegexError('looks back at something whose length varies');
    // JavaScript repeats a look only in a group.
    return { text: `(?:${opening}${text}))`, width: 0, kind: 'plain', ways: either([NOTHING, ways]) };
  }

  /** How a group begins, in JavaScript's words; or the whole item, where it is no group. */
  private opening(): string | Piece | null {
    if (!this.take('?')) {
      this.groups.push({ name: null, width: 'open' });
      return '(';
    }
    if (this.take('#')) {
      this.until(')', 'a comment');
      return null;
    }
    if (this.take('P<')) return this.named();
    if (this.take('P=')) {
      const name = this.until(')', 'a group name');
      return this.reference(this.groups.findIndex((group) => group.name === name));
    }
    for (const look of ['=', '!', '<=', '<!']) if (this.take(look)) return `(?${look}`;
    if (this.peek('>')) throw new RegexError('has an atomic group "(?>…)", which is not supported');
    if (this.peek('(')) throw new RegexError('has a condition "(?(…)…)", which is not supported');
    return !this.take(':') && this.flagsOnly() ? null : '(?:';
  }

  private named(): string {
    const name = this.until('>', 'a group name');
    if (!/^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(name))
      throw new RegexError(`has a group with the name ${shown(name)}`);
    if (this.groups.some((group) => group.name === name))
      throw new RegexError(`has two groups with the name ${shown(name)}`);
    this.groups.push({ name, width: 'open' });
    return `(?<${name}>`;
  }

  /** What a group matched before, by the group's place in the order of all. */
  private reference(index: number): Piece {
    const width = this.groups[index]?.width;
    if (width === undefined || width === 'open')
      throw new RegexError('refers back to a group that is not there before it');
    if (this.flags.ignoreCase)
      throw new RegexError('refers back to a group where it ignores case, which is not supported');
    this.refersBack = true;
    return { text: `(?:\\${index + 1})`, width, kind: 'plain', ways: NOTHING };
  }

  /** Reads the letters of `(?i)` or `(?i-s:`; `true` when the parenthesis ends with them. */
  private flagsOnly(): boolean {
    const start = this.at - 2;
    const match = /^([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])/.exec(this.characters.slice(this.at, this.at + 20).join(''));
    const unknown = `has ${shown(this.characters.slice(start, start + 4).join(''))}, which is not supported`;
    if (match === null) throw new RegexError(unknown);
    const [whole, on = '', off = '', end] = match;
    if (/[^aimsu]/.test(on) || /[^ims]/.test(off)) throw new RegexError(unknown);
    if (end === ')' && (off !== '' || on === '')) throw new RegexError(unknown);
    const before = this.characters.slice(0, start).join('');
    if (end === ')' && !/^(?:\(\?(?:[a-z]+|#[^)]*)\))*$/.test(before))
      throw new RegexError(`has the flags (?${on}) anywhere but at its beginning`);
    if (/a/.test(on) && /u/.test(on)) throw new RegexError('has both of the flags "a" and "u"');
    if ([...off].some((flag) => on.includes(flag))) throw new RegexError('turns a flag on and off at once');
    this.at += whole.length;
    this.flags = {
      ignoreCase: (this.flags.ignoreCase || on.includes('i')) && !off.includes('i'),
      multiline: (this.flags.multiline || on.includes('m')) && !off.includes('m'),
      dotAll: (this.flags.dotAll || on.includes('s')) && !off.includes('s'),
      ascii: (this.flags.ascii || on.includes('a')) && !on.includes('u'),
    };
    return end === ')';
  }

  private escape(): Piece {
    if (this.take('A')) return position('^');
    if (this.take('Z')) return position('$');
    const edge = this.take('b') ? 'b' : this.take('B') ? 'B' : null;
    if (edge !== null) {
      const word = this.kind('w')!;
      // Python finds no place at all in an empty text, neither \b nor \B.
      return position(
        edge === 'b'
          ? `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
          : `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word})(?!^$))`,
      );
    }
    const kind = this.escapedKind();
    if (kind !== null) return one(kind);
    const rest = this.characters.slice(this.at, this.at + 3).join('');
    const group = /^(?![0-7]{3})[1-9][0-9]?/.exec(rest);
    if (group === null) return this.literal(this.escapedCharacter(false));
    this.at += group[0].length;
    return this.reference(Number(group[0]) - 1);
  }

  /** `\d`, `\W` and the like; `null` when something else follows the backslash. */
  private escapedKind(): string | null {
    const kind = this.kind(this.characters[this.at] ?? '');
    if (kind !== null) this.at += 1;
    return kind;
  }

  private kind(letter: string): string | null {
    const { ascii } = this.flags;
    const kinds: Readonly<Record<string, string>> = {
      d: ascii ? '0-9' : String.raw`\p{Nd}`,
      w: ascii ? 'A-Za-z0-9_' : String.raw`\p{L}\p{N}_`,
      s: ascii ? String.raw` \t\n\r\f\v` : String.raw`\p{White_Space}\x1c-\x1f`,
    };
    const kind = Object.hasOwn(kinds, letter.toLowerCase()) ? kinds[letter.toLowerCase()] : undefined;
    if (kind === undefined) return null;
    return letter === letter.toLowerCase() ? `[${kind}]` : `[^${kind}]`;
  }

  /** The character that an escape stands for, after its backslash. */
  private escapedCharacter(inSet: boolean): string {
    const rest = this.characters.slice(this.at, this.at + 9).join('');
    const hexadecimal = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (hexadecimal !== null) {
      this.at += hexadecimal[0].length;
      const code = Number.parseInt(hexadecimal[0].slice(1), 16);
      if (code > 0x10ffff) throw new RegexError(`has the escape "\\${hexadecimal[0]}", beyond all characters`);
      return String.fromCodePoint(code);
    }
    const octal = (inSet ? /^[0-7]{1,3}/ : /^(?:0[0-7]{0,2}|[0-7]{3})/).exec(rest);
    if (octal !== null) {
      this.at += octal[0].length;
      const code = Number.parseInt(octal[0], 8);
      if (code > 0o377) throw new RegexError(`has the escape "\\${octal[0]}", which is above \\377`);
      return String.fromCodePoint(code);
    }
    const letter = this.next();
    const known: Record<string, string> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
    if (inSet) known['b'] = '\b';
    const meant = known[letter];
    if (meant !== undefined) return meant;
    if (/[A-Za-z0-9]/.test(letter))
      throw new RegexError(`has the escape ${shown(`\\${letter}`)}, which means nothing here`);
    return letter;
  }

  private set(): Piece {
    const negated = this.take('^');
    let members = '';
    for (let first = true; first || !this.peek(']'); first = false) {
      const low = this.setMember();
      const isRange =
        this.peek('-') && this.characters[this.at + 1] !== ']' && this.characters[this.at + 1] !== undefined;
      if (isRange) this.at += 1;
      const high = isRange ? this.setMember() : low;
      if (typeof low !== 'number' || typeof high !== 'number') {
        if (isRange) throw new RegexError('has a range in brackets that does not run from one character to another');
        members += low.toString();
        continue;
      }
      const [from, to] = [String.fromCodePoint(low), String.fromCodePoint(high)];
      if (high < low) throw new RegexError(`has the range ${shown(`${from}-${to}`)}, which is reversed`);
      members += `${regexCharacter(from)}-${regexCharacter(to)}${this.otherCases(low, high)}`;
    }
    this.at += 1;
    return one(`[${negated ? '^' : ''}${members}]`);
  }

  /** One character, by its code, or a kind such as `\d`. */
  private setMember(): number | string {
    const character = this.characters[this.at];
    if (character === undefined) throw new RegexError('has a bracket that is never closed');
    this.at += 1;
    if (character !== '\\') return character.codePointAt(0)!;
    return this.escapedKind() ?? this.escapedCharacter(true).codePointAt(0)!;
  }
}

/** The groups that keep what they match, and those that only look. */
const KEPT = /^\((?:$|\?<[^=!])/;
const LOOK = /^\(\?<?[=!]$/;

function one(text: string): Piece {
  return { text, width: 1, kind: 'plain', ways: ONE };
}

function position(text: string): Piece {
  return { text, width: 0, kind: 'position', ways: NOTHING };
}

function add(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}
