import type { Environment } from 'minijinja-js';
import { callMethod, keyOf, sliceOf } from './access.ts';
import { type TemplateFault, undefinedError } from './faults.ts';
import { FILTERS } from './filters.ts';
import { callFunction } from './functions.ts';
import { TESTS } from './tests.ts';
import { ExpressionError, isLazy, kindOf, pythonText, toValue, type Value } from './values.ts';

/** The functions that templates in MiniJinja call for names, filters, methods and tests: it has no lazy values and not all filters. */

/** Arguments with names. */
type Named = ReadonlyMap<string, Value | undefined>;

const REFERENCE = '__reference_of_ours';
const REFERENCE_TO_NOTHING = { [REFERENCE]: -1 };

/** One template that is being evaluated. */
export interface Frame {
  readonly host: string;
  readonly stack: Value[];
  /** What was undefined on the way, as the end of a sentence. */
  readonly missing: TemplateFault[];
  /** Arguments on their way to a call. */
  readonly references: Value[];
  error: TemplateFault | null;
  /** What was undefined where text was needed. */
  lost: TemplateFault | null;
  secret: boolean;
}

/** What the callbacks need of the engine. */
interface Engine {
  /** The template that is being evaluated. */
  readonly frame: () => Frame;
  /** Leaves the value of a name on the frame's stack; `false` where it is undefined. */
  readonly leaveName: (frame: Frame, name: string) => boolean;
  readonly environment: Parameters<typeof callFunction>[3];
}

/** Makes a callback of some work, with what it answers when that throws. */
type Add = <T>(name: string, otherwise: T, work: (frame: Frame, ...args: never[]) => T) => void;

/** None of them may throw: an exception that crosses MiniJinja is a panic. Errors are stored, and reported later. */
export function addCallbacks(environment: Environment, engine: Engine): void {
  const guard =
    <T>(work: (frame: Frame, ...args: never[]) => T, otherwise: T) =>
    (...args: unknown[]): T => {
      const frame = engine.frame();
      try {
        return work(frame, ...(args as never[]));
      } catch (error) {
        frame.error ??=
          error instanceof ExpressionError
            ? error
            : new ExpressionError(`it cannot be evaluated (${String(error)})`, 'Simplify it');
        return otherwise;
      }
    };
  const add: Add = (name, otherwise, work) => environment.addGlobal(name, guard(work, otherwise));
  addValues(add, engine);
  addCalls(add, engine);
  for (const [name, test] of TESTS) {
    const run = guard((_frame, value: unknown, ...args: unknown[]) => test(toValue(value), args.map(toValue)), false);
    environment.addTest(name, run);
  }
}

/** Names, and access from one value to the next. */
function addValues(add: Add, engine: Engine): void {
  add('__name', false, (frame, name: string) => engine.leaveName(frame, name));
  add('__take', null as unknown, (frame) => outward(pop(frame)));
  add('__reference', REFERENCE_TO_NOTHING as unknown, (frame, isThere: boolean) =>
    isThere ? { [REFERENCE]: frame.references.push(pop(frame)) - 1 } : REFERENCE_TO_NOTHING,
  );
  add('__put', false, (frame, given: unknown) => {
    // MiniJinja passes `null` and undefined in the same way.
    if (frame.missing.length > 0 && hasUndefined(given)) return false;
    return leave(frame, toValue(given), '');
  });
  add('__key', false, (frame, isThere: boolean, given: unknown) => {
    if (!isThere) return false;
    const of = pop(frame);
    const key = toValue(given);
    const before = frame.missing.length;
    const value = keyOf(of, key);
    if (value === undefined && frame.missing.length > before) return false;
    return leave(frame, value, `${kindOf(of)} has no "${pythonText(key)}"`);
  });
  add('__slice', false, (frame, isThere: boolean, start: unknown, stop: unknown, step: unknown) => {
    if (!isThere) return false;
    return leave(frame, sliceOf(pop(frame), toValue(start), toValue(stop), toValue(step)), '');
  });
  add('__text', '', (frame, isThere: boolean) => {
    if (!isThere) {
      frame.lost ??= frame.missing.at(-1) ?? undefinedError('it is undefined');
      return '';
    }
    const value = pop(frame);
    return value === null ? '' : pythonText(value);
  });
}

/** Methods, filters and functions. */
function addCalls(add: Add, engine: Engine): void {
  add('__method', false, (frame, name: string, isThere: boolean, args: unknown[], named: unknown) => {
    if (!isThere) return false;
    const of = pop(frame);
    const call = (given: (Value | undefined)[]): Value | undefined => callMethod(name, of, given as Value[]);
    return leave(frame, withArguments(frame, args, named, call, false), `an argument of "${name}()" is undefined`);
  });
  add('__filter', false, (frame, name: string, isThere: boolean, args: unknown[], named: unknown) => {
    const value = isThere ? pop(frame) : undefined;
    const filter = FILTERS.get(name)!;
    if (value === undefined && filter.takesUndefined !== true) return false;
    const call = (given: (Value | undefined)[], options: Named): Value | undefined =>
      filter.apply(value, given as Value[], options);
    const before = frame.missing.length;
    const result = withArguments(frame, args, named, call, filter.takesUndefined === true);
    if (result === undefined && (frame.missing.length > before || value === undefined)) return false;
    return leave(frame, result, `the filter "${name}" finds nothing`);
  });
  add('__call', false, (frame, name: string, args: unknown[], named: unknown) => {
    const call = (given: (Value | undefined)[], options: Named): Value | undefined =>
      callFunction(name, given as Value[], options, engine.environment);
    return leave(frame, withArguments(frame, args, named, call, false), `an argument of "${name}()" is undefined`);
  });
}

/** Leaves a value for `__take`, or notes what is undefined. */
function leave(frame: Frame, value: Value | undefined, missing: string): boolean {
  if (value === undefined) frame.missing.push(undefinedError(missing));
  else frame.stack.push(value);
  return value !== undefined;
}

function pop(frame: Frame): Value {
  return frame.stack.pop() ?? null;
}

/** Calls with arguments that have come through MiniJinja; `undefined` when one of them is undefined. */
function withArguments(
  frame: Frame,
  given: readonly unknown[],
  named: unknown,
  call: (args: (Value | undefined)[], named: Named) => Value | undefined,
  takesUndefined: boolean,
): Value | undefined {
  const args = given.map((item) => argument(frame, item));
  const options = new Map(
    [...((named as Map<string, unknown>) ?? [])].map(([key, item]) => [key, argument(frame, item)]),
  );
  if (!takesUndefined && [...args, ...options.values()].includes(undefined)) return undefined;
  return call(args, options);
}

/** What a call is given: a chain's value by reference, or something that MiniJinja made. */
function argument(frame: Frame, given: unknown): Value | undefined {
  const index = given instanceof Map && given.size === 1 ? given.get(REFERENCE) : undefined;
  if (typeof index === 'number') return frame.references[index];
  return toValue(given);
}

/** A value as MiniJinja gets it. Of a lazy mapping only the keys are of use there: for `in`, loops and `length`. */
function outward(value: Value): unknown {
  if (isLazy(value)) return value.keys();
  if (Array.isArray(value)) return (value as readonly Value[]).map(outward);
  // MiniJinja knows only objects as mappings, not a `Map`.
  if (!(value instanceof Map)) return value;
  const entries = [...(value as ReadonlyMap<string, Value>)].map(([key, item]) => [key, outward(item)]);
  return Object.fromEntries(entries);
}

/** Whether something undefined (or nothing: they look alike here) is in a value that MiniJinja made. */
function hasUndefined(given: unknown): boolean {
  if (Array.isArray(given)) return given.some(hasUndefined);
  return given instanceof Map ? [...given.values()].some(hasUndefined) : given === undefined;
}
