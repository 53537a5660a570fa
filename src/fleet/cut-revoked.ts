import type { FlowImpact } from '../plan/impact-types.ts';
import type { CutFlows, HostOutcome } from './events.ts';
import { ask, connect } from './host-session.ts';
import type { HostJob, Proved, RunContext } from './operations.ts';

/**
 * `--cut-revoked`: ends revoked flows after the change is kept. Not before, because a rollback would make it pointless; never
 * without the flag.
 */
export function cuttingRevoked(job: HostJob, applied: HostOutcome | Proved, context: RunContext): HostOutcome | Proved {
  if (context.cutRevoked !== true || applied.kind !== 'proved') return applied;
  return {
    kind: 'proved',
    keep: async () => cutAfter(job, await applied.keep(), context),
    revert: (because) => applied.revert(because),
  };
}

async function cutAfter(job: HostJob, outcome: HostOutcome, context: RunContext): Promise<HostOutcome> {
  if (outcome.kind !== 'changed') return outcome;
  const { outlive } = outcome.plan.impact.flows;
  return outlive.length === 0 ? outcome : { ...outcome, cut: await cutFlows(job, outlive, context) };
}

/** The change stays kept in any case: a failure is part of its outcome. */
async function cutFlows(job: HostJob, flows: readonly FlowImpact[], context: RunContext): Promise<CutFlows> {
  const connected = await connect(job, context);
  if (connected.kind === 'failed') return { kind: 'failed', why: connected.failure.what };
  try {
    const kinds = flows.map(({ protocol, opener, address, port }) => ({ protocol, opener, address, port }));
    const asked = await ask(connected.connection, { operation: 'cut-flows', holder: context.holder, flows: kinds });
    if (asked.kind === 'failed') return { kind: 'failed', why: asked.failure.what };
    const { answer } = asked;
    if (answer.kind === 'flows-cut') {
      if (answer.ended === 0 && !answer.tracked)
        return { kind: 'failed', why: "the kernel's connection table could not be read" };
      return { kind: 'cut', ended: answer.ended, left: answer.left };
    }
    return { kind: 'failed', why: answer.kind === 'failed' ? answer.why : `the host answered "${answer.kind}"` };
  } finally {
    await connected.connection.close();
  }
}
