import type { Fault, SharedFault } from '../core/failure.ts';
import type { Secret } from '../core/secret.ts';
import type { SetBy } from '../core/set-by.ts';

/**
 * The transport port: how the rest of portfw reaches a host. Adapters: `ssh2/adapter.ts` and `local.ts`. Outcomes are
 * values; an adapter throws only on a programming error.
 */

/** Whether and how programs get root on the host. */
export type Become =
  | { readonly kind: 'none' }
  /** sudo to root; with a `null` password sudo must not ask for one. */
  | { readonly kind: 'sudo'; readonly password: Secret | null };

/** How often a silent line is tested, and after how many unanswered tests it counts as dead. */
export interface Keepalive {
  readonly intervalMs: number;
  readonly countMax: number;
}

/** A way to log in, as PreferredAuthentications names it. */
export type LoginMethod = 'publickey' | 'keyboard-interactive' | 'password';

/** One setting that counts for an SSH server, as an option of ssh_config, and what set it. */
export interface SetOption {
  readonly option: string;
  /** Files are absolute. Of a value from a vault (`by.location`) nothing may be shown. */
  readonly value: string;
  readonly by: SetBy;
}

/** One SSH server and how to log in to it: the host itself, or a machine on the way to it. */
export interface SshEndpoint {
  /** Host name or IP address to connect to. */
  readonly address: string;
  readonly port: number;
  /** The account to log in as. */
  readonly user: string;
  /** Named key files, offered first (through the agent where it holds them). Empty: the default files under ~/.ssh. */
  readonly privateKeyFiles: readonly string[];
  /** Whether the agent's other keys are not offered (IdentitiesOnly). */
  readonly identitiesOnly: boolean;
  /** The socket of an OpenSSH agent; `null` for none. */
  readonly agentSocket: string | null;
  /** Empty: the user's and the system's known_hosts. New keys are appended to the first file. */
  readonly knownHostsFiles: readonly string[];
  /** The name to look the host key up by instead of `address` (HostKeyAlias); `null` for the usual names. */
  readonly hostKeyAlias: string | null;
  /** Whether a new host key may be recorded. A changed or revoked key is always refused. */
  readonly acceptNewHostKeys: boolean;
  /** From the first packet to the end of the authentication. */
  readonly connectTimeoutMs: number;
  readonly keepalive: Keepalive;
  /** Whether the default key files are not offered either (`IdentityFile none`). */
  readonly noDefaultKeys?: boolean;
  /** The only ways to log in that may be tried, most wanted first; all of them when absent. */
  readonly loginMethods?: readonly LoginMethod[];
  /** The host key signature algorithms that may be asked for, most wanted first; all when absent. */
  readonly hostKeyAlgorithms?: readonly string[];
  /** Whether names are hashed when a new key is recorded. */
  readonly hashKnownHosts?: boolean;
  /** The only address family to connect with; either when absent. */
  readonly addressFamily?: 4 | 6;
  /** The local address to connect from. */
  readonly bindAddress?: string;
  /** The login password, for `password` and `keyboard-interactive`; `null` for none, as always on the way to a host. */
  readonly password: Secret | null;
  /** What set these values, for people: an option that is not listed has its default. */
  readonly options?: readonly SetOption[];
}

/** What carries the bytes to a host. */
export type Route =
  | { readonly kind: 'direct' }
  /** Through these SSH servers, the nearest first (ProxyJump). Each checks host keys and logs in by its own settings. */
  | {
      readonly kind: 'jump';
      readonly hops: readonly SshEndpoint[];
      /** What carries the bytes to the first of them, where it has a ProxyCommand of its own, its tokens expanded. */
      readonly firstHopCommand?: string;
    }
  /** A local command whose standard input and output are the connection (ProxyCommand), its tokens expanded. */
  | { readonly kind: 'command'; readonly command: string };

/** How to reach one host. {@link createTarget} fills in the defaults. */
export interface Target extends SshEndpoint {
  /** The host's name in the inventory; shown to the user. */
  readonly name: string;
  readonly kind: 'ssh' | 'local';
  readonly route: Route;
  readonly become: Become;
}

/** Runs one program text on the host. */
export interface RemoteCommand {
  /**
   * POSIX sh text. It runs as the body of a function in a shell of its own with `LC_ALL=C`, a fixed `PATH`, and
   * `SSH_CONNECTION` as sshd set it (under sudo too). It may call `exit`. It is never run in part.
   */
  readonly program: string;
  /** What the program reads on its standard input, byte for byte, NUL bytes included; then end of file. */
  readonly data: string | Uint8Array;
  /** The time the program may take on the host. It is stopped there (TERM, then KILL), even when the connection is lost. */
  readonly deadlineMs: number;
  /** At most this many bytes of standard output and standard error together. */
  readonly outputLimitBytes: number;
  readonly signal?: AbortSignal;
}

/** Why sudo did not give root. */
export type BecomeFailure =
  /** sudo asks for a password and none was given. */
  | 'password-required'
  | 'password-wrong'
  /** The account is not in sudoers, or not for this. */
  | 'not-allowed'
  /** There is no sudo on the host. */
  | 'no-sudo'
  /** sudoers has `requiretty`. */
  | 'tty-required'
  /** Anything else; the message quotes sudo. */
  | 'other';

interface Measured {
  readonly durationMs: number;
}

interface FailedCommand extends Fault, Measured {
  /** Whether the program may have begun: `false` proves that it changed nothing on the host. */
  readonly mayHaveRun: boolean;
  /** What it had written until then. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** How a {@link RemoteCommand} ended. Only `exited` says that the program ran to its end. */
export type CommandOutcome =
  /** The program ended by itself; a program killed by a signal of its own has 128 + signal, as in a shell. */
  | ({
      readonly kind: 'exited';
      readonly exitCode: number;
      readonly stdout: Buffer;
      readonly stderr: Buffer;
    } & Measured)
  /** The connection was lost: what the program did is unknown. */
  | ({ readonly kind: 'lost' } & FailedCommand)
  /** The program was stopped at its deadline. */
  | ({ readonly kind: 'deadline' } & FailedCommand)
  /** The caller's `signal` was aborted. */
  | ({ readonly kind: 'aborted' } & FailedCommand)
  /** The host sent more than `outputLimitBytes`. */
  | ({ readonly kind: 'too-much-output' } & FailedCommand)
  | ({ readonly kind: 'become-failed'; readonly reason: BecomeFailure } & FailedCommand)
  /** The host did not start our program: a login shell such as nologin, a forced command, a profile that exits. */
  | ({ readonly kind: 'not-run'; readonly exitCode: number | null } & FailedCommand)
  /** The program's shell ended (killed, say) before the program did: what it did is unknown. */
  | ({ readonly kind: 'broken-off'; readonly exitCode: number | null; readonly signal: string | null } & FailedCommand);

/** The key by which a host proved who it is. */
export interface HostKey {
  /** `ssh-ed25519`. */
  readonly type: string;
  /** `SHA256:…`, as OpenSSH prints it. */
  readonly fingerprint: string;
}

/** An authenticated connection to one host. */
export interface Connection {
  readonly target: Target;
  /** The key that the host showed on this connection, and that was checked; `null` on this machine. */
  readonly hostKey: HostKey | null;
  /**
   * Our end and the host's end of the TCP connection as seen from here (with NAT the host sees others); `null` without one:
   * on this machine, behind a jump host, over a command.
   */
  readonly endpoints: {
    readonly localAddress: string;
    readonly localPort: number;
    readonly remoteAddress: string;
    readonly remotePort: number;
  } | null;
  /** What the user may want to know about the login (for example that a host key was recorded). */
  readonly notes: readonly string[];
  /** Runs one program. Several may run at once, but sshd allows ten sessions a connection by default. */
  run(command: RemoteCommand): Promise<CommandOutcome>;
  /** Ends the connection; safe to call twice. Programs still running are reported as lost. */
  close(): Promise<void>;
}

/** Why a connection failed. */
export interface ConnectFault extends Fault {
  /** The same in words for all hosts that fail alike. */
  readonly shared?: SharedFault;
  /** More of it, a line each. */
  readonly details?: readonly string[];
}

/** How {@link Transport.connect} ended. */
export type ConnectOutcome =
  | { readonly kind: 'connected'; readonly connection: Connection; readonly connectMs: number }
  /** No TCP connection, no SSH server, or it went silent. */
  | ({ readonly kind: 'unreachable' } & ConnectFault)
  /**
   * The server answers but refuses us before authentication. Since OpenSSH 9.8 it gives the same answer for a penalty
   * after failed logins and for too many logins at once.
   */
  | ({
      readonly kind: 'turned-away';
      readonly reason: 'penalty-or-overload' | 'too-many-connections' | 'unknown';
    } & ConnectFault)
  /** The server offers no algorithm that we support, or breaks the protocol. */
  | ({ readonly kind: 'protocol-failed' } & ConnectFault)
  | ({
      readonly kind: 'auth-failed';
      readonly tried: readonly string[];
      readonly offered: readonly string[];
    } & ConnectFault)
  /** Something on this machine prevents the connection: an unreadable key or known_hosts file, a bad setting. */
  | ({ readonly kind: 'local-problem' } & ConnectFault)
  | ({ readonly kind: 'host-key-unknown'; readonly keyType: string; readonly fingerprint: string } & ConnectFault)
  /** `file` and `line` are the recorded key that the host no longer has. */
  | ({
      readonly kind: 'host-key-changed';
      readonly keyType: string;
      readonly fingerprint: string;
      readonly file: string;
      readonly line: number;
    } & ConnectFault)
  | ({
      readonly kind: 'host-key-revoked';
      readonly keyType: string;
      readonly fingerprint: string;
      readonly file: string;
      readonly line: number;
    } & ConnectFault);

/** Every way in which {@link Transport.connect} can fail. */
export type ConnectFailure = Exclude<ConnectOutcome, { kind: 'connected' }>;
/** Every way in which {@link Connection.run} can fail. */
export type CommandFailure = Exclude<CommandOutcome, { kind: 'exited' }>;

/**
 * Opens connections. Each call is a new TCP connection to the host and a new authentication on it, also behind jump hosts:
 * only the logins on those may be shared.
 */
export interface Transport {
  /** `signal` gives up the attempt (the outcome is then `unreachable`). */
  connect(target: Target, signal?: AbortSignal): Promise<ConnectOutcome>;
}
