import { resolve } from 'node:path';
import type { z } from 'zod';
import type { Variable } from '../ansible/graph/variables.ts';
import type { InventoryHost } from '../ansible/inventory.ts';
import { parseAddress } from '../core/addresses.ts';
import { expandHome } from '../core/home.ts';
import { Problem } from '../core/problem.ts';
import { Secret } from '../core/secret.ts';
import { shown } from '../core/shown.ts';
import { closest } from '../core/suggest.ts';
import { CONNECTION_NAMES, connectionKind, connectionKindOf } from './connection-kinds.ts';
import { type LoginDefaults, originName } from './login-defaults.ts';
import { ANSIBLE_SCHEMAS, readFlag } from './schema.ts';
import type {
  BecomeSettings,
  BecomeSources,
  ConnectionSettings,
  ConnectionSources,
  SettingOrigin,
  Sourced,
  Unmanaged,
} from './settings-types.ts';
import type { VariableChecker } from './variable-check.ts';

type AnsibleName = keyof typeof ANSIBLE_SCHEMAS;

/**
 * How a host is reached, from Ansible's variables. Where a variable has an older `ansible_ssh_…` spelling, that one wins,
 * as in Ansible. Of a host that is not managed only the address is read.
 */
export function readConnection(host: InventoryHost, reading: Reading, unmanaged: Unmanaged | null): ConnectionSettings {
  const { defaults, problems } = reading;
  // With another connection `ansible_host` may be anything, such as a container's name: then no address is known.
  const ofAddress = unmanaged === null || unmanaged.kind === 'declared' ? problems : [];
  const given = new Reader(host, { ...reading, problems: ofAddress }).first<string>('ansible_ssh_host', 'ansible_host');
  const address = given?.value ?? host.name;
  if (unmanaged !== null) {
    return {
      kind: unmanaged.kind === 'local-among-remote' ? 'local' : 'ssh',
      address,
      port: null,
      user: null,
      privateKeyFile: null,
      commonArgs: null,
      timeoutSeconds: null,
    };
  }
  const reader = new Reader(host, reading);
  const kind = connectionKindOf(host) === 'local' ? 'local' : 'ssh';
  const isSet = ['ansible_ssh_host', 'ansible_host'].some(
    (name) => host.variables.has(name) && host.variables.get(name)?.plain !== null,
  );
  if (kind === 'ssh' && !isSet && !isReachableName(host.name)) {
    problems.push(
      new Problem({
        severity: 'error',
        code: 'bad-address',
        what: `the host ${shown(host.name)} has no ansible_host, and its name is neither an address nor a host name`,
        solve: 'Write its address or host name as ansible_host',
        location: host.location,
      }),
    );
  }
  const password = reader.first<string | number>('ansible_ssh_pass', 'ansible_ssh_password', 'ansible_password');
  const sources: ConnectionSources = {
    port: reader.numeric(defaults.port, 'ansible_ssh_port', 'ansible_port'),
    user: reader.sourced(defaults.user, 'ansible_ssh_user', 'ansible_user'),
    privateKeyFile: reader.keyFile(defaults.privateKeyFile),
    timeoutSeconds: reader.numeric(defaults.timeoutSeconds, 'ansible_ssh_timeout', 'ansible_timeout'),
    sshArgs: reader.sourced(defaults.sshArgs, 'ansible_ssh_args'),
    commonArgs: reader.sourced(defaults.commonArgs, 'ansible_ssh_common_args'),
    extraArgs: reader.sourced(defaults.extraArgs, 'ansible_ssh_extra_args'),
  };
  return {
    kind,
    address,
    port: sources.port?.value ?? null,
    user: sources.user?.value ?? null,
    privateKeyFile: sources.privateKeyFile?.value ?? null,
    sshArgs: joined(sources.sshArgs),
    commonArgs: joined(sources.commonArgs, sources.extraArgs),
    timeoutSeconds: sources.timeoutSeconds?.value ?? null,
    ...(password === undefined ? {} : { password: reader.secret(password) }),
    sources,
  };
}

/**
 * Why a host is not managed, from `portfw_managed` and `ansible_connection`.
 *
 * @param declared `portfw_managed`, where it is set
 * @param amongRemote whether other hosts of the inventory are reached from this machine
 */
export function readUnmanaged(
  host: InventoryHost,
  reading: Reading,
  { declared, amongRemote }: { readonly declared: boolean | undefined; readonly amongRemote: boolean },
): Unmanaged | null {
  if (declared === false) return { kind: 'declared' };
  const reader = new Reader(host, reading);
  const given = reader.first<string>('ansible_connection');
  if (given === undefined) return null;
  const { value: connection, variable } = given;
  const location = variable.locate();
  switch (connectionKind(connection)) {
    case 'ssh':
      return null;
    case 'local':
      return declared === true || !amongRemote ? null : { kind: 'local-among-remote', connection, location };
    case 'other':
      if (declared === true) {
        reader.error(
          variableOrigin('portfw_managed', host.variables.get('portfw_managed') ?? variable),
          'connection-kind',
          `portfw_managed is true, but ansible_connection is ${shown(connection)}: portfw manages hosts over ssh, and the machine that it runs on (local)`,
          'Write portfw_managed: false for hosts with this connection, or ansible_connection: ssh',
        );
      }
      return { kind: 'connection', connection, location };
    case 'unknown':
      reader.error(
        variableOrigin('ansible_connection', variable),
        'connection-kind',
        `ansible_connection is ${shown(connection)}, which is no known connection`,
        unknownConnectionHint(connection),
      );
      return null;
  }
}

function unknownConnectionHint(connection: string): string {
  const near = closest(connection.replace(/^.*\./s, ''), CONNECTION_NAMES);
  const meant = near === null ? 'Write ssh' : `Did you mean "${near}"?`;
  const leave = 'portfw_managed: false for a host that is not for portfw';
  return near === null ? `${meant}, or ${leave}` : `${meant} Or write ${leave}`;
}

/** Texts one after the other; `null` when there is nothing in them. */
function joined(...texts: readonly (Sourced<string> | null)[]): string | null {
  const text = texts.flatMap((one) => (one === null || one.value.trim() === '' ? [] : [one.value])).join(' ');
  return text === '' ? null : text;
}

/** How root's rights are gained, from `ansible_become…`. */
export function readBecome(host: InventoryHost, reading: Reading, managed: boolean): BecomeSettings {
  const off: BecomeSettings = { enabled: false, user: 'root', method: 'sudo', password: null };
  if (!managed) return off;
  const { defaults } = reading;
  const reader = new Reader(host, reading);
  const flag = reader.sourced<unknown>(defaults.become, 'ansible_become');
  // Checked even if they are not used, so that a mistake is reported before they are turned on.
  const sources: BecomeSources = {
    enabled: flag === null ? null : { ...flag, value: readFlag(flag.value) ?? false },
    user: reader.sourced(defaults.becomeUser, 'ansible_become_user'),
    method: reader.sourced(defaults.becomeMethod, 'ansible_become_method'),
  };
  const password = reader.first<string | number>('ansible_become_pass', 'ansible_become_password');
  if (sources.enabled?.value !== true) return { ...off, sources };
  const { user, method } = sources;
  if (user !== null && user.value !== 'root') {
    const what = `${originName(user.origin)} is ${shown(user.value)}, but only root can change a firewall`;
    reader.error(user.origin, 'become-user', what, 'Remove it, or write root');
  }
  if (method !== null && method.value !== 'sudo' && method.value !== 'ansible.builtin.sudo') {
    const what = `${originName(method.origin)} is ${shown(method.value)}, and only sudo is supported`;
    reader.error(method.origin, 'become-method', what, 'Write sudo, or log in as root');
  }
  return { ...off, enabled: true, password: password === undefined ? null : reader.secret(password), sources };
}

/** Whether a name can be connected to as it is; what only looks like an address (`10.1`) would be taken for another one. */
function isReachableName(name: string): boolean {
  if (parseAddress(name) !== null) return true;
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(name) && !/^[\d.]+$/.test(name);
}

/** What the settings of all hosts are read with. */
export interface Reading {
  readonly checker: VariableChecker;
  /** What counts where the inventory says nothing. */
  readonly defaults: LoginDefaults;
  /** Where problems go. */
  readonly problems: Problem[];
}

function variableOrigin(name: string, variable: Variable): SettingOrigin {
  return { kind: 'variable', name, location: variable.locate() };
}

class Reader {
  private readonly host: InventoryHost;
  private readonly checker: VariableChecker;
  private readonly problems: Problem[];

  constructor(host: InventoryHost, { checker, problems }: Reading) {
    this.host = host;
    this.checker = checker;
    this.problems = problems;
  }

  /** The first of the variables that is set, when it is right. */
  first<T>(...names: AnsibleName[]): { name: AnsibleName; value: T; variable: Variable } | undefined {
    for (const name of names) {
      const variable = this.host.variables.get(name);
      if (variable === undefined || variable.plain === null) continue;
      const checked = this.checker.check(name, variable, ANSIBLE_SCHEMAS[name] as z.ZodType, undefined);
      this.problems.push(...checked.problems);
      return checked.problems.length > 0 ? undefined : { name, value: checked.value as T, variable };
    }
    return undefined;
  }

  /** The first of the variables that is set, else the default; `null` for neither, and for one that is wrong. */
  sourced<T>(fallback: Sourced<T> | null, ...names: readonly [AnsibleName, ...AnsibleName[]]): Sourced<T> | null {
    const own = this.first<T>(...names);
    if (own !== undefined) return { value: own.value, origin: variableOrigin(own.name, own.variable) };
    const isSet = names.some((name) => (this.host.variables.get(name)?.plain ?? null) !== null);
    return isSet || fallback === null ? null : this.checked(fallback, names[0]);
  }

  numeric(
    fallback: Sourced<number> | null,
    ...names: readonly [AnsibleName, ...AnsibleName[]]
  ): Sourced<number> | null {
    const found = this.sourced<string | number>(fallback, ...names);
    return found === null ? null : { ...found, value: Number(found.value) };
  }

  keyFile(fallback: Sourced<string> | null): Sourced<string> | null {
    const found = this.sourced(fallback, 'ansible_ssh_private_key_file', 'ansible_private_key_file');
    return found === null ? null : { ...found, value: resolve(expandHome(found.value)) };
  }

  /** A value of `ansible.cfg` or of the environment obeys the rules of the variable that it stands for. */
  private checked<T>(given: Sourced<T>, name: AnsibleName): Sourced<T> | null {
    const { origin } = given;
    if (origin.kind === 'flag') return given;
    const result = (ANSIBLE_SCHEMAS[name] as z.ZodType).safeParse(given.value);
    if (result.success) return given;
    for (const { message } of result.error.issues) {
      const [what = '', solve = ''] = message.split('\n');
      this.error(origin, 'bad-ansible-setting', `${originName(origin)}: ${what}`, solve);
    }
    return null;
  }

  /** A password. One in plain text in the inventory is reported, but only once. */
  secret(given: { readonly value: string | number; readonly variable: Variable }): Secret {
    if (given.variable.evaluation === undefined && this.checker.first('password-in-inventory')) {
      this.problems.push(
        new Problem({
          severity: 'warning',
          code: 'password-in-inventory',
          what: 'the inventory holds a password in plain text',
          solve:
            'Encrypt it with "ansible-vault encrypt_string", use keys, or give it through the environment or at the prompt',
          location: given.variable.locate(),
        }),
      );
    }
    return new Secret(String(given.value));
  }

  error(origin: SettingOrigin, code: string, what: string, solve: string): void {
    const location = 'location' in origin ? origin.location : null;
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location }));
  }
}
