import type { InventoryHost } from '../ansible/inventory.ts';
import { SECRET_VARIABLES, secretFromEnvironment } from '../core/environment.ts';
import { setByText } from '../core/set-by.ts';
import type { HostRows, SettingRow } from '../report/settings-view.ts';
import { setByOf } from '../settings/set-by.ts';
import type { HostSettings, Sourced } from '../settings/settings-types.ts';
import type { SetOption, Target } from '../transport/connection.ts';
import { isMissingKey, optionsOf, shownValue } from '../transport/set-options.ts';
import { DEFAULT, NOT_SHOWN } from './settings-of-run.ts';

/** Options with a row of their own. */
const OWN_ROWS = new Set(['HostName', 'Port', 'User', 'IdentityFile', 'ConnectTimeout', 'ProxyJump', 'ProxyCommand']);

/**
 * The settings of one host, each with what set it.
 *
 * @param target how it is reached; `null` where its SSH arguments or ssh_config are wrong, or where nobody logs in to it
 */
export function hostRows(host: InventoryHost, settings: HostSettings, target: Target | null): HostRows {
  const managed = variableRow(host, 'managed', settings.managed ? 'yes' : 'no', 'portfw_managed');
  const playbook = variableRow(host, 'playbook', settings.playbook ?? 'none', 'portfw_playbook');
  const connection = variableRow(host, 'connection', settings.connection.kind, 'ansible_connection');
  const address = addressRow(host, settings, target);
  if (!settings.managed) return { host: host.name, address, rows: [managed] };
  const reached = target === null || target.kind === 'local' ? [] : loginRows(settings, target);
  return {
    host: host.name,
    address,
    rows: [connection, ...reached, ...passwordRows(host), ...becomeRows(settings), managed, playbook],
  };
}

function variableRow(host: InventoryHost, name: string, value: string, ...variables: readonly string[]): SettingRow {
  for (const variable of variables) {
    const found = host.variables.get(variable);
    if (found === undefined || found.plain === null) continue;
    const by = { name: variable, location: found.locate() };
    return { name, value: shownValue(value, by), from: setByText(by) };
  }
  return { name, value, from: DEFAULT };
}

function addressRow(host: InventoryHost, { connection }: HostSettings, target: Target | null): SettingRow {
  const [named] = target === null ? [] : optionsOf(target, 'HostName');
  if (target !== null && named !== undefined) return optionRow('address', target.address, named);
  const row = variableRow(host, 'address', connection.address, 'ansible_ssh_host', 'ansible_host');
  if (row.from !== DEFAULT) return row;
  const { location } = host;
  return {
    ...row,
    from: location === null ? 'the name of the host' : setByText({ name: 'the name of the host', location }),
  };
}

function optionRow(name: string, value: string, { by }: SetOption): SettingRow {
  return { name, value: withoutPasswords(shownValue(value, by)), from: setByText(by) };
}

/** A row for the option that counts, or for its default. */
function optionOr(target: Target, name: string, option: string, value: string, otherwise: string): SettingRow {
  const [set] = optionsOf(target, option);
  return set === undefined ? { name, value, from: otherwise } : optionRow(name, value, set);
}

function loginRows({ connection }: HostSettings, target: Target): readonly SettingRow[] {
  const seconds = target.connectTimeoutMs / 1000;
  return [
    optionOr(target, 'port', 'Port', String(target.port), DEFAULT),
    optionOr(target, 'user', 'User', target.user, `${DEFAULT}: the account that runs portfw`),
    ...keyRows(target),
    agentRow(target),
    optionOr(target, 'timeout', 'ConnectTimeout', `${seconds} s`, DEFAULT),
    ...argumentRows(connection.sources ?? null),
    routeRow(target),
    ...(target.options ?? [])
      .filter(({ option }) => !OWN_ROWS.has(option) && option !== 'IdentityAgent')
      .map((set) => optionRow(set.option, set.value, set)),
  ];
}

function keyRows(target: Target): readonly SettingRow[] {
  const keys = optionsOf(target, 'IdentityFile');
  if (keys.length === 0) return [{ name: 'key', value: 'the default files of ~/.ssh', from: DEFAULT }];
  return keys.map((key) => optionRow('key', isMissingKey(key) ? `${key.value} (does not exist)` : key.value, key));
}

function agentRow(target: Target): SettingRow {
  const otherwise = target.agentSocket === null ? `${DEFAULT}: SSH_AUTH_SOCK is not set` : 'SSH_AUTH_SOCK';
  return optionOr(target, 'agent', 'IdentityAgent', target.agentSocket ?? 'none', otherwise);
}

function argumentRows(sources: HostSettings['connection']['sources'] | null): readonly SettingRow[] {
  const row = (name: string, set: Sourced<string> | null | undefined): readonly SettingRow[] => {
    if (set === null || set === undefined || set.value.trim() === '') return [];
    const by = setByOf(set.origin);
    return [{ name, value: withoutPasswords(shownValue(set.value, by)), from: setByText(by) }];
  };
  return [
    ...row('ssh args', sources?.sshArgs),
    ...row('ssh common args', sources?.commonArgs),
    ...row('ssh extra args', sources?.extraArgs),
  ];
}

function routeRow(target: Target): SettingRow {
  const [jump] = optionsOf(target, 'ProxyJump');
  const [command] = optionsOf(target, 'ProxyCommand');
  const set = jump ?? command;
  if (set === undefined) return { name: 'route', value: 'direct', from: DEFAULT };
  return optionRow('route', target.route.kind === 'direct' ? 'direct' : `${set.option} ${set.value}`, set);
}

/** Whether there are passwords: never what they are. */
function passwordRows(host: InventoryHost): readonly SettingRow[] {
  const row = (
    name: string,
    secret: 'sshPassword' | 'becomePassword',
    ...variables: readonly string[]
  ): readonly SettingRow[] => {
    if (secretFromEnvironment(secret) !== null) return [{ name, value: NOT_SHOWN, from: SECRET_VARIABLES[secret] }];
    const set = variableRow(host, name, NOT_SHOWN, ...variables);
    return set.from === DEFAULT ? [] : [{ ...set, value: NOT_SHOWN }];
  };
  return [
    ...row('SSH password', 'sshPassword', 'ansible_ssh_pass', 'ansible_ssh_password', 'ansible_password'),
    ...row('sudo password', 'becomePassword', 'ansible_become_pass', 'ansible_become_password'),
  ];
}

function becomeRows({ become }: HostSettings): readonly SettingRow[] {
  const row = (name: string, value: string, set: Sourced<unknown> | null | undefined): SettingRow => {
    if (set === null || set === undefined) return { name, value, from: DEFAULT };
    const by = setByOf(set.origin);
    return { name, value: shownValue(value, by), from: setByText(by) };
  };
  const { sources } = become;
  return [
    row('become', become.enabled ? 'on' : 'off', sources?.enabled),
    row('become user', sources?.user?.value ?? become.user, sources?.user),
    row('become method', sources?.method?.value ?? become.method, sources?.method),
  ];
}

/** A command line without the passwords that `sshpass -p` and `nc --proxy-auth` take. */
export function withoutPasswords(text: string): string {
  const word = `(?:'[^']*'|"[^"]*"|\\S+)`;
  return text
    .replaceAll(new RegExp(`\\b(sshpass(?:\\s+-[evV]|\\s+-P\\s*${word})*\\s+-p\\s*)${word}`, 'g'), '$1(not shown)')
    .replaceAll(new RegExp(`(--proxy-auth[\\s=]+)${word}`, 'g'), '$1(not shown)');
}
