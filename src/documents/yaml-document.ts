import type { YAMLError } from 'yaml';
import { InputError, Problem, type SourceLocation } from '../core/problem.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { convertJson } from './json-document.ts';
import { placesIn, type SourceText } from './source-text.ts';
import { convertDocument, MAX_DEPTH, type Report, TOO_DEEP } from './yaml-convert.ts';
import { type ParsedYaml, parseAsPyYaml } from './yaml-parse.ts';
import { viewOf, type YamlFile, type YamlPath } from './yaml-view.ts';

export type { YamlFile, YamlPath };

const MAX_ERRORS = 50;
/**
 * The most lines, colons, commas and brackets of a file. Each value takes about a kilobyte while it is read: this much is
 * enough for 65,536 hosts with a few variables each, and takes a gigabyte at most.
 */
const MAX_MARKS = 750_000;

/**
 * Reads YAML text as Ansible does: YAML 1.1 as PyYAML resolves it, with merge keys, anchors, `!vault` and `!unsafe`.
 * Stricter where Ansible only warns: a key that appears twice is an error.
 *
 * @param file the name that locations carry
 * @throws InputError with every problem found
 */
export function parseYaml(text: string, file: string): YamlFile {
  return parseYamlSource({ text, file, secret: null });
}

/** The same of a text that may have been decrypted. */
export function parseYamlSource(given: SourceText): YamlFile {
  const source = given.text.startsWith('\ufeff') ? given.text.slice(1) : given.text;
  const locate = placesIn({ ...given, text: source });
  const place = (offset: number): SourceLocation => locate(Math.max(0, Math.min(offset, source.length)));
  const problems = new Findings(place);
  // Ansible tries JSON first, whose numbers are not YAML's: `1e3` is one, which YAML 1.1 denies.
  if (/^[ \t\r\n]*[[{"]/.test(source)) {
    const json = convertJson(source, problems.report);
    if (!('what' in json)) {
      problems.throwAny();
      return viewOf(json, given.file, place);
    }
    problems.clear();
  }
  const { document, problems: syntax } = parsed(source, problems);
  for (const { offset, what, solve } of syntax) problems.report(offset, 'yaml-syntax', what, solve);
  problems.throwAny();
  const root = convertDocument(document, source, problems.report);
  problems.throwAny();
  return viewOf(root, given.file, place);
}

/** What is wrong with one text. */
class Findings {
  readonly #place: (offset: number) => SourceLocation;
  readonly #problems: Problem[] = [];

  constructor(place: (offset: number) => SourceLocation) {
    this.#place = place;
  }

  readonly report: Report = (offset, code, what, solve) => {
    if (this.#problems.length >= MAX_ERRORS) return;
    this.#problems.push(new Problem({ severity: 'error', code, what, solve, location: this.#place(offset) }));
  };

  clear(): void {
    this.#problems.length = 0;
  }

  throwAny(): void {
    if (this.#problems.length > 0) throw new InputError(sortProblems(this.#problems));
  }

  /** Reports something after which nothing else can be said. */
  fail(...last: Parameters<Report>): InputError {
    this.report(...last);
    return new InputError(this.#problems);
  }
}

/**
 * The parser's document of a text, if the text may be parsed.
 *
 * @throws InputError
 */
function parsed(source: string, problems: Findings): ParsedYaml {
  const tooMuch = findTooMuch(source);
  if (tooMuch !== null) {
    const what = `the file holds more than ${MAX_MARKS} lines, colons, commas and brackets`;
    throw problems.fail(tooMuch, 'file-too-big', what, 'Split it, or check that it is the right file');
  }
  const depthAt = findDeepNesting(source);
  const yaml = depthAt === null ? parseQuietly(source) : null;
  const control = source.search(/[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
  if (control !== -1) {
    problems.report(
      control,
      'control-character',
      `the character ${codePointAt(source, control)} is not allowed in a YAML file`,
      'Remove it, or write it as an escape such as "\\x07" in a double-quoted string',
    );
  }
  const loneReturn = source.search(/\r(?!\n)/);
  if (loneReturn !== -1) {
    throw problems.fail(
      loneReturn,
      'carriage-return',
      'there is a carriage return without a line feed here',
      'Save the file with line feeds at the ends of its lines',
    );
  }
  if (yaml === null) throw problems.fail(depthAt ?? 0, 'nesting-too-deep', ...TOO_DEEP);
  if (yaml.oddBreak !== null) {
    const character = codePointAt(source, yaml.oddBreak);
    const what =
      character === 'U+FEFF'
        ? 'there is a byte order mark (U+FEFF) at the beginning of this line'
        : `the invisible character ${character} ends a line here for Ansible`;
    const solve = 'Remove it; in text, write it as an escape such as "\\u2028" between double quotes';
    throw problems.fail(yaml.oddBreak, 'line-break', what, solve);
  }
  const overflowed = (error: YAMLError): boolean => /call stack/i.test(error.message);
  if (yaml.errors.some(overflowed)) {
    // How deep the parser came differs from run to run: what it said before that does not.
    const before = yaml.errors.filter((error) => !overflowed(error)).map((error) => error.pos[0]);
    const at = before.length === 0 ? 0 : Math.min(...before.slice(0, 100));
    throw problems.fail(at, 'nesting-too-deep', ...TOO_DEEP);
  }
  return yaml;
}

function codePointAt(source: string, offset: number): string {
  return `U+${source.codePointAt(offset)!.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** What the parser makes of a text; `null` when it nests too deep for it. */
function parseQuietly(source: string): ParsedYaml | null {
  // For a file that is not YAML, the parser makes an error for each line; their stacks would take much time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parseAsPyYaml(source);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Where flow brackets or block indentation go deeper than we read, or `null`; a rough count that errs towards `null`. */
function findDeepNesting(source: string): number | null {
  let depth = 0;
  // Quoted strings, comments and block scalars may hold brackets, but hundreds that are never closed are no plain text.
  const limit = MAX_DEPTH * 3;
  for (let i = 0; i < source.length; i += 1) {
    const code = source.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > limit) return i;
    } else if ((code === 0x5d || code === 0x7d) && depth > 0) depth -= 1;
  }
  // "- - - - …" and "? ? ? …" nest without brackets.
  const indicators = /(?:[-?:][ \t]+){300}/.exec(source);
  return indicators === null ? null : indicators.index;
}

/** Where the file holds more than `MAX_MARKS`, or `null`. */
function findTooMuch(source: string): number | null {
  let marks = 0;
  for (let i = 0; i < source.length; i += 1) {
    const code = source.charCodeAt(i);
    // Line feed, comma, colon, opening bracket and brace.
    if (code === 0x0a || code === 0x2c || code === 0x3a || code === 0x5b || code === 0x7b) {
      marks += 1;
      if (marks > MAX_MARKS) return i;
    }
  }
  return null;
}
