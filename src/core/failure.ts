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

/** What happened and how to solve it; the texts are safe to show. */
export interface Failure extends CodedFault {
  /** More of it, a line each. */
  readonly details: readonly string[];
}

/** Several faults as one failure: the first says what happened, the others are its details. */
export function failureOf({ code, what, solve }: CodedFault, others: readonly CodedFault[]): Failure {
  return { code, what, details: others.map((other) => `${other.what} (${other.solve})`), solve };
}
