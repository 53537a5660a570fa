import { createDecipheriv, createHash, createHmac, pbkdf2, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { CodedFault } from '../../core/failure.ts';
import { fileItself, InputError, Problem } from '../../core/problem.ts';
import { type Secret, Unprintable } from '../../core/secret.ts';
import { shown } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';

/** What every file and value that `ansible-vault` encrypts begins with. */
export const VAULT_HEADER = '$ANSIBLE_VAULT';

/** The id of a password that was given without one. */
export const DEFAULT_VAULT_ID = 'default';

/** A password with the id that it goes by. It prints as `[secret]`, like a `Secret`; unlike one it is bytes, as Ansible has it. */
export class VaultSecret extends Unprintable {
  readonly id: string;
  readonly #password: Buffer;

  constructor(id: string, password: Buffer) {
    super();
    this.id = id;
    this.#password = password;
  }

  /** A password that was typed, or set in the environment. */
  static from(id: string, secret: Secret): VaultSecret {
    return new VaultSecret(id, Buffer.from(secret.reveal(), 'utf8'));
  }

  /** The bytes themselves: for the derivation of keys, and to hand them to the thread that evaluates templates. */
  bytes(): Buffer {
    return this.#password;
  }
}

/** A decrypted text, or why there is none: what is wrong, and how to solve it. */
export type Opened = { readonly kind: 'opened'; readonly text: string } | ({ readonly kind: 'failed' } & CodedFault);

/** The parts of an encrypted text. */
interface Envelope {
  /** The label of format 1.2; `null` when it has none. */
  readonly id: string | null;
  readonly salt: Buffer;
  readonly mac: Buffer;
  readonly ciphertext: Buffer;
}

const KEY_LENGTH = 32;
const BLOCK_LENGTH = 16;
/** Ansible's: rounds, bytes of both keys and of the first counter block, the hash. */
const DERIVATION = [10_000, 2 * KEY_LENGTH + BLOCK_LENGTH, 'sha256'] as const;
const pbkdf2Async = promisify(pbkdf2);

type DerivedKeys = Map<string, Buffer>;

/**
 * Decrypts what `ansible-vault` has encrypted, formats 1.1 and 1.2 (https://docs.ansible.com/ansible/latest/vault_guide/).
 *
 * Keys are derived by 10,000 rounds of PBKDF2, some milliseconds each, so every text is decrypted once and remembered.
 * What comes out stays in memory.
 */
export class Vault {
  /** The passwords, in the order in which they were given. */
  readonly secrets: readonly VaultSecret[];
  readonly #opened = new Map<string, Opened>();
  /** Keys that were derived ahead. */
  readonly #keys: DerivedKeys = new Map();

  constructor(secrets: readonly VaultSecret[]) {
    this.secrets = secrets;
  }

  /** Decrypts one value. A password whose id is the text's label is tried first, then all others, as Ansible does. */
  open(text: string): Opened {
    // The key is a digest: what is remembered is not a second copy of every file.
    const key = createHash('sha256').update(text).digest('base64');
    let opened = this.#opened.get(key);
    if (opened === undefined) {
      opened = decrypt(text, this.secrets, this.#keys);
      this.#opened.set(key, opened);
    }
    return opened;
  }

  /** Derives the keys that many values will need all at once, on several processors; {@link open} then finds them. */
  async prepare(texts: Iterable<string>): Promise<void> {
    const derive = async (text: string): Promise<void> => {
      const envelope = parseEnvelope(text);
      const secret = 'kind' in envelope ? undefined : candidates(envelope, this.secrets)[0];
      if ('kind' in envelope || secret === undefined) return;
      this.#keys.set(keysOf(envelope, secret), await pbkdf2Async(secret.bytes(), envelope.salt, ...DERIVATION));
    };
    await Promise.all([...new Set(texts)].map(derive));
  }

  /**
   * Decrypts a whole file.
   *
   * @param text all of it, beginning with {@link VAULT_HEADER}
   * @throws InputError that names the file
   */
  decryptFile(text: string, file: string): string {
    const opened = this.open(text);
    if (opened.kind === 'opened') return opened.text;
    const { code, solve } = opened;
    const what = `this file is encrypted with ansible-vault, ${opened.what}`;
    throw new InputError([new Problem({ severity: 'error', code, what, solve, location: fileItself(file) })]);
  }
}

/** Those whose id is the text's label come first. */
function candidates(envelope: Envelope, secrets: readonly VaultSecret[]): readonly VaultSecret[] {
  const first = secrets.filter(({ id }) => id === envelope.id);
  return [...first, ...secrets.filter((other) => !first.includes(other))];
}

/** What the keys for a text and a password are remembered by. */
function keysOf(envelope: Envelope, secret: VaultSecret): string {
  return createHash('sha256').update(envelope.salt).update(secret.bytes()).digest('base64');
}

function decrypt(text: string, secrets: readonly VaultSecret[], derived: DerivedKeys): Opened {
  const envelope = parseEnvelope(text);
  if ('kind' in envelope) return envelope;
  const label = envelope.id === null ? '' : ` (with the id ${shown(envelope.id)})`;
  if (secrets.length === 0) {
    return failed(
      'vault-password-missing',
      `and no password was given${label}`,
      'Give it with --vault-password-file FILE, --vault-id ID@FILE, -J to be asked, or in PORTFW_VAULT_PASSWORD',
    );
  }
  for (const secret of candidates(envelope, secrets)) {
    const keys = derived.get(keysOf(envelope, secret)) ?? pbkdf2Sync(secret.bytes(), envelope.salt, ...DERIVATION);
    const plain = decryptWith(envelope, keys);
    if (plain === null) continue;
    try {
      return { kind: 'opened', text: new TextDecoder('utf-8', { fatal: true }).decode(plain) };
    } catch {
      return failed('vault-not-utf8', 'and what it holds is not UTF-8 text', 'Encrypt text');
    }
  }
  const given =
    secrets.length === 1 ? 'the password that was given does' : `none of the ${secrets.length} passwords do`;
  const ids = [...new Set(secrets.map(({ id }) => id))];
  const known = envelope.id !== null && !ids.includes(envelope.id) ? `. ${suggestion(envelope.id, ids, 'ids')}` : '';
  return failed(
    'vault-wrong-password',
    `and ${given} not fit${label}, or the text was changed since`,
    `Give the password that it was encrypted with${envelope.id === null ? '' : `, as --vault-id ${envelope.id}@FILE`}${known}`,
  );
}

function parseEnvelope(text: string): Envelope | Opened {
  const [header = '', ...body] = text.trim().split(/\r\n|\r|\n/);
  const [magic, version, cipher, id] = header.split(';').map((part) => part.trim());
  if (magic !== VAULT_HEADER || version === undefined || cipher === undefined) {
    return failed(
      'vault-format',
      `but does not begin with "${VAULT_HEADER};1.1;AES256"`,
      'Copy all lines that ansible-vault printed, the first one too',
    );
  }
  if (version !== '1.1' && version !== '1.2') {
    const solve = 'Encrypt it again with a current ansible-vault, which writes 1.1 and 1.2';
    return failed('vault-version', `in the format ${shown(version)}, which portfw does not know`, solve);
  }
  if (cipher !== 'AES256') {
    return failed('vault-cipher', `with the cipher ${shown(cipher)}, and AES256 is the only one`, 'Encrypt it again');
  }
  const parts = unhex(body.map((line) => line.trim()).join(''))
    ?.toString('latin1')
    .split('\n')
    .map(unhex);
  const [salt, mac, ciphertext] = parts ?? [];
  if (!salt || !mac || !ciphertext || parts?.length !== 3 || mac.length !== 32 || ciphertext.length === 0) {
    const solve = 'Copy all lines that ansible-vault printed, with nothing between them';
    return failed('vault-format', 'but the text is damaged or not complete', solve);
  }
  return { id: id === undefined || id === '' ? null : id, salt, mac, ciphertext };
}

/** The decrypted bytes; `null` when the password is wrong or the text was tampered with, which cannot be told apart. */
function decryptWith(envelope: Envelope, keys: Buffer): Buffer | null {
  const mac = createHmac('sha256', keys.subarray(KEY_LENGTH, 2 * KEY_LENGTH))
    .update(envelope.ciphertext)
    .digest();
  if (!timingSafeEqual(mac, envelope.mac)) return null;
  const decipher = createDecipheriv('aes-256-ctr', keys.subarray(0, KEY_LENGTH), keys.subarray(2 * KEY_LENGTH));
  const padded = Buffer.concat([decipher.update(envelope.ciphertext), decipher.final()]);
  const padding = padded.at(-1) ?? 0;
  const isPadded = padding >= 1 && padding <= BLOCK_LENGTH && padding <= padded.length;
  return isPadded ? padded.subarray(0, padded.length - padding) : null;
}

function unhex(text: string): Buffer | null {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? Buffer.from(text, 'hex') : null;
}

function failed(code: string, what: string, solve: string): Opened {
  return { kind: 'failed', code, what, solve };
}
