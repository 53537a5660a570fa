import type { Fault } from '../../core/failure.ts';

/** A word of a line, and the column (from 0) that each of its characters comes from. */
export interface ShellWord {
  readonly text: string;
  readonly columns: readonly number[];
  /** Where the word begins, its quote included. */
  readonly column: number;
}

/** A line that cannot be split, and the column (from 0) of the quote or backslash that is wrong. */
export interface WordFault extends Fault {
  readonly column: number;
}

const BLANK = ' \t\r\n';

/**
 * Splits a line into words as Python's `shlex.split(line, comments=True)` does: quotes and backslashes as in a POSIX shell,
 * and `#` begins a comment anywhere outside quotes, even within a word.
 */
export function splitWords(line: string): readonly ShellWord[] | WordFault {
  const words: ShellWord[] = [];
  let text = '';
  let columns: number[] = [];
  let start: number | null = null;
  let quote: { readonly sign: string; readonly column: number } | null = null;
  const keep = (index: number): void => {
    text += line.charAt(index);
    columns.push(index);
  };
  const finish = (): void => {
    if (start !== null) words.push({ text, columns, column: start });
    text = '';
    columns = [];
    start = null;
  };
  for (let i = 0; i < line.length; i += 1) {
    const character = line.charAt(i);
    if (quote !== null) {
      if (character === quote.sign) quote = null;
      else if (character === '\\' && quote.sign === '"') {
        if (i + 1 >= line.length) return fault('nothing follows this backslash', i);
        // Within double quotes only the quote and the backslash itself can be escaped.
        if (!'"\\'.includes(line.charAt(i + 1))) keep(i);
        i += 1;
        keep(i);
      } else keep(i);
      continue;
    }
    if (BLANK.includes(character)) finish();
    else if (character === '#') break;
    else {
      start ??= i;
      if (character === '\\') {
        if (i + 1 >= line.length) return fault('nothing follows this backslash', i);
        i += 1;
        keep(i);
      } else if (character === '"' || character === "'") quote = { sign: character, column: i };
      else keep(i);
    }
  }
  if (quote !== null) return fault(`this ${quote.sign} is never closed`, quote.column);
  finish();
  return words;
}

function fault(what: string, column: number): WordFault {
  const solve = 'Close the quote; write a quote or a backslash that is meant as such with a backslash before it';
  return { what, solve, column };
}
