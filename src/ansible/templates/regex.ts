import { shown } from '../../core/shown.ts';
import { translatePythonRegex } from '../python-regex.ts';
import { ExpressionError } from './values.ts';

/**
 * A regular expression of Python's as one of JavaScript's. What a catastrophic one takes is bounded by the time limit of
 * the thread that evaluates templates.
 *
 * @param flags Python's `i` and `m`, JavaScript's `g` and `y`
 */
export function pythonRegex(source: string, flags: string): RegExp {
  const translated = translatePythonRegex(source, { ignoreCase: flags.includes('i'), multiline: flags.includes('m') });
  if (typeof translated === 'string')
    throw new ExpressionError(`the regular expression ${shown(source)} ${translated}`, 'Correct it');
  return new RegExp(translated.source, `v${flags.replaceAll(/[im]/g, '')}`);
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
