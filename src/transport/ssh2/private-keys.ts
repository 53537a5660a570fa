import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ParsedKey } from 'ssh2';
import type { Fault } from '../../core/failure.ts';
import type { Secret } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';

import type { PassphraseSource } from '../logins.ts';
import { parsePrivateKey, parsePublicLine, publicHalfOf, unusableText } from './key-formats.ts';

/** A private key has some kilobytes; a larger file is not one. */
const MOST_BYTES = 256 * 1024;

/** The result of loading a private key file. */
export type LoadedKey =
  | { readonly kind: 'key'; readonly key: ParsedKey }
  | { readonly kind: 'absent' }
  | ({ readonly kind: 'locked' | 'unusable' } & Fault);

/**
 * Private keys, each read, unlocked and parsed once for all hosts: unlocking takes about 400 ms of CPU time, and the user should
 * be asked only once.
 */
export class PrivateKeyStore {
  readonly #source: PassphraseSource;
  readonly #loaded = new Map<string, Promise<LoadedKey>>();
  readonly #asked = new Map<string, Promise<LoadedKey>>();
  /** Questions are asked one after the other. */
  #questions: Promise<unknown> = Promise.resolve();

  constructor(source: PassphraseSource) {
    this.#source = source;
  }

  /** Loads a key without asking: an encrypted one that the given passphrase does not open is `locked`. */
  load(file: string): Promise<LoadedKey> {
    return remember(this.#loaded, file, () => parse(file, this.#source.passphrase));
  }

  /** Loads a key, asking for its passphrase if need be. */
  async unlock(file: string): Promise<LoadedKey> {
    const loaded = await this.load(file);
    const { ask } = this.#source;
    if (loaded.kind !== 'locked' || ask === null) return loaded;
    return remember(this.#asked, file, () => {
      const asked = this.#questions.then(async (): Promise<LoadedKey> => {
        const passphrase = await ask(file);
        return passphrase === null ? loaded : parse(file, passphrase);
      });
      this.#questions = asked.catch(() => undefined);
      return asked;
    });
  }

  /** The public half in wire format, from `FILE.pub`, or from the file, even if it is locked. */
  async publicKey(file: string): Promise<Buffer | null> {
    for (const name of [`${file}.pub`, file]) {
      const text = await readKeyFile(name).catch(() => null);
      const half = text === null ? null : (parsePublicLine(text) ?? publicHalfOf(text));
      if (half !== null) return half.blob;
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
  const shown = terminalLine(file, 300);
  let text: string;
  try {
    text = await readKeyFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
    return {
      kind: 'unusable',
      what: `Cannot read the private key ${shown}: ${code}`,
      solve: 'Make the file readable for your account only',
    };
  }
  const parsed = parsePrivateKey(text, passphrase?.reveal() ?? null);
  switch (parsed.kind) {
    case 'key':
      return parsed;
    case 'public':
      return {
        kind: 'unusable',
        what: `${shown} is a public key`,
        solve:
          'Name the private key, which has no .pub at the end; a public key is enough only if your agent holds the private key',
      };
    case 'needs-passphrase':
      return {
        kind: 'locked',
        what: `The private key ${shown} is encrypted`,
        solve: 'Set PORTFW_KEY_PASSPHRASE, or load the key into an agent with ssh-add',
      };
    case 'wrong-passphrase':
      return {
        kind: 'locked',
        what: `The passphrase does not open the private key ${shown}`,
        solve: 'Check PORTFW_KEY_PASSPHRASE, or load the key into an agent with ssh-add',
      };
    case 'putty':
      return {
        kind: 'unusable',
        what: `The private key ${shown} is in PuTTY's format`,
        solve: 'Convert it: puttygen KEY.ppk -O private-openssh -o KEY (or "Export OpenSSH key" in PuTTYgen)',
      };
    case 'unusable': {
      const { why, instead } = unusableText(parsed.of);
      return { kind: 'unusable', what: `The private key ${shown} cannot be used: ${why}`, solve: instead };
    }
    case 'malformed':
      return {
        kind: 'unusable',
        what: `The private key ${shown} cannot be used: ${terminalLine(parsed.why)}`,
        solve: 'Keys in OpenSSH or PEM format work; "ssh-keygen -p -f FILE" rewrites a key in OpenSSH format',
      };
  }
}

/** Reads a file that must be a regular one of a key's size: a pipe would hang, a device never end. */
async function readKeyFile(file: string): Promise<string> {
  const info = await stat(file);
  if (!info.isFile()) throw new Error('it is not a file');
  if (info.size > MOST_BYTES) throw new Error('it is too big for a key');
  return readFile(file, 'latin1');
}

/** Whether a file exists; one without access does not. */
export async function fileExists(file: string): Promise<boolean> {
  return stat(file).then(
    (info) => info.isFile(),
    () => false,
  );
}

/** The private keys that OpenSSH tries when none is named. */
export function defaultPrivateKeyFiles(home: string = homedir()): string[] {
  return ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name));
}

/** Those of OpenSSH's default files that cannot be used: FIDO security keys and DSA. */
export function defaultUnusableKeyFiles(home: string = homedir()): string[] {
  return ['id_ed25519_sk', 'id_ecdsa_sk', 'id_dsa'].map((name) => join(home, '.ssh', name));
}
