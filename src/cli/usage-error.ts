import type { Fault } from '../core/failure.ts';

/** The command line asks for something that cannot be done: exit code 4, before any host is contacted. */
export class UsageError extends Error implements Fault {
  readonly what: string;
  readonly solve: string;

  constructor(what: string, solve: string) {
    super(what);
    this.name = 'UsageError';
    this.what = what;
    this.solve = solve;
  }
}
