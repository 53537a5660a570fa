import type { Failure } from '../core/failure.ts';
import { type Decision, decide } from '../decide/decide.ts';
import { readHostAddress } from '../facts/addresses.ts';
import type { HostFacts } from '../facts/facts.ts';
import { rehearseRequest } from '../host/requests.ts';
import type { Play } from '../matrix/matrix.ts';
import type { Dialled } from '../plan/lockout/proof-ways.ts';
import type { Connection } from '../transport/connection.ts';
import { rehearse } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

/** A plan, or why there is none; the host rehearses it if there is something to rehearse. `lost`: the connection was lost. */
export async function decideWithHost(
  job: HostJob,
  play: Play,
  facts: HostFacts,
  connection: Connection,
  context: RunContext,
): Promise<Decision | { readonly kind: 'failed'; readonly failure: Failure; readonly lost: boolean }> {
  const decision = decide(job, play, facts, context, dialledOf(connection));
  if (decision.kind !== 'to-rehearse') return decision;
  context.phase(job.host, 'rehearsing');
  const rehearsal = await rehearse(connection, rehearseRequest(decision.made, decision.packets), context.signal);
  return rehearsal.kind === 'failed' ? rehearsal : decision.decide(rehearsal);
}

/** The dialled address. Behind a jump host or a command it is the one in the inventory, if that is an address. */
export function dialledOf({ endpoints, target }: Connection): Dialled | null {
  if (target.kind !== 'ssh') return null;
  const [text, port] =
    endpoints === null ? [target.address, target.port] : [endpoints.remoteAddress, endpoints.remotePort];
  const address = readHostAddress(text)?.address;
  return address === undefined ? null : { address, port };
}
