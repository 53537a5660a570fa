import type { Inventory } from '../ansible/inventory.ts';
import { normaliseAddress } from '../core/addresses.ts';
import { threeShown } from '../core/lists.ts';
import { isMapping } from '../core/mapping.ts';
import type { Problem, SourceLocation } from '../core/problem.ts';
import type { YamlPath } from '../documents/yaml-document.ts';
import type { Matrix, MatrixRole, Play } from '../matrix/matrix.ts';
import { type StandingRule, standingRule } from '../policy/sources.ts';
import { hostAddresses, type ResolvedSources, resolveSources } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, InterfaceClass, PrivateMode } from '../settings/settings-types.ts';

/** What lint looks at: an inventory that could be read, with what it leads to. */
export interface LintInput {
  readonly inventory: Inventory;
  /** The hosts whose settings are in order: doubts are looked for in these. */
  readonly settings: ReadonlyMap<string, HostSettings>;
  /** The hosts with an error: peers of the others all the same. */
  readonly partial: ReadonlyMap<string, HostSettings>;
  readonly plays: ReadonlyMap<string, Play>;
  /** `YYYY-MM-DD`: which exceptions have expired. */
  readonly today: string;
}

/** One thing that an experienced reviewer would ask about. */
export type Finding = Pick<Problem, 'what' | 'solve' | 'location'>;

/** A check for one kind of doubt. Pure: it reads no file and no clock. */
export interface LintCheck {
  /** The problem's code, and the check's name in docs/reference/lint.md. */
  readonly code: string;
  readonly find: (world: LintWorld) => readonly Finding[];
}

/** One value of the inventory with all hosts that it reaches, so that a group's variable is checked once. */
export interface SharedValue<T> {
  readonly value: T;
  readonly location: SourceLocation | null;
  readonly hosts: readonly HostSettings[];
}

/** A list of sources as an inventory writes it. */
export interface SourceList {
  readonly path: YamlPath;
  readonly sources: readonly string[];
}

/** The inventory with its matrices as the checks ask about it. */
export class LintWorld {
  readonly inventory: Inventory;
  readonly hosts: readonly HostSettings[];
  readonly managed: readonly HostSettings[];
  readonly everyone: ReadonlyMap<string, HostSettings>;
  readonly plays: ReadonlyMap<string, Play>;
  readonly today: string;
  readonly #resolved = new Map<string, ResolvedSources>();
  readonly #addresses = new Map<string, readonly string[]>();

  constructor(input: LintInput) {
    this.inventory = input.inventory;
    this.hosts = [...input.settings.values()];
    this.managed = this.hosts.filter((host) => host.managed);
    this.everyone = new Map([...input.settings, ...input.partial]);
    this.plays = input.plays;
    this.today = input.today;
  }

  matrixOf(host: HostSettings): Matrix | null {
    return this.plays.get(host.name)?.matrix ?? null;
  }

  privateMode(host: HostSettings): PrivateMode {
    return host.private ?? this.plays.get(host.name)?.private ?? 'trusted';
  }

  /** The roles that a host surely plays: those that it declares, and those that every host plays. */
  sureRoles(host: HostSettings): readonly MatrixRole[] {
    const roles = [...(this.matrixOf(host)?.roles.values() ?? [])].filter((role) => !role.appliance);
    const own = roles.filter((role) => !role.everyHost);
    // Where there is but one to find, it is the one.
    const declared = host.roles ?? (own.length === 1 ? own.map((role) => role.name) : []);
    return roles.filter((role) => role.everyHost || declared.includes(role.name));
  }

  /** The roles that a host may play: its own, or any that detection may find. */
  possibleRoles(host: HostSettings): readonly MatrixRole[] {
    if (host.roles !== null) return this.sureRoles(host);
    return [...(this.matrixOf(host)?.roles.values() ?? [])].filter((role) => !role.appliance);
  }

  features(host: HostSettings): ReadonlySet<string> {
    return new Set([...host.features, ...(this.plays.get(host.name)?.features ?? [])]);
  }

  /** The rules of a role whose feature, if they have one, is on: where they apply, and who may connect there. */
  standing(host: HostSettings, role: MatrixRole): readonly StandingRule[] {
    const matrix = this.matrixOf(host);
    if (matrix === null) return [];
    const features = this.features(host);
    const mode = this.privateMode(host);
    return role.rules
      .filter((rule) => rule.feature === null || features.has(rule.feature))
      .map((rule) => standingRule(rule, role, matrix, host, mode));
  }

  /** Whether a class has an interface, or for `vip` an address, on a host. */
  maps(host: HostSettings, interfaceClass: InterfaceClass): boolean {
    if (interfaceClass === 'vip') return host.vips.length > 0;
    if (host.interfaces[interfaceClass].length > 0) return true;
    return interfaceClass === 'public' && Object.values(host.interfaces).every((entries) => entries.length === 0);
  }

  /** The addresses of sources, only from the inventory, as in a plan. */
  resolve(sources: readonly string[]): ResolvedSources {
    const key = sources.join('\n');
    let resolved = this.#resolved.get(key);
    if (resolved === undefined) {
      resolved = resolveSources(sources, this.inventory, this.everyone);
      this.#resolved.set(key, resolved);
    }
    return resolved;
  }

  addressesOf(host: HostSettings): readonly string[] {
    let addresses = this.#addresses.get(host.name);
    if (addresses === undefined) {
      addresses = hostAddresses(host);
      this.#addresses.set(host.name, addresses);
    }
    return addresses;
  }

  /** The addresses of a peer set as a host sees it; itself is never its own peer. */
  peerAddresses(host: HostSettings, set: string): readonly string[] {
    const given = host.peers[set];
    if (given !== undefined) return this.resolve(given).addresses;
    const { roles, site } = this.matrixOf(host)?.peers.get(set) ?? { roles: [], site: false };
    if (roles.length === 0 && !site) return [];
    const among = site ? this.siteOf(host) : [...this.everyone.values()];
    return among
      .filter(({ name }) => name !== host.name)
      .filter((other) => roles.length === 0 || roles.some((role) => other.roles?.includes(role) === true))
      .flatMap((other) => this.addressesOf(other));
  }

  /** The hosts of a host's site, itself among them. */
  siteOf(host: HostSettings): readonly HostSettings[] {
    if (host.site !== null)
      return (this.inventory.groups.get(host.site)?.allHosts ?? []).flatMap((name) => this.everyone.get(name) ?? []);
    return [...this.everyone.values()].filter((other) => other.managed && other.playbook === host.playbook);
  }

  /** The place of a value, else that of the host. */
  place(host: HostSettings, path: YamlPath, at?: 'key' | 'value'): SourceLocation | null {
    return host.locate(path, at) ?? this.inventory.hosts.get(host.name)?.location ?? null;
  }

  /** A variable as the file has it, before anything was made of it. */
  written(host: HostSettings, variable: string): unknown {
    return this.inventory.hosts.get(host.name)?.variables.get(variable)?.plain;
  }

  /** The place of one entry of a list of addresses or names. */
  placeOf(host: HostSettings, variable: string, entry: string): SourceLocation | null {
    const written = this.written(host, variable);
    const same = (item: unknown): boolean =>
      String(item) === entry || (normaliseAddress(String(item)) ?? '') === (normaliseAddress(entry) ?? entry);
    const index = Array.isArray(written) ? written.findIndex(same) : -1;
    return this.place(host, index === -1 ? [variable] : [variable, index]);
  }

  /** Values by their place: what one line says for many hosts is one value. */
  shared<T>(
    hosts: readonly HostSettings[],
    valuesOf: (host: HostSettings) => Iterable<{ readonly value: T; readonly location: SourceLocation | null }>,
  ): readonly SharedValue<T>[] {
    const found = new Map<string, { value: T; location: SourceLocation | null; hosts: HostSettings[] }>();
    for (const host of hosts) {
      for (const { value, location } of valuesOf(host)) {
        const key = JSON.stringify([location, value]);
        const item = found.get(key) ?? { value, location, hosts: [] };
        if (item.hosts.at(-1) !== host) item.hosts.push(host);
        found.set(key, item);
      }
    }
    return [...found.values()];
  }

  /** Every list of sources that a host's variables hold, as written. */
  sourceLists(host: HostSettings): readonly SourceList[] {
    const lists: SourceList[] = [];
    const add = (path: YamlPath, value: unknown): void => {
      const sources = (Array.isArray(value) ? value : []).filter((item) => typeof item === 'string');
      if (sources.length > 0) lists.push({ path, sources });
    };
    for (const variable of ['portfw_peers', 'portfw_allow_from']) {
      const value = this.written(host, variable);
      for (const [key, sources] of isMapping(value) ? Object.entries(value) : []) add([variable, key], sources);
    }
    const rules = this.written(host, 'portfw_extra_rules');
    for (const [index, rule] of Array.isArray(rules) ? rules.entries() : []) {
      if (isMapping(rule)) add(['portfw_extra_rules', index, 'from'], rule['from']);
    }
    add(['portfw_management'], this.written(host, 'portfw_management'));
    return lists;
  }
}

/** The names of hosts, up to three. */
export function hostNames(hosts: readonly HostSettings[]): string {
  return threeShown(hosts.map((host) => host.name));
}
