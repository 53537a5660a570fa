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
  const paint = (on: number, off: number) => (text: string) => (colours ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

/** No colours at all. */
export const PLAIN_STYLE = createStyle(false);

/**
 * Whether to colour: only on a terminal, and never when `NO_COLOR` is set to anything (https://no-color.org) or the
 * terminal calls itself dumb.
 */
export function wantsColours(isTty: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  if (!isTty || environment['TERM'] === 'dumb') return false;
  return (environment['NO_COLOR'] ?? '') === '';
}
