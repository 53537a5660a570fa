import { type Failure, failureOf } from '../core/failure.ts';
import { usableFirewalld } from '../decide/usable-firewalld.ts';
import { sshPorts } from '../plan/lockout/proof-ways.ts';
import { rollbackProof } from '../plan/lockout/rollback-proof.ts';
import { trialsOf } from '../plan/lockout/trials.ts';
import { waysOf } from '../plan/lockout/ways.ts';
import { reloadNotes } from '../plan/notes/reload-notes.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { probeInput } from '../roles/wanted.ts';
import { hostPeers } from '../settings/addresses-of-hosts.ts';
import type { Connection } from '../transport/connection.ts';
import { dialledOf } from './decide-with-host.ts';
import { guardOf } from './guarded-run.ts';
import { probe, rehearseRollback } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

/** Whether a rollback may begin, to which generation, and how long its reload takes. */
export type RollbackJudgement =
  | { readonly kind: 'go'; readonly generation: string | null; readonly reloadSeconds: number }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly failure: Failure };

/**
 * Lets the host rehearse a rollback: whether it loads, and whether the controller and `portfw_management` get in afterwards.
 * If the host cannot, there is a warning, and the rollback continues under its guard.
 */
export async function judgeRollback(
  job: HostJob,
  connection: Connection,
  context: RunContext,
  generation: string | null,
): Promise<RollbackJudgement> {
  const unjudged: RollbackJudgement = { kind: 'go', generation, reloadSeconds: 0 };
  const unproved = (why: string): RollbackJudgement => {
    context.note(job.host, 'warning', `whether SSH gets in after the rollback was not tested in advance: ${why}`);
    return unjudged;
  };
  const seen = await probe(connection, probeInput([]), job, context, context.signal);
  if (seen.kind === 'failed') return seen.lost ? { kind: 'lost', failure: seen.failure } : unproved(seen.failure.what);
  const { facts } = seen;
  const usable = usableFirewalld(facts, null);
  // The rollback itself will report the reason.
  if (!facts.root || usable.kind === 'refused') return unjudged;
  const peers = hostPeers(job.settings, context.inventory, context.settings);
  const management = job.settings.management.map((given) => ({ given, addresses: peers.addressesOf([given]) }));
  const { ways } = waysOf(facts, management, dialledOf(connection));
  const trials = trialsOf(ways);
  context.phase(job.host, 'rehearsing');
  const asked = await rehearseRollback(
    connection,
    { operation: 'rehearse-rollback', generation, ways: trials.ways, listen: sshPorts(facts) },
    context.signal,
  );
  if (asked.kind === 'failed')
    return asked.lost ? { kind: 'lost', failure: asked.failure } : unproved(asked.failure.what);
  const { found } = asked;
  if (found === null) return unjudged;
  const { rehearsal } = found;
  const { firewalld, observed } = usable;
  // The rollback binds all interfaces again itself.
  const losses = reloadNotes(observed, firewalld, new Set(facts.interfaces.map(({ name }) => name)));
  const warn = (notes: readonly PolicyNote[]) => {
    for (const { severity, text } of notes) context.note(job.host, severity, text);
  };
  if (rehearsal.kind === 'not-rehearsed') {
    warn(losses);
    return unproved(rehearsal.why);
  }
  const chosen = found.generation ?? generation;
  if (generation !== null && chosen !== generation) return unproved('the host answered about another generation');
  if (chosen === null) return unproved('the host did not name the generation that it would return to');
  const { windowSeconds } = guardOf(context);
  const proof = rollbackProof({
    facts,
    firewalld,
    observed,
    ways,
    trials,
    rehearsal,
    generation: chosen,
    windowSeconds,
  });
  const accepted = context.acceptLockout?.has(job.host) === true;
  const [first, ...more] = [...proof.refusals, ...(accepted ? [] : proof.lockouts)];
  if (first !== undefined) return { kind: 'refused', failure: failureOf(first, more) };
  for (const { what } of proof.lockouts)
    context.note(
      job.host,
      'warning',
      `${what}; accepted with --accept-lockout: only the automatic rollback restores access`,
    );
  warn([...proof.notes, ...losses]);
  return { kind: 'go', generation: chosen, reloadSeconds: Math.ceil(proof.seconds) };
}
