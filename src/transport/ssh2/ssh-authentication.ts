import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import type { Fault } from '../../core/failure.ts';
import type { SourceLocation } from '../../core/problem.ts';
import type { SetBy } from '../../core/set-by.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { LoginMethod, SshEndpoint } from '../connection.ts';
import { type AgentKey, type AgentKeys, listAgentKeys, SingleKeyAgent } from './agent-keys.ts';
import { BY_OPENSSH, unusableText } from './key-formats.ts';
import { fingerprint } from './known-hosts.ts';
import { hostGoal, type LoginGoal } from './login-words.ts';
import {
  defaultPrivateKeyFiles,
  defaultUnusableKeyFiles,
  fileExists,
  type LoadedKey,
  type PrivateKeyStore,
} from './private-keys.ts';

/** A server closes the connection at the sixth failure (MaxAuthTries), so at most so many keys are tried before a password. */
const KEYS_BEFORE_PASSWORD = 5;

/** One authentication attempt. */
export interface AuthAttempt {
  /** What the user sees: `key ~/.ssh/id_ed25519 (SHA256:…)`. */
  readonly label: string;
  /** `keyboard-interactive` has no answers here, because they belong to one login. */
  readonly method: Exclude<AnyAuthMethod, { type: 'keyboard-interactive' }> | { readonly type: 'keyboard-interactive' };
}

/** The possible attempts for an endpoint, most wanted first. */
export type AuthPlan =
  | {
      readonly kind: 'plan';
      readonly attempts: readonly AuthAttempt[];
      /** How many keys of the agent can be used. */
      readonly agentKeys: number;
      /** Why some keys are missing, for the text of a failure. */
      readonly notes: readonly string[];
      /** Warnings before the first attempt: something that the user requested will not be used. */
      readonly warnings: readonly Obstacle[];
    }
  | ({ readonly kind: 'failed' } & Obstacle);

/** Why a key cannot be used, and the place that names the key where that is in a file. */
export interface Obstacle extends Fault {
  readonly location?: SourceLocation | null;
}

/**
 * Collects what can be offered to an SSH server: the named keys (through the agent if it has them, so that an encrypted key
 * needs no passphrase), then the agent's other keys unless IdentitiesOnly is set; without named keys the agent's keys, then
 * the default files. Then a password if there is one, and questions.
 *
 * Unsupported methods (FIDO keys, certificates, DSA, GSSAPI) are detected here, before the server is contacted. It is a failure
 * if nothing else is left.
 *
 * @param canAsk whether somebody can answer a server's questions, which allows a login without a key
 */
export async function planAuthentication(
  goal: SshEndpoint & Partial<Pick<LoginGoal, 'words'>>,
  keys: PrivateKeyStore,
  canAsk = false,
): Promise<AuthPlan> {
  const agent = await listAgentKeys(goal.agentSocket);
  const planner = new Planner(goal, goal.words ?? hostGoal({ ...goal, name: goal.address }).words, keys, agent);
  return planner.plan(canAsk);
}

class Planner {
  readonly #goal: SshEndpoint;
  readonly #words: LoginGoal['words'];
  readonly #keys: PrivateKeyStore;
  readonly #agent: AgentKeys;
  readonly #attempts: AuthAttempt[] = [];
  readonly #notes: string[] = [];
  readonly #warnings: Obstacle[] = [];
  /** Why keys cannot be used; the first is the best explanation. */
  readonly #obstacles: Obstacle[] = [];
  readonly #offered = new Set<string>();

  constructor(goal: SshEndpoint, words: LoginGoal['words'], keys: PrivateKeyStore, agent: AgentKeys) {
    this.#goal = goal;
    this.#words = words;
    this.#keys = keys;
    this.#agent = agent;
  }

  async plan(canAsk: boolean): Promise<AuthPlan> {
    const { privateKeyFiles, user: username, loginMethods } = this.#goal;
    const mayUse = (method: LoginMethod): boolean => loginMethods?.includes(method) !== false;
    const named = mayUse('publickey') ? privateKeyFiles : [];
    const password = mayUse('password') || mayUse('keyboard-interactive') ? this.#goal.password : null;
    if (this.#agent.problem !== null) this.#notes.push(this.#agent.problem);
    let absentOnly = true;
    if (named.length > 0) {
      for (const file of named) absentOnly = (await this.#offerNamed(file)) && absentOnly;
      if (!this.#goal.identitiesOnly) this.#offerAgentKeys();
    } else if (mayUse('publickey')) {
      await this.#offerDefaults();
    }
    const [obstacle] = this.#obstacles;
    if (this.#attempts.length === 0 && obstacle !== undefined) {
      // A password may replace a missing key, but not an existing key that cannot be read.
      const elseLeft = password !== null || (canAsk && named.length === 0);
      if (!elseLeft || (named.length > 0 && !absentOnly)) {
        const why = this.#agent.problem === null ? '' : `; ${this.#agent.problem}`;
        return { ...obstacle, kind: 'failed', what: obstacle.what + why };
      }
      this.#warnings.push(obstacle);
    } else if (named.length > 0) {
      this.#warnings.push(...this.#obstacles);
    }
    this.#notes.push(...this.#obstacles.map(({ what }) => what));
    if (this.#attempts.length === 0 && password === null) {
      const kerberos = await kerberosObstacle();
      if (kerberos !== null && !canAsk) return { kind: 'failed', ...kerberos };
      if (kerberos !== null) this.#warnings.push(kerberos);
    }
    if (password !== null) {
      this.#keepPlaceForPassword();
      this.#attempts.push({ label: 'password', method: { type: 'password', username, password: password.reveal() } });
    }
    this.#attempts.push({ label: 'keyboard-interactive', method: { type: 'keyboard-interactive' } });
    const attempts = loginMethods === undefined ? this.#attempts : inOrder(this.#attempts, loginMethods);
    const agentKeys = this.#agent.usable.length;
    return { kind: 'plan', attempts, agentKeys, notes: this.#notes, warnings: this.#warnings };
  }

  /** @returns whether the file is missing or usable */
  async #offerNamed(file: string): Promise<boolean> {
    if (await this.#offerHeld(file)) return true;
    const publicKey = await this.#keys.publicKey(file);
    const useless = this.#agent.unusable.find((key) => publicKey?.equals(key.publicKey));
    if (useless !== undefined) {
      const { why, instead } = unusableText(useless.of);
      this.#obstacles.push({
        what: `The key ${terminalLine(file, 300)} cannot be used: ${why}`,
        solve: instead,
        location: this.#namedBy(file).location,
      });
      return false;
    }
    const loaded = await this.#keys.unlock(file);
    await this.#offerLoaded(file, loaded, true);
    return loaded.kind === 'key' || loaded.kind === 'absent';
  }

  async #offerDefaults(): Promise<void> {
    if (!this.#goal.identitiesOnly) this.#offerAgentKeys();
    const locked: string[] = [];
    const files = this.#goal.noDefaultKeys === true ? [] : defaultPrivateKeyFiles();
    for (const file of files) {
      if (await this.#offerHeld(file)) continue;
      const loaded = await this.#keys.load(file);
      if (loaded.kind === 'locked') locked.push(file);
      else await this.#offerLoaded(file, loaded, false);
    }
    for (const file of locked) {
      // The user is not asked for the passphrase of a default key if another key may be enough.
      const loaded = this.#attempts.length === 0 ? await this.#keys.unlock(file) : await this.#keys.load(file);
      await this.#offerLoaded(file, loaded, false);
    }
    for (const file of this.#goal.noDefaultKeys === true ? [] : defaultUnusableKeyFiles()) {
      if (!(await fileExists(file))) continue;
      const { why, instead } = unusableText(file.endsWith('_sk') ? 'fido' : 'dsa');
      this.#obstacles.push({ what: `The private key ${file} cannot be used: ${why}`, solve: instead });
    }
  }

  /** Offers the key of a file through the agent, if it has the key. */
  async #offerHeld(file: string): Promise<boolean> {
    const publicKey = await this.#keys.publicKey(file);
    if (publicKey === null) return false;
    const held = this.#agent.usable.find((key) => key.publicKey.equals(publicKey));
    if (held === undefined) return false;
    this.#offerAgentKey(held);
    await this.#lookForCertificate(file);
    return true;
  }

  async #offerLoaded(file: string, loaded: LoadedKey, named: boolean): Promise<void> {
    const shown = terminalLine(file, 300);
    switch (loaded.kind) {
      case 'key':
        this.#offerKey(shown, loaded.key);
        await this.#lookForCertificate(file);
        return;
      case 'absent':
        if (!named) return;
        this.#obstacles.push({
          what: `The private key ${shown} does not exist`,
          solve: `Correct ${this.#namedBy(file).name}, or leave it out to use the agent and the default keys`,
          location: this.#namedBy(file).location,
        });
        return;
      case 'locked':
      case 'unusable':
        this.#obstacles.push({ what: loaded.what, solve: loaded.solve, location: this.#namedBy(file).location });
    }
  }

  /** What named a key: the words of the endpoint's kind where nothing is known. */
  #namedBy(file: string): SetBy {
    const options = this.#goal.options ?? [];
    const found = options.find(({ option, value }) => option === 'IdentityFile' && value === file);
    return found?.by ?? { name: this.#words.key, location: null };
  }

  /** OpenSSH would offer the certificate beside a key first, so a user who has one expects it to be used. */
  async #lookForCertificate(file: string): Promise<void> {
    const certificate = `${file}-cert.pub`;
    if (!(await fileExists(certificate))) return;
    const { why, instead } = unusableText('certificate');
    const what = `The certificate ${terminalLine(certificate, 300)} cannot be used: ${why}; the key itself is offered without it`;
    this.#warnings.push({ what, solve: instead });
    this.#notes.push(what);
  }

  #offerAgentKeys(): void {
    for (const key of this.#agent.usable) this.#offerAgentKey(key);
    for (const { comment, of } of this.#agent.unusable) {
      const { why, instead } = unusableText(of);
      const what = `The agent's key ${comment} cannot be used: ${why}`;
      if (this.#attempts.length === 0) this.#obstacles.push({ what, solve: instead });
      else this.#notes.push(what);
    }
  }

  #offerKey(file: string, key: ParsedKey): void {
    if (!this.#isNew(key.getPublicSSH())) return;
    const label = `key ${file} (${fingerprint(key.getPublicSSH())})`;
    this.#attempts.push({ label, method: { type: 'publickey', username: this.#goal.user, key } });
  }

  #offerAgentKey(key: AgentKey): void {
    if (!this.#isNew(key.publicKey)) return;
    const label = `agent key ${key.comment} (${fingerprint(key.publicKey)})`;
    this.#attempts.push({
      label,
      method: { type: 'agent', username: this.#goal.user, agent: new SingleKeyAgent(key) },
    });
  }

  #isNew(publicKey: Buffer): boolean {
    const id = publicKey.toString('base64');
    if (this.#offered.has(id)) return false;
    this.#offered.add(id);
    return true;
  }

  #keepPlaceForPassword(): void {
    const tooMany = this.#attempts.splice(KEYS_BEFORE_PASSWORD);
    if (tooMany.length > 0)
      this.#notes.push(`${tooMany.length} more keys were not offered, so that the password is still tried`);
  }
}

/** The attempts by the allowed methods, in the preferred order. */
function inOrder(attempts: readonly AuthAttempt[], methods: readonly LoginMethod[]): readonly AuthAttempt[] {
  return methods.flatMap((wanted) =>
    attempts.filter(({ method }) => (method.type === 'agent' ? 'publickey' : method.type) === wanted),
  );
}

/** With a Kerberos ticket, OpenSSH could log in without a key. */
async function kerberosObstacle(): Promise<Fault | null> {
  const named = process.env['KRB5CCNAME']?.replace(/^(?:FILE|DIR):/, '');
  const own = `krb5cc_${process.getuid?.() ?? 'none'}`;
  const found =
    named !== undefined && named !== ''
      ? !named.startsWith('/') || (await stat(named).then(Boolean, () => false))
      : (await readdir(tmpdir()).catch((): string[] => [])).includes(own);
  if (!found) return null;
  return {
    what: 'There is a Kerberos ticket and no key: portfw cannot log in with Kerberos (GSSAPI)',
    solve: `Name a key with ansible_ssh_private_key_file or load one into an agent; on the way to a host, ${BY_OPENSSH}`,
  };
}
