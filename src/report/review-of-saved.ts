import type { SavedPlan } from '../saved/saved-plan.ts';
import type { ReviewInput } from './review-input.ts';

/** What is reviewed of a saved plan: the same as on the run that saved it. */
export function reviewOfSaved({ kind, hosts, digest }: SavedPlan): ReviewInput {
  return {
    action: kind,
    plans: hosts.flatMap((one) => (one.kind === 'plan' ? [one.plan] : [])),
    without: hosts.flatMap((one) => {
      if (one.kind === 'plan') return [];
      const { kind: ended, ...failure } = one.without;
      return [{ host: one.host, kind: ended, failure }];
    }),
    groups: new Map(hosts.map(({ host, groups }) => [host, groups])),
    digest,
  };
}
