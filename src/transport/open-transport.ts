import type { Target, Transport } from './connection.ts';
import type { AnswerQuestion, LoginObstacle, PassphraseSource } from './logins.ts';

/** A transport for every kind of target, which can ask its questions in advance. */
export interface OpenTransport extends Transport {
  /**
   * Unlocks the keys that the targets and their jump hosts name, asking once for each passphrase; returns what prevents
   * it. Contacts no host.
   */
  unlockKeys(targets: readonly Target[]): Promise<readonly LoginObstacle[]>;
  /** Logs out of the jump hosts that the connections shared, at the end of a run. */
  close(): Promise<void>;
}

/**
 * The transport that commands use: SSH or local by the target's kind. The adapters, with their libraries, are loaded when
 * the first target needs them.
 *
 * @param ask answers what servers ask during a login, besides the password; `null` when the user cannot be asked
 */
export function openTransport(passphrases: PassphraseSource, ask: AnswerQuestion | null = null): OpenTransport {
  let sshUsed = false;
  const ssh = once(async () => {
    sshUsed = true;
    return new (await import('./ssh2/adapter.ts')).NodeSshTransport(passphrases, ask);
  });
  const local = once(async () => new (await import('./local.ts')).LocalTransport());
  return {
    async connect(target, signal) {
      return target.kind === 'local' ? (await local()).connect(target) : (await ssh()).connect(target, signal);
    },
    async unlockKeys(targets) {
      const remote = targets.filter(({ kind }) => kind === 'ssh');
      return remote.length === 0 ? [] : (await ssh()).unlockKeys(remote);
    },
    async close() {
      if (sshUsed) (await ssh()).close();
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
