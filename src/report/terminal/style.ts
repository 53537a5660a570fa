import { styleText } from 'node:util';
import type { Tone } from '../outcome-view.ts';

/** Colours for a terminal; each function returns its text unchanged when colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** The style for a terminal with colours, or for everything else. */
export function createStyle(colours: boolean): Style {
  // `wantsColours` has decided. Asked to look at the stream itself, Node would decide again, and by version differently.
  const paint = (format: keyof Style) => (text: string) =>
    colours ? styleText(format, text, { validateStream: false }) : text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

/** No colours at all. */
export const PLAIN_STYLE = createStyle(false);

/** How loud an outcome is: bad ones are red, what changed or waits yellow, good ones green. */
export function paintOf(tone: Tone, style: Style): (text: string) => string {
  return { good: style.green, notable: style.yellow, bad: style.red }[tone];
}

/**
 * Whether to colour: only on a terminal, and never when `NO_COLOR` is set to anything (https://no-color.org) or the
 * terminal calls itself dumb.
 */
export function wantsColours(isTty: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  if (!isTty || environment['TERM'] === 'dumb') return false;
  return (environment['NO_COLOR'] ?? '') === '';
}
