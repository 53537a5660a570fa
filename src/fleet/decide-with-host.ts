import type { HostFacts } from '../facts/facts.ts';
import type { Play } from '../matrix/matrix.ts';
import type { Connection } from '../transport/connection.ts';
import { type Decision, decide } from './decide-host.ts';
import type { Failure } from './events.ts';
import { rehearse } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

/** A plan, or why there is none; the host has rehearsed it where there is something to rehearse. `lost`: the line went down. */
export async function decideWithHost(
  job: HostJob,
  play: Play,
  facts: HostFacts,
  connection: Connection,
  context: RunContext,
): Promise<Decision | { readonly kind: 'failed'; readonly failure: Failure; readonly lost: boolean }> {
  const { endpoints } = connection;
  const dialled = endpoints === null ? null : { address: endpoints.remoteAddress, port: endpoints.remotePort };
  const decision = decide(job, play, facts, context, dialled);
  if (decision.kind !== 'to-rehearse') return decision;
  context.phase(job.host, 'rehearsing');
  const rehearsal = await rehearse(connection, decision.request, context.signal);
  return rehearsal.kind === 'failed' ? rehearsal : decision.decide(rehearsal);
}
