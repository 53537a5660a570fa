import { UNSAFE_CHARACTERS } from '../../core/unsafe-characters.ts';

/** One value as one line of JSON, in which every control character is an escape. */
export function jsonLine(value: unknown): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(UNSAFE_CHARACTERS, (character) => character.split('').map(escaped).join(''));
}
