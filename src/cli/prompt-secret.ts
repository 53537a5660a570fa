import { Secret } from '../core/secret.ts';

/** What {@link promptSecret} reads from: `process.stdin`, or anything like it. */
export interface SecretInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer | string) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  removeListener(event: 'data', listener: (chunk: Buffer | string) => void): unknown;
  removeListener(event: 'end', listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** What a prompt yields: `cancelled` after Ctrl-C or an end of file, `no-terminal` when nobody can be asked. */
export type PromptOutcome =
  | { readonly kind: 'entered'; readonly secret: Secret }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'no-terminal' };

/**
 * Asks for a secret on the terminal without showing it, unless it is to be shown.
 *
 * Backspace removes a character, Ctrl-U all of them; Ctrl-C and Ctrl-D on an empty line cancel. The terminal is set back
 * whatever happens. The prompt goes to standard error by default, so that standard output stays clean.
 */
export function promptSecret(
  prompt: string,
  input: SecretInput = process.stdin,
  output: { write(text: string): unknown } = process.stderr,
  shown = false,
): Promise<PromptOutcome> {
  if (input.isTTY !== true || input.setRawMode === undefined) return Promise.resolve({ kind: 'no-terminal' });
  return new Promise((resolve) => {
    let typed: string[] = [];
    const decoder = new TextDecoder();
    const finish = (outcome: PromptOutcome): void => {
      input.removeListener('data', onData);
      input.removeListener('end', onEnd);
      input.setRawMode?.(false);
      input.pause();
      output.write('\n');
      resolve(outcome);
    };
    const onEnd = (): void => finish({ kind: 'cancelled' });
    const onData = (chunk: Buffer | string): void => {
      const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      for (const character of text) {
        switch (character) {
          case '\r':
          case '\n':
            finish({ kind: 'entered', secret: new Secret(typed.join('')) });
            return;
          case '\u0003':
            finish({ kind: 'cancelled' });
            return;
          case '\u0004':
            if (typed.length === 0) {
              finish({ kind: 'cancelled' });
              return;
            }
            break;
          case '\u007f':
          case '\b':
            if (typed.pop() !== undefined && shown) output.write('\b \b');
            break;
          case '\u0015':
            if (shown) output.write('\b \b'.repeat(typed.length));
            typed = [];
            break;
          default:
            if (character < ' ') break;
            typed.push(character);
            if (shown) output.write(character);
        }
      }
    };
    output.write(prompt);
    input.setRawMode?.(true);
    input.on('data', onData);
    input.on('end', onEnd);
    input.resume();
  });
}
