import { type Context, createContext, Script } from 'node:vm';

/** The work was ended, because it took too long or nested too deep. */
export class TookTooLong extends Error {}

const script = new Script('work()');
let context: Context | null = null;

/**
 * Runs a function with a time limit. After that it is ended, also within a regular expression, which nothing else in
 * this thread can interrupt.
 *
 * @throws TookTooLong when it was ended
 */
export function inTime<Result>(work: () => Result, limitMs: number): Result {
  // A context costs two milliseconds, so there is one for all.
  context ??= createContext({});
  try {
    return script.runInContext(Object.assign(context, { work }), { timeout: limitMs }) as Result;
  } catch (error) {
    const timedOut = (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    // Backtracking of a regular expression fills the stack.
    if (timedOut || error instanceof RangeError) throw new TookTooLong();
    throw error;
  }
}
