import { describe, expect, it } from 'vitest';
import { cuttingRevoked } from '../../../src/fleet/cut-revoked.ts';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import type { HostJob, Proved, RunContext } from '../../../src/fleet/operations.ts';
import { NO_IMPACT } from '../../../src/plan/impact-types.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { failed, planOf } from './helpers/fakes.ts';

const FLOW = {
  protocol: 'tcp',
  opener: '203.0.113.9',
  address: '192.0.2.10',
  port: 80,
  count: 2,
  lost: 'permission',
} as const;

function changed(flows: readonly (typeof FLOW)[]): Extract<HostOutcome, { kind: 'changed' }> {
  const plan: HostPlan = { ...planOf('web1'), impact: { ...NO_IMPACT, flows: { ...NO_IMPACT.flows, outlive: flows } } };
  return { kind: 'changed', plan, generation: 'g1', reloads: 0 };
}

/** A host that cannot be reached again, and how often that was tried. */
function unreachableHost() {
  const tries: string[] = [];
  const transport = {
    connect: async () => {
      tries.push('connect');
      return { kind: 'unreachable', what: 'no route to the host', solve: '' };
    },
  };
  return { tries, job: { host: 'web1', transport } as unknown as HostJob };
}

async function kept(outcome: HostOutcome, cutRevoked?: boolean) {
  const { tries, job } = unreachableHost();
  const proved: Proved = { kind: 'proved', keep: async () => outcome, revert: async () => failed };
  const context = (cutRevoked === undefined ? {} : { cutRevoked }) as RunContext;
  const result = cuttingRevoked(job, proved, context);
  if (result.kind !== 'proved') throw new Error('it waits for the decision all the same');
  expect(await result.revert('others failed')).toBe(failed);
  expect(tries).toEqual([]);
  return { outcome: await result.keep(), tries };
}

describe('--cut-revoked', () => {
  it('does nothing on a host where nothing is to be cut, where it was not kept, or without the flag', async () => {
    for (const [outcome, flag] of [
      [changed([]), true],
      [failed, true],
      [changed([FLOW]), false],
      [changed([FLOW]), undefined],
    ] as const) {
      const result = await kept(outcome, flag);
      expect(result.outcome).toBe(outcome);
      expect(result.tries).toEqual([]);
    }
  });

  it('comes after the decision, and its failure does not take the change back', async () => {
    const { outcome, tries } = await kept(changed([FLOW]), true);
    expect(outcome).toMatchObject({ kind: 'changed', cut: { kind: 'failed', why: 'no route to the host' } });
    expect(tries).toEqual(['connect']);
  });

  it('leaves an apply alone that ended before it was proved', () => {
    const { job } = unreachableHost();
    expect(cuttingRevoked(job, failed, { cutRevoked: true } as RunContext)).toBe(failed);
  });
});
