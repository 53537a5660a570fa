import { CST, YAMLParseError } from 'yaml';

/** One `[` or `{` that is open. */
interface Level {
  /** Whether the entry began with `?`. */
  explicit: boolean;
  /** Where the entry begins; `null` until it does, and after its colon. */
  key: { readonly offset: number; readonly line: number } | null;
}

const MOST_KEY_CHARACTERS = 1024;
/** They end a line for PyYAML, but not for the library. */
const ODD_BREAK = /[\u0085\u2028\u2029]|\n\ufeff/;
const ODD_BREAK_OR_MARK = /[\u0085\u2028\u2029]|(?:^|\n)\ufeff/;
const ODD_CHARACTER = /[\u0085\u2028\u2029\ufeff]/;
/** In a comment they matter only if something follows in the same line. */
const BREAK_IN_COMMENT = /[\u0085\u2028\u2029](?=.*[^ \t\r\n\u0085\u2028\u2029])/s;
/** Between quotes both keep them, unless PyYAML folds them or removes the blanks beside them. */
const FOLDED_BREAK = /\u0085|[ \t\n\\][\u2028\u2029]|[\u2028\u2029][ \t\r\n]/;

type LexemeType = NonNullable<ReturnType<typeof CST.tokenType>> | 'text';

/**
 * Finds the layout that libyaml (the parser of PyYAML that Ansible uses) refuses or reads otherwise, and the library accepts. It
 * is given every lexeme of a text, in order.
 */
export class LayoutCheck {
  readonly errors: YAMLParseError[] = [];
  /** The first line break or byte order mark that PyYAML reads otherwise. */
  oddBreak: number | null = null;
  readonly #mayHaveOddBreaks: boolean;
  readonly #levels: Level[] = [];
  #offset = 0;
  #line = 0;
  #atLineStart = true;
  /** Whether the next lexeme is the text of a plain or block scalar. */
  #textFollows = false;
  #inBlockScalar = false;
  /** Whether a key may begin here: then a tab would be indentation. Only outside of brackets, as the next two. */
  #keyMayBegin = true;
  /** Whether something that can be a key stands in this line before here. */
  #keyBegan = false;
  /** After plain text: the blank lines that follow belong to it. */
  #afterPlain = false;

  constructor(source: string) {
    this.#mayHaveOddBreaks = /[\u0085\u2028\u2029\ufeff]/.test(source);
  }

  next(lexeme: string): void {
    const type: LexemeType | null = this.#textFollows ? 'text' : CST.tokenType(lexeme);
    this.#textFollows = type === 'scalar';
    if (type === 'flow-error-end') this.#levels.length = 0;
    if (type === null || type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar') return;
    if (this.#mayHaveOddBreaks && this.oddBreak === null) this.#findOddBreak(lexeme, type);
    const level = this.#levels.at(-1);
    if (level === undefined) this.#outsideBrackets(lexeme, type);
    else this.#inBrackets(level, type);
    if (type === 'flow-map-start' || type === 'flow-seq-start') this.#levels.push({ explicit: false, key: null });
    if (type === 'flow-map-end' || type === 'flow-seq-end') this.#levels.pop();
    this.#offset += lexeme.length;
    for (let at = lexeme.indexOf('\n'); at !== -1; at = lexeme.indexOf('\n', at + 1)) this.#line += 1;
    this.#atLineStart = lexeme.endsWith('\n');
  }

  /** In brackets too, a key must be on one line with its colon. */
  #inBrackets(level: Level, type: LexemeType): void {
    switch (type) {
      case 'space':
      case 'newline':
      case 'comment':
      case 'flow-map-end':
      case 'flow-seq-end':
        return;
      case 'comma':
      case 'explicit-key-ind':
        level.explicit = type === 'explicit-key-ind';
        level.key = null;
        return;
      case 'map-value-ind':
        if (level.key !== null && !level.explicit) this.#checkKey(level.key);
        level.key = null;
        return;
      default:
        level.key ??= { offset: this.#offset, line: this.#line };
    }
  }

  #checkKey({ offset, line }: NonNullable<Level['key']>): void {
    if (line !== this.#line) this.#fault(offset, 'MULTILINE_IMPLICIT_KEY', 'Flow keys need to be on a single line');
    else if (this.#offset - offset > MOST_KEY_CHARACTERS) this.#fault(offset, 'KEY_OVER_1024_CHARS', 'Key too long');
  }

  /** Outside of brackets a tab may stand between values, but not where a key could begin. */
  #outsideBrackets(lexeme: string, type: LexemeType): void {
    if (type === 'space') {
      const atFault = this.#keyMayBegin || (this.#afterPlain && this.#atLineStart);
      const tab = atFault ? lexeme.indexOf('\t') : -1;
      if (tab !== -1) this.#fault(this.#offset + tab, 'TAB_AS_INDENT', 'Tabs are not allowed as indentation');
      return;
    }
    if (type === 'newline') {
      this.#keyMayBegin = !this.#afterPlain;
      this.#keyBegan = false;
      return;
    }
    const plain = type === 'text' && !this.#inBlockScalar;
    const begins = type === 'seq-item-ind' || type === 'explicit-key-ind' || (type === 'text' && !plain);
    this.#keyMayBegin = begins || (type === 'map-value-ind' && !this.#keyBegan);
    this.#keyBegan = !begins && type !== 'map-value-ind';
    this.#afterPlain = plain;
    this.#inBlockScalar = type === 'block-scalar-header';
  }

  #findOddBreak(lexeme: string, type: LexemeType): void {
    if (type === 'byte-order-mark') return;
    const quoted = type === 'single-quoted-scalar' || type === 'double-quoted-scalar';
    const unquoted = this.#atLineStart ? ODD_BREAK_OR_MARK : ODD_BREAK;
    const found = (quoted ? FOLDED_BREAK : type === 'comment' ? BREAK_IN_COMMENT : unquoted).exec(lexeme);
    if (found !== null) this.oddBreak = this.#offset + found.index + found[0].search(ODD_CHARACTER);
  }

  #fault(offset: number, code: YAMLParseError['code'], message: string): void {
    this.errors.push(new YAMLParseError([offset, offset + 1], code, message));
  }
}
