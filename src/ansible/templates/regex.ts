import { shown } from '../../core/shown.ts';
import { ExpressionError } from './values.ts';

/**
 * A regular expression of Python's as one of JavaScript's. What a catastrophic one takes is bounded by the time limit of
 * the thread that evaluates templates.
 *
 * @param flags of JavaScript's, beside those that the expression sets itself with `(?i)` at its start
 */
export function pythonRegex(source: string, flags: string): RegExp {
  let all = flags;
  let rest = source;
  const inline = /^\(\?([aimsux]+)\)/.exec(source);
  if (inline !== null) {
    rest = source.slice(inline[0].length);
    for (const flag of inline[1]!) {
      if (flag === 'x') throw bad(source, 'verbose expressions are not supported');
      if ('ims'.includes(flag) && !all.includes(flag)) all += flag;
    }
  }
  try {
    return new RegExp(translateRegex(rest, all.includes('m')), all);
  } catch (error) {
    throw bad(source, (error as Error).message.split(': ').at(-1) ?? '');
  }
}

function translateRegex(source: string, multiline: boolean): string {
  let result = '';
  let inClass = false;
  for (let at = 0; at < source.length; at += 1) {
    const rest = source.slice(at, at + 4);
    if (rest.startsWith('\\')) {
      const escaped = rest.slice(0, 2);
      result += escaped === '\\A' ? String.raw`(?<![\s\S])` : escaped === '\\Z' ? String.raw`(?![\s\S])` : escaped;
      at += 1;
    } else if (inClass) {
      inClass = rest[0] !== ']';
      result += rest[0];
    } else if (rest.startsWith('[')) {
      // A bracket that comes first in a class is one of its characters.
      const start = /^\[\^?\]?/.exec(rest)![0];
      inClass = true;
      result += start.replace(']', '\\]');
      at += start.length - 1;
    } else if (rest.startsWith('(?P<')) {
      result += '(?<';
      at += 3;
    } else if (rest.startsWith('(?P=')) {
      const name = /^\(\?P=(\w+)\)/.exec(source.slice(at));
      if (name === null) throw new SyntaxError('invalid group reference');
      result += `\\k<${name[1]}>`;
      at += name[0].length - 1;
    } else if (rest.startsWith('$') && !multiline) {
      // Python's end of a text may stand before a last line feed.
      result += String.raw`(?=\n?(?![\s\S]))`;
    } else result += rest[0];
  }
  return result;
}

function bad(source: string, reason: string): ExpressionError {
  return new ExpressionError(`the regular expression ${shown(source)} cannot be used: ${reason}`, 'Correct it');
}

/** Python's replacement text (`\1`, `\g<name>`) for a match. */
export function expandReplacement(
  template: string,
  match: readonly (string | undefined)[],
  groups: Readonly<Record<string, string | undefined>>,
): string {
  return template.replace(
    /\\(?:g<(\w+)>|(\d{1,2})|([\s\S]))/g,
    (_whole, name?: string, digits?: string, other?: string) => {
      if (other !== undefined) return other === 'n' ? '\n' : other === 't' ? '\t' : other;
      const key = name ?? digits!;
      return (/^\d+$/.test(key) ? match[Number(key)] : groups[key]) ?? '';
    },
  );
}
