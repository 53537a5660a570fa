import { Composer, type Document, Parser, type YAMLError, YAMLParseError } from 'yaml';
import { LayoutCheck } from './yaml-layout.ts';
import { type EnclosedText, LooseLexer } from './yaml-lexer.ts';
import { type SyntaxProblem, syntaxProblems } from './yaml-syntax.ts';

/** What a text says, or what is wrong with it. */
export interface ParsedYaml {
  readonly document: Document.Parsed;
  /** The parser's errors, and those of its warnings that are errors to PyYAML. */
  readonly errors: readonly YAMLError[];
  /** The same in plain words, one a line. */
  readonly problems: readonly SyntaxProblem[];
  /** The first line break or byte order mark that PyYAML reads otherwise. */
  readonly oddBreak: number | null;
}

interface Reading extends ParsedYaml {
  /** The texts in quotes or brackets that have more than one line, and those that are not closed. */
  readonly texts: readonly EnclosedText[];
}

/** How often a text with mistakes is read, to find which of its quotes and brackets are not closed. */
const MOST_READINGS = 6;

/**
 * Parses a text as PyYAML does: a text in quotes or brackets may go on at any column. So a quote that is not closed takes the lines
 * up to the next quote, wherever that is. To say where the mistake is, such a text is read again, now ended by the indentation.
 */
export function parseAsPyYaml(source: string): ParsedYaml {
  const tried = new Set<number>();
  let strictAt: ReadonlySet<number> = new Set();
  let reading = read(source, strictAt);
  for (let readings = 1; readings < MOST_READINGS && reading.problems.length > 0; readings += 1) {
    const suspects = reading.texts.filter(
      (text) => !tried.has(text.start) && isSuspect(text, reading.problems, source),
    );
    if (suspects.length === 0) break;
    const suspect = suspects.reduce((first, text) => (text.start < first.start ? text : first));
    tried.add(suspect.start);
    const stricter = new Set([...strictAt, suspect.start]);
    const other = read(source, stricter);
    if (suspect.closed && other.problems.length > reading.problems.length) continue;
    strictAt = stricter;
    reading = other;
  }
  return reading;
}

/** Whether a text is not closed, or by the quote that begins the next one: then something is wrong right after it. */
function isSuspect({ kind, end, closed }: EnclosedText, problems: readonly SyntaxProblem[], source: string): boolean {
  if (!closed || kind === 'brackets') return !closed;
  const line = source.indexOf('\n', end);
  return problems.some(({ offset }) => offset >= end && (line === -1 || offset <= line));
}

function read(source: string, strictAt: ReadonlySet<number>): Reading {
  const lexer = new LooseLexer(strictAt);
  const layout = new LayoutCheck(source);
  const parser = new Parser();
  function* tokens(): ReturnType<Parser['parse']> {
    for (const lexeme of lexer.lex(source)) {
      layout.next(lexeme, lexer.indentation);
      yield* parser.next(lexeme);
    }
    yield* parser.end();
  }
  const composer = new Composer({
    // Scalars are resolved in yaml-convert.ts, PyYAML's way, and duplicates found there in linear time.
    schema: 'failsafe',
    resolveKnownTags: false,
    uniqueKeys: false,
    keepSourceTokens: false,
    logLevel: 'error',
  });
  const documents = composer.compose(tokens(), true, source.length) as Generator<Document.Parsed, void>;
  const { value: document } = documents.next();
  // With "forceDoc" the composer always makes a document.
  if (document === undefined) throw new Error('the YAML parser made no document');
  const second = documents.next();
  const errors = [
    ...document.errors.filter(({ message }) => !message.startsWith(COMMENT_WITHOUT_BLANK)),
    ...document.warnings.filter(({ code }) => code === 'BAD_DIRECTIVE'),
    // After another mistake the library may take a new line for the rest of the one before, with a second colon.
    ...layout.errors.filter(({ code }) => code !== 'BLOCK_AS_IMPLICIT_KEY' || document.errors.length === 0),
  ];
  if (second.value !== undefined) {
    const [start, end] = second.value.range;
    errors.push(new YAMLParseError([start, end], 'MULTIPLE_DOCS', 'Source contains multiple documents'));
  }
  // The library takes an escaped quote at the very end for the closing one.
  const open = lexer.texts.find(({ kind, closed }) => kind === 'quotes' && !closed);
  if (errors.length === 0 && open !== undefined) {
    const message = `Missing closing ${source[open.start]}quote`;
    errors.push(new YAMLParseError([open.end, open.end + 1], 'MISSING_CHAR', message));
  }
  return { document, errors, problems: syntaxProblems(errors, source), oddBreak: layout.oddBreak, texts: lexer.texts };
}

/** PyYAML needs no blank between a bracket or quote and the comment after it. */
const COMMENT_WITHOUT_BLANK = 'Comments must be separated';
