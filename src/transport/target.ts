import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { Problem, SourceLocation } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import { originName } from '../settings/login-defaults.ts';
import type { ConnectionSources, HostSettings, SettingOrigin } from '../settings/settings-types.ts';
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
  /** The ssh_config files; without them none is read. One object for a run, so that each file is read once. */
  readonly sshConfig?: SshConfigFiles;
  /** Is told of each private key that the inventory or a flag names, and where. */
  readonly onNamedKey?: NamedKeyListener;
}

/** The parts of {@link HostSettings} that say how to reach a host. */
export type ReachableHost = Pick<HostSettings, 'name' | 'connection' | 'become'>;

/**
 * Makes the target of one host. As on the command line that Ansible makes for OpenSSH, where the first one counts,
 * `ansible_ssh_args` come before account, port, key and time limit, and these before `ansible_ssh_common_args`; then come
 * `~/.ssh/config` and the system's ssh_config.
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
  const first = readArgs(host, local ? null : connection.sshArgs, 'sshArgs');
  const last = readArgs(host, local ? null : connection.commonArgs, 'commonArgs', 'extraArgs');
  const given = [...first.settings, ...ownSettings(host), ...last.settings];
  const files = local ? undefined : options.sshConfig;
  const resolved = resolveHost(
    connection.address,
    given,
    last.configFile ?? first.configFile,
    surroundings(options, files),
  );
  const becomePassword = options.becomePassword ?? become.password;
  const target: Target = {
    ...resolved.endpoint,
    name: host.name,
    kind: connection.kind,
    route: resolved.route,
    become: become.enabled ? { kind: 'sudo', password: becomePassword } : { kind: 'none' },
    password: options.sshPassword ?? connection.password ?? null,
  };
  const problems = [...first.problems, ...last.problems, ...resolved.problems];
  return { target: problems.some(({ severity }) => severity === 'error') ? null : target, problems };
}

/** Account, port, key and time limit, as the options that Ansible would make of them. */
function ownSettings({ connection }: ReachableHost): readonly Setting[] {
  const { port, user, privateKeyFile, timeoutSeconds, sources } = connection;
  const from = (option: string, value: string | number | null, key: keyof ConnectionSources): readonly Setting[] => {
    if (value === null) return [];
    const origin = sources?.[key]?.origin ?? null;
    const name = origin === null ? option : originName(origin);
    return [settingOf(option, String(value), placeOf(origin), name)];
  };
  return [
    ...from('Port', port, 'port'),
    ...from('IdentityFile', privateKeyFile, 'privateKeyFile'),
    ...from('User', user, 'user'),
    ...from('ConnectTimeout', timeoutSeconds, 'timeoutSeconds'),
  ];
}

function placeOf(origin: SettingOrigin | null): SourceLocation | null {
  return origin !== null && 'location' in origin ? origin.location : null;
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

function readArgs(
  { connection }: ReachableHost,
  text: string | null | undefined,
  ...keys: readonly (keyof ConnectionSources)[]
): CommonArgs {
  const places = keys.flatMap((key) => placeOf(connection.sources?.[key]?.origin ?? null) ?? []);
  // They are read as one text: what is secret in one of them may be in any message.
  return parseCommonArgs(text ?? '', places.find(({ secret }) => secret !== null) ?? places[0] ?? null);
}
