import { UNSAFE_CHARACTERS } from './unsafe-characters.ts';

/**
 * Text that hosts and files control, made fit for a terminal.
 *
 * An untrusted string may carry escape sequences that move the cursor, retitle the window or answer back as if typed,
 * and bidirectional marks that make one line read as another. Everything of that kind goes before anything is shown.
 */

// The order matters: whole sequences first, or their harmless-looking tails ("[31m") would stay behind.
const STRING_SEQUENCE =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?/g;
const CONTROL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?/g;
const ESCAPE_SEQUENCE = /\u001b[ -/]*[0-~]?/g;
const LONE_SURROGATES = /\p{Cs}/gu;

/**
 * Makes untrusted text safe to print over several lines.
 *
 * Line feeds stay (CRLF and lone CR become one), tabs become a space; escape sequences, C0 and C1 control characters,
 * bidirectional and invisible characters go; lone surrogates become U+FFFD.
 */
export function terminalText(untrusted: string): string {
  return untrusted
    .replace(/\r\n?/g, '\n')
    .replace(STRING_SEQUENCE, '')
    .replace(CONTROL_SEQUENCE, '')
    .replace(ESCAPE_SEQUENCE, '')
    .replace(/\t/g, ' ')
    .replace(LONE_SURROGATES, '\ufffd')
    .replace(UNSAFE_CHARACTERS, (character) => (character === '\n' ? character : ''));
}

const MOST_READ = 64 * 1024;

/**
 * Makes untrusted text safe to print on one line: as {@link terminalText}, with every run of white space folded to one
 * space, and cut to `maxLength` characters (an ellipsis shows the cut).
 */
export function terminalLine(untrusted: string, maxLength = 200): string {
  // Cut before cleaning, so that a huge line costs no time.
  const read = untrusted.slice(0, Math.max(MOST_READ, maxLength * 4));
  const line = terminalText(read).replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= maxLength ? line : `${characters.slice(0, maxLength - 1).join('')}…`;
}
