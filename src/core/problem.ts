import type { Failure } from './failure.ts';

/** A place in a file the user wrote; lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Set by the reader of the file when the text at this place comes from a vault: it must not be quoted. `null` for all other text. */
  readonly secret: VaultContents | null;
}

/** What came out of a vault: the value of a variable, or (`null`) a file that is encrypted as a whole. */
export interface VaultContents {
  readonly variable: string | null;
}

/** The beginning of a file; about the whole file, so it quotes nothing of its contents. */
export function fileItself(file: string): SourceLocation {
  return { file, line: 1, column: 1, secret: null };
}

/** What a problem is made of. */
export interface ProblemFields extends Omit<Failure, 'details'> {
  readonly severity: 'error' | 'warning';
  readonly details?: readonly string[];
  /** Where it is; `null` when no file is to blame (a command-line flag, say). */
  readonly location: SourceLocation | null;
}

/**
 * One thing that is wrong (or doubtful) with what the user gave us.
 *
 * Validation collects all problems of a file before it gives up, so that one run of `portfw lint` is enough.
 *
 * A problem with a value that comes from a vault never quotes it: with a secret place, only its kind and its place are
 * kept. There is no other way to make a problem, so no check needs to know what is secret.
 */
export class Problem implements Failure {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly what: string;
  readonly details: readonly string[];
  readonly solve: string;
  readonly location: SourceLocation | null;
  // Only for the type check: an object literal, or a changed copy, is not a problem.
  declare private readonly made: true;

  constructor(fields: ProblemFields) {
    const { what, details = [], solve } = quotable(fields) ? fields : withoutContents(fields);
    this.severity = fields.severity;
    this.code = fields.code;
    this.what = what;
    this.details = details;
    this.solve = solve;
    this.location = fields.location;
  }
}

/** Problems of decryption and of templates are worded so that they never quote a secret. */
function quotable({ code, location }: ProblemFields): boolean {
  return location === null || location.secret === null || /^(?:vault|template)-/.test(code);
}

function withoutContents({
  severity,
  code,
  location,
}: ProblemFields): Pick<ProblemFields, 'what' | 'details' | 'solve'> {
  const judgement = severity === 'error' ? 'is not right' : 'is doubtful';
  const variable = location?.secret?.variable ?? null;
  const subject =
    variable === null
      ? `something in this encrypted file ${judgement}`
      : `the value of ${variable} comes from a vault, and ${judgement}`;
  return {
    what: `${subject} (${code.replaceAll('-', ' ')})`,
    solve: 'It is not shown; look at it with "ansible-vault view" or "ansible-vault decrypt", and correct it',
  };
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

/** `file:line:column: error: what is wrong` with how to solve it on an indented second line. */
export function formatProblem(problem: Problem): string {
  const at = problem.location;
  const where = at === null ? '' : `${at.file}:${at.line}:${at.column}: `;
  return `${where}${problem.severity}: ${problem.what}\n    ${problem.solve}`;
}
