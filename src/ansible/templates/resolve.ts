import { formatNetwork, normaliseAddress, parseNetwork } from '../../core/addresses.ts';
import { concealValue } from '../../core/concealed.ts';
import { Problem, type SourceLocation } from '../../core/problem.ts';
import { safeText, shown } from '../../core/shown.ts';
import type { YamlPath } from '../../documents/yaml-document.ts';
import { UnsafeText, VaultValue, YamlFloat, YamlTimestamp } from '../../documents/yaml-scalars.ts';
import type { Variable } from '../graph/variables.ts';
import type { Inventory, InventoryHost } from '../inventory.ts';
import type { Vault } from '../vault/vault.ts';
import { EmptyResults } from './empty-results.ts';
import type { TemplateFailure } from './faults.ts';
import { isTemplate } from './tokens.ts';
import { entriesOf, isMap, OMIT, type Value } from './values.ts';
import type { Outcome, Raw, RawVariable, TemplateWorld } from './world.ts';

/** The variables that are evaluated. */
export interface UsedVariables {
  readonly used: readonly string[];
  /** Those whose values are names, and so no secrets, even where they come out of a vault. */
  readonly vocabulary: ReadonlySet<string>;
}

/** What evaluating needs from outside. */
export interface ResolveOptions {
  readonly variables: UsedVariables;
  readonly vault: Vault;
  /** What `lookup('env', …)` sees. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a value as written holds. */
interface Contents {
  readonly template: boolean;
  readonly vault: boolean;
}

/**
 * Decrypts and evaluates the variables that portfw uses, of every host, as Ansible would: on demand, with all that they
 * refer to, each host in its own context. All other variables stay as they are written.
 *
 * A value that cannot be evaluated is not an error by itself: its variable carries the problem, for code that needs the value.
 * A thread is started only when there is a template; values without one stay the very objects that hosts share.
 */
export async function resolveInventory(inventory: Inventory, options: ResolveOptions): Promise<Inventory> {
  const resolver = new Resolver(inventory, options);
  return resolver.resolve();
}

/** Does what `resolveInventory` says, for one inventory. */
export class Resolver {
  private readonly contents = new WeakMap<Variable, Contents>();
  private readonly raws = new WeakMap<Variable, RawVariable>();
  private readonly rawObjects = new WeakMap<object, Raw>();
  /** Values of vaults without templates: the same for every host that shares the variable. */
  private readonly decrypted = new WeakMap<Variable, Variable>();
  private readonly inventory: Inventory;
  private readonly options: ResolveOptions;

  constructor(inventory: Inventory, options: ResolveOptions) {
    this.inventory = inventory;
    this.options = options;
  }

  async resolve(): Promise<Inventory> {
    const replaced = new Map<string, Map<string, Variable>>();
    const wanted: [string, string][] = [];
    const encrypted: { readonly own: Map<string, Variable>; readonly name: string; readonly variable: Variable }[] = [];
    for (const host of this.inventory.hosts.values()) {
      const own = new Map<string, Variable>();
      for (const name of this.options.variables.used) {
        const variable = host.variables.get(name);
        if (variable === undefined) continue;
        if (this.look(variable).template) wanted.push([host.name, name]);
        else if (this.look(variable).vault || this.isSecretFile(variable)) encrypted.push({ own, name, variable });
      }
      if (encrypted.at(-1)?.own === own) replaced.set(host.name, own);
    }
    await this.options.vault.prepare(encrypted.flatMap(({ variable }) => ciphertextsOf(variable.exact)));
    for (const { own, name, variable } of encrypted) own.set(name, this.decrypt(name, variable));
    if (wanted.length > 0) await this.evaluate(wanted, replaced);
    if (replaced.size === 0) return this.inventory;
    const hosts = new Map(
      [...this.inventory.hosts].map(([name, host]) => [name, withVariables(host, replaced.get(name))]),
    );
    return { ...this.inventory, hosts };
  }

  /** Runs the thread, and puts what it found in place of the variables as written. */
  private async evaluate(
    wanted: readonly [string, string][],
    replaced: Map<string, Map<string, Variable>>,
  ): Promise<void> {
    const { evaluateInThread, TEMPLATE_TIME_LIMIT_MS, TEMPLATES_TIME_LIMIT_MS } = await import('./thread.ts');
    const result = await evaluateInThread(this.world(), this.options.vault, wanted);
    const outcomes = result.kind === 'done' ? result.outcomes : null;
    const messages = new FailureMessages(this.inventory);
    const put = (index: number, make: (variable: Variable, name: string) => Variable): void => {
      const [host, name] = wanted[index]!;
      const own = replaced.get(host) ?? new Map<string, Variable>();
      replaced.set(host, own);
      own.set(name, make(this.inventory.hosts.get(host)!.variables.get(name)!, name));
    };
    if (outcomes === null && result.kind === 'stopped') {
      const [host, name] = wanted[result.index]!;
      const [what, solve] = {
        time: [`takes longer than ${TEMPLATE_TIME_LIMIT_MS / 1000} seconds`, 'Simplify the expression'],
        memory: ['takes too much memory', 'Simplify the expression'],
        all: [
          `was not evaluated: all templates together take longer than ${TEMPLATES_TIME_LIMIT_MS / 1000} seconds`,
          'Simplify those that many hosts share',
        ],
      }[result.because] as [string, string];
      const expression = { path: [], expression: null, secret: true, code: `template-${result.because}` };
      messages.add({ ...expression, host, variable: name, what, solve }, host, name);
    }
    // A stopped thread has reported nothing about the other variables: whether they are right is unknown, and the run
    // ends anyway.
    outcomes?.forEach((outcome, index) => {
      if (outcome.kind !== 'value') messages.add(outcome.failure, wanted[index]![0], wanted[index]![1]);
    });
    const empties = new EmptyResults();
    wanted.forEach(([host, name], index) => {
      const outcome = outcomes?.[index];
      put(index, (variable) => {
        const made = evaluated(variable, name, outcome, messages.of(host, name), this.options.variables);
        if (made.evaluation === undefined || made.evaluation.secret || isPassword(name)) return made;
        const empty = empties.of(host, variable, made.plain, this.inventory.hosts.get(host)!.variables);
        return empty.length === 0 ? made : { ...made, evaluation: { ...made.evaluation, empty } };
      });
    });
  }

  /** Everything that templates may refer to, in a form that can be sent to the thread that evaluates them. */
  world(): TemplateWorld {
    const { hosts, groups } = this.inventory;
    const environment = Object.entries(this.options.environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    return {
      hosts: new Map(
        [...hosts].map(([name, host]) => [
          name,
          new Map([...host.variables].map(([key, variable]) => [key, this.raw(variable)])),
        ]),
      ),
      groups: new Map([...groups].map(([name, group]) => [name, group.allHosts])),
      environment: new Map(environment),
    };
  }

  private raw(variable: Variable): RawVariable {
    let raw = this.raws.get(variable);
    if (raw === undefined) {
      raw = { value: this.rawValue(variable.exact), secret: this.isSecretFile(variable) };
      this.raws.set(variable, raw);
    }
    return raw;
  }

  private rawValue(exact: unknown): Raw {
    if (exact instanceof YamlFloat) return exact.value;
    if (exact instanceof YamlTimestamp) return exact.source;
    if (exact instanceof UnsafeText) return { tag: 'unsafe', text: exact.text };
    if (exact instanceof VaultValue) return { tag: 'vault', ciphertext: exact.ciphertext };
    if (typeof exact !== 'object' || exact === null) return exact as Raw;
    let raw = this.rawObjects.get(exact);
    if (raw === undefined) {
      raw = Array.isArray(exact)
        ? exact.map((item) => this.rawValue(item))
        : new Map(Object.entries(exact).map(([key, item]) => [key, this.rawValue(item)]));
      this.rawObjects.set(exact, raw);
    }
    return raw;
  }

  private look(variable: Variable): Contents {
    let contents = this.contents.get(variable);
    if (contents === undefined) {
      contents = contentsOf(variable.exact);
      this.contents.set(variable, contents);
    }
    return contents;
  }

  private isSecretFile(variable: Variable): boolean {
    const place = variable.locate();
    return place !== null && place.secret !== null;
  }

  /** A variable of a vault that holds no template. */
  private decrypt(name: string, variable: Variable): Variable {
    const known = this.decrypted.get(variable);
    if (known !== undefined) return known;
    const problems: Problem[] = [];
    const open = (value: unknown, path: YamlPath): unknown => {
      if (value instanceof VaultValue) {
        const opened = this.options.vault.open(value.ciphertext);
        if (opened.kind === 'opened') return opened.text;
        const what = `${name} is encrypted with ansible-vault, ${opened.what}`;
        problems.push(
          new Problem({
            severity: 'error',
            code: opened.code,
            what,
            solve: opened.solve,
            location: variable.locate(path),
          }),
        );
        return null;
      }
      if (Array.isArray(value)) return value.map((item, index) => open(item, [...path, index]));
      if (isPlainObject(value)) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, open(item, [...path, key])]));
      }
      return value;
    };
    const plain = open(variable.plain, []);
    const result = problems.length > 0 ? unusable(variable, problems) : secretVariable(name, variable, plain);
    conceal(name, plain, this.options.variables);
    this.decrypted.set(variable, result);
    return result;
  }
}

function contentsOf(value: unknown): Contents {
  if (typeof value === 'string') return { template: isTemplate(value), vault: false };
  if (value instanceof VaultValue) return { template: false, vault: true };
  const items = Array.isArray(value) ? value : isPlainObject(value) ? Object.values(value) : [];
  const all = items.map(contentsOf);
  return { template: all.some(({ template }) => template), vault: all.some(({ vault }) => vault) };
}

function ciphertextsOf(value: unknown): readonly string[] {
  if (value instanceof VaultValue) return [value.ciphertext];
  const items = Array.isArray(value) ? value : isPlainObject(value) ? Object.values(value) : [];
  return items.flatMap(ciphertextsOf);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function withVariables(host: InventoryHost, own: ReadonlyMap<string, Variable> | undefined): InventoryHost {
  if (own === undefined) return host;
  const variables = new Map([...host.variables, ...own]);
  return {
    ...host,
    variables,
    origin: (variable, path = [], at = 'value') => variables.get(variable)?.locate(path, at) ?? null,
  };
}

/** A variable with the value that its templates led to; `omit` means that it is not set. */
function evaluated(
  variable: Variable,
  name: string,
  outcome: Outcome | undefined,
  problems: readonly Problem[],
  variables: UsedVariables,
): Variable {
  if (outcome?.kind !== 'value') {
    return unusable(variable, problems);
  }
  const plain = plainValue(outcome.value) ?? null;
  if (!outcome.secret) return { ...variable, plain, exact: plain, evaluation: { secret: false, problems: [] } };
  conceal(name, plain, variables);
  return secretVariable(name, variable, plain);
}

/** A variable whose value comes from a vault; its places say so. */
function secretVariable(name: string, variable: Variable, plain: unknown): Variable {
  return {
    plain,
    exact: plain,
    evaluation: { secret: true, problems: [] },
    locate: (path, at) => {
      const place = variable.locate(path, at);
      return place === null ? null : { ...place, secret: { variable: name } };
    },
  };
}

/** A variable without a value. It is not unset, which would be `null`: code that needs the value reports the problems. */
function unusable(variable: Variable, problems: readonly Problem[]): Variable {
  return { ...variable, plain: undefined, exact: undefined, evaluation: { secret: true, problems } };
}

function plainValue(value: Value): unknown {
  if (value === OMIT) return undefined;
  if (Array.isArray(value)) return (value as readonly Value[]).map(plainValue).filter((item) => item !== undefined);
  if (!isMap(value)) return value;
  const result: Record<string, unknown> = {};
  for (const [key, item] of entriesOf(value)) {
    const plain = plainValue(item);
    if (plain !== undefined)
      Object.defineProperty(result, key, { value: plain, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

/** Conceals vault values in all output. */
function conceal(name: string, plain: unknown, { vocabulary }: UsedVariables): void {
  if (vocabulary.has(name)) return;
  const where = isPassword(name) ? 'anywhere' : 'as a word';
  concealValue(plain, where);
  concealValue(normalAddresses(plain), where);
}

/** The addresses and networks within a value, in the form in which plans have them. */
function normalAddresses(plain: unknown): string[] {
  if (typeof plain === 'string') {
    const [address = '', prefix] = plain.trim().split('/');
    const normal = normaliseAddress(address);
    const network = parseNetwork(plain.trim());
    if (normal === null || network === null) return [];
    return prefix === undefined ? [normal] : [`${normal}/${prefix}`, formatNetwork(network)];
  }
  return typeof plain === 'object' && plain !== null ? Object.values(plain).flatMap(normalAddresses) : [];
}

/** What cannot be evaluated, each said once for all the hosts that it concerns. */
class FailureMessages {
  private readonly groups = new Map<
    string,
    {
      readonly failure: TemplateFailure;
      readonly name: string;
      readonly location: SourceLocation | null;
      readonly hosts: string[];
    }
  >();
  private readonly keys = new Map<string, string>();
  private readonly made = new Map<string, readonly Problem[]>();
  private readonly inventory: Inventory;

  constructor(inventory: Inventory) {
    this.inventory = inventory;
  }

  /** @param host and `name` say what was asked for; the failure may be in another variable that it needs */
  add(failure: TemplateFailure, host: string, name: string): void {
    const at = this.inventory.hosts.get(failure.host)?.variables.get(failure.variable);
    const wanted = this.inventory.hosts.get(host)?.variables.get(name);
    const location = at?.locate(failure.path) ?? wanted?.locate() ?? null;
    const key = JSON.stringify([location, name, failure.variable, failure.what]);
    const group = this.groups.get(key) ?? { failure, name, location, hosts: [] };
    group.hosts.push(host);
    this.groups.set(key, group);
    this.keys.set(`${host}\n${name}`, key);
  }

  of(host: string, name: string): readonly Problem[] {
    const key = this.keys.get(`${host}\n${name}`);
    const group = key === undefined ? undefined : this.groups.get(key);
    if (key === undefined || group === undefined) return [];
    let problems = this.made.get(key);
    if (problems === undefined) {
      const { failure, location } = group;
      problems = [
        new Problem({ severity: 'error', code: failure.code, what: message(group), solve: failure.solve, location }),
      ];
      this.made.set(key, problems);
    }
    return problems;
  }
}

const MOST_NAMED = 3;

function message(group: {
  readonly failure: TemplateFailure;
  readonly name: string;
  readonly hosts: readonly string[];
}): string {
  const { failure, name, hosts } = group;
  const named = hosts.slice(0, MOST_NAMED).map((host) => `"${safeText(host)}"`);
  const others = hosts.length - named.length;
  const list = others > 0 ? `${named.join(', ')} and ${others} more` : named.join(named.length === 2 ? ' and ' : ', ');
  const ofHosts = `of the host${hosts.length === 1 ? '' : 's'} ${list}`;
  const isItself = failure.variable === name && hosts.includes(failure.host);
  const needs = isItself
    ? ''
    : `, which needs ${failure.variable}${hosts.includes(failure.host) ? '' : ` of "${safeText(failure.host)}"`},`;
  if (failure.expression === null)
    return `${name} ${ofHosts}${needs} cannot be evaluated: ${isItself ? 'it' : failure.variable} ${failure.what}`;
  // A password may hold braces by chance, and is not to be shown.
  const isHidden = failure.secret || isPassword(failure.variable) || isPassword(name);
  const template = isHidden ? 'its template' : `the template ${shown(failure.expression)}`;
  return `${name} ${ofHosts}${needs} cannot be evaluated: in ${template}, ${failure.what}`;
}

/** Whether a variable, by its name, holds a password. */
function isPassword(name: string): boolean {
  return /pass(?:word|phrase)?$|secret|token/i.test(name);
}
