import type { Problem } from '../../core/problem.ts';
import { jsonLine } from './json-line.ts';

/** A problem as `--json` has it; the names of its fields are published. */
export function publishedProblem({ severity, code, what, solve, location }: Problem): object {
  const place = location === null ? null : { file: location.file, line: location.line, column: location.column };
  return { severity, code, message: what, hint: solve, location: place };
}

/** What lint found as one document on one line. */
export function lintDocument(problems: readonly Problem[], checked: number): string {
  return `${jsonLine({ kind: 'lint', format: 1, checked, problems: problems.map(publishedProblem) })}\n`;
}
