import type { YAMLError } from 'yaml';
import type { Fault } from '../core/failure.ts';
import { shown } from '../core/shown.ts';

/** What is wrong with the syntax of a YAML text, at an offset in it. */
export interface SyntaxProblem extends Fault {
  readonly offset: number;
}

/** The most syntax errors that are explained. */
const MOST_ERRORS = 200;

/**
 * Explains in plain words what the YAML parser reports. Of several errors in one line only the first is kept: the others
 * are consequences of it.
 */
export function syntaxProblems(errors: readonly YAMLError[], source: string): SyntaxProblem[] {
  if (errors.length === 0) return [];
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(source)) {
    const solve = 'It may be a login page, downloaded instead of the file: download the file again';
    return [{ offset: 0, what: 'this is a web page or XML, not YAML', solve }];
  }
  const markers = [...source.matchAll(/^<{7} .*$/gm)];
  if (markers.length > 0) {
    return markers.map((marker) => ({
      offset: marker.index,
      what: 'these are the marks of a merge conflict',
      solve: 'Keep one of the versions between "<<<<<<<" and ">>>>>>>", and remove these lines',
    }));
  }
  const lines = new Set<number>();
  return errors
    .slice(0, MOST_ERRORS)
    .map((error) => explain(error, source))
    .filter(({ offset }) => {
      const start = source.lastIndexOf('\n', offset - 1);
      if (lines.has(start)) return false;
      lines.add(start);
      return true;
    });
}

function explain(error: YAMLError, source: string): SyntaxProblem {
  const offset = error.pos[0];
  const closing = /end with a ([\]}])$/.exec(error.message)?.[1];
  if (closing !== undefined) {
    const opening = closing === ']' ? '[' : '{';
    const what = `this "${opening}" is not closed`;
    return { offset: openingBracket(source, offset), what, solve: `Close it with "${closing}"` };
  }
  const quote = /^Missing closing (["'])/.exec(error.message)?.[1];
  if (quote !== undefined) {
    const solve = `Write a ${quote === '"' ? 'double' : 'single'} quote at its end`;
    return { offset: openingQuote(source, offset, quote), what: 'the quote that begins here is not closed', solve };
  }
  const [what, solve] = explained(error, source) ?? [inParsersWords(error), PLAIN_SOLUTION];
  return { offset, what, solve };
}

const PLAIN_SOLUTION = 'Correct the YAML syntax here; quote text with special characters';

function inParsersWords({ message }: YAMLError): string {
  return shown(`${message.charAt(0).toLowerCase()}${message.slice(1)}`).slice(1, -1);
}

type Explained = readonly [what: string, solve: string];

const NO_COLON: Explained = [
  'this line has no colon',
  'Write "name:" or "name: value"; put text of several lines in quotes',
];

/** The meaning of each error message of the parser, if it is always the same. */
const MEANINGS: { readonly [C in YAMLError['code']]?: Explained } = {
  TAB_AS_INDENT: ['there is a tab where YAML needs spaces', 'Indent with spaces'],
  MULTIPLE_DOCS: ['the file holds more than one YAML document', 'Remove the second "---" and what follows it'],
  BAD_INDENT: ['the indentation does not match the lines above', 'Align entries of one list or mapping in one column'],
  BLOCK_AS_IMPLICIT_KEY: ['this line has a second ": "', 'Put text with ": " in quotes, or begin a new line'],
  KEY_OVER_1024_CHARS: ['a key has more than 1024 characters', 'Shorten it, or look for a quote that is not closed'],
  BAD_DIRECTIVE: ['this directive is not known', 'Remove the line: YAML needs none here'],
};

/** The meaning of an error message of the parser; `null` if the parser's own words are shown. */
function explained({ code, message, pos }: YAMLError, source: string): Explained | null {
  const [offset, end] = pos;
  const written = source.slice(offset, end);
  switch (code) {
    case 'BAD_ALIAS':
      return message.startsWith('Anchor')
        ? ['this anchor has no name', 'Write one after the "&", or put the text in quotes']
        : [
            'this alias is empty or ends in a colon',
            'Write the name of an anchor after the "*", or put the text in quotes',
          ];
    case 'BAD_SCALAR_START':
      return [`a value cannot begin with ${shown(written)} unless it is in quotes`, 'Put the value in quotes'];
    case 'BAD_DQ_ESCAPE': {
      const sequence = shown(/\S+$/.exec(message)?.[0] ?? written);
      return [`${sequence} means nothing in double quotes`, 'Write a backslash twice, or use single quotes'];
    }
    case 'MISSING_CHAR':
      if (message.startsWith('Implicit map keys')) return NO_COLON;
      if (!message.startsWith('Sequence item')) return null;
      return [
        'this line does not begin with "-", as the entries above do',
        'Begin it with "- ", or indent it like the lines of the entry',
      ];
    case 'MULTILINE_IMPLICIT_KEY':
      return message.startsWith('Flow')
        ? [
            'a comma or a colon is missing in this line',
            'Write "," between entries, and a key and its colon on one line',
          ]
        : NO_COLON;
    case 'UNEXPECTED_TOKEN':
      if (/^[\]}]/.test(source.slice(offset)))
        return [`this "${source[offset]}" closes nothing`, 'Remove it, or put the text in quotes'];
      if (message.endsWith('at node end'))
        return ['there is text after the end of the value', 'Put the whole value in quotes, or remove the extra text'];
      if (message.startsWith('Block scalar header'))
        return [
          'no text is allowed after "|" or ">" in the same line',
          'Begin the text on the next line, or put it in quotes',
        ];
      return null;
    default:
      return MEANINGS[code] ?? null;
  }
}

/** The bracket before a place that no bracket up to there closes. */
function openingBracket(source: string, before: number): number {
  let closed = 0;
  for (let i = before - 1; i >= 0; i -= 1) {
    const character = source[i];
    if (character === ']' || character === '}') closed += 1;
    else if (character === '[' || character === '{') {
      if (closed === 0) return i;
      closed -= 1;
    }
  }
  return before;
}

/** The quote before a place that begins the text which runs up to it. */
function openingQuote(source: string, before: number, quote: string): number {
  for (let i = source.lastIndexOf(quote, before - 1); i > 0; i = source.lastIndexOf(quote, i - 1)) {
    if (quote === "'" && source[i - 1] === "'") i -= 1;
    else if (quote === '"' && /(?:^|[^\\])(?:\\\\)*\\$/.test(source.slice(Math.max(0, i - 20), i))) continue;
    else return i;
  }
  return source.startsWith(quote) ? 0 : before;
}
