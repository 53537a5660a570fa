import type { OtherRun } from '../decide/other-runs.ts';
import type { HostOutcome } from './events.ts';

/** The other run that had not ended when a plan was made, or `null`. */
export function unsettledBy(outcome: HostOutcome): OtherRun | null {
  return (outcome.kind === 'planned' || outcome.kind === 'unchanged') && outcome.unsettled !== undefined
    ? outcome.unsettled
    : null;
}
