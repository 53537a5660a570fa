import { createInterface } from 'node:readline';
import type { Interruption } from './interruption.ts';

const AGAIN = 'Type "yes" to continue, or "no" to stop: ';

/**
 * Asks on the terminal; only the whole word `yes` confirms. `no`, `n`, an interruption and the end of input mean no. Any other
 * answer, such as `y`, is asked again: it must neither change hosts nor lose the plan.
 */
export function confirm(
  question: string,
  interruption: Interruption,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stdout,
): Promise<boolean> {
  const { signal } = interruption;
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const lines = createInterface({ input, output });
    const finish = (answer: boolean): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(answer);
      lines.close();
    };
    const onAbort = (): void => finish(false);
    signal.addEventListener('abort', onAbort, { once: true });
    // While a line is read the terminal hands Ctrl-C to readline, not to the process.
    lines.on('SIGINT', () => {
      output.write('\n');
      interruption.interrupt();
    });
    lines.on('close', () => finish(false));
    const ask = (text: string): void =>
      lines.question(text, (typed) => {
        const answer = typed.trim();
        if (answer === 'yes' || /^no?$/i.test(answer)) finish(answer === 'yes');
        else ask(AGAIN);
      });
    ask(question);
  });
}
