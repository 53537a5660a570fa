import { describe, expect, it } from 'vitest';
import { runFleet } from '../../../src/fleet/run.ts';
import { withoutPlan } from '../../../src/fleet/saved-check.ts';
import type { SavedHost, SavedWithoutPlan } from '../../../src/saved/saved-plan.ts';
import {
  contextOf,
  EventLog,
  inventoryOf,
  jobOf,
  planOf,
  playOf,
  ScriptedOperations,
  unreachable,
} from './helpers/fakes.ts';

const without = (host: string): SavedWithoutPlan => ({
  kind: 'without',
  host,
  groups: [],
  without: { kind: 'unreachable', code: 'no-route', what: 'no route', details: [], solve: 'plug it in' },
});

/** Runs a saved plan over hosts: `plan` has one and fits, `lost` has one and is not reached, `without` had none. */
async function run(
  hosts: Readonly<Record<string, 'plan' | 'lost' | 'without'>>,
  onlyCurrent: boolean,
  more: Parameters<typeof playOf>[0] = {},
) {
  const play = playOf(more);
  const names = Object.keys(hosts);
  const saved = new Map(
    names.map((host): [string, SavedHost] => [
      host,
      hosts[host] === 'without'
        ? without(host)
        : { kind: 'plan', host, groups: [], identity: null, firewalld: '1.3.3', seen: [], plan: planOf(host) },
    ]),
  );
  const operations = new ScriptedOperations({
    plan: async (host) => {
      const one = saved.get(host)!;
      if (one.kind === 'without') return withoutPlan(one);
      return hosts[host] === 'lost' ? unreachable : null;
    },
  });
  const jobs = new Map(
    names.map((host) => [host, jobOf(host, play, host.startsWith('sip') ? { cluster: 'pair' } : {})]),
  );
  const pair = names.filter((host) => host.startsWith('sip'));
  const context = { ...contextOf(jobs, new AbortController().signal, inventoryOf({ pair })), saved, onlyCurrent };
  let asked = false;
  const review = async (): Promise<boolean> => {
    asked = true;
    return true;
  };
  const { outcomes } = await runFleet({ kind: 'apply', review }, context, operations, {
    forks: 4,
    emit: new EventLog().emit,
  });
  return {
    asked,
    applied: operations.applied,
    ends: Object.fromEntries([...outcomes].map(([host, { kind }]) => [host, kind])),
  };
}

describe('a run with saved plans', () => {
  it('changes nothing and asks nothing if one host cannot be changed as saved', async () => {
    const { asked, applied, ends } = await run({ web1: 'plan', web2: 'lost', web3: 'plan' }, false);
    expect([asked, applied]).toEqual([false, []]);
    expect(ends).toEqual({ web1: 'skipped', web2: 'unreachable', web3: 'skipped' });
  });

  it('goes on with the others if it may', async () => {
    const { applied } = await run({ web1: 'plan', web2: 'lost', web3: 'plan' }, true);
    expect(applied).toEqual(['web1', 'web3']);
  });

  it('is not stopped by a host that had no plan, which counts as it did then', async () => {
    expect((await run({ web1: 'plan', web2: 'without' }, false)).applied).toEqual(['web1']);
    const held = await run({ sip1: 'plan', sip2: 'without' }, false);
    expect([held.applied, held.ends]).toEqual([[], { sip1: 'skipped', sip2: 'unreachable' }]);
    const limited = await run({ web1: 'plan', web2: 'without' }, false, { maxFailPercentage: 0 });
    expect(limited.applied).toEqual([]);
    const whole = await run({ web1: 'plan', web2: 'without' }, false, { onFailure: 'revert-run' });
    expect(whole.applied).toEqual([]);
  });
});
