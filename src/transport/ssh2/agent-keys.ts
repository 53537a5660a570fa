import { connect } from 'node:net';
import ssh2, {
  type IdentityCallback,
  type OpenSSHAgent,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from 'ssh2';
import { terminalLine } from '../../core/terminal-text.ts';
import { readField, unusableKind } from './key-formats.ts';

/** An agent that does not answer must not delay a connection. */
const AGENT_TIMEOUT_MS = 2000;
/** The limits of OpenSSH's own client. */
const MOST_BYTES = 256 * 1024;
const MOST_KEYS = 2048;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;

/** A key that the agent holds and that can be used. */
export interface AgentKey {
  readonly socket: string;
  readonly identity: ParsedKey;
  readonly publicKey: Buffer;
  readonly comment: string;
}

/** What an agent holds. */
export interface AgentKeys {
  readonly usable: readonly AgentKey[];
  /** Keys that ssh2 cannot use: FIDO security keys and certificates. */
  readonly unusable: readonly {
    readonly comment: string;
    readonly of: NonNullable<ReturnType<typeof unusableKind>>;
    readonly publicKey: Buffer;
  }[];
  /** Why the agent cannot be used; `null` when it can. */
  readonly problem: string | null;
}

/**
 * Lists an agent's keys. ssh2's own listing silently omits keys that it cannot use; a user whose only key is on a security key
 * would then be told that there is none.
 */
export function listAgentKeys(socketPath: string | null): Promise<AgentKeys> {
  if (socketPath === null) return Promise.resolve({ usable: [], unusable: [], problem: null });
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const finish = (answer: Buffer | null, problem: string | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer === null ? { usable: [], unusable: [], problem } : readIdentities(socketPath, answer));
    };
    const name = terminalLine(socketPath, 300);
    const timer = setTimeout(() => finish(null, `the agent at ${name} does not answer`), AGENT_TIMEOUT_MS);
    const socket = connect(socketPath);
    socket.on('connect', () => socket.write(Buffer.from([0, 0, 0, 1, REQUEST_IDENTITIES])));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(null, `the agent at ${name} cannot be used: ${error.code ?? terminalLine(error.message)}`),
    );
    socket.on('close', () => finish(null, `the agent at ${name} closed the connection`));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > MOST_BYTES) finish(null, `the answer of the agent at ${name} is too long`);
      const message = readField(received, 0)?.value;
      if (message === undefined) return;
      if (message[0] === IDENTITIES_ANSWER) finish(message, null);
      else finish(null, `the agent at ${name} does not list its keys (it may be locked)`);
    });
  });
}

function readIdentities(socket: string, answer: Buffer): AgentKeys {
  const usable: AgentKey[] = [];
  const unusable: AgentKeys['unusable'][number][] = [];
  const count = answer.length < 5 ? 0 : Math.min(MOST_KEYS, answer.readUInt32BE(1));
  let at = 5;
  for (let index = 0; index < count; index++) {
    const blob = readField(answer, at);
    const comment = blob === null ? null : readField(answer, blob.next);
    if (blob === null || comment === null) break;
    at = comment.next;
    const type = readField(blob.value, 0)?.value.toString('latin1') ?? '';
    const kind = unusableKind(type);
    const shown = terminalLine(comment.value.toString('utf8'), 60);
    const parsed = kind === null ? ssh2.utils.parseKey(blob.value) : null;
    if (kind !== null) unusable.push({ comment: shown, of: kind, publicKey: blob.value });
    else if (parsed !== null && !(parsed instanceof Error)) {
      const identity = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey;
      usable.push({ socket, identity, publicKey: identity.getPublicSSH(), comment: shown });
    }
  }
  return { usable, unusable, problem: null };
}

/** An agent with only one of its keys, so that each key is a separate attempt. */
export class SingleKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #key: AgentKey;
  readonly #agent: OpenSSHAgent;
  /** Whether the server accepted the key and asked for a signature. */
  signed = false;

  constructor(key: AgentKey) {
    super();
    this.#key = key;
    this.#agent = new ssh2.OpenSSHAgent(key.socket);
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
    this.signed = true;
    if (typeof options === 'function') this.#agent.sign(publicKey, data, {}, options);
    else this.#agent.sign(publicKey, data, options, callback);
  }
}
