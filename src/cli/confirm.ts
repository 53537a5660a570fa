import { createInterface } from 'node:readline';
import type { Interruption } from './interruption.ts';

/** Asks on the terminal; only the whole word `yes` confirms. An interruption or the end of input means no. */
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
    lines.question(question, (answer) => finish(answer.trim() === 'yes'));
  });
}
