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
  // `wantsColours` decides. Node's own check of the stream and the environment differs between versions, so it is off.
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

/** The colour of an outcome: red for bad, yellow for notable, green for good. */
export function paintOf(tone: Tone, style: Style): (text: string) => string {
  return { good: style.green, notable: style.yellow, bad: style.red }[tone];
}

/**
 * Whether to use colours: only on a terminal, and not when `NO_COLOR` is set (https://no-color.org) or `TERM` is `dumb`.
 */
export function wantsColours(isTty: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  if (!isTty || environment['TERM'] === 'dumb') return false;
  return (environment['NO_COLOR'] ?? '') === '';
}
