import type { Problem, SourceLocation } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import type { HostSettings } from '../inventory/settings-types.ts';
import { type CommonArgsResult, parseCommonArgs } from './common-args.ts';
import type { Target } from './connection.ts';

/** From the first packet to the end of the authentication, when nothing else is said (`ansible_timeout`). */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Three unanswered keepalives a second apart: a dead line is noticed within about four seconds. */
export const DEFAULT_KEEPALIVE = { intervalMs: 1000, countMax: 3 } as const;

/** What the command line and the environment add to the inventory's connection variables. */
export interface TargetOptions {
  /** `--accept-new-host-keys`. */
  readonly acceptNewHostKeys: boolean;
  /** From `PORTFW_BECOME_PASSWORD` or a prompt; wins over `ansible_become_password`. */
  readonly becomePassword: Secret | null;
  /** From `PORTFW_SSH_PASSWORD` or a prompt. */
  readonly sshPassword: Secret | null;
  /** `SSH_AUTH_SOCK`. */
  readonly agentSocket: string | null;
  /** The account to log in as when the inventory names none: the local user's. */
  readonly localUser: string;
}

/** The parts of {@link HostSettings} that say how to reach a host. */
export type ReachableHost = Pick<HostSettings, 'name' | 'connection' | 'become' | 'locate'>;

/**
 * Makes the target of one host. `ansible_*` variables win over `ansible_ssh_common_args`, as with Ansible, where they come
 * first on OpenSSH's command line; the command line wins over both.
 *
 * @returns a `null` target when the problems hold an error.
 */
export function createTarget(
  host: ReachableHost,
  options: TargetOptions,
): { readonly target: Target | null; readonly problems: readonly Problem[] } {
  const { connection, become } = host;
  const { args, problems } = readArgs(host);
  const becomePassword = options.becomePassword ?? become.password;
  const target: Target = {
    name: host.name,
    kind: connection.kind,
    address: connection.address,
    port: connection.port ?? args.port ?? 22,
    user: connection.user ?? args.user ?? options.localUser,
    privateKeyFiles: [
      ...(connection.privateKeyFile === null ? [] : [connection.privateKeyFile]),
      ...args.identityFiles,
    ],
    knownHostsFiles: args.knownHostsFiles,
    hostKeyAlias: args.hostKeyAlias,
    acceptNewHostKeys: options.acceptNewHostKeys || args.acceptNewHostKeys === true,
    connectTimeoutMs:
      connection.timeoutSeconds === null
        ? (args.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS)
        : connection.timeoutSeconds * 1000,
    become: become.enabled ? { kind: 'sudo', password: becomePassword } : { kind: 'none' },
    identitiesOnly: false,
    keepalive: DEFAULT_KEEPALIVE,
    route: { kind: 'direct' },
    agentSocket: args.identityAgent === null ? options.agentSocket : agentFrom(args.identityAgent),
    password: options.sshPassword,
  };
  return { target: problems.some(({ severity }) => severity === 'error') ? null : target, problems };
}

function agentFrom(identityAgent: string): string | null {
  return identityAgent === 'none' ? null : identityAgent;
}

function readArgs(host: ReachableHost): CommonArgsResult {
  // A local connection takes no SSH arguments, whatever they say.
  const text = host.connection.kind === 'local' ? '' : (host.connection.commonArgs ?? '');
  const location: SourceLocation | null =
    text === '' ? null : (host.locate(['ansible_ssh_common_args']) ?? host.locate(['ansible_ssh_extra_args']));
  return parseCommonArgs(text, location);
}
