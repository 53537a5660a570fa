import { shown } from '../../core/shown.ts';
import { AT_END, type Expression, fixedWidth } from './name-automaton.ts';

/**
 * Reads regular expressions as Python's `re` does, which Ansible uses for patterns after `~`.
 * Grammar: https://docs.python.org/3/library/re.html#regular-expression-syntax
 */

/** The deepest nesting of groups. */
const MAX_DEPTH = 50;
/** The highest count of a repeat that is written with braces. */
const MAX_REPEAT = 1_000;

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly ascii: boolean;
}

type CharacterTest = (character: string) => boolean;

/** What is wrong with an expression, or what of Python's is not supported. */
class RegexError extends Error {}

/**
 * Reads a regular expression.
 *
 * @returns the expression, or what is wrong with it, as the rest of a sentence after "the regular expression …"
 */
export function parsePythonRegex(source: string): Expression | string {
  try {
    return new Parser(source).parse();
  } catch (error) {
    if (error instanceof RegexError) return error.message;
    throw error;
  }
}

class Parser {
  private readonly characters: readonly string[];
  private at = 0;
  private depth = 0;
  private flags: Flags = { ignoreCase: false, dotAll: false, ascii: false };
  private readonly names = new Set<string>();

  constructor(source: string) {
    this.characters = [...source];
  }

  parse(): Expression {
    const expression = this.either();
    if (this.at < this.characters.length) throw new RegexError('closes a parenthesis that was never opened');
    return expression;
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

  private either(): Expression {
    const branches = [this.sequence()];
    while (this.take('|')) branches.push(this.sequence());
    return branches.length === 1 ? branches[0]! : { kind: 'either', branches };
  }

  private sequence(): Expression {
    const parts: Expression[] = [];
    while (this.at < this.characters.length && !this.peek('|') && !this.peek(')')) {
      const start = this.at;
      const range = this.repeat();
      if (range === null) {
        const item = this.item();
        if (item !== null) parts.push(item);
        continue;
      }
      // It repeats what stands before it, with comments passed over.
      const what = parts.pop();
      if (what === undefined || what.kind === 'position')
        throw new RegexError(`has nothing to repeat at ${this.excerpt(start)}`);
      if (what.kind === 'repeat') throw new RegexError(`repeats a repeat at ${this.excerpt(start)}`);
      if (this.take('+')) throw new RegexError('has a possessive repeat ("*+", "++", "?+"), which is not supported');
      this.take('?');
      parts.push({ kind: 'repeat', what, least: range[0], most: range[1] });
    }
    return { kind: 'sequence', parts };
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
  private item(): Expression | null {
    const character = this.next();
    switch (character) {
      case '.': {
        const { dotAll } = this.flags;
        return { kind: 'character', test: (one) => dotAll || one !== '\n' };
      }
      case '^':
        return { kind: 'position', test: (_, at) => at === 0 };
      case '$':
        return AT_END;
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

  private literal(character: string): Expression {
    return { kind: 'character', test: this.folded((one) => one === character) };
  }

  /** With the flag `i` a character counts in either case. */
  private folded(test: CharacterTest): CharacterTest {
    if (!this.flags.ignoreCase) return test;
    return (one) => test(one) || test(one.toLowerCase()) || test(one.toUpperCase());
  }

  private group(): Expression | null {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new RegexError(`has groups nested more than ${MAX_DEPTH} deep`);
    const outer = this.flags;
    let finish = (inner: Expression): Expression => inner;
    if (this.take('?')) {
      if (this.take('#')) {
        this.until(')', 'a comment');
        this.depth -= 1;
        return null;
      }
      if (this.take('P<')) this.name();
      else if (this.peek('P=')) throw new RegexError('refers back to a group, which is not supported');
      else if (this.take('=')) finish = (what) => ({ kind: 'look', what, behind: null, negated: false });
      else if (this.take('!')) finish = (what) => ({ kind: 'look', what, behind: null, negated: true });
      else if (this.take('<=')) finish = lookBehind(false);
      else if (this.take('<!')) finish = lookBehind(true);
      else if (this.peek('>')) throw new RegexError('has an atomic group "(?>…)", which is not supported');
      else if (this.peek('(')) throw new RegexError('has a condition "(?(…)…)", which is not supported');
      else if (!this.take(':') && this.flagsOnly()) {
        this.depth -= 1;
        return null;
      }
    }
    const inner = this.either();
    if (!this.take(')')) throw new RegexError('has a parenthesis that is never closed');
    this.flags = outer;
    this.depth -= 1;
    return finish(inner);
  }

  private name(): void {
    const name = this.until('>', 'a group name');
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw new RegexError(`has a group with the name ${shown(name)}`);
    if (this.names.has(name)) throw new RegexError(`has two groups with the name ${shown(name)}`);
    this.names.add(name);
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
      dotAll: (this.flags.dotAll || on.includes('s')) && !off.includes('s'),
      ascii: (this.flags.ascii || on.includes('a')) && !on.includes('u'),
    };
    return end === ')';
  }

  private escape(): Expression {
    const letter = this.characters[this.at];
    switch (letter) {
      case 'A':
        this.at += 1;
        return { kind: 'position', test: (_, at) => at === 0 };
      case 'Z':
        this.at += 1;
        return AT_END;
      case 'b':
      case 'B': {
        this.at += 1;
        const isWord = this.kindTest('w')!;
        const edge = (characters: readonly string[], at: number): boolean =>
          (at > 0 && isWord(characters[at - 1]!)) !== (at < characters.length && isWord(characters[at]!));
        // Python finds no place at all in an empty text, neither \b nor \B.
        return {
          kind: 'position',
          test: (characters, at) => characters.length > 0 && edge(characters, at) === (letter === 'b'),
        };
      }
    }
    const test = this.escapedKind();
    if (test !== null) return { kind: 'character', test };
    return this.literal(this.escapedCharacter(false));
  }

  /** `\d`, `\W` and the like; `null` when something else follows the backslash. */
  private escapedKind(): CharacterTest | null {
    const test = this.kindTest(this.characters[this.at] ?? '');
    if (test !== null) this.at += 1;
    return test;
  }

  private kindTest(letter: string): CharacterTest | null {
    const { ascii } = this.flags;
    const kinds: Record<string, RegExp> = {
      d: ascii ? /[0-9]/ : /\p{Nd}/u,
      w: ascii ? /[A-Za-z0-9_]/ : /[\p{L}\p{N}_]/u,
      s: ascii ? /[ \t\n\r\f\v]/ : /[\s\x1c-\x1f\x85]/u,
    };
    const kind = kinds[letter.toLowerCase()];
    if (kind === undefined) return null;
    return letter === letter.toLowerCase() ? (one) => kind.test(one) : (one) => !kind.test(one);
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
    if (/[1-9]/.test(letter) && !inSet) throw new RegexError('refers back to a group, which is not supported');
    const known: Record<string, string> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
    if (inSet) known['b'] = '\b';
    const meant = known[letter];
    if (meant !== undefined) return meant;
    if (/[A-Za-z0-9]/.test(letter))
      throw new RegexError(`has the escape ${shown(`\\${letter}`)}, which means nothing here`);
    return letter;
  }

  private set(): Expression {
    const negated = this.take('^');
    const tests: CharacterTest[] = [];
    for (let first = true; first || !this.peek(']'); first = false) {
      const low = this.setMember();
      if (!this.peek('-') || this.characters[this.at + 1] === ']' || this.characters[this.at + 1] === undefined) {
        tests.push(typeof low === 'string' ? (one) => one === low : low);
        continue;
      }
      this.at += 1;
      const high = this.setMember();
      if (typeof low !== 'string' || typeof high !== 'string')
        throw new RegexError('has a range in brackets that does not run from one character to another');
      const [from, to] = [low.codePointAt(0)!, high.codePointAt(0)!];
      if (to < from) throw new RegexError(`has the range ${shown(`${low}-${high}`)}, which is reversed`);
      tests.push((one) => {
        const code = one.codePointAt(0)!;
        return from <= code && code <= to;
      });
    }
    this.at += 1;
    const positive = this.folded((one) => tests.some((test) => test(one)));
    return { kind: 'character', test: (one) => positive(one) !== negated };
  }

  private setMember(): string | CharacterTest {
    const character = this.characters[this.at];
    if (character === undefined) throw new RegexError('has a bracket that is never closed');
    this.at += 1;
    if (character !== '\\') return character;
    return this.escapedKind() ?? this.escapedCharacter(true);
  }
}

function lookBehind(negated: boolean): (what: Expression) => Expression {
  return (what) => {
    const behind = fixedWidth(what);
    if (behind === null) throw new RegexError('looks back at something whose length varies');
    return { kind: 'look', what, behind, negated };
  };
}
