import { regexCharacter } from '../python-regex.ts';

/**
 * A shell glob as an expression for a whole name: `*`, `?`, `[abc]`, `[a-f]`, `[!abc]`; a bracket that is not closed stands
 * for itself. As in Python's `fnmatch`, each `*` but the last takes as little as it can and is never tried again: the effort
 * is bounded by the length of the glob times that of the name.
 */
export function globRegex(glob: string): RegExp {
  const runs = literalRuns([...glob]);
  const first = runs[0]!;
  if (runs.length === 1) return new RegExp(`^${first}$`, 'v');
  const between = runs.slice(1, -1).filter((run) => run !== '');
  // JavaScript has no atomic groups; a look-ahead never gives back what it took.
  const atomic = between.map((run, index) => `(?=(?<g${index}>\\p{Any}*?${run}))\\k<g${index}>`);
  return new RegExp(`^${first}${atomic.join('')}\\p{Any}*${runs.at(-1)!}$`, 'v');
}

/** The text before, between and after the stars. */
function literalRuns(characters: readonly string[]): string[] {
  const runs = [''];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '*') {
      runs.push('');
      continue;
    }
    const negated = characters[at + 1] === '!';
    const from = at + (negated ? 2 : 1);
    // A bracket that closes at once holds the bracket itself, as in the shell.
    const close = character === '[' ? characters.indexOf(']', from + 1) : -1;
    let one = character === '?' ? String.raw`\p{Any}` : regexCharacter(character);
    if (close !== -1) {
      one = `[${negated ? '^' : ''}${members(characters.slice(from, close))}]`;
      at = close;
    }
    runs.push(`${runs.pop()}${one}`);
  }
  return runs;
}

function members(characters: readonly string[]): string {
  let text = '';
  for (let at = 0; at < characters.length; at += 1) {
    const low = characters[at]!;
    const high = characters[at + 1] === '-' ? characters[at + 2] : undefined;
    if (high !== undefined) at += 2;
    // A range that is reversed holds nothing.
    if (low.codePointAt(0)! <= (high ?? low).codePointAt(0)!)
      text += `${regexCharacter(low)}-${regexCharacter(high ?? low)}`;
  }
  return text;
}
