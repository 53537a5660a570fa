import { safeText } from '../core/shown.ts';

/** Thrown by the section parsers and caught in `parseFacts`, which turns it into a value. */
export class Unreadable extends Error {
  readonly section: string;

  constructor(section: string, why: string) {
    super(why);
    this.name = 'Unreadable';
    this.section = section;
  }
}

/** A name from the host, safe to store and show: control characters escaped, at most `max` characters. */
export function shortName(text: string, max = 255): string {
  return safeText(text.slice(0, max));
}
