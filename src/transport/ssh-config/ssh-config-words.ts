/**
 * The small grammar of ssh_config, which `-o` shares: a keyword, white space or one `=`, then words in quotes or without.
 * Source: ssh_config(5), and OpenSSH's code where the page says nothing. Pure.
 */

/** One line, cut into its keyword and the rest. */
export interface ConfigWords {
  /** As written. */
  readonly name: string;
  /** Everything after the keyword and its `=`, without white space around it; comments are still in it. */
  readonly rest: string;
  /** Where keyword and rest begin; columns count from 1. */
  readonly nameColumn: number;
  readonly restColumn: number;
}

/** Cuts a line; `null` for an empty one and for a comment. */
export function readConfigLine(text: string): ConfigWords | null {
  let end = text.length;
  // A regular expression would take quadratic time on a long row of spaces.
  while (end > 0 && ' \t\r\n\f'.includes(text[end - 1]!)) end--;
  const line = text.slice(0, end);
  const start = /^[ \t\r\n]*/.exec(line)![0].length;
  if (start === line.length || line[start] === '#') return null;
  const quoted = /^"([^"]*)"[ \t\r\n]*/.exec(line.slice(start));
  // One "=" counts as white space, with white space around it or without.
  const plain = /^([^ \t\r\n"=]*)(?:[ \t\r\n]*=[ \t\r\n]*|[ \t\r\n]+|(?=")|$)/.exec(line.slice(start));
  const found = quoted ?? plain;
  const name = found?.[1] ?? line.slice(start);
  const restStart = start + (found?.[0].length ?? line.length);
  if (name === '') return null;
  return { name, rest: line.slice(restStart), nameColumn: start + 1, restColumn: restStart + 1 };
}

/**
 * Splits the rest of a line into words. Single and double quotes hold words together; a backslash escapes quotes, itself,
 * and outside quotes a space; `#` where a word would begin ends the line.
 *
 * @returns `null` for a quote that is not closed
 */
export function splitConfigWords(rest: string): readonly string[] | null {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (rest[at] === ' ' || rest[at] === '\t') at++;
    if (at >= rest.length || rest[at] === '#') return words;
    let word = '';
    let quote = '';
    for (; at < rest.length; at++) {
      const character = rest[at]!;
      const next = rest[at + 1] ?? '';
      if (character === '\\' && next !== '' && (`'"\\`.includes(next) || (quote === '' && next === ' '))) {
        word += next;
        at++;
      } else if (quote === '' && (character === ' ' || character === '\t')) {
        break;
      } else if (quote === '' && (character === '"' || character === "'")) {
        quote = character;
      } else if (character === quote) {
        quote = '';
      } else {
        word += character;
      }
    }
    if (quote !== '') return null;
    words.push(word);
  }
}

/** Splits a command line as a POSIX shell does, without expansions; `null` for a quote that is not closed. */
export function splitShellWords(text: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "'") {
      const end = text.indexOf("'", index + 1);
      if (end === -1) return null;
      word = (word ?? '') + text.slice(index + 1, end);
      index = end;
    } else if (character === '"') {
      const end = closingQuote(text, index + 1);
      if (end === -1) return null;
      word = (word ?? '') + text.slice(index + 1, end).replace(/\\(["\\$`])/g, '$1');
      index = end;
    } else if (character === '\\') {
      word = (word ?? '') + (text[++index] ?? '');
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

function closingQuote(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '"') return index;
  }
  return -1;
}
