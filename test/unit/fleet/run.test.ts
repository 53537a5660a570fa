import { describe, expect, it } from 'vitest';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { type FleetCommand, type Review, runFleet } from '../../../src/fleet/run.ts';
import type { ReviewedPlan } from '../../../src/plan/plan.ts';
import {
  contextOf,
  EventLog,
  failed,
  jobsOf,
  names,
  playOf,
  rollbackPlanOf,
  ScriptedOperations,
  tick,
  unreachable,
} from './helpers/fakes.ts';

const applyAll: FleetCommand = { kind: 'apply', review: async () => true };

function kinds(outcomes: ReadonlyMap<string, HostOutcome>): Record<string, string> {
  return Object.fromEntries([...outcomes].map(([host, outcome]) => [host, outcome.kind]));
}

describe('a run over hosts', () => {
  it.each([200, 1000])(
    'works on %i hosts, never more than forks at once, and ends each exactly once',
    async (count) => {
      const hosts = names(count);
      const operations = new ScriptedOperations();
      const log = new EventLog();
      const summary = await runFleet({ kind: 'facts' }, contextOf(jobsOf(hosts)), operations, {
        forks: 20,
        emit: log.emit,
      });
      expect(operations.mostActive).toBe(20);
      expect([...summary.outcomes.keys()]).toEqual(hosts);
      expect(
        log
          .of('host-finished')
          .map((event) => event.host)
          .sort(),
      ).toEqual([...hosts].sort());
      expect(log.events[0]).toMatchObject({ kind: 'run-started', command: 'facts', hosts });
      expect(log.events.at(-1)).toMatchObject({ kind: 'run-finished', summary });
    },
  );

  it('keeps going when hosts fail, are unreachable, or their operation throws', async () => {
    const operations = new ScriptedOperations({
      plan: async (host) => {
        if (host === 'host1') throw new TypeError('cannot read properties of undefined');
        if (host === 'host2') return unreachable;
        return null;
      },
      apply: async (host) => {
        if (host === 'host3') return failed;
        if (host === 'host4') throw new Error('boom');
        return { kind: 'rolled-back', generation: 'x', hash: 'y', changed: true };
      },
    });
    const log = new EventLog();
    const summary = await runFleet(applyAll, contextOf(jobsOf(names(6))), operations, { forks: 2, emit: log.emit });
    expect(kinds(summary.outcomes)).toEqual({
      host1: 'failed',
      host2: 'unreachable',
      host3: 'failed',
      host4: 'failed',
      host5: 'rolled-back',
      host6: 'rolled-back',
    });
    const first = summary.outcomes.get('host1');
    expect(first).toMatchObject({
      failure: { code: 'internal-error' },
      phase: 'connecting',
      aftermath: { kind: 'untouched' },
    });
    expect(first?.kind === 'failed' && first.failure.details.join('\n')).toContain('fakes.ts');
    // An exception while writing proves nothing about the host.
    expect(summary.outcomes.get('host4')).toMatchObject({ phase: 'writing', aftermath: { kind: 'unknown' } });
    expect(log.of('host-finished')).toHaveLength(6);
  });

  it('plans only: changes are reported and every session is closed', async () => {
    const operations = new ScriptedOperations();
    const summary = await runFleet({ kind: 'plan' }, contextOf(jobsOf(names(3))), operations, {
      forks: 5,
      emit: () => {},
    });
    expect(kinds(summary.outcomes)).toEqual({ host1: 'planned', host2: 'planned', host3: 'planned' });
    expect(operations.discarded).toHaveLength(3);
    expect(operations.applied).toEqual([]);
  });

  it('plans a rollback to the given generation, and makes it once it was reviewed', async () => {
    const operations = new ScriptedOperations();
    const shown: ReviewedPlan[] = [];
    const review: Review = async ({ plans }) => {
      expect(operations.applied).toEqual([]);
      shown.push(...plans);
      return true;
    };
    const command: FleetCommand = { kind: 'rollback', generation: 'g7', review };
    const summary = await runFleet(command, contextOf(jobsOf(['a', 'b'])), operations, { forks: 1, emit: () => {} });
    expect(operations.planned).toEqual(['a to g7', 'b to g7']);
    expect(shown).toEqual([rollbackPlanOf('a', 'g7'), rollbackPlanOf('b', 'g7')]);
    expect(summary.outcomes.get('a')).toMatchObject({ kind: 'rolled-back', generation: 'g7', saved: 'before-a' });
  });

  it.each([
    ['that is not confirmed', async () => false, 'skipped'],
    ['that is only planned', null, 'planned'],
  ] as const)('changes nothing for a rollback %s', async (_what, review, kind) => {
    const operations = new ScriptedOperations();
    const command: FleetCommand = { kind: 'rollback', generation: null, review };
    const summary = await runFleet(command, contextOf(jobsOf(['a'])), operations, { forks: 1, emit: () => {} });
    expect(summary.outcomes.get('a')?.kind).toBe(kind);
    expect([operations.applied, operations.discarded]).toEqual([[], ['a']]);
  });

  it('finishes the hosts when a report breaks, and only then throws what it threw', async () => {
    const operations = new ScriptedOperations();
    const run = runFleet({ kind: 'facts' }, contextOf(jobsOf(names(4))), operations, {
      forks: 1,
      emit: (event) => {
        if (event.kind === 'host-phase') throw new Error('broken report');
      },
    });
    await expect(run).rejects.toThrow('broken report');
    expect(operations.begun).toHaveLength(4);
  });
});

describe('the review', () => {
  it('sees all pending plans in host order, after all hosts were planned', async () => {
    const operations = new ScriptedOperations({ plan: async (host) => (host === 'host2' ? unreachable : null) });
    const log = new EventLog();
    let reviewed: readonly string[] = [];
    const review = async ({ plans }: { plans: readonly { host: string }[] }): Promise<boolean> => {
      reviewed = plans.map((plan) => plan.host);
      expect(operations.begun).toHaveLength(4);
      expect(log.of('host-planned')).toHaveLength(3);
      return true;
    };
    await runFleet({ kind: 'apply', review }, contextOf(jobsOf(names(4))), operations, { forks: 3, emit: log.emit });
    expect(reviewed).toEqual(['host1', 'host3', 'host4']);
    expect(operations.applied.sort()).toEqual(['host1', 'host3', 'host4']);
    expect(operations.discarded).toEqual([]);
  });

  it('changes nothing after a no', async () => {
    const operations = new ScriptedOperations({
      discard: async (host) => {
        if (host === 'host1') throw new Error('already gone');
      },
    });
    const log = new EventLog();
    const command: FleetCommand = { kind: 'apply', review: async () => false };
    const summary = await runFleet(command, contextOf(jobsOf(names(2))), operations, { forks: 3, emit: log.emit });
    expect(operations.applied).toEqual([]);
    expect(operations.discarded.sort()).toEqual(['host1', 'host2']);
    expect(summary.outcomes.get('host1')).toEqual({ kind: 'skipped', because: 'the plan was not confirmed' });
    expect(log.of('host-note')).toMatchObject([{ host: 'host1', text: 'closing the session failed: already gone' }]);
    expect(log.of('batch-started')).toEqual([]);
  });

  it('closes every session when the review itself breaks', async () => {
    const operations = new ScriptedOperations();
    const review = async (): Promise<boolean> => {
      throw new Error('no terminal');
    };
    const run = runFleet({ kind: 'apply', review }, contextOf(jobsOf(names(2))), operations, {
      forks: 3,
      emit: () => {},
    });
    await expect(run).rejects.toThrow('no terminal');
    expect(operations.discarded).toHaveLength(2);
    expect(operations.applied).toEqual([]);
  });

  it('is not held when nothing is pending', async () => {
    const plan = async (): Promise<HostOutcome> => unreachable;
    let asked = false;
    const review = async (): Promise<boolean> => {
      asked = true;
      return true;
    };
    await runFleet({ kind: 'apply', review }, contextOf(jobsOf(names(2))), new ScriptedOperations({ plan }), {
      forks: 3,
      emit: () => {},
    });
    expect(asked).toBe(false);
  });
});

describe('batches', () => {
  it('go play by play in the order of the playbook, each batch only after the one before', async () => {
    const second = playOf({ name: 'web', line: 20, serial: [{ kind: 'count', count: 1 }] });
    const first = playOf({ name: 'database', line: 3 });
    const jobs = new Map([...jobsOf(['w1', 'w2'], second), ...jobsOf(['d1', 'd2'], first)]);
    const operations = new ScriptedOperations();
    const log = new EventLog();
    await runFleet(applyAll, contextOf(jobs), operations, { forks: 10, emit: log.emit });
    expect(log.of('batch-started').map((event) => [event.play, event.batch, event.batches, event.hosts])).toEqual([
      ['database', 1, 1, ['d1', 'd2']],
      ['web', 1, 2, ['w1']],
      ['web', 2, 2, ['w2']],
    ]);
    const order = log.events.flatMap((event) =>
      event.kind === 'batch-finished'
        ? [`end ${event.play} ${event.batch}`]
        : event.kind === 'host-finished'
          ? [event.host]
          : [],
    );
    expect(order.slice(2)).toEqual(['end database 1', 'w1', 'end web 1', 'w2', 'end web 2']);
  });

  it('stop after one that exceeds max_fail_percentage; the rest is skipped and closed', async () => {
    const play = playOf({ serial: [{ kind: 'count', count: 2 }], maxFailPercentage: 49 });
    const operations = new ScriptedOperations({ apply: async (host) => (host === 'host3' ? failed : OK) });
    const log = new EventLog();
    const summary = await runFleet(applyAll, contextOf(jobsOf(names(6), play)), operations, {
      forks: 1,
      emit: log.emit,
    });
    expect(kinds(summary.outcomes)).toEqual({
      host1: 'rolled-back',
      host2: 'rolled-back',
      host3: 'failed',
      host4: 'rolled-back',
      host5: 'skipped',
      host6: 'skipped',
    });
    expect(operations.discarded.sort()).toEqual(['host5', 'host6']);
    const stop = '1 of 2 hosts failed in batch 2 of play "play", more than max_fail_percentage 49 allows';
    expect(log.of('batch-finished').map((event) => event.stop)).toEqual([null, stop]);
    expect(summary.outcomes.get('host6')).toEqual({ kind: 'skipped', because: stop });
  });

  it('do not stop when max_fail_percentage is only reached', async () => {
    const play = playOf({ serial: [{ kind: 'count', count: 2 }], maxFailPercentage: 50 });
    const operations = new ScriptedOperations({ apply: async (host) => (host === 'host1' ? failed : OK) });
    const summary = await runFleet(applyAll, contextOf(jobsOf(names(4), play)), operations, {
      forks: 1,
      emit: () => {},
    });
    expect(Object.values(kinds(summary.outcomes))).toEqual(['failed', 'rolled-back', 'rolled-back', 'rolled-back']);
  });

  it('count hosts that were lost while planning, and then apply nothing of the batch', async () => {
    const play = playOf({ serial: [{ kind: 'count', count: 2 }], maxFailPercentage: 0 });
    const operations = new ScriptedOperations({ plan: async (host) => (host === 'host1' ? unreachable : null) });
    const summary = await runFleet(applyAll, contextOf(jobsOf(names(4), play)), operations, {
      forks: 4,
      emit: () => {},
    });
    expect(Object.values(kinds(summary.outcomes))).toEqual(['unreachable', 'skipped', 'skipped', 'skipped']);
    expect(operations.applied).toEqual([]);
  });
});

const OK: HostOutcome = { kind: 'rolled-back', generation: 'g', hash: 'h', changed: true };

describe('an interruption', () => {
  it('lets hosts under way finish, begins no other, and closes what was planned', async () => {
    const controller = new AbortController();
    const operations = new ScriptedOperations({
      apply: async (host) => {
        if (host === 'host1') controller.abort();
        await tick(5);
        return OK;
      },
    });
    const log = new EventLog();
    const context = contextOf(jobsOf(names(5)), controller.signal);
    const summary = await runFleet(applyAll, context, operations, { forks: 2, emit: log.emit });
    expect(Object.values(kinds(summary.outcomes))).toEqual([
      'rolled-back',
      'rolled-back',
      'skipped',
      'skipped',
      'skipped',
    ]);
    expect(operations.discarded.sort()).toEqual(['host3', 'host4', 'host5']);
    expect(summary.interrupted).toBe(true);
    expect(log.of('interrupted')).toHaveLength(1);
  });

  it('while planning skips the hosts not begun and never asks', async () => {
    const controller = new AbortController();
    const operations = new ScriptedOperations({
      plan: async () => {
        controller.abort();
        return null;
      },
    });
    let asked = false;
    const review = async (): Promise<boolean> => {
      asked = true;
      return true;
    };
    const context = contextOf(jobsOf(names(3)), controller.signal);
    const summary = await runFleet({ kind: 'apply', review }, context, operations, { forks: 1, emit: () => {} });
    expect(operations.begun).toEqual(['host1']);
    expect(operations.discarded).toEqual(['host1']);
    expect(new Set(Object.values(kinds(summary.outcomes)))).toEqual(new Set(['skipped']));
    expect(asked).toBe(false);
  });

  it('before the run begins no host at all', async () => {
    const operations = new ScriptedOperations();
    const context = contextOf(jobsOf(names(2)), AbortSignal.abort());
    const summary = await runFleet({ kind: 'facts' }, context, operations, { forks: 1, emit: () => {} });
    expect(operations.begun).toEqual([]);
    expect(summary.interrupted).toBe(true);
  });
});
