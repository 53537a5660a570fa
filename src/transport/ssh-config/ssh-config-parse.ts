import { Problem, type SourceLocation } from '../../core/problem.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { readConfigLine, splitConfigWords } from './ssh-config-words.ts';
import { findOption, parseValue, type Setting } from './ssh-options.ts';

/**
 * ssh_config text → statements with their places. Own code: no library on the registry keeps line and column and reads
 * Include, and without places no problem could be shown where it is. Pure.
 */

/** One criterion of a Match line. */
export type Criterion =
  | { readonly kind: 'all' | 'canonical' | 'final'; readonly negated: boolean }
  | {
      readonly kind: 'host' | 'originalhost' | 'user' | 'localuser' | 'localnetwork' | 'tagged' | 'sessiontype';
      readonly negated: boolean;
      readonly pattern: string;
    }
  /** A criterion that only OpenSSH itself, or a command that portfw does not run, can decide. */
  | { readonly kind: 'undecidable'; readonly negated: boolean; readonly name: string };

/** One line with an option, a Host, a Match or an Include. */
export type Statement =
  | { readonly kind: 'host'; readonly patterns: readonly string[]; readonly location: SourceLocation }
  | { readonly kind: 'match'; readonly criteria: readonly Criterion[]; readonly location: SourceLocation }
  | { readonly kind: 'include'; readonly patterns: readonly string[]; readonly location: SourceLocation }
  | { readonly kind: 'option'; readonly setting: Setting }
  | { readonly kind: 'unknown'; readonly name: string; readonly location: SourceLocation };

/** One file, parsed. */
export interface ParsedConfig {
  readonly statements: readonly Statement[];
  /** For each statement the index of the next one that is no option: where to continue when a block does not count. */
  readonly blockEnds: readonly number[];
  /** Lines that OpenSSH, too, could not understand: errors. */
  readonly problems: readonly Problem[];
}

/** Parses one file's text. @param source whose file it is, the user's or the system's. */
export function parseSshConfig(text: string, file: string, source: 'user' | 'system'): ParsedConfig {
  const statements: Statement[] = [];
  const problems: Problem[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const words = readConfigLine(line);
    if (words === null) continue;
    const name = terminalLine(words.name, 60);
    const at = (column: number): SourceLocation => ({ file, line: index + 1, column, secret: null });
    const bad = (what: string, solve: string): void =>
      void problems.push(
        new Problem({
          severity: 'error',
          code: 'bad-ssh-config',
          what: terminalLine(what),
          solve,
          location: at(words.rest === '' ? words.nameColumn : words.restColumn),
        }),
      );
    const keyword = words.name.toLowerCase();
    if (keyword === 'host' || keyword === 'match' || keyword === 'include') {
      const values = splitConfigWords(words.rest);
      if (values === null) bad(`The value of ${name} has an unclosed quote`, 'Close the quote');
      else if (words.rest === '' || (keyword !== 'match' && values.includes('')))
        bad(`${name} needs a value`, 'Write a value after it');
      else if (keyword === 'match') {
        const criteria = parseCriteria(values);
        if (typeof criteria === 'string') bad(criteria, 'Correct the line: see ssh_config(5), Match');
        else statements.push({ kind: 'match', criteria, location: at(words.nameColumn) });
      } else statements.push({ kind: keyword, patterns: values, location: at(words.nameColumn) });
      continue;
    }
    const spec = findOption(words.name);
    if (spec === null) {
      statements.push({ kind: 'unknown', name: words.name, location: at(words.nameColumn) });
      continue;
    }
    const value = parseValue(spec, words.rest, name);
    if (value.kind === 'bad') bad(value.what, value.solve);
    else if (value.kind === 'value') {
      const location = at(words.restColumn);
      const setting = { name: spec.name, spec, words: value.words, source, location, shown: spec.name };
      statements.push({ kind: 'option', setting });
    }
  }
  return { statements, blockEnds: blockEnds(statements), problems };
}

function blockEnds(statements: readonly Statement[]): readonly number[] {
  const ends: number[] = [];
  for (let index = statements.length - 1, end = statements.length; index >= 0; index--) {
    ends[index] = end;
    if (statements[index]!.kind !== 'option') end = index;
  }
  return ends;
}

const PATTERN_CRITERIA = new Set([
  'host',
  'originalhost',
  'user',
  'localuser',
  'localnetwork',
  'tagged',
  'sessiontype',
]);
const UNDECIDABLE = new Set(['exec', 'command', 'version']);

/** The criteria of a Match line, or what is wrong with it. */
function parseCriteria(words: readonly string[]): readonly Criterion[] | string {
  const criteria: Criterion[] = [];
  for (let index = 0; index < words.length; index++) {
    const written = words[index]!;
    const equals = written.indexOf('=');
    const attribute = equals === -1 ? written : written.slice(0, equals);
    const negated = attribute.startsWith('!');
    const name = (negated ? attribute.slice(1) : attribute).toLowerCase();
    if (name === 'all') {
      if (criteria.length > 1 || index + 1 < words.length)
        return `The criterion "${written}" cannot be combined with others`;
      criteria.push({ kind: 'all', negated });
      return criteria;
    }
    if (name === 'final' || name === 'canonical') {
      criteria.push({ kind: name, negated });
      continue;
    }
    const pattern = equals === -1 ? words[++index] : written.slice(equals + 1);
    const mayBeEmpty = name === 'tagged' || name === 'command';
    if (pattern === undefined || (pattern === '' && !mayBeEmpty)) return `The criterion "${written}" needs a value`;
    if (PATTERN_CRITERIA.has(name)) {
      criteria.push({ kind: name as 'host', negated, pattern });
    } else if (UNDECIDABLE.has(name)) {
      criteria.push({ kind: 'undecidable', negated, name });
    } else {
      return `Match has no criterion "${written}"`;
    }
  }
  return criteria.length === 0 ? 'Match needs a criterion' : criteria;
}
