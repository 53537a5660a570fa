import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { Variable } from '../ansible/graph/variables.ts';
import type { Inventory, InventoryHost } from '../ansible/inventory.ts';
import { normaliseAddress, parseSource } from '../core/addresses.ts';
import { expandHome } from '../core/home.ts';
import { isMapping } from '../core/mapping.ts';
import { mergePortRanges, parsePortRange } from '../core/ports.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { suggestion } from '../core/suggest.ts';
import { ANYONE } from './addresses-of-hosts.ts';
import { connectionKindOf } from './connection-kinds.ts';
import { readBecome, readConnection, readUnmanaged } from './connection-settings.ts';
import { type LoginDefaults, NO_DEFAULTS } from './login-defaults.ts';
import { looksNumeric, PORTFW_SCHEMAS, parseSelector } from './schema.ts';
import type {
  EnsureFirewalld,
  ExtraRule,
  HostSettings,
  InterfaceClass,
  PrivateMode,
  SettingsResult,
  ZoneTarget,
} from './settings-types.ts';
import { INTERFACE_CLASSES } from './settings-types.ts';
import { type FurtherCheck, type Report, VariableChecker } from './variable-check.ts';

/** One value or several, as the schemas of lists allow. */
type OneOrMore = string | readonly string[];

type PortfwName = keyof typeof PORTFW_SCHEMAS;

const NAMES = Object.keys(PORTFW_SCHEMAS) as PortfwName[];

/**
 * Validates the variables of every host that portfw uses: its own (`portfw_…`) and Ansible's for connections.
 *
 * Names of roles and features are not judged here, as only the matrix knows them; `HostSettings.locate` gives their place.
 *
 * @param defaults how hosts are reached where the inventory does not say it
 */
export function readSettings(inventory: Inventory, defaults: LoginDefaults = NO_DEFAULTS): SettingsResult {
  const checker = new VariableChecker();
  const settings = new Map<string, HostSettings>();
  const partial = new Map<string, HostSettings>();
  const found = new Map<string, Problem>();
  const amongRemote = hasRemote(inventory);
  for (const host of inventory.hosts.values()) {
    const { result, problems } = new HostReader(inventory, host, checker, defaults).read(amongRemote);
    for (const problem of problems) {
      const known = found.get(identity(problem));
      if (known?.severity !== 'error') found.set(identity(problem), problem);
    }
    const usable = !problems.some((problem) => problem.severity === 'error');
    (usable ? settings : partial).set(host.name, result);
  }
  return { settings, partial, problems: sortProblems([...found.values()]) };
}

/**
 * Whether an inventory is of other machines than the one that portfw runs on. Those with `portfw_managed: false` are only
 * peers: a machine that configures itself may list them.
 */
function hasRemote(inventory: Inventory): boolean {
  return [...inventory.hosts.values()].some(
    (host) => host.variables.get('portfw_managed')?.plain !== false && connectionKindOf(host) !== 'local',
  );
}

/** The same problem, which does not stop a run. */
function asWarning(problem: Problem): Problem {
  const { code, what, details, solve, location } = problem;
  return new Problem({ severity: 'warning', code, what, details, solve, location });
}

/** The hosts of one group meet the same problem at the same place: it is reported once. */
function identity(problem: Problem): string {
  const at = problem.location;
  return [at?.file, at?.line, at?.column, problem.code, problem.what].join('\n');
}

class HostReader {
  private readonly inventory: Inventory;
  private readonly host: InventoryHost;
  private readonly checker: VariableChecker;
  private readonly defaults: LoginDefaults;
  private readonly problems: Problem[] = [];

  constructor(inventory: Inventory, host: InventoryHost, checker: VariableChecker, defaults: LoginDefaults) {
    this.inventory = inventory;
    this.host = host;
    this.checker = checker;
    this.defaults = defaults;
  }

  read(amongRemote: boolean): { result: HostSettings; problems: readonly Problem[] } {
    const { host } = this;
    for (const [name, variable] of host.variables) {
      if (name.startsWith('portfw_') && !Object.hasOwn(PORTFW_SCHEMAS, name)) {
        this.error(
          variable,
          'unknown-variable',
          `unknown variable ${shown(name)}`,
          suggestion(name, NAMES, 'variables'),
        );
      }
    }
    const declared = this.value<boolean>('portfw_managed');
    const { checker, defaults, problems } = this;
    const reading = { checker, defaults, problems };
    const unmanaged = readUnmanaged(host, reading, { declared, amongRemote });
    const managed = unmanaged === null;
    // What may have been meant to decide that portfw manages the host, or a misspelt name, is never taken for less than it is.
    const decisive = new Set(problems);
    const result: HostSettings = {
      name: host.name,
      connection: readConnection(host, reading, unmanaged),
      become: readBecome(host, reading, managed),
      unmanaged,
      managed,
      playbook: this.playbook(),
      roles: this.has('portfw_roles') ? this.list('portfw_roles') : null,
      interfaces: this.interfaces(),
      vips: normalised(this.list('portfw_vips')),
      features: this.list('portfw_features'),
      private: this.value<PrivateMode>('portfw_private') ?? null,
      sidesChecked: this.value<boolean>('portfw_sides_checked') ?? false,
      zoneTargets: this.zoneTargets(),
      cluster: this.ownGroup('portfw_cluster'),
      site: this.ownGroup('portfw_site'),
      roleInterfaces: this.value<Record<string, InterfaceClass>>('portfw_role_interfaces') ?? {},
      peers: mapValues(this.value<Record<string, OneOrMore>>('portfw_peers', this.checkSources) ?? {}, toList),
      allowFrom: this.allowFrom(),
      extraRules: this.extraRules(),
      management: this.management(),
      ensureFirewalld: this.value<EnsureFirewalld>('portfw_ensure_firewalld') ?? null,
      addresses: mapValues(this.value<Record<string, OneOrMore>>('portfw_addresses') ?? {}, (given) =>
        normalised(toList(given)),
      ),
      locate: (path, at) => {
        const [name, ...inner] = path;
        return this.host.variables.get(String(name))?.locate(inner, at) ?? null;
      },
    };
    // All else that is wrong with a host that is not for portfw stops no run of the others.
    const leftOut = unmanaged !== null && unmanaged.kind !== 'declared';
    const softened = problems.map((one) => (decisive.has(one) ? one : asWarning(one)));
    return { result, problems: leftOut ? softened : problems };
  }

  private has(name: PortfwName): boolean {
    const variable = this.host.variables.get(name);
    return variable !== undefined && variable.plain !== null;
  }

  /** The checked value; `undefined` when the variable is not set, is empty, or is wrong. */
  private value<T>(name: PortfwName, further?: FurtherCheck): T | undefined {
    const variable = this.host.variables.get(name);
    // An empty value ("portfw_vips:") is how an inventory unsets what a wider group has set.
    if (variable === undefined || variable.plain === null) return undefined;
    const checked = this.checker.check(name, variable, PORTFW_SCHEMAS[name] as z.ZodType, further);
    this.problems.push(...checked.problems);
    return checked.problems.length > 0 ? undefined : (checked.value as T);
  }

  private list(name: PortfwName): readonly string[] {
    const value = this.value<OneOrMore>(name);
    return value === undefined ? [] : toList(value);
  }

  private playbook(): string | null {
    const name = this.value<string>('portfw_playbook');
    if (name === undefined) return null;
    if (!name.includes('/') && !/\.(?:ya?ml|json)$/.test(name)) return name;
    const file = this.host.origin('portfw_playbook')?.file;
    return resolve(file === undefined ? '.' : dirname(file), expandHome(name));
  }

  private interfaces(): Record<InterfaceClass, readonly string[]> {
    const given = this.value<Partial<Record<InterfaceClass, OneOrMore>>>('portfw_interfaces') ?? {};
    const result: Record<InterfaceClass, readonly string[]> = { public: [], private: [], vip: [], control: [] };
    for (const name of INTERFACE_CLASSES) result[name] = toList(given[name] ?? []);
    return result;
  }

  /** One target for all classes, or one for each. */
  private zoneTargets(): Readonly<Partial<Record<InterfaceClass, ZoneTarget>>> {
    const given = this.value<ZoneTarget | Partial<Record<InterfaceClass, ZoneTarget>>>('portfw_zone_target') ?? {};
    if (typeof given !== 'string') return given;
    return Object.fromEntries(INTERFACE_CLASSES.map((name) => [name, given]));
  }

  /** A group that the host itself must belong to. */
  private ownGroup(name: 'portfw_cluster' | 'portfw_site'): string | null {
    const group = this.value<string>(name);
    if (group === undefined) return null;
    const variable = this.host.variables.get(name)!;
    if (!this.inventory.groups.has(group)) {
      const solve = suggestion(group, this.inventory.groups.keys(), 'groups');
      this.error(variable, 'unknown-group', `${name} names the group ${shown(group)}, which does not exist`, solve);
    } else if (group !== 'all' && !this.host.groups.includes(group)) {
      this.error(
        variable,
        'not-a-member',
        `${name} of the host ${shown(this.host.name)} names the group ${shown(group)}, to which it does not belong`,
        'Add the host to the group, or set the variable only for members',
      );
    }
    return group;
  }

  private allowFrom(): Record<string, readonly string[]> {
    const given = this.value<Record<string, OneOrMore>>('portfw_allow_from', (value, report) => {
      if (isMapping(value)) {
        for (const [key, sources] of Object.entries(value)) this.checkSourceList(sources, [key], report, true);
      }
      checkSelectors(value, report);
    });
    const result: Record<string, readonly string[]> = {};
    for (const [key, sources] of Object.entries(given ?? {})) result[normalSelector(key)] = toList(sources);
    return result;
  }

  private management(): readonly string[] {
    const value = this.value<OneOrMore>('portfw_management', (given, report) =>
      this.checkSourceList(given, [], report),
    );
    return value === undefined ? [] : toList(value);
  }

  private extraRules(): ExtraRule[] {
    const variable = this.host.variables.get('portfw_extra_rules');
    const given = this.value<readonly ExtraRuleEntry[]>('portfw_extra_rules', (value, report) => {
      // What is no list, or no mapping within it, is for the schema to judge.
      const rules = Array.isArray(value) ? (value as readonly ExtraRuleEntry[]) : [];
      const names = new Set<string>();
      for (const [index, rule] of rules.entries()) {
        if (!isMapping(rule)) continue;
        if (names.has(rule.name)) {
          report(
            [index, 'name'],
            'duplicate-name',
            `two extra rules are named ${shown(rule.name)}`,
            'Give each rule its own name',
          );
        }
        names.add(rule.name);
        if (rule.from !== undefined) this.checkSourceList(rule.from, [index, 'from'], report, true);
      }
    });
    return (given ?? []).map((rule, index) => ({
      name: rule.name,
      interface: rule.interface,
      protocol: rule.protocol,
      ports: mergePortRanges(
        toList(rule.ports ?? rule.port ?? []).map((port) => {
          const range = parsePortRange(String(port));
          if (typeof range === 'string') throw new RangeError(range);
          return range;
        }),
      ),
      from: rule.from === undefined ? null : toList(rule.from),
      owner: rule.owner,
      reason: rule.reason,
      expires: rule.expires ?? null,
      location: variable!.locate([index]) ?? this.host.location,
    }));
  }

  /** Checks that the names in a mapping of source lists exist in the inventory. */
  private readonly checkSources: FurtherCheck = (value, report) => {
    if (!isMapping(value)) return;
    for (const [key, sources] of Object.entries(value)) this.checkSourceList(sources, [key], report);
  };

  /** @param anyone whether `any` may mean everybody */
  private checkSourceList(sources: unknown, path: readonly (string | number)[], report: Report, anyone = false): void {
    const list: readonly unknown[] = Array.isArray(sources) ? sources : [sources];
    for (const [index, source] of list.entries()) {
      // What is no text, or was meant as an address, is for the schema to judge.
      if (
        typeof source !== 'string' ||
        source === '' ||
        looksNumeric(source) ||
        typeof parseSource(source) !== 'string'
      )
        continue;
      const at = Array.isArray(sources) ? [...path, index] : path;
      const isName = this.inventory.groups.has(source) || this.inventory.hosts.has(source);
      if (anyone && source === ANYONE) {
        if (!isName) continue;
        report(
          at,
          'ambiguous-name',
          `${shown(source)} means everybody here, and a group or host of the inventory has the same name`,
          'Rename the group or host',
        );
        continue;
      }
      if (isName) continue;
      const known = [...this.inventory.groups.keys(), ...this.inventory.hosts.keys()];
      report(at, 'unknown-name', `no group and no host is named ${shown(source)}`, suggestion(source, known, 'names'));
    }
  }

  private error(variable: Variable, code: string, what: string, solve: string): void {
    const at = code === 'unknown-variable' ? 'key' : 'value';
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location: variable.locate([], at) }));
  }
}

/** An extra rule as an inventory writes it. */
interface ExtraRuleEntry {
  readonly name: string;
  readonly interface: InterfaceClass;
  readonly protocol: 'tcp' | 'udp';
  readonly port?: string | number | readonly (string | number)[];
  readonly ports?: string | number | readonly (string | number)[];
  readonly from?: OneOrMore;
  readonly owner: string;
  readonly reason: string;
  readonly expires?: string;
}

function checkSelectors(given: unknown, report: Report): void {
  if (!isMapping(given)) return;
  const seen = new Map<string, string>();
  for (const key of Object.keys(given)) {
    const normal = normalSelector(key);
    const other = seen.get(normal);
    if (other !== undefined) {
      report(
        [key],
        'duplicate-key',
        `${shown(key)} and ${shown(other)} select the same rules`,
        'Keep one of the two',
        'key',
      );
    }
    seen.set(normal, key);
  }
}

/** A selector with its port in normal form. */
function normalSelector(text: string): string {
  const selector = parseSelector(text);
  if (typeof selector === 'string') return text;
  return [selector.role, selector.interface, selector.protocol, selector.port]
    .filter((part) => part !== null)
    .join('/');
}

/** A list without repetitions; a single value is a list of one. */
function toList<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? [...new Set(value as readonly T[])] : [value as T];
}

function normalised(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.map((address) => normaliseAddress(address) ?? address))];
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
