import type { HostFacts } from '../../../src/facts/facts.ts';
import { type DecideContext, type Decision, decide } from '../../../src/fleet/decide-host.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import type { Play } from '../../../src/matrix/matrix.ts';

/** The decision about a host that cannot rehearse: worked out from its facts alone, without the note that says so. */
export function decidedFromFacts(job: HostJob, play: Play, facts: HostFacts, context: DecideContext): Decision {
  const first = decide(job, play, facts, context, null);
  if (first.kind !== 'to-rehearse') return first;
  const decision = first.decide({ kind: 'not-rehearsed', why: 'no namespaces' });
  if (decision.kind === 'refused') return decision;
  const notes = decision.plan.notes.filter(({ code }) => code !== 'not-rehearsed');
  return { ...decision, plan: { ...decision.plan, notes } };
}
