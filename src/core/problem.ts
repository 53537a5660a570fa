/** A place in a file the user wrote; lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * One thing that is wrong (or doubtful) with what the user gave us.
 *
 * Validation collects all problems of a file before it gives up, so that one run of `portfw lint` is enough.
 */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** A stable kebab-case identifier such as `unknown-key`. */
  readonly code: string;
  /** What is wrong, in one sentence without a full stop. */
  readonly message: string;
  /** How to solve it, in one sentence without a full stop. */
  readonly hint: string;
  /** Where it is; `null` when no file is to blame (a command-line flag, say). */
  readonly location: SourceLocation | null;
}

/** The user's input cannot be used: carries every problem that was found. The CLI prints them and ends with exit code 4. */
export class InputError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'InputError';
    this.problems = problems;
  }
}

/** `file:line:column: error: what is wrong` with the hint on an indented second line. */
export function formatProblem(problem: Problem): string {
  const at = problem.location;
  const where = at === null ? '' : `${at.file}:${at.line}:${at.column}: `;
  return `${where}${problem.severity}: ${problem.message}\n    ${problem.hint}`;
}
