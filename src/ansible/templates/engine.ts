import type { Environment } from 'minijinja-js';
import type { Vault } from '../vault/vault.ts';
import { callMethod, keyOf, sliceOf } from './access.ts';
import {
  engineError,
  Stop,
  type TemplateFailure,
  type TemplateFault,
  undefinedError,
  undefinedName,
} from './faults.ts';
import { FILTERS } from './filters.ts';
import { callFunction } from './functions.ts';
import { type Translated, translate } from './syntax.ts';
import { TESTS } from './tests.ts';
import { isTemplate } from './tokens.ts';
import {
  ExpressionError,
  isLazy,
  kindOf,
  type Lazy,
  OMIT,
  pythonText,
  readLiteral,
  settled,
  toValue,
  type Value,
} from './values.ts';
import { type Outcome, type Raw, type RawVariable, type Tagged, type TemplateWorld, VOCABULARY } from './world.ts';

/** The most steps that one template may take: what MiniJinja calls fuel. */
const FUEL = 500_000;
const MAX_DEPTH = 40;
/** A whole expression that ends with one of the filters after which Ansible leaves text as it is. */
const STAYS_TEXT = /^__filter\("(?:string|to_json|to_nice_json)"/;

/** Arguments with names. */
type Named = ReadonlyMap<string, Value | undefined>;

const REFERENCE = '__reference_of_ours';
const REFERENCE_TO_NOTHING = { [REFERENCE]: -1 };

/** One template that is being evaluated. */
interface Frame {
  readonly host: string;
  readonly stack: Value[];
  /** What was undefined on the way, as the end of a sentence. */
  readonly missing: TemplateFault[];
  /** Arguments on their way to a call. */
  readonly references: Value[];
  error: TemplateFault | null;
  /** What was undefined where text was wanted of it. */
  lost: TemplateFault | null;
  secret: boolean;
}

/**
 * Evaluates variables as Ansible does: on demand, each once for every host, with all that they refer to.
 *
 * Not for untrusted templates in the main thread: what time they take is bounded by the thread's owner.
 */
export class TemplateEngine {
  private readonly outcomes = new Map<string, Map<string, Outcome>>();
  private readonly active: string[] = [];
  private readonly frames: Frame[] = [];
  private readonly environments: Environment[] = [];
  private readonly translations = new Map<string, Translated | ExpressionError>();
  private readonly undefinedNames = new Map<string, ExpressionError>();
  private readonly plain = new WeakMap<RawVariable, Value>();
  private readonly world: TemplateWorld;
  private readonly vault: Vault;
  private readonly makeEnvironment: () => Environment;

  constructor(world: TemplateWorld, vault: Vault, makeEnvironment: () => Environment) {
    this.world = world;
    this.vault = vault;
    this.makeEnvironment = makeEnvironment;
  }

  /** One variable of one host. */
  variable(host: string, name: string): Outcome {
    let known = this.outcomes.get(host);
    if (known === undefined) {
      known = new Map();
      this.outcomes.set(host, known);
    }
    let outcome = known.get(name);
    if (outcome === undefined) {
      outcome = this.evaluateVariable(host, name);
      known.set(name, outcome);
    }
    return outcome;
  }

  private evaluateVariable(host: string, name: string): Outcome {
    const raw = this.world.hosts.get(host)?.get(name);
    const failure = (error: ExpressionError): TemplateFailure => ({
      code: error.code,
      what: error.what,
      solve: error.solve,
      host,
      variable: name,
      expression: null,
      path: [],
      secret: raw?.secret ?? false,
    });
    if (raw === undefined) return { kind: 'undefined', failure: failure(this.undefinedName(host, name)) };
    const shared = this.plain.get(raw);
    if (shared !== undefined) return { kind: 'value', value: shared, secret: raw.secret };
    const id = `${host}\n${name}`;
    if (this.active.includes(id)) {
      const cycle = [...this.active.slice(this.active.indexOf(id)), id].map((step) => step.split('\n')[1]);
      const error = new ExpressionError(
        `refers to itself: ${cycle.join(' → ')}`,
        'Break the cycle: one of them must be a value',
        'template-cycle',
      );
      return { kind: 'failed', failure: failure(error) };
    }
    if (this.active.length >= MAX_DEPTH) {
      const error = new ExpressionError(
        `leads through more than ${MAX_DEPTH} templates`,
        'Simplify them',
        'template-too-deep',
      );
      return { kind: 'failed', failure: failure(error) };
    }
    this.active.push(id);
    try {
      const state = { evaluated: false, secret: raw.secret };
      const value = this.evaluate(raw.value, { host, variable: name, path: [] }, state);
      if (!state.evaluated) this.plain.set(raw, value);
      return { kind: 'value', value, secret: state.secret };
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      return { kind: error.isUndefined ? 'undefined' : 'failed', failure: error.failure };
    } finally {
      this.active.pop();
    }
  }

  private evaluate(raw: Raw, place: Place, state: { evaluated: boolean; secret: boolean }): Value {
    if (typeof raw === 'string') {
      if (!isTemplate(raw)) return raw;
      state.evaluated = true;
      return this.evaluateText(raw, place, state);
    }
    if (isRawList(raw))
      return raw.map((item, index) => this.evaluate(item, { ...place, path: [...place.path, index] }, state));
    if (raw instanceof Map) {
      const entries = [...(raw as ReadonlyMap<string, Raw>)];
      return new Map(
        entries.map(([key, item]) => [key, this.evaluate(item, { ...place, path: [...place.path, key] }, state)]),
      );
    }
    if (isTagged(raw)) {
      if (raw.tag === 'unsafe') return raw.text;
      state.evaluated = true;
      state.secret = true;
      const opened = this.vault.open(raw.ciphertext);
      if (opened.kind === 'opened') return opened.text;
      const what = `is encrypted with ansible-vault, ${opened.what}`;
      throw new Stop(
        { ...place, code: opened.code, what, solve: opened.solve, expression: null, secret: false },
        false,
      );
    }
    return raw as Value;
  }

  private evaluateText(source: string, place: Place, state: { secret: boolean }): Value {
    const fail = (error: ExpressionError | TemplateFailure, isUndefined: boolean): Stop => {
      if (!(error instanceof ExpressionError)) return new Stop(error, isUndefined);
      const { code, what, solve } = error;
      return new Stop({ ...place, code, what, solve, expression: source, secret: state.secret }, isUndefined);
    };
    let translated = this.translations.get(source);
    if (translated === undefined) {
      translated = attempt(() => translate(source, VOCABULARY));
      this.translations.set(source, translated);
    }
    if (translated instanceof ExpressionError) throw fail(translated, false);
    const frame: Frame = {
      host: place.host,
      stack: [],
      missing: [],
      references: [],
      error: null,
      lost: null,
      secret: state.secret,
    };
    this.frames.push(frame);
    let text: string | null = null;
    let isThere = true;
    let thrown: ExpressionError | null = null;
    try {
      const environment = this.environment(this.frames.length - 1);
      if (translated.kind === 'expression') isThere = environment.evalExpr(translated.code, {}) === true;
      else text = environment.renderStr(translated.code, {});
    } catch (error) {
      thrown = engineError(error);
      // The engine itself is spoilt, which is for the thread's owner to deal with.
      if (thrown === null) throw error;
    } finally {
      this.frames.pop();
    }
    state.secret ||= frame.secret;
    if (frame.error !== null) throw fail(frame.error, false);
    if (frame.lost !== null) throw fail(frame.lost, true);
    const missing = frame.missing.at(-1);
    if (thrown !== null) {
      const isUndefined =
        thrown.code === 'template-undefined' || (missing !== undefined && /undefined/.test(thrown.message));
      throw fail(isUndefined && missing !== undefined ? missing : thrown, isUndefined);
    }
    if (!isThere) throw fail(missing ?? undefinedError(''), true);
    const value = text ?? frame.stack.pop() ?? null;
    if (typeof value !== 'string') return settled(value);
    const whole = value + (value.endsWith('\n') ? '' : translated.suffix);
    return STAYS_TEXT.test(translated.code) ? whole : (readLiteral(whole) ?? whole);
  }

  private environment(depth: number): Environment {
    const known = this.environments[depth];
    if (known !== undefined) return known;
    const environment = this.makeEnvironment();
    environment.undefinedBehavior = 'strict';
    environment.trimBlocks = true;
    environment.keepTrailingNewline = true;
    environment.fuel = FUEL;
    this.addCallbacks(environment);
    this.environments[depth] = environment;
    return environment;
  }

  /** None of them may throw: an exception that crosses MiniJinja is a panic. What goes wrong is written down, and told later. */
  private addCallbacks(environment: Environment): void {
    const guard =
      <T>(work: (frame: Frame, ...args: never[]) => T, otherwise: T) =>
      (...args: unknown[]): T => {
        const frame = this.frames.at(-1)!;
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
    /** Leaves a value for `__take`, or notes what is undefined. */
    const leave = (frame: Frame, value: Value | undefined, missing: string): boolean => {
      if (value === undefined) frame.missing.push(undefinedError(missing));
      else frame.stack.push(value);
      return value !== undefined;
    };
    const pop = (frame: Frame): Value => frame.stack.pop() ?? null;
    /** Calls with arguments that have come through MiniJinja; `undefined` when one of them is undefined. */
    const withArguments = (
      frame: Frame,
      given: readonly unknown[],
      named: unknown,
      call: (args: (Value | undefined)[], named: Named) => Value | undefined,
      takesUndefined: boolean,
    ): Value | undefined => {
      const args = given.map((item) => argument(frame, item));
      const options = new Map(
        [...((named as Map<string, unknown>) ?? [])].map(([key, item]) => [key, argument(frame, item)]),
      );
      if (!takesUndefined && [...args, ...options.values()].includes(undefined)) return undefined;
      return call(args, options);
    };
    const add = <T>(name: string, otherwise: T, work: (frame: Frame, ...args: never[]) => T): void =>
      environment.addGlobal(name, guard(work, otherwise));

    add('__name', false, (frame, name: string) => this.leaveName(frame, name));
    add('__take', null as unknown, (frame) => outward(pop(frame)));
    add('__reference', REFERENCE_TO_NOTHING as unknown, (frame, isThere: boolean) =>
      isThere ? { [REFERENCE]: frame.references.push(pop(frame)) - 1 } : REFERENCE_TO_NOTHING,
    );
    add('__put', false, (frame, given: unknown) => {
      // MiniJinja hands on nothing and what is undefined alike.
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
    add('__method', false, (frame, name: string, isThere: boolean, args: unknown[], named: unknown) => {
      if (!isThere) return false;
      const of = pop(frame);
      const call = (given: (Value | undefined)[]): Value | undefined => callMethod(name, of, given as Value[]);
      return leave(frame, withArguments(frame, args, named, call, false), `what "${name}()" is given is undefined`);
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
        callFunction(name, given as Value[], options, this.world.environment);
      return leave(frame, withArguments(frame, args, named, call, false), `what "${name}()" is given is undefined`);
    });
    add('__text', '', (frame, isThere: boolean) => {
      if (!isThere) {
        frame.lost ??= frame.missing.at(-1) ?? undefinedError('it is undefined');
        return '';
      }
      const value = pop(frame);
      return value === null ? '' : pythonText(value);
    });
    for (const [name, test] of TESTS) {
      const run = guard((_frame, value: unknown, ...args: unknown[]) => test(toValue(value), args.map(toValue)), false);
      environment.addTest(name, run);
    }
  }

  private leaveName(frame: Frame, name: string): boolean {
    const { host } = frame;
    if (name === 'omit') frame.stack.push(OMIT);
    else if (name === 'groups') frame.stack.push(this.world.groups);
    else if (name === 'hostvars') frame.stack.push(this.hostvars(frame));
    else if (name === 'vars') frame.stack.push(this.variablesOf(frame, host));
    else return this.leaveVariable(frame, host, name);
    return true;
  }

  private leaveVariable(frame: Frame, host: string, name: string): boolean {
    const value = this.read(frame, host, name);
    if (value === undefined) return false;
    frame.stack.push(value);
    return true;
  }

  /** A variable on behalf of a template; what is wrong with it goes into the frame. */
  private read(frame: Frame, host: string, name: string): Value | undefined {
    const outcome = this.variable(host, name);
    if (outcome.kind === 'value') {
      frame.secret ||= outcome.secret;
      return outcome.value;
    }
    const { failure } = outcome;
    if (outcome.kind === 'failed') frame.error ??= failure;
    else
      frame.missing.push(
        failure.expression === null ? new ExpressionError(failure.what, failure.solve, failure.code) : failure,
      );
    return undefined;
  }

  /** Said in the same words for every host: to look for the name that was meant takes its time. */
  private undefinedName(host: string, name: string): ExpressionError {
    const known = this.undefinedNames.get(name) ?? undefinedName(name, this.world.hosts.get(host)?.keys() ?? []);
    this.undefinedNames.set(name, known);
    return known;
  }

  private hostvars(frame: Frame): Lazy {
    return {
      lazy: true,
      keys: () => [...this.world.hosts.keys()],
      get: (host) => (this.world.hosts.has(host) ? this.variablesOf(frame, host) : undefined),
    };
  }

  private variablesOf(frame: Frame, host: string): Lazy {
    return {
      lazy: true,
      keys: () => [...(this.world.hosts.get(host)?.keys() ?? [])],
      get: (name) => this.read(frame, host, name),
    };
  }
}

/** The place of a value within a host's variables. */
interface Place {
  readonly host: string;
  readonly variable: string;
  readonly path: readonly (string | number)[];
}

function attempt<T>(work: () => T): T | ExpressionError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
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
  // Of JavaScript's mappings MiniJinja knows objects alone.
  if (!(value instanceof Map)) return value;
  const entries = [...(value as ReadonlyMap<string, Value>)].map(([key, item]) => [key, outward(item)]);
  return Object.fromEntries(entries);
}

/** Whether something undefined (or nothing: they look alike here) is in a value that MiniJinja made. */
function hasUndefined(given: unknown): boolean {
  if (Array.isArray(given)) return given.some(hasUndefined);
  return given instanceof Map ? [...given.values()].some(hasUndefined) : given === undefined;
}

function isRawList(raw: Raw): raw is readonly Raw[] {
  return Array.isArray(raw);
}

function isTagged(raw: Raw): raw is Tagged {
  return typeof raw === 'object' && raw !== null && 'tag' in raw;
}
