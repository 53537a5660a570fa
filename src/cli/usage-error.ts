/** The command line asks for something that cannot be done: exit code 4, before any host is contacted. */
export class UsageError extends Error {
  readonly hint: string;

  /** @param hint how to solve it, in one sentence without a full stop */
  constructor(message: string, hint: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}
