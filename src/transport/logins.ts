import type { Fault } from '../core/failure.ts';
import type { Secret } from '../core/secret.ts';

/** Something that stands in the way of logins, or changes how they are made; known before any host is contacted. */
export interface LoginObstacle extends Fault {
  /** `error`: the login cannot be made. `warning`: it is tried in another way than the user asked for. */
  readonly severity: 'error' | 'warning';
  /** The names of the hosts that it concerns. */
  readonly hosts: readonly string[];
}

/** A question that a server asks during a login; all texts are fit for a terminal. */
export interface LoginQuestion {
  /** Who is asked for: `op@web1`. */
  readonly account: string;
  /** What the server says before its questions; may be empty. */
  readonly instructions: string;
  readonly prompt: string;
  /** Whether the answer must not be shown. */
  readonly hidden: boolean;
}

/** Asks the person at the terminal; `null` when they will not say. */
export type AnswerQuestion = (question: LoginQuestion) => Promise<Secret | null>;

/** Where passphrases come from. */
export interface PassphraseSource {
  /** Tried on every encrypted key; usually `PORTFW_KEY_PASSPHRASE`. */
  readonly passphrase: Secret | null;
  /** Asks for the passphrase of a file; `null` when the user will not say or cannot be asked. */
  readonly ask: ((file: string) => Promise<Secret | null>) | null;
}
