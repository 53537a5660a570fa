import ssh2 from 'ssh2';

/** A key pair as files hold it. */
export interface KeyPair {
  readonly private: string;
  readonly public: string;
}

/**
 * A new Ed25519 key, in OpenSSH's format.
 *
 * ssh2 drops a leading zero byte of what it generates, so that one key in 250 is malformed, to OpenSSH as well: then another
 * one is made.
 */
export function makeKeyPair(locked?: {
  readonly passphrase: string;
  readonly cipher: string;
  readonly rounds: number;
}): KeyPair {
  for (;;) {
    const made =
      locked === undefined
        ? ssh2.utils.generateKeyPairSync('ed25519')
        : ssh2.utils.generateKeyPairSync('ed25519', locked);
    if (!(ssh2.utils.parseKey(made.private, locked?.passphrase) instanceof Error)) return made;
  }
}
