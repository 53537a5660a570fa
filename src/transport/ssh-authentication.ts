import ssh2, {
  type AnyAuthMethod,
  type AuthenticationType,
  type IdentityCallback,
  type OpenSSHAgent,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from 'ssh2';
import type { Secret } from '../core/secret.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { FailureText, Target } from './connection.ts';
import { fingerprint } from './known-hosts.ts';
import { defaultPrivateKeyFiles, type PrivateKeyStore } from './private-keys.ts';

/** An agent that does not answer must not hold up a connection. */
const AGENT_TIMEOUT_MS = 2000;

/** One way to prove who we are. */
interface AuthAttempt {
  /** What the user sees: `key ~/.ssh/id_ed25519 (SHA256:…)`. */
  readonly label: string;
  readonly method: AnyAuthMethod;
}

/** The ways that this target allows, most wanted first, and why some keys are not among them. */
export type AuthPlan =
  | { readonly kind: 'plan'; readonly attempts: readonly AuthAttempt[]; readonly notes: readonly string[] }
  | ({ readonly kind: 'failed' } & FailureText);

/**
 * Collects what can be offered to a host: named keys alone if there are any (through the agent where it holds them, so an
 * encrypted key needs no passphrase), else the agent's keys and the default files; then the password.
 */
export async function planAuthentication(target: Target, keys: PrivateKeyStore): Promise<AuthPlan> {
  const notes: string[] = [];
  const attempts: AuthAttempt[] = [];
  const agentKeys = await agentIdentities(target.agentSocket, notes);
  const username = target.user;
  const offerKey = (file: string, key: ParsedKey): void => {
    const label = `key ${file} (${fingerprint(key.getPublicSSH())})`;
    attempts.push({ label, method: { type: 'publickey', username, key } });
  };
  const offerAgentKey = (key: AgentKey): void => {
    const label = `agent key ${terminalLine(key.identity.comment ?? '', 60)} (${fingerprint(key.publicKey)})`;
    attempts.push({ label, method: { type: 'agent', username, agent: new SingleKeyAgent(key) } });
  };
  const named = target.privateKeyFiles.length > 0;
  if (!named) for (const key of agentKeys) offerAgentKey(key);
  for (const file of named ? target.privateKeyFiles : defaultPrivateKeyFiles()) {
    const publicKey = await keys.publicKey(file);
    const held = publicKey === null ? undefined : agentKeys.find((key) => key.publicKey.equals(publicKey));
    if (held !== undefined) {
      if (named) offerAgentKey(held);
      continue;
    }
    const loaded = named ? await keys.unlock(file) : await keys.load(file);
    if (loaded.kind === 'key') offerKey(file, loaded.key);
    else if (named && loaded.kind === 'absent') {
      return {
        kind: 'failed',
        message: `The private key ${file} does not exist`,
        hint: 'Correct ansible_ssh_private_key_file, or leave it out to use the agent and the default keys',
      };
    } else if (loaded.kind !== 'absent') {
      if (named) return { kind: 'failed', message: loaded.message, hint: loaded.hint };
      notes.push(loaded.message);
    }
  }
  if (target.password !== null) attempts.push(...passwordAttempts(username, target.password, attempts.length === 0));
  // "none" makes the server list what it would take, which is worth telling (and opens a host that asks for nothing).
  if (attempts.length === 0) attempts.push({ label: 'no credentials', method: { type: 'none', username } });
  return { kind: 'plan', attempts, notes };
}

function passwordAttempts(username: string, password: Secret, nothingElse: boolean): AuthAttempt[] {
  const attempts: AuthAttempt[] = [
    { label: 'password', method: { type: 'password', username, password: password.reveal() } },
    {
      label: 'keyboard-interactive',
      method: {
        type: 'keyboard-interactive',
        username,
        prompt: (_name, _instructions, _language, prompts, finish) => {
          // Only a hidden question can be about the password; anything else gets an empty answer, and a quick refusal.
          finish(prompts.map((prompt) => (prompt.echo === true ? '' : password.reveal())));
        },
      },
    },
  ];
  // Without a key the server has not said yet which of the two it takes, and a wrong guess counts as a failed login.
  return nothingElse ? [{ label: 'no credentials', method: { type: 'none', username } }, ...attempts] : attempts;
}

/**
 * Hands ssh2 one attempt after the other, each once, skipping what the server does not take, and remembers what was tried
 * for the report. A password is never sent twice by two methods.
 */
export class AuthSequence {
  /** Labels of the attempts made. */
  readonly tried: string[] = [];
  /** The methods the server last said it would take. */
  offered: readonly string[] = [];
  readonly #remaining: AuthAttempt[];

  constructor(attempts: readonly AuthAttempt[]) {
    this.#remaining = [...attempts];
  }

  /** @param allowed what the server takes; `null` before the first attempt. */
  next(allowed: readonly AuthenticationType[] | null): AnyAuthMethod | false {
    if (allowed !== null) this.offered = allowed.map((method) => terminalLine(method, 40));
    const passwordSent = this.tried.includes('password');
    const index = this.#remaining.findIndex(({ method }) => {
      const wireName = method.type === 'agent' ? 'publickey' : method.type;
      if (wireName === 'keyboard-interactive' && (passwordSent || allowed?.includes('password'))) return false;
      return allowed === null || wireName === 'none' || allowed.includes(wireName);
    });
    const attempt = this.#remaining[index];
    if (attempt === undefined) return false;
    this.#remaining.splice(index, 1);
    if (attempt.method.type !== 'none') this.tried.push(attempt.label);
    return attempt.method;
  }
}

/** What to tell the user when the server took none of it. */
export function authFailureText(target: Target, sequence: AuthSequence, notes: readonly string[]): FailureText {
  const offered = sequence.offered.length === 0 ? '' : `; it takes ${sequence.offered.join(', ')}`;
  const tried = sequence.tried.length === 0 ? 'nothing to offer' : `tried ${sequence.tried.join(', ')}`;
  const passed = notes.length === 0 ? '' : `; ${notes.join('; ')}`;
  const wantsPassword = sequence.offered.some((method) => method === 'password' || method === 'keyboard-interactive');
  const wantsKey = sequence.offered.includes('publickey');
  let hint = `Check ansible_user, and that this key stands in ~${target.user}/.ssh/authorized_keys on the host`;
  if (sequence.tried.length === 0 && wantsKey) {
    hint = 'Set ansible_ssh_private_key_file, or load a key into your agent with ssh-add';
    if (wantsPassword) hint += '; for a password set PORTFW_SSH_PASSWORD or use --ask-pass';
  } else if (wantsPassword && target.password === null) {
    hint += '; for a password set PORTFW_SSH_PASSWORD or use --ask-pass';
  } else if (sequence.tried.some((label) => label === 'password' || label === 'keyboard-interactive')) {
    hint =
      'Check ansible_user and PORTFW_SSH_PASSWORD; it will not be tried again, so that the host does not lock us out';
  }
  return { message: `${target.user}@${target.address} refused the login (${tried}${offered}${passed})`, hint };
}

interface AgentKey {
  readonly agent: OpenSSHAgent;
  readonly identity: ParsedKey;
  readonly publicKey: Buffer;
}

function agentIdentities(socket: string | null, notes: string[]): Promise<readonly AgentKey[]> {
  if (socket === null) return Promise.resolve([]);
  const agent = new ssh2.OpenSSHAgent(socket);
  return new Promise((resolve) => {
    const finish = (keys: readonly AgentKey[], note?: string): void => {
      clearTimeout(timer);
      if (note !== undefined) notes.push(note);
      resolve(keys);
    };
    const timer = setTimeout(() => finish([], `the agent at ${socket} does not answer`), AGENT_TIMEOUT_MS);
    agent.getIdentities((error, identities) => {
      if (error) {
        finish([], `the agent at ${socket} cannot be used: ${terminalLine(error.message)}`);
        return;
      }
      const usable = (identities ?? []).filter((identity): identity is ParsedKey => 'getPublicSSH' in identity);
      finish(usable.map((identity) => ({ agent, identity, publicKey: identity.getPublicSSH() })));
    });
  });
}

/** An agent reduced to one of its keys, so that each key is an attempt of its own. */
class SingleKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #key: AgentKey;

  constructor(key: AgentKey) {
    super();
    this.#key = key;
  }

  override getIdentities(callback: IdentityCallback<ParsedKey>): void {
    callback(undefined, [this.#key.identity]);
  }

  override sign(
    publicKey: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    if (typeof options === 'function') this.#key.agent.sign(publicKey, data, {}, options);
    else this.#key.agent.sign(publicKey, data, options, callback);
  }
}
