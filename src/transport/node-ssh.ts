import type { Socket } from 'node:net';
import { NodeSSH } from 'node-ssh';
import type { AuthHandlerMiddleware, Client, ClientChannel, ServerHostKeyAlgorithm } from 'ssh2';
import { redacted } from '../core/secret.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type {
  CommandOutcome,
  ConnectFailure,
  Connection,
  ConnectOutcome,
  FailureText,
  RemoteCommand,
  Target,
  Transport,
} from './connection.ts';
import { type HostKeyCheck, prepareHostKeyCheck } from './host-key-check.ts';
import { KnownHostsStore } from './known-hosts-files.ts';
import { type PassphraseSource, PrivateKeyStore } from './private-keys.ts';
import { type ProcessEvents, type ProcessHandle, runProgram } from './program-session.ts';
import { AuthSequence, authFailureText, planAuthentication } from './ssh-authentication.ts';
import { interrupted, openSocket, where } from './tcp-socket.ts';

const CLOSE_TIMEOUT_MS = 500;
/** A server's words before its SSH identification are kept up to here. */
const PREAMBLE_BYTES = 1024;

/**
 * SSH through node-ssh, which connects and authenticates; programs run on ssh2's own channels, because node-ssh's exec
 * cannot tell a lost connection from a success.
 */
export class NodeSshTransport implements Transport {
  readonly #keys: PrivateKeyStore;
  readonly #knownHosts = new KnownHostsStore();

  constructor(passphrases: PassphraseSource) {
    this.#keys = new PrivateKeyStore(passphrases);
  }

  /**
   * Unlocks the keys that the targets name, before any host is contacted and any display is up, so that questions come
   * first and once. Returns what stands in the way.
   */
  async unlockKeys(targets: readonly Target[]): Promise<readonly FailureText[]> {
    const failures: FailureText[] = [];
    for (const target of new Map(targets.map((each) => [authenticationInputs(each), each])).values()) {
      const plan = await planAuthentication(target, this.#keys);
      if (plan.kind === 'failed') failures.push({ message: plan.message, hint: plan.hint });
    }
    return failures;
  }

  async connect(target: Target, signal?: AbortSignal): Promise<ConnectOutcome> {
    const startedAt = performance.now();
    const hostKeys = await prepareHostKeyCheck(target, this.#knownHosts);
    if (hostKeys.kind !== 'ready') return hostKeys;
    const plan = await planAuthentication(target, this.#keys);
    if (plan.kind === 'failed') return { ...plan, kind: 'local-problem' };
    if (signal?.aborted) return interrupted(target);
    const opened = await openSocket(target, signal);
    if (opened.kind !== 'open') return opened;
    const remainingMs = Math.max(1000, target.connectTimeoutMs - (performance.now() - startedAt));
    const sequence = new AuthSequence(plan.attempts);
    const attempt = new SshAttempt(target, opened.socket, hostKeys.check, sequence, plan.notes);
    const result = await attempt.connect(remainingMs, signal);
    if (result.kind !== 'ready') return result;
    const connection = new SshConnection(target, result.client, opened.socket, result.notes);
    return { kind: 'connected', connection, connectMs: performance.now() - startedAt };
  }
}

/** Targets with the same inputs need the same keys. */
function authenticationInputs(target: Target): string {
  return JSON.stringify([target.privateKeyFiles, target.agentSocket]);
}

/** One attempt to speak SSH over an open socket. */
class SshAttempt {
  readonly #target: Target;
  readonly #socket: Socket;
  readonly #hostKeys: HostKeyCheck;
  readonly #sequence: AuthSequence;
  readonly #authNotes: readonly string[];
  readonly #notes: string[] = [];
  /** Set when the host key was refused; that explains every error that follows. */
  #hostKeyFailure: ConnectFailure | null = null;
  #hostKeyAccepted = false;
  #authenticating = false;
  #preamble = '';

  constructor(
    target: Target,
    socket: Socket,
    hostKeys: HostKeyCheck,
    sequence: AuthSequence,
    authNotes: readonly string[],
  ) {
    this.#target = target;
    this.#socket = socket;
    this.#hostKeys = hostKeys;
    this.#sequence = sequence;
    this.#authNotes = authNotes;
  }

  async connect(
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<{ kind: 'ready'; client: Client; notes: readonly string[] } | ConnectFailure> {
    const onAbort = (): void => void this.#socket.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#listenToPreamble();
    const ssh = new NodeSSH();
    const authHandler: AuthHandlerMiddleware = (allowed, _partialSuccess, next) => {
      this.#authenticating = true;
      // ssh2 passes null before the first attempt, whatever its types say, and `false` is its way to give up.
      next(this.#sequence.next(allowed as typeof allowed | null) as Parameters<typeof next>[0]);
    };
    const connecting = ssh.connect({
      sock: this.#socket,
      username: this.#target.user,
      readyTimeout: timeoutMs,
      keepaliveInterval: this.#target.keepalive.intervalMs,
      keepaliveCountMax: this.#target.keepalive.countMax,
      algorithms: { serverHostKey: [...this.#hostKeys.algorithms] as ServerHostKeyAlgorithm[] },
      hostVerifier: (key: Buffer, verdict: (permitted: boolean) => void) => {
        void this.#verifyHostKey(key).then(verdict);
      },
      authHandler,
    });
    const client = ssh.connection!;
    // For good: an error that nobody listens to would end the process.
    client.on('error', () => undefined);
    try {
      await connecting;
      return { kind: 'ready', client, notes: this.#notes };
    } catch (error) {
      client.end();
      this.#socket.destroy();
      return signal?.aborted ? interrupted(this.#target) : this.#explain(error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #verifyHostKey(key: Buffer): Promise<boolean> {
    const verdict = await this.#hostKeys.verify(key);
    if (verdict.kind !== 'accepted') {
      this.#hostKeyFailure = verdict;
      return false;
    }
    this.#hostKeyAccepted = true;
    if (verdict.note !== null) this.#notes.push(verdict.note);
    return true;
  }

  /** ssh2 throws away what a server says before it identifies itself; that is where it says why it turns us away. */
  #listenToPreamble(): void {
    const onData = (chunk: Buffer): void => {
      this.#preamble += chunk.toString('latin1');
      if (this.#identified() || this.#preamble.length > PREAMBLE_BYTES) this.#socket.off('data', onData);
    };
    // The socket is paused, so this does not start the flow; ssh2 does once it listens too.
    this.#socket.on('data', onData);
  }

  #identified(): boolean {
    return /^SSH-/m.test(this.#preamble);
  }

  #explain(error: unknown): ConnectFailure {
    if (this.#hostKeyFailure !== null) return this.#hostKeyFailure;
    const { level, message } = error as Error & { level?: string };
    // A server knows the password that it was sent, and may say it again.
    const said = terminalLine(redacted(Buffer.from(message), this.#target.password).toString());
    if (!this.#identified()) return this.#explainPreamble(level === 'client-timeout');
    if (this.#authenticating && level !== 'client-timeout' && level !== 'client-socket') {
      return this.#explainRefusal(level, said);
    }
    const at = where(this.#target);
    if (level === 'client-timeout') {
      return {
        kind: 'unreachable',
        message: `${at} did not finish the login within ${this.#target.connectTimeoutMs / 1000} s`,
        hint: 'The host may be overloaded, or slow to look up our name (UseDNS); ansible_timeout raises the limit',
      };
    }
    if (level === 'handshake' || (level === 'protocol' && !this.#hostKeyAccepted)) {
      return {
        kind: 'protocol-failed',
        message: `No common ground with the SSH server at ${at}: ${said}`,
        hint: 'The server is too old or too strict; it needs one of curve25519 or ECDH key exchange, AES-GCM or AES-CTR, and an Ed25519, ECDSA or RSA (SHA-2) host key',
      };
    }
    return {
      kind: 'unreachable',
      message: `The connection to ${at} broke off during the login: ${said}`,
      hint: 'Look into the SSH log of the host (journalctl -u ssh -u sshd)',
    };
  }

  #explainRefusal(level: string | undefined, said: string): ConnectFailure {
    const { tried, offered } = this.#sequence;
    const text = authFailureText(this.#target, this.#sequence, this.#authNotes);
    if (level === 'client-authentication') return { kind: 'auth-failed', tried, offered, ...text };
    if (/too many authentication failures/i.test(said)) {
      return {
        kind: 'auth-failed',
        tried,
        offered,
        message: `${text.message}; the host then said: ${said}`,
        hint: 'Too many keys were offered before the right one: name it with ansible_ssh_private_key_file',
      };
    }
    if (level === 'agent') {
      return {
        kind: 'auth-failed',
        tried,
        offered,
        message: `The agent failed: ${said}`,
        hint: 'See whether "ssh-add -l" and "ssh" work on this machine',
      };
    }
    // A server that hangs up in the middle of a login has refused it (a locked account, a policy): never just try again.
    return {
      kind: 'auth-failed',
      tried,
      offered,
      message: `${text.message}; the connection ended: ${said}`,
      hint: text.hint,
    };
  }

  #explainPreamble(timedOut: boolean): ConnectFailure {
    const at = where(this.#target);
    const said = terminalLine(this.#preamble);
    if (/not allowed at this time/i.test(said)) {
      return {
        kind: 'turned-away',
        reason: 'penalty-or-overload',
        message: `The SSH server at ${at} turns this machine away for now ("${said}"): it penalises us for failed logins, or has too many under way`,
        hint: 'Correct the credentials first, then wait a minute or two: each further failure makes a penalty longer (PerSourcePenalties and MaxStartups in sshd_config)',
      };
    }
    if (/exceeded maxstartups/i.test(said)) {
      return {
        kind: 'turned-away',
        reason: 'too-many-connections',
        message: `The SSH server at ${at} has too many logins under way ("${said}")`,
        hint: 'Try again with fewer --forks, or raise MaxStartups in sshd_config',
      };
    }
    if (timedOut) {
      return {
        kind: 'unreachable',
        message: `${at} accepted the connection but no SSH server answered within ${this.#target.connectTimeoutMs / 1000} s`,
        hint: 'Check ansible_port, and that the host is not hanging',
      };
    }
    if (said !== '') {
      return {
        kind: 'protocol-failed',
        message: `${at} is no SSH server; it said: ${said}`,
        hint: 'Check ansible_host and ansible_port',
      };
    }
    return {
      kind: 'turned-away',
      reason: 'unknown',
      message: `${at} closed the connection without a word`,
      hint: 'The SSH server may be refusing this machine for a while after failed logins, have too many logins under way, or be starting: wait a minute and look into its log',
    };
  }
}

class SshConnection implements Connection {
  readonly target: Target;
  readonly endpoints: Connection['endpoints'];
  readonly notes: readonly string[];
  readonly #client: Client;
  readonly #socket: Socket;
  #lostBecause: string | null = null;
  #closed: Promise<void> | null = null;

  constructor(target: Target, client: Client, socket: Socket, notes: readonly string[]) {
    this.target = target;
    this.notes = notes;
    this.#client = client;
    this.#socket = socket;
    this.endpoints = {
      localAddress: socket.localAddress ?? '',
      localPort: socket.localPort ?? 0,
      remoteAddress: socket.remoteAddress ?? '',
      remotePort: socket.remotePort ?? 0,
    };
    client.on('error', (error) => {
      this.#lostBecause ??= error.message;
    });
  }

  run(command: RemoteCommand): Promise<CommandOutcome> {
    return runProgram((line, events) => this.#start(line, events), this.target.become, this.target.user, command);
  }

  close(): Promise<void> {
    this.#lostBecause ??= 'we closed it';
    this.#closed ??= new Promise((resolve) => {
      if (this.#socket.destroyed) {
        resolve();
        return;
      }
      const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#client.end();
    });
    return this.#closed;
  }

  #start(line: string, events: ProcessEvents): ProcessHandle {
    const waiting: Buffer[] = [];
    let channel: ClientChannel | null = null;
    let abandoned = false;
    const onOpen = (error: Error | undefined, opened: ClientChannel): void => {
      if (error) {
        events.onStartFailure(this.#startFailure(error));
        return;
      }
      channel = opened;
      opened.on('error', () => undefined);
      // The listeners stay when nobody is interested any more, so that the channel drains and closes.
      opened.on('data', (chunk: Buffer) => events.onStdout(chunk));
      opened.stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
      opened.on('exit', (code: number | null, signal?: string) => events.onExit(code, signal ?? null));
      opened.on('close', () => events.onClose(this.#lostBecause));
      if (abandoned) opened.close();
      else for (const bytes of waiting) opened.write(bytes);
    };
    try {
      this.#client.exec(line, onOpen);
    } catch (error) {
      events.onStartFailure(this.#startFailure(error as Error));
    }
    return {
      write: (bytes) => {
        if (channel === null) waiting.push(bytes);
        else if (channel.writable) channel.write(bytes);
      },
      abandon: () => {
        abandoned = true;
        channel?.close();
      },
    };
  }

  #startFailure(error: Error): FailureText & { readonly kind: 'lost' | 'not-run' } {
    const said = terminalLine(this.#lostBecause ?? error.message);
    if (this.#socket.destroyed || !this.#socket.writable || !/open fail|unable to exec/i.test(error.message)) {
      return {
        kind: 'lost',
        message: `The connection to ${where(this.target)} was gone before the program was sent: ${said}`,
        hint: 'Connect again; this program did not run',
      };
    }
    return {
      kind: 'not-run',
      message: `The SSH server at ${where(this.target)} refused to run a command: ${said}`,
      hint: 'Look for MaxSessions, ForceCommand and restrictions in authorized_keys on the host',
    };
  }
}
