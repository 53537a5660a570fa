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
import { ANSIBLE_SCHEMAS, readFlag } from './schema.ts';
import type { BecomeSettings, ConnectionSettings, Unmanaged } from './settings-types.ts';
import type { VariableChecker } from './variable-check.ts';

type AnsibleName = keyof typeof ANSIBLE_SCHEMAS;

/**
 * How a host is reached, from Ansible's variables. Where a variable has an older `ansible_ssh_…` spelling, that one wins,
 * as in Ansible. Of a host that is not managed only the address is read.
 */
export function readConnection(
  host: InventoryHost,
  checker: VariableChecker,
  unmanaged: Unmanaged | null,
  problems: Problem[],
): ConnectionSettings {
  // With another connection `ansible_host` may be anything, such as a container's name: then no address is known.
  const ofAddress = unmanaged === null || unmanaged.kind === 'declared' ? problems : [];
  const given = new Reader(host, checker, ofAddress).first<string>('ansible_ssh_host', 'ansible_host');
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
  const reader = new Reader(host, checker, problems);
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
  const port = reader.first<string | number>('ansible_ssh_port', 'ansible_port')?.value;
  const timeout = reader.first<string | number>('ansible_ssh_timeout', 'ansible_timeout')?.value;
  const keyFile = reader.first<string>('ansible_ssh_private_key_file', 'ansible_private_key_file')?.value;
  const args = [
    reader.first<string>('ansible_ssh_args')?.value,
    reader.first<string>('ansible_ssh_common_args')?.value,
    reader.first<string>('ansible_ssh_extra_args')?.value,
  ]
    .filter((text) => text !== undefined && text.trim() !== '')
    .join(' ');
  return {
    kind,
    address,
    port: port === undefined ? null : Number(port),
    user: reader.first<string>('ansible_ssh_user', 'ansible_user')?.value ?? null,
    privateKeyFile: keyFile === undefined ? null : resolve(expandHome(keyFile)),
    commonArgs: args === '' ? null : args,
    timeoutSeconds: timeout === undefined ? null : Number(timeout),
    ...(password === undefined ? {} : { password: reader.secret(password) }),
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
  checker: VariableChecker,
  { declared, amongRemote }: { readonly declared: boolean | undefined; readonly amongRemote: boolean },
  problems: Problem[],
): Unmanaged | null {
  if (declared === false) return { kind: 'declared' };
  const reader = new Reader(host, checker, problems);
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
          host.variables.get('portfw_managed') ?? variable,
          'connection-kind',
          `portfw_managed is true, but ansible_connection is ${shown(connection)}: portfw manages hosts over ssh, and the machine that it runs on (local)`,
          'Write portfw_managed: false for hosts with this connection, or ansible_connection: ssh',
        );
      }
      return { kind: 'connection', connection, location };
    case 'unknown':
      reader.error(
        variable,
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

/** How root's rights are gained, from `ansible_become…`. */
export function readBecome(
  host: InventoryHost,
  checker: VariableChecker,
  managed: boolean,
  problems: Problem[],
): BecomeSettings {
  const off: BecomeSettings = { enabled: false, user: 'root', method: 'sudo', password: null };
  if (!managed) return off;
  const reader = new Reader(host, checker, problems);
  const enabled = readFlag(reader.first('ansible_become')?.value ?? false) ?? false;
  // Checked even if they are not used, so that a mistake is reported before they are turned on.
  const user = reader.first<string>('ansible_become_user');
  const method = reader.first<string>('ansible_become_method');
  const password = reader.first<string | number>('ansible_become_pass', 'ansible_become_password');
  if (!enabled) return off;
  if (user !== undefined && user.value !== 'root') {
    reader.error(
      user.variable,
      'become-user',
      `ansible_become_user is ${shown(user.value)}, but only root can change a firewall`,
      'Remove it, or write root',
    );
  }
  if (method !== undefined && method.value !== 'sudo' && method.value !== 'ansible.builtin.sudo') {
    reader.error(
      method.variable,
      'become-method',
      `ansible_become_method is ${shown(method.value)}, and only sudo is supported`,
      'Write sudo, or log in as root',
    );
  }
  return { ...off, enabled, password: password === undefined ? null : reader.secret(password) };
}

/** Whether a name can be connected to as it is; what only looks like an address (`10.1`) would be taken for another one. */
function isReachableName(name: string): boolean {
  if (parseAddress(name) !== null) return true;
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(name) && !/^[\d.]+$/.test(name);
}

class Reader {
  private readonly host: InventoryHost;
  private readonly checker: VariableChecker;
  private readonly problems: Problem[];

  constructor(host: InventoryHost, checker: VariableChecker, problems: Problem[]) {
    this.host = host;
    this.checker = checker;
    this.problems = problems;
  }

  /** The first of the variables that is set, when it is right. */
  first<T>(...names: AnsibleName[]): { value: T; variable: Variable } | undefined {
    for (const name of names) {
      const variable = this.host.variables.get(name);
      if (variable === undefined || variable.plain === null) continue;
      const checked = this.checker.check(name, variable, ANSIBLE_SCHEMAS[name] as z.ZodType, undefined);
      this.problems.push(...checked.problems);
      return checked.problems.length > 0 ? undefined : { value: checked.value as T, variable };
    }
    return undefined;
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

  error(variable: Variable, code: string, what: string, solve: string): void {
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location: variable.locate() }));
  }
}
