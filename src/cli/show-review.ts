import { shellWord } from '../core/shell-word.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { type Review, reviewOf } from '../report/review.ts';
import type { ReviewInput } from '../report/review-input.ts';
import { plansText } from '../report/terminal/plan-text.ts';
import { summaryText } from '../report/terminal/summary-text.ts';
import { wrapped } from '../report/terminal/wrap.ts';
import { type ReviewFormat, reviewIn } from './review-formats.ts';
import type { RunFlags } from './run-flags.ts';
import type { Terminal } from './terminal.ts';

/** The flags that say how a review is shown. */
export interface ReviewFlags {
  readonly format?: ReviewFormat;
  readonly json?: boolean;
  /** How many times `-v` was given. */
  readonly verbose: number;
  /** The details below the summary. */
  readonly details?: boolean;
  /** The differences of the files, among the details. */
  readonly raw?: boolean;
}

/**
 * Shows a review on the standard output: the one place that chooses among the formats. Formats other than text print one
 * document and nothing else.
 *
 * @param command what shows the details if it is run with `--details`, such as `portfw plan inventory.yaml`; `null` for none
 */
export async function showReview(
  input: ReviewInput,
  flags: ReviewFlags,
  terminal: Terminal,
  command: string | null,
): Promise<Review> {
  const { format = 'text' } = flags;
  // A page folds what is long: it need not leave anything out.
  const review = reviewOf(input, flags.verbose > 0 || format === 'html' ? 'full' : 'short');
  if (format !== 'text') {
    terminal.out(await reviewIn(format, review));
    return review;
  }
  const detailed = wantsDetails(flags);
  const { style, width } = terminal;
  const details = detailed || command === null ? null : `${command} --details`;
  terminal.out(`\n${summaryText(review.summary, { style, width, details })}`);
  if (detailed) terminal.out(`\n${wrapped(plansText(input.plans, { style, verbosity: flags.verbose }), width)}`);
  return review;
}

/** Whether the details are to be shown below the summary. */
export function wantsDetails({ details, raw, verbose }: ReviewFlags): boolean {
  return details === true || raw === true || verbose > 0;
}

/** The command that plans the same hosts, as one can paste it. */
export function planCommand(
  sources: readonly string[],
  { limit, playbook }: Pick<RunFlags, 'limit' | 'playbook'>,
): string {
  const words = [
    ...sources,
    ...(limit === undefined ? [] : ['--limit', limit]),
    ...(playbook === undefined ? [] : ['--playbook', playbook]),
  ];
  return ['portfw plan', ...words.map((word) => shellWord(terminalLine(word)))].join(' ');
}
