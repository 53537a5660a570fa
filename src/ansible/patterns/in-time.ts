import { type Context, createContext, Script } from 'node:vm';

/** Work was ended, since it took longer than it may or nested too deep. */
export class TookTooLong extends Error {}

const script = new Script('work()');
let context: Context | null = null;

/**
 * Does something within a time limit. When the time is up it is ended wherever it is, also within a regular expression,
 * which nothing else in this thread can interrupt.
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
    // What a regular expression keeps for its way back fills the stack.
    if (timedOut || error instanceof RangeError) throw new TookTooLong();
    throw error;
  }
}
