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
/** Between quotes both keep them, unless PyYAML folds them or removes the blanks beside them. */
const FOLDED_BREAK = /\u0085|[ \t\n\\][\u2028\u2029]|[\u2028\u2029](?:[ \t\r\n]|---|\.\.\.)/;
/** A tab before the first character of a block scalar, whose indentation is not known yet. */
const TAB_IN_BLOCK = /^(?: *\r?\n)* *\t/;

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
  #lineStart = 0;
  /** Whether the next lexeme is the text of a plain or block scalar. */
  #textFollows = false;
  #inBlockScalar = false;
  /** Whether the header of the block scalar says its indentation. */
  #saysIndentation = false;
  /** Whether a key may begin here: then a tab would be indentation. Only outside of brackets, as the next two. */
  #keyMayBegin = true;
  /** Whether something that can be a key stands in this line before here. */
  #keyBegan = false;
  /** Whether a key and its colon stand before here, so that no other key can begin before the line ends. */
  #hasColon = false;
  /** After plain text, where blank lines belong to it: its last line, and the column from which tabs may stand in them. */
  #afterPlain: { readonly line: number; readonly indentation: number } | null = null;

  constructor(source: string) {
    this.#mayHaveOddBreaks = /[\u0085\u2028\u2029\ufeff]/.test(source);
  }

  /** @param indentation where a line must begin to belong to the value that is read, when it is not in brackets */
  next(lexeme: string, indentation: number): void {
    const type: LexemeType | null = this.#textFollows ? 'text' : CST.tokenType(lexeme);
    this.#textFollows = type === 'scalar';
    if (type === 'flow-error-end') this.#leaveBrackets();
    if (type === null || type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar') return;
    if (this.#mayHaveOddBreaks && this.oddBreak === null) this.#findOddBreak(lexeme, type);
    if (type === 'space') this.#findTab(lexeme);
    const level = this.#levels.at(-1);
    if (level === undefined) this.#outsideBrackets(type);
    else this.#inBrackets(level, type);
    if (type === 'flow-map-start' || type === 'flow-seq-start') this.#levels.push({ explicit: false, key: null });
    if (type === 'flow-map-end' || type === 'flow-seq-end') this.#levels.pop();
    const plain = type === 'text' && !this.#inBlockScalar;
    if (plain) this.#findTabInPlain(lexeme, indentation);
    const tab = type === 'text' && this.#inBlockScalar && !this.#saysIndentation ? TAB_IN_BLOCK.exec(lexeme) : null;
    if (tab !== null) this.#tab(this.#offset + tab[0].length - 1);
    for (let at = lexeme.indexOf('\n'); at !== -1; at = lexeme.indexOf('\n', at + 1)) {
      this.#line += 1;
      this.#lineStart = this.#offset + at + 1;
    }
    this.#offset += lexeme.length;
    if (plain) this.#afterPlain = { line: this.#line, indentation };
    else if (type !== 'space' && type !== 'newline') this.#afterPlain = null;
    if (type === 'text') this.#inBlockScalar = false;
    if (type === 'block-scalar-header') {
      this.#inBlockScalar = true;
      this.#saysIndentation = /\d/.test(lexeme);
    }
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

  /** After brackets that are not closed, at the line that does not belong to them. */
  #leaveBrackets(): void {
    this.#levels.length = 0;
    this.#keyMayBegin = true;
    this.#keyBegan = false;
    this.#hasColon = false;
  }

  #outsideBrackets(type: LexemeType): void {
    if (type === 'space') return;
    const begins = type === 'seq-item-ind' || type === 'explicit-key-ind' || (type === 'text' && this.#inBlockScalar);
    if (type === 'newline' || begins) this.#hasColon = false;
    if (type === 'newline') {
      this.#keyMayBegin = this.#afterPlain === null;
      this.#keyBegan = false;
      return;
    }
    if (type === 'map-value-ind') {
      if (this.#hasColon) this.#fault(this.#offset, 'BLOCK_AS_IMPLICIT_KEY', 'Nested mappings are not allowed here');
      this.#hasColon = this.#keyBegan;
    }
    this.#keyMayBegin = begins || (type === 'map-value-ind' && !this.#keyBegan);
    this.#keyBegan = !begins && type !== 'map-value-ind';
  }

  /** A tab may stand between values, but not where a key could begin, nor in the indentation of plain text. */
  #findTab(lexeme: string): void {
    const at = this.#offset + lexeme.indexOf('\t');
    if (at < this.#offset) return;
    const { line, indentation } = this.#afterPlain ?? { line: this.#line, indentation: 0 };
    const atKey = this.#keyMayBegin && this.#levels.length === 0;
    if (atKey || (line < this.#line && at - this.#lineStart < indentation)) this.#tab(at);
  }

  #findTabInPlain(text: string, indentation: number): void {
    if (!text.includes('\t')) return;
    const tab = [...text.matchAll(/\n( *)\t/g)].find(([, blanks]) => blanks!.length < indentation);
    if (tab !== undefined) this.#tab(this.#offset + tab.index + tab[0].length - 1);
  }

  #tab(offset: number): void {
    this.#fault(offset, 'TAB_AS_INDENT', 'Tabs are not allowed as indentation');
  }

  #findOddBreak(lexeme: string, type: LexemeType): void {
    if (type === 'byte-order-mark') return;
    const quoted = type === 'single-quoted-scalar' || type === 'double-quoted-scalar';
    const unquoted = this.#lineStart === this.#offset ? ODD_BREAK_OR_MARK : ODD_BREAK;
    // At the end of a comment they change nothing.
    const found = (quoted ? FOLDED_BREAK : unquoted).exec(type === 'comment' ? lexeme.trimEnd() : lexeme);
    if (found !== null) this.oddBreak = this.#offset + found.index + found[0].search(ODD_CHARACTER);
  }

  #fault(offset: number, code: YAMLParseError['code'], message: string): void {
    this.errors.push(new YAMLParseError([offset, offset + 1], code, message));
  }
}
