/** What happened and how to solve it; the texts are safe to show. */
export interface Failure {
  /** A stable kebab-case identifier such as `firewalld-absent` or `host-key-changed`. */
  readonly code: string;
  readonly what: string;
  readonly details: readonly string[];
  readonly solve: string;
}
