import type { Environment } from 'minijinja-js';
import type { Vault } from '../vault/vault.ts';
import { addCallbacks, type Frame } from './callbacks.ts';
import { engineError, Stop, type TemplateFailure, undefinedError, undefinedName } from './faults.ts';
import { type Translated, translate } from './syntax.ts';
import { isTemplate } from './tokens.ts';
import { ExpressionError, type Lazy, OMIT, readLiteral, settled, type Value } from './values.ts';
import { type Outcome, type Raw, type RawVariable, type Tagged, type TemplateWorld, VOCABULARY } from './world.ts';

/** The most steps that one template may take: what MiniJinja calls fuel. */
const FUEL = 500_000;
const MAX_DEPTH = 40;
/** A whole expression that ends with one of the filters after which Ansible leaves text as it is. */
const STAYS_TEXT = /^__filter\("(?:string|to_json|to_nice_json)"/;

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
      // The engine itself is broken; the owner of the thread must handle this.
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
    addCallbacks(environment, {
      frame: () => this.frames.at(-1)!,
      leaveName: (frame, name) => this.leaveName(frame, name),
      environment: this.world.environment,
    });
    this.environments[depth] = environment;
    return environment;
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

function isRawList(raw: Raw): raw is readonly Raw[] {
  return Array.isArray(raw);
}

function isTagged(raw: Raw): raw is Tagged {
  return typeof raw === 'object' && raw !== null && 'tag' in raw;
}
