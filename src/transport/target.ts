import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { Problem } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import type { Target } from './connection.ts';
import { type CommonArgs, parseCommonArgs } from './ssh-config/common-args.ts';
import type { NamedKeyListener } from './ssh-config/ssh-config-endpoint.ts';
import { SshConfigFiles } from './ssh-config/ssh-config-files.ts';
import { resolveHost, type Surroundings } from './ssh-config/ssh-config-resolve.ts';
import { type Setting, settingOf } from './ssh-config/ssh-options.ts';

export type { NamedKeyListener } from './ssh-config/ssh-config-endpoint.ts';
export type { SshConfigFiles } from './ssh-config/ssh-config-files.ts';

/** From the first packet to the end of the authentication, unless `ansible_timeout` is set. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Three unanswered keepalives a second apart: a dead line is noticed within about four seconds. */
export const DEFAULT_KEEPALIVE = { intervalMs: 1000, countMax: 3 } as const;

/** What the command line and the environment add to the inventory's connection variables. */
export interface TargetOptions {
  /** `--accept-new-host-keys`, on the way to a host as well. */
  readonly acceptNewHostKeys: boolean;
  /** From `PORTFW_BECOME_PASSWORD` or a prompt; wins over `ansible_become_password`. */
  readonly becomePassword: Secret | null;
  /** From `PORTFW_SSH_PASSWORD` or a prompt; only for the hosts, never for a machine on the way. */
  readonly sshPassword: Secret | null;
  /** `SSH_AUTH_SOCK`. */
  readonly agentSocket: string | null;
  /** The account that runs portfw: logs in where nothing names another. */
  readonly localUser: string;
  /** `--user`: where the inventory names no account; it wins over ssh_config. */
  readonly user?: string | null;
  /** `--private-key`: where the inventory names no key; it is offered before those of ssh_config. */
  readonly privateKeyFile?: string | null;
  /** The ssh_config files; without them none is read. One object for a run, so that each file is read once. */
  readonly sshConfig?: SshConfigFiles;
  /** Is told of each private key that the inventory or a flag names, and where. */
  readonly onNamedKey?: NamedKeyListener;
}

/** The parts of {@link HostSettings} that say how to reach a host. */
export type ReachableHost = Pick<HostSettings, 'name' | 'connection' | 'become' | 'locate'>;

/**
 * Makes the target of one host. `ansible_*` variables win over `ansible_ssh_common_args`, as with Ansible, where they come
 * first on OpenSSH's command line; then come the command line's defaults, `~/.ssh/config` and the system's ssh_config.
 *
 * @returns a `null` target when the problems hold an error.
 */
export function createTarget(
  host: ReachableHost,
  options: TargetOptions,
): { readonly target: Target | null; readonly problems: readonly Problem[] } {
  const { connection, become } = host;
  const local = connection.kind === 'local';
  // A local connection takes no SSH arguments, whatever they say.
  const args = readArgs(host, local ? '' : (connection.commonArgs ?? ''));
  const given = [...variableSettings(host), ...args.settings, ...flagSettings(host, args, options)];
  const files = local ? undefined : options.sshConfig;
  const resolved = resolveHost(connection.address, given, args.configFile, surroundings(options, files));
  const becomePassword = options.becomePassword ?? become.password;
  const target: Target = {
    ...resolved.endpoint,
    name: host.name,
    kind: connection.kind,
    route: resolved.route,
    become: become.enabled ? { kind: 'sudo', password: becomePassword } : { kind: 'none' },
    password: options.sshPassword ?? connection.password ?? null,
  };
  const problems = [...args.problems, ...resolved.problems];
  return { target: problems.some(({ severity }) => severity === 'error') ? null : target, problems };
}

/** The connection variables, as the options that Ansible would make of them. */
function variableSettings({ connection, locate }: ReachableHost): readonly Setting[] {
  const { port, user, privateKeyFile, timeoutSeconds } = connection;
  const from = (option: string, value: string, ...names: string[]): Setting => {
    const found = names.find((name) => locate([name]) !== null) ?? names[0]!;
    return settingOf(option, value, locate([found]), found);
  };
  return [
    ...(port === null ? [] : [from('Port', String(port), 'ansible_ssh_port', 'ansible_port')]),
    ...(privateKeyFile === null
      ? []
      : [from('IdentityFile', privateKeyFile, 'ansible_ssh_private_key_file', 'ansible_private_key_file')]),
    ...(user === null ? [] : [from('User', user, 'ansible_ssh_user', 'ansible_user')]),
    ...(timeoutSeconds === null
      ? []
      : [from('ConnectTimeout', String(timeoutSeconds), 'ansible_ssh_timeout', 'ansible_timeout')]),
  ];
}

/** `--user` and `--private-key` fill in what the inventory leaves open. */
function flagSettings({ connection }: ReachableHost, args: CommonArgs, options: TargetOptions): readonly Setting[] {
  const { user = null, privateKeyFile = null } = options;
  const namesKey = connection.privateKeyFile !== null || args.settings.some(({ name }) => name === 'IdentityFile');
  return [
    ...(user === null ? [] : [settingOf('User', user, null, '--user')]),
    ...(privateKeyFile === null || namesKey ? [] : [settingOf('IdentityFile', privateKeyFile, null, '--private-key')]),
  ];
}

/** The ssh_config files that the targets of a run are made with; `null` for the user's own and the system's, `none` for none. */
export function sshConfigFiles(file: string | null): SshConfigFiles {
  return new SshConfigFiles({ file });
}

const NO_FILES = sshConfigFiles('none');

function surroundings(options: TargetOptions, files: SshConfigFiles = NO_FILES): Surroundings {
  return {
    files,
    environment: {
      home: files.home,
      localUser: options.localUser,
      uid: process.getuid?.() ?? 0,
      hostName: hostname(),
      variable: (name) => process.env[name],
      localAddresses: () =>
        Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []),
    },
    defaults: {
      agentSocket: options.agentSocket,
      acceptNewHostKeys: options.acceptNewHostKeys,
      connectTimeoutMs: DEFAULT_CONNECT_TIMEOUT_MS,
      keepalive: DEFAULT_KEEPALIVE,
      fileExists: existsSync,
      ...(options.onNamedKey === undefined ? {} : { onNamedKey: options.onNamedKey }),
    },
  };
}

const ARGUMENT_VARIABLES = ['ansible_ssh_args', 'ansible_ssh_common_args', 'ansible_ssh_extra_args'];

function readArgs(host: ReachableHost, text: string): CommonArgs {
  const places = text === '' ? [] : ARGUMENT_VARIABLES.flatMap((name) => host.locate([name]) ?? []);
  // They are read as one text: what is secret in one of them may be in any message.
  return parseCommonArgs(text, places.find(({ secret }) => secret !== null) ?? places[0] ?? null);
}
