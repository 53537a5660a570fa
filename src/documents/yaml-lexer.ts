import { Lexer } from 'yaml';

/**
 * What we use of the lexer of `yaml` although its types call it private.
 * test/unit/documents/yaml-layout.test.ts holds that the library still has it.
 */
interface LexerParts {
  /** The text that is read, and the place in it. */
  buffer: string;
  pos: number;
  /** How many `[` and `{` are open here. */
  flowLevel: number;
  /** Whether a colon without a blank after it may follow here. */
  flowKey: boolean;
  /** The indentation that the next line of a scalar or of a text in brackets must have. */
  indentNext: number;
  lex(source: string): Generator<string, void>;
  parseFlowCollection(): Generator<string, Next>;
  parseQuotedScalar(): Generator<string, Next>;
  pushIndicators(): Generator<string, number>;
  pushCount(n: number): Generator<string, number>;
  pushNewline(): Generator<string, number>;
  pushSpaces(allowTabs: boolean): Generator<string, number>;
}

/** The library's name of what it reads next. */
type Next = string | null | undefined;

/** A text in brackets or in quotes, from its first character to the one after its last. */
export interface EnclosedText {
  readonly kind: 'brackets' | 'quotes';
  readonly start: number;
  readonly end: number;
  readonly closed: boolean;
}

/** The rest of blank lines, and then a document marker: it ends a text in brackets. */
const MARKER_AHEAD = /(?:[ \t]*\r?\n)+(?:---|\.\.\.)(?:[ \t\r\n]|$)/y;

/**
 * The lexer of `yaml`, but with the layout that PyYAML accepts: the next lines of a text in quotes or brackets may begin at any
 * column, and with tabs.
 */
export class LooseLexer extends (Lexer as unknown as new () => LexerParts) {
  /** The texts of more than one line, and those that are not closed. */
  readonly texts: EnclosedText[] = [];
  readonly #strictAt: ReadonlySet<number>;
  /** Where the outermost bracket that is open was opened. */
  #openedAt = -1;
  /** The `indentNext` outside of all brackets. */
  #indentOutside = 0;

  /** @param strictAt texts that begin here end where a line is not indented deeper than their key, as YAML 1.2 has it */
  constructor(strictAt: ReadonlySet<number>) {
    super();
    this.#strictAt = strictAt;
  }

  /** The column at which a line must begin, outside of brackets, to belong to the value that is read. */
  get indentation(): number {
    return this.#openedAt === -1 ? this.indentNext : this.#indentOutside;
  }

  override *lex(source: string): Generator<string, void> {
    yield* super.lex(source);
    if (this.#openedAt !== -1) this.#note('brackets', this.#openedAt, false);
  }

  override *parseFlowCollection(): Generator<string, Next> {
    if (this.#openedAt === -1) {
      this.#openedAt = this.pos - 1;
      this.#indentOutside = this.indentNext;
    }
    const start = this.#openedAt;
    const strict = this.#strictAt.has(start);
    MARKER_AHEAD.lastIndex = this.pos;
    const cutHere = strict || MARKER_AHEAD.test(this.buffer);
    const next = cutHere ? yield* super.parseFlowCollection() : yield* this.#loosely(this.#flowItem());
    if (this.flowLevel === 0) {
      this.#openedAt = -1;
      this.#note('brackets', start, !cutHere);
    }
    return next;
  }

  override *parseQuotedScalar(): Generator<string, Next> {
    const start = this.pos;
    const before = this.indentNext;
    if (!this.#strictAt.has(start)) this.indentNext = 0;
    else if (this.#openedAt !== -1) this.indentNext = this.#indentOutside;
    const next = yield* super.parseQuotedScalar();
    this.indentNext = before;
    this.#note('quotes', start, isClosedQuote(this.buffer.slice(start, this.pos)));
    return next;
  }

  /** In brackets, PyYAML reads a lone `-` as text, and a `?` as the mark of a key even without a blank after it. */
  override *pushIndicators(): Generator<string, number> {
    if (this.flowLevel === 0) return yield* super.pushIndicators();
    let pushed = 0;
    while (/^(?:\?|:[ \t\r\n,[\]{}]|:$)/.test(this.buffer.slice(this.pos, this.pos + 2))) {
      this.flowKey = false;
      pushed += (yield* this.pushCount(1)) + (yield* this.pushSpaces(true));
    }
    const isText = /^-[,[\]{}]/.test(this.buffer.slice(this.pos, this.pos + 2));
    return isText ? pushed : pushed + (yield* super.pushIndicators());
  }

  /** The library looks at the indentation of lines whose blanks it takes itself: so they are taken before. */
  *#flowItem(): Generator<string, Next> {
    let taken: number;
    do {
      const lines = yield* this.pushNewline();
      taken = lines + (lines > 0 ? yield* this.pushSpaces(false) : 0) + (yield* this.pushSpaces(true));
    } while (taken > 0);
    return yield* super.parseFlowCollection();
  }

  *#loosely(read: Generator<string, Next>): Generator<string, Next> {
    const before = this.indentNext;
    this.indentNext = 0;
    const next = yield* read;
    this.indentNext = before;
    return next;
  }

  #note(kind: EnclosedText['kind'], start: number, closed: boolean): void {
    const end = this.pos;
    if (!closed || this.buffer.slice(start, end).includes('\n')) this.texts.push({ kind, start, end, closed });
  }
}

/** Whether a text that begins with a quote ends with the quote that closes it. */
function isClosedQuote(text: string): boolean {
  const quote = text[0]!;
  if (text.length < 2 || !text.endsWith(quote)) return false;
  const mark = quote === "'" ? "'" : '\\';
  let escapes = 0;
  for (let i = text.length - 2; i > 0 && text[i] === mark; i -= 1) escapes += 1;
  return escapes % 2 === 0;
}
