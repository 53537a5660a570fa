import type { ConnectFailure, ConnectOutcome, Target, Transport } from '../connection.ts';
import type { AnswerQuestion, LoginObstacle, PassphraseSource } from '../logins.ts';
import { Accounts } from '../program/account.ts';
import type { Carrier } from './carrier.ts';
import { type HostKeyCheck, prepareHostKeyCheck } from './host-key-check.ts';
import { JumpHosts } from './jump-hosts.ts';
import { KnownHostsStore } from './known-hosts-files.ts';
import { hostGoal, jumpGoal, type LoginGoal } from './login-words.ts';
import { PrivateKeyStore } from './private-keys.ts';
import { startProxyCommand } from './proxy-command.ts';
import { type AuthPlan, planAuthentication } from './ssh-authentication.ts';
import { SshConnection } from './ssh-connection.ts';
import { type LoggedIn, SshLogin } from './ssh-login.ts';
import { interrupted, openSocket } from './tcp-socket.ts';

/** SSH through node-ssh and ssh2, directly, through jump hosts or over a command. */
export class NodeSshTransport implements Transport {
  readonly #keys: PrivateKeyStore;
  readonly #ask: AnswerQuestion | null;
  readonly #knownHosts = new KnownHostsStore();
  readonly #jumpHosts = new JumpHosts((goal, carrier, signal) => this.#logInOnTheWay(goal, carrier, signal));
  readonly #accounts = new Accounts();

  /** @param ask answers the questions of servers; `null` if nobody can be asked */
  constructor(passphrases: PassphraseSource, ask: AnswerQuestion | null = null) {
    this.#keys = new PrivateKeyStore(passphrases);
    this.#ask = ask === null ? null : oneAfterTheOther(ask);
  }

  /**
   * Unlocks the keys of the targets and their jump hosts, before any host is contacted and the live view begins, so that
   * questions are asked first and only once. Returns the problems.
   */
  async unlockKeys(targets: readonly Target[]): Promise<readonly LoginObstacle[]> {
    const uses = new Map<string, { readonly goal: LoginGoal; readonly hosts: string[] }>();
    for (const target of targets) {
      const hops = target.route.kind === 'jump' ? target.route.hops.map(jumpGoal) : [];
      for (const goal of [...hops, hostGoal(target)]) {
        const key = authenticationInputs(goal);
        const use = uses.get(key) ?? { goal, hosts: [] };
        if (!use.hosts.includes(target.name)) use.hosts.push(target.name);
        uses.set(key, use);
      }
    }
    const found = new Map<string, LoginObstacle & { readonly hosts: string[] }>();
    for (const { goal, hosts } of uses.values()) {
      const plan = await planAuthentication(goal, this.#keys, this.#ask !== null);
      const texts = plan.kind === 'failed' ? [plan] : plan.warnings;
      const severity = plan.kind === 'failed' ? 'error' : 'warning';
      for (const { what, solve, location = null } of texts) {
        const same = found.get(`${severity} ${what}`);
        if (same === undefined)
          found.set(`${severity} ${what}`, {
            severity,
            what,
            solve,
            ...(location === null ? {} : { location }),
            hosts: [...hosts],
          });
        else same.hosts.push(...hosts.filter((host) => !same.hosts.includes(host)));
      }
    }
    return [...found.values()];
  }

  /** Each call makes a new TCP connection to the host and a new authentication, also behind jump hosts. */
  async connect(target: Target, signal?: AbortSignal): Promise<ConnectOutcome> {
    const startedAt = performance.now();
    const goal = hostGoal(target);
    // Problems on this machine are reported without contacting a host.
    const ready = await this.#prepare(goal);
    if (ready.kind !== 'ready') return ready;
    if (signal?.aborted) return interrupted(target);
    const opened = await this.#open(target, goal, signal);
    if (opened.kind !== 'open') return opened;
    const since = target.route.kind === 'direct' ? startedAt : performance.now();
    const remainingMs = goal.connectTimeoutMs - (performance.now() - since);
    const login = await this.#logIn(goal, opened.carrier, ready, remainingMs, signal);
    if (login.kind !== 'ready') return login;
    const notes = [...opened.notes, ...login.notes];
    const connection = new SshConnection(target, this.#accounts.of(target), login, opened.carrier, notes);
    return { kind: 'connected', connection, connectMs: performance.now() - startedAt };
  }

  /** Logs out of the jump hosts. */
  close(): void {
    this.#jumpHosts.close();
  }

  async #open(
    { route }: Target,
    goal: LoginGoal,
    signal: AbortSignal | undefined,
  ): Promise<{ kind: 'open'; carrier: Carrier; notes: readonly string[] } | ConnectFailure> {
    if (route.kind === 'jump' && route.hops.length > 0) return this.#jumpHosts.reach(route, goal, signal);
    const opened = await (route.kind === 'command' ? startProxyCommand(route.command) : openSocket(goal, signal));
    return opened.kind === 'open' ? { ...opened, notes: [] } : opened;
  }

  async #prepare(goal: LoginGoal): Promise<Prepared | ConnectFailure> {
    const hostKeys = await prepareHostKeyCheck(goal, this.#knownHosts);
    if (hostKeys.kind !== 'ready') return hostKeys;
    const plan = await planAuthentication(goal, this.#keys, this.#ask !== null);
    if (plan.kind === 'failed') return { kind: 'local-problem', what: plan.what, solve: plan.solve };
    return { kind: 'ready', hostKeys: hostKeys.check, plan };
  }

  async #logInOnTheWay(
    goal: LoginGoal,
    carrier: Carrier,
    signal: AbortSignal | undefined,
  ): Promise<LoggedIn | ConnectFailure> {
    const ready = await this.#prepare(goal);
    if (ready.kind === 'ready') return this.#logIn(goal, carrier, ready, goal.connectTimeoutMs, signal);
    carrier.stream.on('error', () => undefined).destroy();
    return ready;
  }

  #logIn(
    goal: LoginGoal,
    carrier: Carrier,
    { hostKeys, plan }: Prepared,
    remainingMs: number,
    signal: AbortSignal | undefined,
  ): Promise<LoggedIn | ConnectFailure> {
    return new SshLogin(goal, { carrier, hostKeys, plan, ask: this.#ask }).logIn(Math.max(1000, remainingMs), signal);
  }
}

/** What is prepared before a server is contacted. */
interface Prepared {
  readonly kind: 'ready';
  readonly hostKeys: HostKeyCheck;
  readonly plan: Extract<AuthPlan, { kind: 'plan' }>;
}

/** Goals with the same inputs need the same keys. */
function authenticationInputs(goal: LoginGoal): string {
  const { privateKeyFiles, agentSocket, identitiesOnly, noDefaultKeys, loginMethods, password, words } = goal;
  const kept = [identitiesOnly, noDefaultKeys, loginMethods, password !== null];
  return JSON.stringify([words.role, privateKeyFiles, agentSocket, kept]);
}

/** Asks one question at a time, for all hosts. */
function oneAfterTheOther(ask: AnswerQuestion): AnswerQuestion {
  let last: Promise<unknown> = Promise.resolve();
  return (question) => {
    const asked = last.then(() => ask(question));
    last = asked.catch(() => undefined);
    return asked;
  };
}
