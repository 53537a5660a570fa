import { reviewOf } from '../report/review.ts';
import type { ReviewInput } from '../report/review-input.ts';
import { plansText } from '../report/terminal/plan-text.ts';
import { wrapped } from '../report/terminal/wrap.ts';
import type { Terminal } from './terminal.ts';

/** The flags that say how a review is shown. */
export interface ReviewFlags {
  /** How many times `-v` was given. */
  readonly verbose: number;
  /** The details below the summary. */
  readonly details?: boolean;
}

/** Shows a review on the standard output: the one place that chooses among the formats. */
export function showReview(input: ReviewInput, flags: ReviewFlags, terminal: Terminal): void {
  const extent = flags.verbose > 0 ? 'full' : 'short';
  const { input: shown } = reviewOf(input, extent);
  terminal.out(wrapped(plansText(shown.plans, { style: terminal.style, verbosity: flags.verbose }), terminal.width));
}
