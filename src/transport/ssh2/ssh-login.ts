import { NodeSSH } from 'node-ssh';
import type { AuthHandlerMiddleware, Client, ServerHostKeyAlgorithm } from 'ssh2';
import type { Fault } from '../../core/failure.ts';
import { redacted } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure, ConnectFault, HostKey } from '../connection.ts';
import type { AnswerQuestion } from '../logins.ts';
import { AuthSequence } from './auth-sequence.ts';
import type { Carrier } from './carrier.ts';
import { brokeOff, noCommonGround, noIdentification, refusal, tooSlow } from './connect-failures.ts';
import type { HostKeyCheck } from './host-key-check.ts';
import { Answers } from './keyboard-interactive.ts';
import { loginDetails } from './login-details.ts';
import { type LoginGoal, where } from './login-words.ts';
import type { AuthPlan } from './ssh-authentication.ts';
import { interrupted } from './tcp-socket.ts';

/** At most so many bytes before the server's SSH identification are kept. */
const PREAMBLE_BYTES = 1024;

/** What a login needs besides its goal. */
export interface LoginMeans {
  readonly carrier: Carrier;
  readonly hostKeys: HostKeyCheck;
  readonly plan: Extract<AuthPlan, { kind: 'plan' }>;
  readonly ask: AnswerQuestion | null;
}

/** An authenticated SSH connection. */
export interface LoggedIn {
  readonly kind: 'ready';
  readonly client: Client;
  readonly hostKey: HostKey | null;
  readonly notes: readonly string[];
}

/** One attempt to speak SSH over an open carrier and to log in. */
export class SshLogin {
  readonly #goal: LoginGoal;
  readonly #means: LoginMeans;
  readonly #sequence: AuthSequence;
  readonly #answers: Answers;
  readonly #notes: string[] = [];
  /** The reason, if portfw itself ended the attempt; it explains all later errors. */
  #verdict: ConnectFailure | null = null;
  #giveUp: () => void = () => undefined;
  #timedOut = false;
  #remainingMs = 0;
  #since = 0;
  #timer: NodeJS.Timeout | null = null;
  /** The server's key, once it was checked. */
  #hostKey: HostKey | null = null;
  #authenticating = false;
  #preamble = '';

  constructor(goal: LoginGoal, means: LoginMeans) {
    this.#goal = goal;
    this.#means = means;
    const answers = new Answers(this.#account(), goal.password, means.ask, goal.words.role === 'jump host');
    this.#answers = answers;
    this.#sequence = new AuthSequence(goal.user, means.plan.attempts, answers, (instructions, prompts, finish) => {
      // A person may take longer than a server.
      this.#stopClock();
      void answers.to(instructions, prompts).then((given) => {
        this.#startClock();
        if ('what' in given) this.#end(this.#refused(this.#withTried(given)));
        else finish([...given]);
      });
    });
  }

  /** @param timeoutMs for all of it, without the time that a person takes to answer a question */
  async logIn(timeoutMs: number, signal: AbortSignal | undefined): Promise<LoggedIn | ConnectFailure> {
    const { carrier, hostKeys } = this.#means;
    const givenUp = new Promise<never>((_resolve, reject) => {
      this.#giveUp = () => reject(new Error('given up'));
    });
    givenUp.catch(() => undefined);
    const onAbort = (): void => this.#end(interrupted(this.#goal));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#remainingMs = timeoutMs;
    this.#startClock();
    this.#listenToPreamble();
    const ssh = new NodeSSH();
    const authHandler: AuthHandlerMiddleware = (allowed, partialSuccess, next) => {
      this.#authenticating = true;
      // ssh2 passes null before the first attempt, despite its types, and `false` means to give up.
      const method = this.#sequence.next(allowed as typeof allowed | null, partialSuccess);
      if (method === false && this.#takesPassword()) void this.#typePassword(next as (method: unknown) => void);
      else next(method as Parameters<typeof next>[0]);
    };
    const connecting = ssh.connect({
      sock: carrier.stream,
      username: this.#goal.user,
      // portfw has its own time limit, which is paused while a person is asked.
      readyTimeout: 0,
      keepaliveInterval: this.#goal.keepalive.intervalMs,
      keepaliveCountMax: this.#goal.keepalive.countMax,
      algorithms: { serverHostKey: [...hostKeys.algorithms] as ServerHostKeyAlgorithm[] },
      hostVerifier: (key: Buffer, verdict: (permitted: boolean) => void) => {
        void this.#verifyHostKey(key).then(verdict);
      },
      authHandler,
    });
    connecting.catch(() => undefined);
    const client = ssh.connection!;
    // This listener stays: an error without a listener would end the process.
    client.on('error', () => undefined);
    client.on('change password', () => this.#end(this.#refused(expired(this.#goal))));
    try {
      if (signal?.aborted) onAbort();
      await Promise.race([connecting, givenUp]);
      return { kind: 'ready', client, hostKey: this.#hostKey, notes: this.#notes };
    } catch (error) {
      client.end();
      carrier.stream.destroy();
      return this.#detailed(this.#verdict ?? (await this.#explain(error)));
    } finally {
      this.#stopClock();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A refused login says what it was tried with. */
  #detailed(failure: ConnectFailure): ConnectFailure {
    if (failure.kind !== 'auth-failed') return failure;
    return { ...failure, details: loginDetails(this.#goal, this.#means.plan.agentKeys) };
  }

  #end(verdict: ConnectFailure | null): void {
    this.#verdict ??= verdict;
    this.#giveUp();
  }

  #startClock(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timedOut = true;
        this.#end(null);
      },
      Math.max(0, this.#remainingMs),
    );
  }

  #stopClock(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#remainingMs -= performance.now() - this.#since;
  }

  #takesPassword(): boolean {
    const { loginMethods } = this.#goal;
    return this.#sequence.offered.includes('password') && loginMethods?.includes('password') !== false;
  }

  /** Finally a person is asked for the password. Only for jump hosts, so once in a run. */
  async #typePassword(next: (method: unknown) => void): Promise<void> {
    this.#stopClock();
    const password = await this.#answers.typedPassword();
    this.#startClock();
    if (password !== null) this.#sequence.tried.push('password');
    next(password === null ? false : { type: 'password', username: this.#goal.user, password });
  }

  #account(): string {
    return `${this.#goal.user}@${this.#goal.name}`;
  }

  #refused(text: ConnectFault): ConnectFailure {
    const { tried, offered } = this.#sequence;
    return { kind: 'auth-failed', tried, offered, ...text };
  }

  /** A question is usually asked because a key was not accepted: that is what the user should fix. */
  #withTried({ what, solve }: Fault): ConnectFault {
    const keys = this.#sequence.tried.filter((label) => label !== 'keyboard-interactive' && label !== 'password');
    const before = [...(keys.length === 0 ? [] : [`tried ${keys.join(', ')}`]), ...this.#means.plan.notes];
    const full = before.length === 0 ? what : `${what} (${before.join('; ')})`;
    const account = this.#account();
    if (!full.startsWith(account)) return { what: full, solve };
    const { user, address } = this.#goal;
    return { what: full, solve, shared: { what: `${user}${full.slice(account.length)}`, own: address, solve } };
  }

  async #verifyHostKey(key: Buffer): Promise<boolean> {
    const verdict = await this.#means.hostKeys.verify(key);
    if (verdict.kind !== 'accepted') {
      this.#verdict ??= verdict;
      return false;
    }
    this.#hostKey = verdict.key;
    if (verdict.note !== null) this.#notes.push(verdict.note);
    return true;
  }

  /** ssh2 discards the text before a server's identification, which contains the reason if it refuses the connection. */
  #listenToPreamble(): void {
    const { stream } = this.#means.carrier;
    const onData = (chunk: Buffer): void => {
      this.#preamble += chunk.toString('latin1');
      if (this.#identified() || this.#preamble.length > PREAMBLE_BYTES) stream.off('data', onData);
    };
    // The stream is paused, so this does not start the flow; ssh2 starts it.
    stream.on('data', onData);
  }

  #identified(): boolean {
    return /^SSH-/m.test(this.#preamble);
  }

  async #explain(error: unknown): Promise<ConnectFailure> {
    const goal = this.#goal;
    const { level, message: what } = error as Error & { level?: string };
    // A server could repeat the password that it was sent.
    const said = terminalLine(redacted(Buffer.from(what), goal.password).toString());
    if (!this.#identified()) {
      return noIdentification(goal, this.#preamble, this.#timedOut, await this.#means.carrier.lastWords());
    }
    if (this.#timedOut) return tooSlow(goal);
    if (this.#authenticating && level !== 'client-timeout' && level !== 'client-socket') {
      return refusal(goal, this.#sequence, this.#means.plan.notes, level, said);
    }
    if (level === 'handshake' || (level === 'protocol' && this.#hostKey === null)) return noCommonGround(goal, said);
    return brokeOff(goal, (await this.#means.carrier.lastWords()) ?? said);
  }
}

function expired(goal: LoginGoal): Fault {
  return {
    what: `The password of ${goal.user} on ${where(goal)} has expired, and has to be changed`,
    solve: `Log in with ssh once and change it; ${goal.words.role === 'host' ? 'or use a key' : 'or use a key for the jump host'}`,
  };
}
