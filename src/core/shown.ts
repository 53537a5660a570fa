import { UNSAFE_CHARACTERS } from './unsafe-characters.ts';

const MAX_SHOWN = 60;

/**
 * Makes text from a file or a host safe for a terminal: every control, zero-width or bidirectional character becomes
 * its `\u{…}` escape.
 */
export function safeText(text: string): string {
  return text.replace(UNSAFE_CHARACTERS, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Whether text holds a character that `safeText` would escape. */
export function hasUnshowable(text: string): boolean {
  return text.search(UNSAFE_CHARACTERS) !== -1;
}

/** A value as an error message shows it: strings in double quotes, escaped and cut to 60 characters, collections by kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const characters = [...value];
    const cut = characters.length > MAX_SHOWN ? `${characters.slice(0, MAX_SHOWN).join('')}…` : value;
    return `"${safeText(cut)}"`;
  }
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return String(value);
}
