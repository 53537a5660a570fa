import type { FailureText, Target, Transport } from './connection.ts';
import type { PassphraseSource } from './private-keys.ts';

/** A transport for every kind of target, with a way to get its questions over with. */
export interface OpenTransport extends Transport {
  /** Unlocks the keys that the targets name, asking once for each passphrase; returns what stands in the way. */
  unlockKeys(targets: readonly Target[]): Promise<readonly FailureText[]>;
}

/**
 * The transport that commands use: SSH or local by the target's kind. The adapters, with their libraries, are loaded when
 * the first target needs them.
 */
export function openTransport(passphrases: PassphraseSource): OpenTransport {
  const ssh = once(async () => new (await import('./node-ssh.ts')).NodeSshTransport(passphrases));
  const local = once(async () => new (await import('./local.ts')).LocalTransport());
  return {
    async connect(target, signal) {
      return target.kind === 'local' ? (await local()).connect(target) : (await ssh()).connect(target, signal);
    },
    async unlockKeys(targets) {
      const remote = targets.filter(({ kind }) => kind === 'ssh');
      return remote.length === 0 ? [] : (await ssh()).unlockKeys(remote);
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
