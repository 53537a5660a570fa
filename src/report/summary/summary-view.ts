import { changeSign } from '../../plan/change-words.ts';
import type { ReviewInput } from '../review-input.ts';
import type { SummaryTotals, SummaryView } from './summary-types.ts';

/** What every output of a review says first. Pure. */
export function summaryView(input: ReviewInput): SummaryView {
  return { action: input.action, totals: totalsOf(input), rows: [], without: [], warnings: [], verdicts: [] };
}

function totalsOf({ plans, without }: ReviewInput): SummaryTotals {
  const changing = plans.filter(({ changes }) => changes.length > 0);
  const changes = changing.flatMap((plan) => plan.changes);
  const signs = changes.map(changeSign);
  const ended = (kind: (typeof without)[number]['kind']): number => without.filter((one) => one.kind === kind).length;
  return {
    hosts: plans.length + without.length,
    changing: changing.length,
    unchanged: plans.length - changing.length,
    refused: ended('refused'),
    unreachable: ended('unreachable'),
    failed: ended('failed'),
    changes: changes.length,
    add: signs.filter((sign) => sign === '+').length,
    change: signs.filter((sign) => sign === '~').length,
    remove: signs.filter((sign) => sign === '-').length,
    closing: 0,
    narrowing: 0,
    opening: 0,
    widening: 0,
    reloads: 0,
    longestHoldMs: 0,
    flowsCut: 0,
    flowsOutlive: 0,
    socketsFewer: 0,
    warnings: 0,
  };
}
