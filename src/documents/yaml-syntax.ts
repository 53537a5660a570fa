import type { YAMLError } from 'yaml';
import type { Fault } from '../core/failure.ts';
import { shown } from '../core/shown.ts';

/** What is wrong with the syntax of a YAML text, at an offset in it. */
export interface SyntaxProblem extends Fault {
  readonly offset: number;
}

/** Of more complaints than this nobody reads the rest. */
const MOST_ERRORS = 200;

/**
 * Says in a user's words what the YAML parser complained about. Of several complaints about one line only the first is
 * kept: the others are its consequences.
 */
export function syntaxProblems(errors: readonly YAMLError[], source: string): SyntaxProblem[] {
  if (errors.length === 0) return [];
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(source)) {
    const solve = 'Was it downloaded from a place that asks to log in? Get the file itself';
    return [{ offset: 0, what: 'this is a web page or XML, not YAML', solve }];
  }
  const markers = [...source.matchAll(/^<{7} .*$/gm)];
  if (markers.length > 0) {
    return markers.map((marker) => ({
      offset: marker.index,
      what: 'a merge of two versions stopped here and left its marks',
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
  const at = (what: string, solve: string, place = offset): SyntaxProblem => ({ offset: place, what, solve });
  const written = source.slice(offset, error.pos[1]);
  const closing = /end with a ([\]}])$/.exec(error.message)?.[1];
  if (closing !== undefined) {
    const opening = closing === ']' ? '[' : '{';
    const place = openingBracket(source, offset);
    return at(`this "${opening}" is not closed`, `Close it with "${closing}"`, place);
  }
  const quote = /^Missing closing (["'])/.exec(error.message)?.[1];
  if (quote !== undefined) {
    const name = quote === '"' ? 'double' : 'single';
    return at(
      'the quote that begins here is not closed',
      `Write a ${name} quote at its end`,
      openingQuote(source, offset, quote),
    );
  }
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return at('a tab stands where YAML wants spaces', 'Indent with spaces');
    case 'MULTIPLE_DOCS':
      return at('the file holds more than one YAML document', 'Remove the second "---" and what follows it');
    case 'BAD_ALIAS':
      return error.message.startsWith('Anchor')
        ? at('this anchor has no name', 'Write one after the "&", or put the text in quotes')
        : at(
            'this alias is empty or ends in a colon',
            'Write the name of an anchor after the "*", or put the text in quotes',
          );
    case 'BAD_INDENT':
      return at('the indentation does not fit what stands above', 'Align entries of one list or mapping in one column');
    case 'MULTILINE_IMPLICIT_KEY':
      return at('this line has no colon', 'Write "name:" or "name: value"; put text of several lines in quotes');
    case 'BLOCK_AS_IMPLICIT_KEY':
      return at('a second ": " stands in this line', 'Put text with ": " in quotes, or begin a new line');
    case 'KEY_OVER_1024_CHARS':
      return at('a key has more than 1024 characters', 'Shorten it; or is a quote not closed?');
    case 'BAD_SCALAR_START':
      return at(`a value cannot begin with ${shown(written)} unless it is in quotes`, 'Put the value in quotes');
    case 'BAD_DQ_ESCAPE':
      return at(
        `${shown(/\S+$/.exec(error.message)?.[0] ?? written)} means nothing in double quotes`,
        'Write a backslash twice, or use single quotes',
      );
    case 'BAD_DIRECTIVE':
      return at('this directive is not known', 'Remove the line: YAML needs none here');
    case 'MISSING_CHAR':
      if (error.message.startsWith('Sequence item'))
        return at(
          'this does not begin with "-", as what stands above it',
          'Begin it with "- ", or indent it like the lines of the entry',
        );
      if (error.message.startsWith('Implicit map keys'))
        return at('this line has no colon', 'Write "name:" or "name: value"; put text of several lines in quotes');
      break;
    case 'UNEXPECTED_TOKEN':
      if (/^[\]}]/.test(source.slice(offset)))
        return at(`this "${source[offset]}" closes nothing`, 'Remove it, or put the text in quotes');
      if (error.message.endsWith('at node end'))
        return at(
          'text follows where the value has ended',
          'Put the whole value in quotes, or remove what is too much',
        );
      if (error.message.startsWith('Block scalar header'))
        return at('no text may follow "|" or ">" in its line', 'Begin the text on the next line, or put it in quotes');
      break;
    default:
  }
  const what = `${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
  return at(shown(what).slice(1, -1), 'Correct the YAML syntax here; quote text with special characters');
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
