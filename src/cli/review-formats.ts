import { Option } from 'commander';
import type { Review } from '../report/review.ts';
import { UsageError } from './usage-error.ts';

/** The forms in which a review is shown. */
export const REVIEW_FORMATS = ['text', 'json', 'markdown', 'html', 'junit', 'sarif'] as const;

export type ReviewFormat = (typeof REVIEW_FORMATS)[number];

/** `--format` of the commands that show a review. */
export function formatOption(): Option {
  return new Option('--format <format>', 'print the review in this format, and nothing else').choices(REVIEW_FORMATS);
}

const REVIEW_JSON =
  'Use --format json for the review as one document, or --json for the events of the run as they come';

/** @throws UsageError when both `--format` and `--json` are given. @param which says what to use when */
export function requireOneFormat(
  flags: { readonly format?: string; readonly json?: boolean },
  which: string = REVIEW_JSON,
): void {
  if (flags.format !== undefined && flags.json === true)
    throw new UsageError('--format cannot be used with --json', which);
}

/** A review as a document; what writes it is loaded when it is needed. */
export async function reviewIn(format: Exclude<ReviewFormat, 'text'>, review: Review): Promise<string> {
  switch (format) {
    case 'json':
      return (await import('../report/json/review-document.ts')).reviewDocument(review);
    case 'markdown':
      return (await import('../report/markdown/markdown-review.ts')).markdownReview(review);
    case 'html':
      return (await import('../report/html/html-review.ts')).htmlReview(review);
    case 'junit':
      return (await import('../report/junit/junit-review.ts')).junitReview(review);
    case 'sarif':
      return (await import('../report/sarif/sarif-review.ts')).sarifReview(review);
  }
}
