const MAX_SHOWN = 60;

/**
 * C0 and C1 controls, line and paragraph separators, zero-width, bidirectional and tag characters, lone surrogates, and
 * U+FFFE and U+FFFF, which no XML file may hold.
 */
const UNSHOWABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/**
 * Makes text from a file or a host safe for a terminal: every control, zero-width or bidirectional character becomes
 * its `\u{…}` escape.
 */
export function safeText(text: string): string {
  return text.replace(UNSHOWABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Whether text holds a character that `safeText` would escape. */
export function hasUnshowable(text: string): boolean {
  return text.search(UNSHOWABLE) !== -1;
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
