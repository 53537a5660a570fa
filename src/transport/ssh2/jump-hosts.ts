import type { Client } from 'ssh2';
import type { ConnectFailure, Route } from '../connection.ts';
import type { Carrier } from './carrier.ts';
import { forward, lostOnTheWay } from './forwarded-connection.ts';
import { jumpGoal, type LoginGoal, where } from './login-words.ts';
import { startProxyCommand } from './proxy-command.ts';
import type { LoggedIn } from './ssh-login.ts';
import { interrupted, openSocket } from './tcp-socket.ts';

/** How long the connection to an unused jump host stays open: the next connection usually follows soon. */
const LINGER_MS = 5000;
const CLOSE_TIMEOUT_MS = 500;
/**
 * How long an unreachable jump host is not tried again: so that other hosts of the run that wait for it fail for the same
 * reason.
 */
const UNREACHABLE_MS = 3000;

/** The jump hosts on the way to a host, the nearest first; at least one. */
export type JumpRoute = Extract<Route, { kind: 'jump' }>;

/** Logs in to an SSH server over an open carrier. */
export type LogIn = (
  goal: LoginGoal,
  carrier: Carrier,
  signal: AbortSignal | undefined,
) => Promise<LoggedIn | ConnectFailure>;

/** An open connection, or why there is none. */
type Opened = { readonly kind: 'open'; readonly carrier: Carrier; readonly notes: readonly string[] } | ConnectFailure;

/** The use of a jump host by one connection through it. */
interface Lease {
  readonly kind: 'lease';
  readonly hop: Hop;
  /** Notes for the user about the login on the jump hosts; reported once. */
  readonly notes: readonly string[];
  release(): void;
}

/** A jump host with an open login. */
interface Hop {
  readonly goal: LoginGoal;
  readonly client: Client;
  notes: readonly string[];
  users: number;
  alive: boolean;
  timer: NodeJS.Timeout | null;
}

/** An attempt in progress; all connections through the jump host wait for the same one. */
interface Attempt {
  readonly outcome: Promise<Hop | ConnectFailure>;
  readonly controller: AbortController;
  waiters: number;
}

type Entry =
  | { readonly state: 'opening'; readonly attempt: Attempt }
  | { readonly state: 'open'; readonly hop: Hop }
  /** `until` is on the clock of `performance.now()`; infinite for a refusal. */
  | { readonly state: 'failed'; readonly failure: ConnectFailure; readonly until: number };

/**
 * The jump hosts of a run. There is one login on a chain of them for all hosts behind it: a hundred logins at once would
 * reach MaxStartups. Only that is shared: each connection to a host is a new TCP connection from the last jump host, with a
 * new key exchange and authentication. The guard's proof depends on that.
 *
 * A jump host that refused the login is not tried again during the run, because each refusal may lead to a penalty.
 */
export class JumpHosts {
  readonly #logIn: LogIn;
  readonly #lingerMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(logIn: LogIn, lingerMs: number = LINGER_MS) {
    this.#logIn = logIn;
    this.#lingerMs = lingerMs;
  }

  /** Opens a new TCP connection to a goal from the last of the jump hosts. */
  async reach(route: JumpRoute, goal: LoginGoal, signal: AbortSignal | undefined): Promise<Opened> {
    // A lost connection to a jump host is noticed only now; one more attempt with a fresh one is made.
    for (let attempt = 1; ; attempt++) {
      const lease = await this.#lease(route, signal);
      if (lease.kind !== 'lease') return lease;
      const { hop, release } = lease;
      const opened = await forward({ ...hop, isAlive: () => hop.alive, release }, goal, signal);
      if (opened.kind === 'open') return { ...opened, notes: lease.notes };
      release();
      if (opened.kind === 'failed') return opened.failure;
      if (attempt === 2) return lostOnTheWay(hop.goal, goal);
    }
  }

  /** Logs out of all jump hosts; connections through them are lost. */
  close(): void {
    for (const entry of this.#entries.values()) {
      if (entry.state === 'opening') entry.attempt.controller.abort();
      else if (entry.state === 'open') end(entry.hop);
    }
    this.#entries.clear();
  }

  async #lease(route: JumpRoute, signal: AbortSignal | undefined): Promise<Lease | ConnectFailure> {
    const key = loginsOf(route);
    const last = route.hops.at(-1)!;
    for (let lost = 0; lost < 2; ) {
      if (signal?.aborted) return interrupted(last);
      const entry = this.#entries.get(key) ?? this.#open(key, route);
      if (entry.state === 'failed') {
        if (entry.until > performance.now()) return entry.failure;
        this.#entries.delete(key);
      } else if (entry.state === 'open') {
        if (entry.hop.alive) return this.#use(key, entry.hop);
        this.#entries.delete(key);
      } else {
        const waited = await wait(entry.attempt, signal);
        if (waited === 'aborted') {
          // No connection waits for it any more; the next one makes a new attempt.
          if (entry.attempt.waiters === 0 && this.#entries.get(key) === entry) this.#entries.delete(key);
          return interrupted(last);
        }
        if ('kind' in waited) return waited;
        if (waited.alive) return this.#use(key, waited);
        lost += 1;
      }
    }
    return {
      kind: 'unreachable',
      what: `The jump host ${last.user}@${where(last)} accepts the login and closes the connection at once`,
      solve: 'Look into the SSH log of the jump host (journalctl -u ssh -u sshd)',
    };
  }

  #open(key: string, route: JumpRoute): Entry {
    const controller = new AbortController();
    const attempt: Attempt = { outcome: this.#connect(route, controller.signal), controller, waiters: 0 };
    const entry: Entry = { state: 'opening', attempt };
    this.#entries.set(key, entry);
    void attempt.outcome.then((outcome) => {
      // Perhaps no connection waits for it any more.
      if (this.#entries.get(key) !== entry) {
        if (!('kind' in outcome)) end(outcome);
      } else if ('kind' in outcome) {
        if (controller.signal.aborted) this.#entries.delete(key);
        else this.#entries.set(key, { state: 'failed', failure: outcome, until: performance.now() + lastsMs(outcome) });
      } else {
        this.#entries.set(key, { state: 'open', hop: outcome });
        this.#linger(key, outcome);
      }
    });
    return entry;
  }

  /** Logs in to the last of the jump hosts, through those before it. */
  async #connect(route: JumpRoute, signal: AbortSignal): Promise<Hop | ConnectFailure> {
    const goal = jumpGoal(route.hops.at(-1)!);
    const before = { ...route, hops: route.hops.slice(0, -1) };
    const first = before.hops.length === 0;
    const opened = await (first ? openFirst(route, goal, signal) : this.reach(before, goal, signal));
    // A failure of an earlier jump host already names it.
    if (opened.kind !== 'open') return first ? blamed(goal, opened) : opened;
    const login = await this.#logIn(goal, opened.carrier, signal);
    if (login.kind !== 'ready') return blamed(goal, login);
    const { client } = login;
    // Every connection through it listens for its end.
    client.setMaxListeners(0);
    const notes = [...opened.notes, ...login.notes];
    const hop: Hop = { goal, client, notes, users: 0, alive: true, timer: null };
    client.once('close', () => {
      hop.alive = false;
    });
    return hop;
  }

  #use(key: string, hop: Hop): Lease {
    if (hop.timer !== null) clearTimeout(hop.timer);
    hop.timer = null;
    hop.users += 1;
    const { notes } = hop;
    hop.notes = [];
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      hop.users -= 1;
      if (hop.users === 0) this.#linger(key, hop);
    };
    return { kind: 'lease', hop, notes, release };
  }

  #linger(key: string, hop: Hop): void {
    hop.timer = setTimeout(() => {
      const entry = this.#entries.get(key);
      if (entry?.state === 'open' && entry.hop === hop) this.#entries.delete(key);
      end(hop);
    }, this.#lingerMs);
    hop.timer.unref();
  }
}

/** The same for all hosts behind the same logins, wherever these are written. */
function loginsOf(route: JumpRoute): string {
  return JSON.stringify({ ...route, hops: route.hops.map(({ options: _, ...hop }) => hop) });
}

/** Opens the connection to the nearest jump host. */
async function openFirst(
  { firstHopCommand }: JumpRoute,
  goal: LoginGoal,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const opened = await (firstHopCommand === undefined ? openSocket(goal, signal) : startProxyCommand(firstHopCommand));
  return opened.kind === 'open' ? { ...opened, notes: [] } : opened;
}

function end(hop: Hop): void {
  if (hop.timer !== null) clearTimeout(hop.timer);
  hop.alive = false;
  hop.client.end();
  // A server that does not close the connection must not keep it open.
  setTimeout(() => hop.client.destroy(), CLOSE_TIMEOUT_MS).unref();
}

/** Waits for a shared attempt; it is aborted when the last waiter is. */
async function wait(attempt: Attempt, signal: AbortSignal | undefined): Promise<Hop | ConnectFailure | 'aborted'> {
  attempt.waiters += 1;
  let onAbort = (): void => undefined;
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted');
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  const outcome = await Promise.race([attempt.outcome, aborted]);
  signal?.removeEventListener('abort', onAbort);
  attempt.waiters -= 1;
  if (outcome === 'aborted' && attempt.waiters === 0) attempt.controller.abort();
  return outcome;
}

/** How long a failure is remembered before the jump host is tried again, in milliseconds. */
function lastsMs(failure: ConnectFailure): number {
  switch (failure.kind) {
    case 'unreachable':
    case 'turned-away':
    case 'protocol-failed':
      return UNREACHABLE_MS;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** A failure with the jump host's name in front, so that it is not mistaken for a failure of the host. */
function blamed<F extends ConnectFailure>(goal: LoginGoal, failure: F): F {
  const what = `The jump host ${goal.user}@${where(goal)} failed: ${failure.what}`;
  // The same words for every host behind it.
  const { command } = failure.shared ?? {};
  return {
    ...failure,
    what,
    shared: { what, own: '', solve: failure.solve, ...(command === undefined ? {} : { command }) },
  };
}
