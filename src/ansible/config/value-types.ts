import { shown } from '../../core/shown.ts';
import { expandPath, type PathWords } from './expand-path.ts';
import { trim } from './read-ini.ts';

/** What a value may refer to. */
export interface ValueSurroundings extends PathWords {
  /** What relative paths are relative to: the folder of `ansible.cfg`, or the current one for a variable of the environment. */
  readonly base: string;
  readonly currentFolder: string;
  /** Whether the text comes from the environment. */
  readonly isVariable: boolean;
}

/** A value, `null` when it is set to nothing, or what is wrong with it: words that follow the name of the setting. */
export type ReadValue<T> = { readonly value: T | null } | { readonly fault: string; readonly solve: string };

/** Reads the text of a setting as Ansible's `ensure_type` does. */
export type ReadType<T> = (text: string, surroundings: ValueSurroundings) => ReadValue<T>;

const YES = new Set(['y', 'yes', 'on', '1', 'true', 't']);

/** A boolean; every word that is none of Ansible's is false. */
export const flag: ReadType<boolean> = (text) => ({ value: YES.has(trim(text.toLowerCase())) });

/** A whole number, as Python's `int` reads one, within bounds. */
export function wholeNumber(least: number, most: number): ReadType<number> {
  return (text, { isVariable }) => {
    // To Ansible a variable without text is one that is not set.
    if (text === '' && isVariable) return { value: null };
    const digits = trim(text);
    const value = /^[+-]?\d+(?:_\d+)*$/.test(digits) ? Number(digits.replaceAll('_', '')) : Number.NaN;
    if (Number.isNaN(value)) return { fault: `is ${shown(text)}, not a whole number`, solve: 'Write a whole number' };
    if (value < least) return { fault: `is ${value}, which is too small`, solve: `Write ${least} or more` };
    if (value > most) return { fault: `is ${value}, which is too great`, solve: `Write ${most} or less` };
    return { value };
  };
}

/** A text, without the quotes around it. */
export const words: ReadType<string> = (text) => ({ value: unquote(text) || null });

/** One of a few words. */
export function oneOf<T extends string>(...choices: readonly T[]): ReadType<T> {
  return (text) => {
    const value = choices.find((choice) => choice === unquote(text));
    if (value !== undefined) return { value };
    return { fault: `is ${shown(text)}`, solve: `Write ${choices.join(' or ')}` };
  };
}

/** Texts between commas, each without the quotes around it. */
export const list: ReadType<readonly string[]> = (text) => {
  if (trim(text) === '') return { value: null };
  return { value: text.split(',').map((item) => unquote(trim(item))) };
};

/** A path. Ansible leaves quotes in it. */
export const path: ReadType<string> = (text, surroundings) => ({
  value: text === '' ? null : resolvePath(text, surroundings),
});

/** Paths between commas. Ansible makes the base folder of an empty one; here it is left out. */
export const pathList: ReadType<readonly string[]> = (text, surroundings) => {
  const paths = text
    .split(',')
    .map(trim)
    .filter((item) => item !== '');
  return { value: paths.length === 0 ? null : paths.map((item) => resolvePath(item, surroundings)) };
};

function resolvePath(text: string, surroundings: ValueSurroundings): string {
  return expandPath(text.replaceAll('{{CWD}}', surroundings.currentFolder), surroundings.base, surroundings);
}

/** Without the quotes around it, unless the last one is escaped. */
function unquote(text: string): string {
  const [first] = text;
  const isQuoted = text.length > 1 && (first === '"' || first === "'") && text.at(-1) === first && text.at(-2) !== '\\';
  return isQuoted ? text.slice(1, -1) : text;
}
