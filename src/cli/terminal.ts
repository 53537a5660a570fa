import { createStyle, type Style, wantsColours } from '../report/terminal/style.ts';

/** The terminal, or what stands in for one. */
export interface Terminal {
  /** The style for standard output. */
  readonly style: Style;
  /** The style for standard error. */
  readonly errorStyle: Style;
  /** Whether standard output is a terminal. */
  readonly isTty: boolean;
  /** Whether a question can be asked and answered. */
  readonly interactive: boolean;
  /** Columns of standard output; `null` when it is no terminal. */
  readonly width: number | null;
  /** Columns of standard error; `null` when it is no terminal. */
  readonly errorWidth: number | null;
  out(text: string): void;
  error(text: string): void;
}

/** The process's own terminal. @param colour `false` for `--no-color` */
export function openTerminal(colour: boolean): Terminal {
  const { stdout, stderr, stdin, env } = process;
  const isTty = stdout.isTTY === true;
  return {
    style: createStyle(colour && wantsColours(isTty, env)),
    errorStyle: createStyle(colour && wantsColours(stderr.isTTY === true, env)),
    isTty,
    interactive: isTty && stdin.isTTY === true,
    width: isTty ? stdout.columns : null,
    errorWidth: stderr.isTTY === true ? stderr.columns : null,
    out: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
  };
}

/**
 * Wraps a text to a terminal. Where there is none, as for programs and in CI, nothing is loaded for it.
 *
 * @param width columns; `null` for no terminal
 */
export async function toWidth(text: string, width: number | null): Promise<string> {
  if (width === null) return text;
  const { wrapped } = await import('../report/terminal/wrap.ts');
  return wrapped(text, width);
}
