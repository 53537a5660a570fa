import { type DecideContext, type Decision, decide } from '../../../../src/decide/decide.ts';
import type { HostFacts } from '../../../../src/facts/facts.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import type { Play } from '../../../../src/matrix/matrix.ts';
import type { Rehearsal } from '../../../../src/plan/rehearsal.ts';

/** The decision about a host that cannot rehearse: worked out from its facts alone, without the note that says so. */
export function decidedFromFacts(job: HostJob, play: Play, facts: HostFacts, context: DecideContext): Decision {
  const decision = decidedWith({ kind: 'not-rehearsed', why: 'no namespaces' }, job, play, facts, context);
  if (decision.kind === 'refused') return decision;
  const notes = decision.plan.notes.filter(({ code }) => code !== 'not-rehearsed');
  return { ...decision, plan: { ...decision.plan, notes } };
}

/** The decision about a host that says this of the rehearsal. */
export function decidedWith(
  rehearsal: Rehearsal,
  job: HostJob,
  play: Play,
  facts: HostFacts,
  context: DecideContext,
): Decision {
  const first = decide(job, play, facts, context, null);
  return first.kind === 'to-rehearse' ? first.decide(rehearsal) : first;
}
