import type { Fault } from '../core/failure.ts';
import type { SourceLocation } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';

/** A problem that prevents logins or changes how they are made; known before any host is contacted. */
export interface LoginObstacle extends Fault {
  /** `error`: the login is not possible. `warning`: it is tried in another way than requested. */
  readonly severity: 'error' | 'warning';
  /** What names the key that it is about, where that is in a file. */
  readonly location?: SourceLocation;
  /** The names of the hosts that it concerns. */
  readonly hosts: readonly string[];
}

/** A question that a server asks during a login; all texts are safe for a terminal. */
export interface LoginQuestion {
  /** The account of the login: `op@web1`. */
  readonly account: string;
  /** The server's text before its questions; may be empty. */
  readonly instructions: string;
  readonly prompt: string;
  /** Whether the answer must not be shown. */
  readonly hidden: boolean;
}

/** Asks the person at the terminal; `null` if there is no answer. */
export type AnswerQuestion = (question: LoginQuestion) => Promise<Secret | null>;

/** Where passphrases come from. */
export interface PassphraseSource {
  /** Tried on every encrypted key; usually `PORTFW_KEY_PASSPHRASE`. */
  readonly passphrase: Secret | null;
  /** Asks for the passphrase of a file; `null` without an answer, or if nobody can be asked. */
  readonly ask: ((file: string) => Promise<Secret | null>) | null;
}

/** What to do instead of switching off the check of host keys. */
export const RECORD_HOST_KEYS =
  'Record the keys once: "ssh-keyscan HOST >> ~/.ssh/known_hosts", compared with the fingerprints that the administrators of the hosts give you; or run once with --accept-new-host-keys';
