import { Option } from 'commander';
import type { Problem } from '../core/problem.ts';

/** The forms in which lint shows what it found. */
export const LINT_FORMATS = ['text', 'json', 'junit', 'sarif'] as const;

export type LintFormat = (typeof LINT_FORMATS)[number];

/** `--format` of lint. */
export function lintFormatOption(): Option {
  return new Option('--format <format>', 'print one document in this format, and nothing else').choices(LINT_FORMATS);
}

/** What lint found. */
export interface Linted {
  readonly problems: readonly Problem[];
  /** How many files and folders were looked at. */
  readonly checked: number;
}

/** What lint found as a document. @param strict whether warnings make lint fail */
export async function lintIn(
  format: Exclude<LintFormat, 'text'>,
  { problems, checked }: Linted,
  strict: boolean,
): Promise<string> {
  switch (format) {
    case 'json':
      return (await import('../report/json/lint-document.ts')).lintDocument(problems, checked);
    case 'junit':
      return (await import('../report/junit/junit-lint.ts')).junitLint(problems, checked, strict);
    case 'sarif':
      return (await import('../report/sarif/sarif-lint.ts')).sarifLint(problems);
  }
}
