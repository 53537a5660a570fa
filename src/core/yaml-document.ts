import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { InputError, type Problem, type SourceLocation } from './problem.ts';
import { safeText } from './shown.ts';
import { sortProblems } from './sort-problems.ts';
import { type Converted, convertDocument, type Entry, type KeyKind, MAX_DEPTH, TOO_DEEP } from './yaml-convert.ts';

/** A path into a document: mapping keys and list positions. */
export type YamlPath = readonly (string | number)[];

/** One YAML document with the place of everything in it. */
export interface YamlFile {
  readonly file: string;
  /**
   * The document as plain data: mappings are objects, floats are numbers, timestamps are the text as written, `!unsafe`
   * text is a string; only `!vault` values (`VaultValue`) and integers beyond 2^53 (`bigint`) are not JSON.
   * Aliased parts are shared, so treat it as read-only.
   */
  readonly value: unknown;
  /** The same with nothing lost: floats are `YamlFloat`, timestamps `YamlTimestamp`, `!unsafe` text `UnsafeText`. */
  readonly exact: unknown;
  /** The place of the innermost part of `path` that exists; of a mapping's entry either the key or the value (default). */
  locate(path: YamlPath, at?: 'key' | 'value'): SourceLocation;
  /** The keys of the mapping at `path` in the order written (merged ones first); empty when there is no mapping. */
  keys(path: YamlPath): readonly string[];
  /** What the last step of `path`, a mapping's key, was written as; `null` when there is no such entry. */
  keyKind(path: YamlPath): KeyKind | null;
}

const MAX_ERRORS = 50;

/**
 * Reads YAML text as Ansible does: YAML 1.1 as PyYAML resolves it, with merge keys, anchors, `!vault` and `!unsafe`.
 * Stricter where Ansible only warns: a key that appears twice is an error.
 *
 * @param file the name that locations carry
 * @throws InputError with every problem found
 */
export function parseYaml(text: string, file: string): YamlFile {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lines = new LineCounter();
  const problems: Problem[] = [];
  const place = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, source.length)));
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const report = (offset: number, code: string, message: string, hint: string): void => {
    if (problems.length < MAX_ERRORS)
      problems.push({ severity: 'error', code, message, hint, location: place(offset) });
  };

  const control = source.search(/[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
  const depthAt = findDeepNesting(source);
  let document: Document.Parsed | null = null;
  if (depthAt === null) {
    try {
      document = parseDocument(source, {
        lineCounter: lines,
        prettyErrors: false,
        // Scalars are resolved here, PyYAML's way, and duplicates found in linear time.
        schema: 'failsafe',
        resolveKnownTags: false,
        uniqueKeys: false,
        keepSourceTokens: false,
        logLevel: 'error',
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  if (lines.lineStarts.length === 0) countLines(source, lines);
  if (control !== -1) {
    const character = source.codePointAt(control)!.toString(16).toUpperCase().padStart(4, '0');
    report(
      control,
      'control-character',
      `the character U+${character} may not stand in a YAML file`,
      'Remove it, or write it as an escape such as "\\x07" in a double-quoted string',
    );
  }
  if (document === null) {
    report(depthAt ?? 0, 'nesting-too-deep', ...TOO_DEEP);
    throw new InputError(problems);
  }
  const overflow = document.errors.find((error) => /call stack/i.test(error.message));
  if (overflow !== undefined) {
    report(overflow.pos[0], 'nesting-too-deep', ...TOO_DEEP);
    throw new InputError(problems);
  }
  for (const error of document.errors) {
    const { message, hint } = explain(error);
    report(error.pos[0], 'yaml-syntax', message, hint);
  }
  if (problems.length > 0) throw new InputError(sortProblems(problems));

  const root = convertDocument(document, isJson(source), report);
  if (problems.length > 0) throw new InputError(sortProblems(problems));

  const walk = (path: YamlPath): { node: Converted; entry: Entry | null; complete: boolean } => {
    let node = root;
    let entry: Entry | null = null;
    for (const step of path) {
      const next = node.entries?.get(step) ?? (typeof step === 'number' ? node.entries?.get(String(step)) : undefined);
      if (next === undefined) return { node, entry, complete: false };
      node = next.value;
      entry = next;
    }
    return { node, entry, complete: true };
  };
  return {
    file,
    value: root.plain,
    exact: root.exact,
    locate(path, at = 'value') {
      const { node, entry, complete } = walk(path);
      return place(at === 'key' && complete && entry !== null ? entry.keyOffset : node.offset);
    },
    keys(path) {
      const { node, complete } = walk(path);
      return complete && node.entries !== null && !Array.isArray(node.plain)
        ? [...node.entries.keys()].map(String)
        : [];
    },
    keyKind(path) {
      const { entry, complete } = walk(path);
      return complete ? (entry?.keyKind ?? null) : null;
    },
  };
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

function countLines(source: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let i = source.indexOf('\n'); i !== -1; i = source.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
}

/** The parser's error as a sentence of what is wrong and one of how to solve it. */
function explain(error: YAMLError): { message: string; hint: string } {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab stands where YAML wants spaces', hint: 'Indent with spaces' };
    case 'MULTIPLE_DOCS':
      return {
        message: 'the file holds more than one YAML document',
        hint: 'Remove the second "---" and what follows it',
      };
    case 'BAD_ALIAS':
      return { message: 'this alias is empty or ends in a colon', hint: 'Write the name of an anchor after the "*"' };
    case 'BAD_INDENT':
      return {
        message: 'the indentation does not fit what stands above',
        hint: 'Align entries of one list or mapping in one column',
      };
    case 'MISSING_CHAR':
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Close every quote and bracket, and leave a space after each colon',
      };
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Is a colon missing, or a quote needed around text that contains ": "?',
      };
    default:
      return {
        message: lowerFirst(safeText(error.message)),
        hint: 'Correct the YAML syntax here; quote text with special characters',
      };
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Whether the text is a JSON document: Ansible then reads its numbers as JSON has them (`1e3` is one, which YAML 1.1 denies). */
function isJson(source: string): boolean {
  if (!/^\s*[[{]/.test(source)) return false;
  try {
    JSON.parse(source);
    return true;
  } catch {
    return false;
  }
}
