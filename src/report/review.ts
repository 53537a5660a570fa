import { type PlansView, plansView } from './plan-view.ts';
import type { ReviewInput } from './review-input.ts';
import type { Extent } from './shortened.ts';
import type { SummaryView } from './summary/summary-types.ts';
import { summaryView } from './summary/summary-view.ts';

/** What all outputs of a review are made of. */
export interface Review {
  readonly input: ReviewInput;
  /** What every output says first. */
  readonly summary: SummaryView;
  /** The details, host by host. */
  readonly plans: PlansView;
}

/** The one way from plans to what is said of them. */
export function reviewOf(input: ReviewInput, extent: Extent): Review {
  return { input, summary: summaryView(input), plans: plansView(input.plans, extent) };
}
