import { describe, expect, it } from 'vitest';
import type { HostOutcome, RunSummary } from '../../../src/fleet/events.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { runFleet } from '../../../src/fleet/run.ts';
import type { OnFailure } from '../../../src/matrix/matrix.ts';
import {
  contextOf,
  EventLog,
  failed,
  jobsOf,
  names,
  planOf,
  playOf,
  type Script,
  ScriptedOperations,
  tick,
  unreachable,
} from './helpers/fakes.ts';

const refused: HostOutcome = {
  kind: 'refused',
  failure: { code: 'drifted', what: 'it has drifted', details: [], solve: 'run again' },
};

interface Ran {
  readonly summary: RunSummary;
  readonly log: EventLog;
  readonly operations: ScriptedOperations;
  /** `kind`, or `kind: because`, by host. */
  readonly ends: Readonly<Record<string, string>>;
}

async function run(jobs: Map<string, HostJob>, script: Script, options: Partial<Options> = {}): Promise<Ran> {
  const operations = new ScriptedOperations(script);
  const log = new EventLog();
  const summary = await runFleet(
    { kind: 'apply', review: async () => true },
    contextOf(jobs, options.signal ?? new AbortController().signal),
    operations,
    { forks: options.forks ?? 10, emit: log.emit },
  );
  const ends = Object.fromEntries(
    [...summary.outcomes].map(([host, outcome]) => [
      host,
      'because' in outcome ? `${outcome.kind}: ${outcome.because}` : outcome.kind,
    ]),
  );
  return { summary, log, operations, ends };
}

interface Options {
  readonly forks: number;
  readonly signal: AbortSignal;
}

function hosts(count: number, onFailure: OnFailure, serial?: number, maxFailPercentage?: number): Map<string, HostJob> {
  const play = playOf({
    onFailure,
    ...(serial === undefined ? {} : { serial: [{ kind: 'count', count: serial }] }),
    ...(maxFailPercentage === undefined ? {} : { maxFailPercentage }),
  });
  return jobsOf(names(count), play);
}

const only =
  (host: string, outcome: HostOutcome) =>
  async (which: string): Promise<HostOutcome | null> => {
    // The others are through before it.
    if (which === host) await tick(5);
    return which === host ? outcome : null;
  };

describe('keep-good', () => {
  it('keeps each host as soon as it is proved, also when others fail later', async () => {
    const { ends, operations, log } = await run(hosts(3, 'keep-good'), { apply: only('host2', failed) });
    expect(ends).toEqual({ host1: 'changed', host2: 'failed', host3: 'changed' });
    expect(operations.decided).toEqual(['keep host1', 'keep host3']);
    // Nobody waited: host1 was over before host2 was.
    const finished = log.of('host-finished').map((event) => event.host);
    expect(finished.at(-1)).toBe('host2');
  });

  it('shows the outcome of a host that had put itself back when it was to be kept', async () => {
    const { ends } = await run(hosts(2, 'keep-good'), { keep: async (host) => (host === 'host1' ? failed : null) });
    expect(ends).toEqual({ host1: 'failed', host2: 'changed' });
  });
});

describe('revert-batch', () => {
  it('keeps all once the last one is proved, and finishes none before', async () => {
    const { ends, operations, log } = await run(hosts(3, 'revert-batch'), {}, { forks: 1 });
    expect(ends).toEqual({ host1: 'changed', host2: 'changed', host3: 'changed' });
    expect(operations.applied).toEqual(['host1', 'host2', 'host3']);
    expect(operations.decided).toEqual(['keep host1', 'keep host2', 'keep host3']);
    const order = log.events.flatMap((event) =>
      event.kind === 'host-phase' && event.phase === 'waiting for its batch'
        ? [`${event.host} waits`]
        : event.kind === 'host-finished'
          ? [`${event.host} ends`]
          : [],
    );
    expect(order).toEqual(['host1 waits', 'host2 waits', 'host3 waits', 'host1 ends', 'host2 ends', 'host3 ends']);
  });

  it.each([
    ['failed', failed, 'host2 failed'],
    ['refused', refused, 'host2 was refused'],
    ['unreachable', unreachable, 'host2 could not be reached'],
  ])('puts the good ones back when one is %s', async (kind, outcome, because) => {
    const { ends, operations } = await run(hosts(3, 'revert-batch'), { apply: only('host2', outcome) });
    expect(ends).toEqual({ host1: `reverted: ${because}`, host2: kind, host3: `reverted: ${because}` });
    expect(operations.decided.sort()).toEqual([`revert host1: ${because}`, `revert host3: ${because}`]);
  });

  it('does not begin the hosts that are left once one has failed', async () => {
    const script = { apply: async (host: string) => (host === 'host2' ? failed : null) };
    const { ends, operations } = await run(hosts(4, 'revert-batch'), script, { forks: 1 });
    const skipped = 'skipped: host2 failed, and its batch was rolled back';
    expect(ends).toEqual({ host1: 'reverted: host2 failed', host2: 'failed', host3: skipped, host4: skipped });
    expect(operations.applied).toEqual(['host1', 'host2']);
    expect(operations.discarded.sort()).toEqual(['host3', 'host4']);
  });

  it('treats an exception of one host as a failure, and keeps none', async () => {
    const { ends } = await run(hosts(2, 'revert-batch'), {
      apply: async (host) => {
        if (host === 'host2') throw new Error('boom');
        return null;
      },
    });
    expect(ends).toEqual({ host1: 'reverted: host2 failed', host2: 'failed' });
  });

  it('rolls back those that were kept when one can be kept no more, and reverts the rest', async () => {
    const script: Script = { keep: async (host) => (host === 'host2' ? failed : null) };
    const { ends, operations } = await run(hosts(3, 'revert-batch'), script, { forks: 1 });
    expect(ends).toEqual({ host1: 'reverted: host2 failed', host2: 'failed', host3: 'reverted: host2 failed' });
    expect(operations.decided).toEqual([
      'keep host1',
      'keep host2',
      'revert host3: host2 failed',
      'rollback host1 to before-host1',
    ]);
  });

  it('says of a host that did not revert how it stands', async () => {
    const stuck: HostOutcome = { ...failed, aftermath: { kind: 'unknown', why: 'no answer' } } as HostOutcome;
    const { summary } = await run(hosts(2, 'revert-batch'), {
      apply: only('host2', failed),
      revert: async () => stuck,
    });
    expect(summary.outcomes.get('host1')).toEqual(stuck);
  });

  it('does not begin a batch in which a host was lost while it was planned, and goes on with the next', async () => {
    const script: Script = { plan: async (host) => (host === 'host2' ? unreachable : null) };
    const { ends, operations } = await run(hosts(4, 'revert-batch', 2), script);
    expect(ends).toEqual({
      host1: 'skipped: host2 could not be reached, and on_failure changes a batch as a whole or not at all',
      host2: 'unreachable',
      host3: 'changed',
      host4: 'changed',
    });
    expect(operations.applied).toEqual(['host3', 'host4']);
  });

  it('leaves other batches alone; max_fail_percentage counts those that failed, not those that were rolled back', async () => {
    const script: Script = { apply: only('host3', failed) };
    const { ends, log } = await run(hosts(6, 'revert-batch', 2, 50), script);
    expect(Object.values(ends)).toEqual([
      'changed',
      'changed',
      'failed',
      'reverted: host3 failed',
      'changed',
      'changed',
    ]);
    expect(log.of('batch-finished').map(({ failed, stop }) => [failed, stop])).toEqual([
      [0, null],
      [1, null],
      [0, null],
    ]);
    const strict = await run(hosts(6, 'revert-batch', 2, 49), script);
    expect(strict.ends['host5']).toMatch(/^skipped: 1 of 2 hosts failed in batch 2 .*max_fail_percentage 49 allows$/);
  });

  it('is rolled back when the run is interrupted before the decision; what is decided stays', async () => {
    const controller = new AbortController();
    const script: Script = {
      apply: async (host) => {
        if (host === 'host3') controller.abort();
        return null;
      },
    };
    const options = { signal: controller.signal };
    const { ends, operations, summary } = await run(hosts(6, 'revert-batch', 2), script, options);
    const interrupted = 'reverted: the run was interrupted before its batch was kept';
    const skipped = 'skipped: the run was interrupted before its turn';
    expect(Object.values(ends)).toEqual(['changed', 'changed', interrupted, interrupted, skipped, skipped]);
    expect(operations.decided.filter((line) => line.startsWith('keep')).sort()).toEqual(['keep host1', 'keep host2']);
    expect(summary.interrupted).toBe(true);
  });

  it('keeps all hosts of a batch when the run is interrupted while it keeps them', async () => {
    const controller = new AbortController();
    const script: Script = {
      keep: async (host) => {
        if (host === 'host1') controller.abort();
        return null;
      },
    };
    const { ends } = await run(hosts(3, 'revert-batch'), script, { forks: 1, signal: controller.signal });
    expect(ends).toEqual({ host1: 'changed', host2: 'changed', host3: 'changed' });
  });
});

describe('revert-run', () => {
  it('rolls the batches before back to the generations that they saved', async () => {
    const { ends, operations, log, summary } = await run(hosts(6, 'revert-run', 2), { apply: only('host4', failed) });
    expect(Object.values(ends)).toEqual([
      'reverted: host4 failed',
      'reverted: host4 failed',
      'reverted: host4 failed',
      'failed',
      'skipped: host4 failed, and the run was rolled back',
      'skipped: host4 failed, and the run was rolled back',
    ]);
    expect(operations.decided.slice(0, 3).sort()).toEqual(['keep host1', 'keep host2', 'revert host3: host4 failed']);
    expect(operations.decided.slice(3).sort()).toEqual([
      'rollback host1 to before-host1',
      'rollback host2 to before-host2',
    ]);
    expect(summary.outcomes.get('host1')).toEqual({
      kind: 'reverted',
      because: 'host4 failed',
      generation: 'before-host1',
    });
    // Each had finished as changed; the outcome that counts comes as an event of its own.
    expect(log.of('host-finished').filter(({ outcome }) => outcome.kind === 'changed')).toHaveLength(2);
    expect(log.of('host-reverted').map(({ host, outcome }) => [host, outcome.kind])).toEqual([
      ['host1', 'reverted'],
      ['host2', 'reverted'],
    ]);
    const restoring = log.events.findIndex((event) => event.kind === 'host-phase' && event.phase === 'gathering facts');
    expect(restoring).toBeGreaterThan(log.events.findIndex((event) => event.kind === 'batch-started'));
    expect(log.of('batch-finished').at(-1)?.stop).toBe('host4 failed, and the run was rolled back');
  });

  it('says that a host without rollback has the new configuration, and how to return it', async () => {
    const { summary } = await run(hosts(3, 'revert-run', 1), {
      apply: only('host3', failed),
      rollback: async (host) =>
        (host === 'host1' ? unreachable : { ...failed, aftermath: { kind: 'untouched' } }) as HostOutcome,
    });
    expect(summary.outcomes.get('host1')).toMatchObject({
      kind: 'failed',
      phase: 'restoring',
      failure: {
        code: 'no-route',
        what: 'it should have been rolled back because host3 failed, but could not: no route',
        solve: 'plug it in; then run `portfw rollback --limit host1 --to before-host1`',
      },
      aftermath: { kind: 'still-changed', generation: 'before-host1' },
    });
    expect(summary.outcomes.get('host2')).toMatchObject({ aftermath: { kind: 'still-changed' } });
  });

  it('is not kept from it by an interruption', async () => {
    const controller = new AbortController();
    const { ends } = await run(
      hosts(2, 'revert-run', 1),
      {
        apply: async (host) => {
          if (host !== 'host2') return null;
          controller.abort();
          return failed;
        },
        rollback: async (_host, context) => (context.signal.aborted ? unreachable : null),
      },
      { signal: controller.signal },
    );
    expect(ends).toEqual({ host1: 'reverted: host2 failed', host2: 'failed' });
  });

  it('does not take back what an interruption alone has left', async () => {
    const controller = new AbortController();
    const script: Script = {
      apply: async (host) => {
        if (host === 'host2') controller.abort();
        return null;
      },
    };
    const { ends } = await run(hosts(3, 'revert-run', 1), script, { signal: controller.signal });
    expect(ends['host1']).toBe('changed');
    expect(ends['host2']).toBe('reverted: the run was interrupted before its batch was kept');
  });

  it('begins nothing when a host was lost while it was planned', async () => {
    const script: Script = { plan: async (host) => (host === 'host3' ? refused : null) };
    const { ends, operations, log } = await run(hosts(4, 'revert-run', 1), script);
    const skipped =
      'skipped: host3 was refused, and with on_failure: revert-run either all hosts of a playbook are changed or none';
    expect(ends).toEqual({ host1: skipped, host2: skipped, host3: 'refused', host4: skipped });
    expect(operations.applied).toEqual([]);
    expect(log.of('batch-started')).toEqual([]);
  });

  it('gives hosts that wait for a yes a no', async () => {
    const pending = {
      id: 'g',
      holder: 'h',
      what: 'w',
      since: '',
      confirm: 'manual',
      proved: true,
      decision: 'open',
    } as const;
    const last = { id: 'g2', outcome: 'reverted', by: 'timer', why: '', at: '', what: '', holder: '' } as const;
    const script: Script = {
      apply: only('host4', failed),
      keep: async (host) => ({
        kind: 'awaiting',
        plan: planOf(host),
        generation: `g${host.at(-1)}`,
        pending: { ...pending, secondsLeft: 9, step: '', alive: true },
        reloads: 0,
      }),
      confirm: async (host) => {
        if (host === 'host1') return { kind: 'reverted', because: 'it was not confirmed', generation: 'g1' };
        return { kind: 'nothing-pending', last: host === 'host2' ? last : null };
      },
    };
    const { ends, operations } = await run(hosts(4, 'revert-run', 1), script);
    const because = 'reverted: host4 failed';
    expect(ends).toEqual({ host1: because, host2: because, host3: because, host4: 'failed' });
    // Each a no to this run's own: by now another controller's may be pending.
    expect(operations.decided.filter((line) => line.startsWith('confirm')).sort()).toEqual(
      [1, 2, 3].map((n) => `confirm host${n}: revert g${n}`),
    );
    // host1 obeyed, host2 had done so by itself, and somebody had said yes to host3.
    expect(operations.decided.filter((line) => line.startsWith('rollback'))).toEqual(['rollback host3 to g3']);
  });
});

describe('several playbooks in one run', () => {
  const two = (onFailure: OnFailure, maxFailPercentage?: number) => {
    const limit = maxFailPercentage === undefined ? {} : { maxFailPercentage };
    const first = playOf({ name: 'first', file: 'a.yaml', onFailure, serial: [{ kind: 'count', count: 1 }], ...limit });
    const later = playOf({ name: 'later', file: 'a.yaml', line: 9 });
    const other = playOf({ name: 'other', file: 'b.yaml' });
    return new Map([...jobsOf(['o1'], other), ...jobsOf(['a1', 'a2'], first), ...jobsOf(['l1'], later)]);
  };

  it('max_fail_percentage stops its own, plays that follow it too, and no other', async () => {
    const jobs = new Map([...two('keep-good', 0)].reverse());
    const { ends } = await run(jobs, { apply: async (host) => (host === 'a1' || host === 'a2' ? failed : null) });
    expect(ends['o1']).toBe('changed');
    expect(ends['l1']).toMatch(/^skipped: 1 of 1 hosts failed in batch 1 of play "first"/);
  });

  it('revert-run takes its own back, and no other', async () => {
    const { ends, operations } = await run(two('revert-run'), { apply: only('a2', failed) });
    expect(ends).toEqual({
      o1: 'changed',
      a1: 'reverted: a2 failed',
      a2: 'failed',
      l1: 'skipped: a2 failed, and the run was rolled back',
    });
    expect(operations.decided.filter((line) => line.startsWith('rollback'))).toEqual(['rollback a1 to before-a1']);
  });
});
