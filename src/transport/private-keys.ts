import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import type { Secret } from '../core/secret.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { FailureText } from './connection.ts';

/** What became of a private key file. */
export type LoadedKey =
  | { readonly kind: 'key'; readonly key: ParsedKey }
  | { readonly kind: 'absent' }
  | ({ readonly kind: 'locked' | 'unusable' } & FailureText);

/** Where passphrases come from. */
export interface PassphraseSource {
  /** Tried on every encrypted key; usually `PORTFW_KEY_PASSPHRASE`. */
  readonly passphrase: Secret | null;
  /** Asks for the passphrase of a file the user named; `null` when the user will not say or cannot be asked. */
  readonly ask: ((file: string) => Promise<Secret | null>) | null;
}

/**
 * Private keys, each read, unlocked and parsed once however many hosts it opens: unlocking costs some 400 ms of pure
 * computation, and nobody wants to be asked twice.
 */
export class PrivateKeyStore {
  readonly #source: PassphraseSource;
  readonly #loaded = new Map<string, Promise<LoadedKey>>();
  readonly #asked = new Map<string, Promise<LoadedKey>>();

  constructor(source: PassphraseSource) {
    this.#source = source;
  }

  /** Loads a key without asking anyone: an encrypted one that the passphrase at hand does not open is `locked`. */
  load(file: string): Promise<LoadedKey> {
    return remember(this.#loaded, file, () => parse(file, this.#source.passphrase));
  }

  /** Loads a key the user named, asking for its passphrase if need be. */
  async unlock(file: string): Promise<LoadedKey> {
    const loaded = await this.load(file);
    const { ask } = this.#source;
    if (loaded.kind !== 'locked' || ask === null) return loaded;
    return remember(this.#asked, file, async () => {
      const passphrase = await ask(file);
      return passphrase === null ? loaded : parse(file, passphrase);
    });
  }

  /** The public half in wire format, from `FILE.pub` or the key itself; `null` when neither says. */
  async publicKey(file: string): Promise<Buffer | null> {
    try {
      const parsed = ssh2.utils.parseKey(await readFile(`${file}.pub`));
      if (!(parsed instanceof Error)) return first(parsed).getPublicSSH();
    } catch {
      // No .pub beside it is usual; the key itself may tell.
    }
    const loaded = await this.load(file);
    return loaded.kind === 'key' ? loaded.key.getPublicSSH() : null;
  }
}

function remember<T>(store: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = store.get(key);
  if (known !== undefined) return known;
  const made = make();
  store.set(key, made);
  return made;
}

async function parse(file: string, passphrase: Secret | null): Promise<LoadedKey> {
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
    return {
      kind: 'unusable',
      message: `Cannot read the private key ${file}: ${code}`,
      hint: 'Make the file readable for your account only',
    };
  }
  const parsed = ssh2.utils.parseKey(text, passphrase?.reveal());
  if (!(parsed instanceof Error)) {
    const key = first(parsed);
    if (key.isPrivateKey()) return { kind: 'key', key };
    return {
      kind: 'unusable',
      message: `${file} is a public key`,
      hint: 'Name the private key, which has no .pub at the end',
    };
  }
  if (/no passphrase given/i.test(parsed.message)) {
    return {
      kind: 'locked',
      message: `The private key ${file} is encrypted`,
      hint: 'Set PORTFW_KEY_PASSPHRASE, or load the key into an agent with ssh-add',
    };
  }
  if (passphrase !== null && /integrity check|bad passphrase|decrypt/i.test(parsed.message)) {
    return {
      kind: 'locked',
      message: `The passphrase does not open the private key ${file}`,
      hint: 'Check PORTFW_KEY_PASSPHRASE, or load the key into an agent with ssh-add',
    };
  }
  return {
    kind: 'unusable',
    message: `The private key ${file} cannot be used: ${terminalLine(parsed.message)}`,
    hint: 'Keys in OpenSSH or PEM format work; "ssh-keygen -p -f FILE" rewrites a key in OpenSSH format',
  };
}

function first(parsed: ParsedKey | readonly ParsedKey[]): ParsedKey {
  return Array.isArray(parsed) ? (parsed as readonly ParsedKey[])[0]! : (parsed as ParsedKey);
}

/** The private keys that OpenSSH tries when none is named. */
export function defaultPrivateKeyFiles(home: string = homedir()): string[] {
  return ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name));
}
