/**
 * What is wrong and how to solve it: shared by all failures, in a file, on the command line, on the way to a host or on
 * the host. Both texts are safe to show.
 */
export interface Fault {
  /** What is wrong, in one sentence without a full stop. */
  readonly what: string;
  /** How to solve it, in one sentence without a full stop. */
  readonly solve: string;
}

/** A fault with its kind. */
export interface CodedFault extends Fault {
  /** A stable kebab-case identifier such as `firewalld-absent`, `host-key-changed` or `unknown-key`. */
  readonly code: string;
}

/** A failure that many hosts may have for the same reason, in words for all of them: outputs say it once. */
export interface SharedFault extends Fault {
  /** What is the host's own, such as its address and the fingerprint of its key; may be empty. */
  readonly own: string;
  /** A command to paste: where hosts differ only in `word`, one command does for all of them. */
  readonly command?: { readonly before: string; readonly word: string; readonly after: string };
}

/** What happened and how to solve it; the texts are safe to show. */
export interface Failure extends CodedFault {
  /** More of it, a line each. */
  readonly details: readonly string[];
  /** The same for all hosts that fail alike; absent where the failure is this host's alone. */
  readonly shared?: SharedFault;
}

/** Several faults as one failure: the first says what happened, the others are its details. */
export function failureOf({ code, what, solve }: CodedFault, others: readonly CodedFault[]): Failure {
  return { code, what, details: others.map((other) => `${other.what} (${other.solve})`), solve };
}
