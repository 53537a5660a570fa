import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lockedBy } from '../../../src/decide/other-runs.ts';
import { clustersAmong } from '../../../src/fleet/clusters.ts';
import type { HostOutcome, RunSummary } from '../../../src/fleet/events.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { type FleetCommand, runFleet } from '../../../src/fleet/run.ts';
import type { OnFailure, Play } from '../../../src/matrix/matrix.ts';
import type { RoleCluster } from '../../../src/settings/clusters.ts';
import {
  contextOf,
  EventLog,
  failed,
  inventoryOf,
  jobOf,
  type Membership,
  planOf,
  playOf,
  type Script,
  ScriptedOperations,
  tick,
  unreachable,
} from './helpers/fakes.ts';
import { fleets } from './helpers/random-fleets.ts';

const SIP: RoleCluster = {
  name: 'sip',
  description: 'SIP cluster',
  roles: ['edge', 'media'],
  feature: null,
  filtered: false,
};
const untouched = { ...failed, aftermath: { kind: 'untouched' } } as HostOutcome;
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
  /** The hosts of each batch. */
  readonly batches: readonly (readonly string[])[];
}

const APPLY: FleetCommand = { kind: 'apply', review: async () => true };

/** Runs over hosts of which those in `pair` are one `portfw_cluster`. */
async function run(jobs: readonly HostJob[], script: Script = {}, command = APPLY): Promise<Ran> {
  const operations = new ScriptedOperations(script);
  const log = new EventLog();
  const map = new Map(jobs.map((job) => [job.host, job]));
  const pair = jobs.filter(({ settings }) => settings.cluster === 'pair').map(({ host }) => host);
  const context = contextOf(map, new AbortController().signal, inventoryOf({ pair }));
  const summary = await runFleet(command, context, operations, { forks: 10, emit: log.emit });
  const ends = Object.fromEntries(
    [...summary.outcomes].map(([host, outcome]) => [
      host,
      'because' in outcome ? `${outcome.kind}: ${outcome.because}` : outcome.kind,
    ]),
  );
  return { summary, log, operations, ends, batches: log.of('batch-started').map(({ hosts }) => hosts) };
}

function jobs(play: Play, hosts: Readonly<Record<string, Membership>>): HostJob[] {
  return Object.entries(hosts).map(([host, membership]) => jobOf(host, play, membership));
}

const inPair: Membership = { cluster: 'pair' };

describe('a fleet with a cluster', () => {
  it('without serial is changed in as many batches as the cluster has members', async () => {
    const hosts = { web1: {}, sip1: inPair, sip2: inPair, web2: {}, sip3: inPair };
    const { batches, log } = await run(jobs(playOf({}), hosts));
    expect(batches).toEqual([['web1', 'sip1', 'web2'], ['sip2'], ['sip3']]);
    expect(log.of('batches-split')).toMatchObject([
      {
        play: 'play',
        batches: 3,
        serial: 1,
        clusters: [{ what: 'the cluster "pair"', hosts: ['sip1', 'sip2', 'sip3'] }],
      },
    ]);
  });

  it('says so before anybody is asked, for a plan too, and only where there is something to change', async () => {
    const hosts = jobs(playOf({}), { sip1: inPair, sip2: inPair });
    const refusal: FleetCommand = { kind: 'apply', review: async () => false };
    const { log, batches } = await run(hosts, {}, refusal);
    expect(log.of('batches-split')).toHaveLength(1);
    expect(batches).toEqual([]);
    expect((await run(hosts, {}, { kind: 'plan' })).log.of('batches-split')).toHaveLength(1);
    expect((await run(hosts, {}, { kind: 'facts' })).log.of('batches-split')).toEqual([]);
    const quiet: Script = { plan: async (host) => ({ kind: 'unchanged', plan: planOf(host, 0) }) };
    expect((await run(hosts, quiet)).log.of('batches-split')).toEqual([]);
    expect((await run(hosts, quiet, { kind: 'plan' })).log.of('batches-split')).toEqual([]);
  });

  it('tells the largest clusters alone, and nothing where serial keeps the hosts apart anyway', async () => {
    const play = playOf({ clusters: [SIP] });
    const edge: Membership = { ...inPair, vips: ['203.0.113.45'], roles: ['edge'] };
    const hosts = { sip1: edge, sip2: edge, rtp1: { roles: ['media'] }, web1: { roles: ['web'] } };
    const { log, batches } = await run(jobs(play, hosts));
    expect(batches).toEqual([['sip1', 'web1'], ['sip2'], ['rtp1']]);
    expect(log.of('batches-split').flatMap(({ clusters }) => clusters)).toEqual([
      { what: 'the SIP cluster', hosts: ['sip1', 'sip2', 'rtp1'] },
    ]);
    const single = playOf({ clusters: [SIP], serial: [{ kind: 'count', count: 1 }] });
    const alone = await run(jobs(single, hosts));
    expect(alone.log.of('batches-split')).toEqual([]);
    expect(alone.batches).toEqual([['sip1'], ['sip2'], ['rtp1'], ['web1']]);
  });

  it('counts the roles that were found, of hosts without changes too, and those that a lost host declares', async () => {
    const found: Readonly<Record<string, string>> = { edge1: 'edge', edge2: 'edge', rtp1: 'media' };
    const plan = (host: string) => ({
      ...planOf(host),
      roles: [{ role: found[host] ?? 'web', because: 'detected' as const, confidence: 1, evidence: [] }],
    });
    const script: Script = {
      plan: async (host) =>
        host === 'rtp1'
          ? { kind: 'unchanged', plan: plan(host) }
          : host === 'rtp2'
            ? refused
            : host === 'web1'
              ? null
              : { kind: 'planned', plan: plan(host) },
    };
    const hosts = { edge1: {}, edge2: {}, rtp1: {}, rtp2: { roles: ['media'] }, web1: {} };
    const { log } = await run(jobs(playOf({ clusters: [SIP] }), hosts), script, { kind: 'plan' });
    expect(log.of('batches-split')).toMatchObject([
      { clusters: [{ what: 'the SIP cluster', hosts: ['edge1', 'edge2', 'rtp1', 'rtp2'] }] },
    ]);
  });

  it('goes through plays and playbooks one after the other, so that their batches need no splitting', async () => {
    const first = playOf({ name: 'first', line: 1 });
    const second = playOf({ name: 'second', line: 2 });
    const third = playOf({ name: 'third', file: 'other.yaml' });
    let active = 0;
    const script: Script = {
      apply: async () => {
        active += 1;
        await tick(3);
        expect(active).toBe(1);
        active -= 1;
        return null;
      },
    };
    const hosts = [jobOf('sip1', first, inPair), jobOf('sip2', second, inPair), jobOf('sip3', third, inPair)];
    const { ends, batches } = await run(hosts, script);
    expect(Object.values(ends)).toEqual(['changed', 'changed', 'changed']);
    expect(batches).toEqual([['sip1'], ['sip2'], ['sip3']]);
  });
});

describe('the other members of a cluster', () => {
  const held = 'and sip2 belongs to the cluster "pair" too';

  it.each([
    ['failed and put itself back', failed, 'sip1 failed'],
    [
      'failed, nobody knows how it stands',
      { ...failed, aftermath: { kind: 'unknown', why: 'silence' } },
      'sip1 failed',
    ],
    ['was lost while it was changed', unreachable, 'sip1 could not be reached'],
  ] as const)('are left alone when one %s', async (_how, outcome, because) => {
    const script: Script = { apply: async (host) => (host === 'sip1' ? (outcome as HostOutcome) : null) };
    const { ends, operations } = await run(jobs(playOf({}), { sip1: inPair, sip2: inPair, web1: {} }), script);
    expect(ends).toEqual({ sip1: outcome.kind, sip2: `skipped: ${because}, ${held}`, web1: 'changed' });
    expect(operations.applied.sort()).toEqual(['sip1', 'web1']);
    expect(operations.discarded).toEqual(['sip2']);
  });

  it('are left alone when a later one cannot be reached', async () => {
    const script: Script = { plan: async (host) => (host === 'sip3' ? unreachable : null) };
    const { ends } = await run(jobs(playOf({}), { sip1: inPair, sip2: inPair, sip3: inPair }), script);
    const because = 'skipped: sip3 could not be reached, and';
    expect(ends).toEqual({
      sip1: `${because} sip1 belongs to the cluster "pair" too`,
      sip2: `${because} ${held.slice(4)}`,
      sip3: 'unreachable',
    });
  });

  it('are left alone while another run changes one', async () => {
    const lock = { holder: 'ann@desk', since: '2026-03-01T10:00:00Z', id: 'r1' };
    const locked: HostOutcome = { kind: 'refused', failure: lockedBy(lock, null) };
    for (const script of [
      { plan: async (host: string) => (host === 'sip1' ? locked : null) },
      { apply: async (host: string) => (host === 'sip1' ? locked : null) },
    ]) {
      const { ends, operations } = await run(jobs(playOf({}), { sip1: inPair, sip2: inPair, web1: {} }), script);
      expect(ends).toEqual({
        sip1: 'refused',
        sip2: `skipped: another run is changing sip1, ${held}`,
        web1: 'changed',
      });
      expect(operations.applied).not.toContain('sip2');
    }
  });

  it.each([
    ['refused', refused],
    ['failed', untouched],
  ] as const)('are changed when one was %s before anything was written', async (kind, outcome) => {
    for (const script of [
      { plan: async (host: string) => (host === 'sip1' ? outcome : null) },
      { apply: async (host: string) => (host === 'sip1' ? outcome : null) },
    ]) {
      const { ends } = await run(jobs(playOf({}), { sip1: inPair, sip2: inPair }), script);
      expect(ends).toEqual({ sip1: kind, sip2: 'changed' });
    }
  });

  it('are changed when one was rolled back because of a host outside', async () => {
    const script: Script = { apply: async (host) => (host === 'web1' ? failed : null) };
    const play = playOf({ onFailure: 'revert-batch' });
    const { ends } = await run(jobs(play, { web1: {}, sip1: inPair, sip2: inPair }), script);
    expect(ends).toEqual({ web1: 'failed', sip1: 'reverted: web1 failed', sip2: 'changed' });
  });

  it.each([
    ['revert-batch', 'changed'],
    ['revert-run', `reverted: sip1 failed, ${held}`],
  ] as const)('take their batch with them under %s', async (onFailure, first) => {
    const before = playOf({ name: 'before', line: 1 });
    const play = playOf({ name: 'then', line: 2, onFailure, serial: [{ kind: 'count', count: 2 }] });
    const hosts = [
      jobOf('sip1', before, inPair),
      jobOf('web1', before),
      ...jobs(play, { web2: {}, web3: {}, sip2: inPair, web4: {}, web5: {} }),
    ];
    const script: Script = { apply: async (host) => (host === 'sip1' ? failed : null) };
    const { ends, operations } = await run(hosts, script);
    const whole = `skipped: sip1 failed, ${held}, and on_failure changes a batch as a whole or not at all`;
    expect(ends['web1']).toBe(first);
    expect([ends['sip2'], ends['web4']]).toEqual([whole, whole]);
    if (onFailure === 'revert-batch') {
      expect([ends['web2'], ends['web3'], ends['web5']]).toEqual(['changed', 'changed', 'changed']);
    } else {
      const because = `sip1 failed, ${held}`;
      expect([ends['web2'], ends['web3']]).toEqual([`reverted: ${because}`, `reverted: ${because}`]);
      expect(ends['web5']).toBe(`skipped: ${because}, and the run was rolled back`);
      expect(operations.decided.filter((line) => line.startsWith('rollback')).sort()).toEqual([
        'rollback web1 to before-web1',
        'rollback web2 to before-web2',
        'rollback web3 to before-web3',
      ]);
    }
  });

  it('keep a playbook that is changed as a whole from being begun', async () => {
    const first = playOf({ file: 'a.yaml' });
    const second = playOf({ file: 'b.yaml', onFailure: 'revert-run', serial: [{ kind: 'count', count: 1 }] });
    const hosts = [jobOf('sip1', first, inPair), jobOf('web1', second), jobOf('sip2', second, inPair)];
    const { ends, operations } = await run(hosts, { apply: async (host) => (host === 'sip1' ? failed : null) });
    const because = `skipped: sip1 failed, ${held}, and with on_failure: revert-run either all hosts of a playbook are changed or none`;
    expect(ends).toEqual({ sip1: 'failed', web1: because, sip2: because });
    expect(operations.applied).toEqual(['sip1']);
  });
});

/** Watches who is worked on at the same time. */
function watched(hosts: readonly HostJob[], script: Script = {}): { script: Script; met: string[] } {
  const clusters = clustersAmong(
    hosts,
    inventoryOf({ pair: hosts.filter(({ settings }) => settings.cluster === 'pair').map(({ host }) => host) }),
    ({ settings }) => settings.roles ?? [],
  );
  const active = new Set<string>();
  const met: string[] = [];
  const at = async (host: string): Promise<void> => {
    for (const other of active) {
      if (clusters.some((cluster) => cluster.hosts.includes(host) && cluster.hosts.includes(other)))
        met.push(`${host} and ${other}`);
    }
    active.add(host);
    await tick();
    active.delete(host);
  };
  const around =
    <A extends unknown[]>(own: ((host: string, ...more: A) => Promise<HostOutcome | null>) | undefined) =>
    async (host: string, ...more: A): Promise<HostOutcome | null> => {
      await at(host);
      return (await own?.(host, ...more)) ?? null;
    };
  return {
    met,
    script: {
      ...script,
      apply: around(script.apply),
      keep: around(script.keep),
      revert: around(script.revert),
      rollback: around(script.rollback),
    },
  };
}

describe('putting back', () => {
  const hosts = (onFailure: OnFailure): HostJob[] =>
    jobs(playOf({ onFailure }), { sip1: inPair, sip2: inPair, sip3: inPair, web1: {} });

  it('goes batch by batch too, the last one first', async () => {
    const all = hosts('revert-run');
    const { script, met } = watched(all, { apply: async (host) => (host === 'sip3' ? failed : null) });
    const { operations, ends } = await run(all, script);
    const because = 'reverted: sip3 failed';
    expect(ends).toEqual({ sip1: because, sip2: because, sip3: 'failed', web1: because });
    const undone = operations.decided.filter((line) => line.startsWith('rollback'));
    expect([undone[0], undone.slice(1).sort()]).toEqual([
      'rollback sip2 to before-sip2',
      ['rollback sip1 to before-sip1', 'rollback web1 to before-web1'],
    ]);
    expect(met).toEqual([]);
  });

  it('by hand goes in batches like an apply', async () => {
    const review = async (): Promise<boolean> => true;
    const { ends, operations } = await run(hosts('keep-good'), {}, { kind: 'rollback', generation: null, review });
    expect(Object.values(ends)).toEqual(Array(4).fill('rolled-back'));
    // Planning waits for nobody; only what changes hosts spares the cluster.
    expect(operations.begun).toHaveLength(4);
    expect([operations.applied.slice(0, 2), operations.applied.slice(2)]).toEqual([
      ['sip1', 'web1'],
      ['sip2', 'sip3'],
    ]);
  });

  it('by hand returns the batches before one that fails, each to the state that its rollback saved', async () => {
    const review = async (): Promise<boolean> => true;
    const command: FleetCommand = { kind: 'rollback', generation: 'g1', review };
    const script: Script = { apply: async (host) => (host === 'sip2' ? failed : null) };
    const { ends, operations } = await run(hosts('revert-run'), script, command);
    expect(operations.decided.filter((line) => line.startsWith('rollback')).sort()).toEqual([
      'rollback sip1 to before-sip1',
      'rollback web1 to before-web1',
    ]);
    expect(ends).toMatchObject({
      sip1: expect.stringMatching(/^reverted: sip2 failed/),
      web1: expect.stringMatching(/^reverted: sip2 failed/),
      sip2: 'failed',
    });
  });

  it.each([{ kind: 'confirm', verdict: 'revert' }] as const)(
    'by hand ($kind) takes the members of a cluster one after the other, and all others at once',
    async (command) => {
      const all = hosts('keep-good');
      const { ends, operations } = await run(all, {}, command);
      expect(Object.keys(ends)).toHaveLength(4);
      expect([operations.begun.slice(0, 2), operations.begun.slice(2)]).toEqual([
        ['sip1', 'web1'],
        ['sip2', 'sip3'],
      ]);
      expect(operations.mostActive).toBe(2);
      // What changes nothing waits for nobody.
      expect((await run(all, {}, { kind: 'facts' })).operations.mostActive).toBe(4);
      expect((await run(all, {}, { kind: 'confirm', verdict: 'keep' })).operations.mostActive).toBe(4);
    },
  );
});

describe('any run', { timeout: 120_000 }, () => {
  it('never has two hosts of a cluster at work at once, and no host after one of its cluster that may be down', async () => {
    await fc.assert(
      fc.asyncProperty(fleets, fc.array(fc.nat(40), { maxLength: 4 }), async (fleet, bad) => {
        const clusters = clustersAmong(fleet.jobs, fleet.inventory, fleet.rolesOf);
        const together = (a: string, b: string): boolean =>
          clusters.some(({ hosts }) => hosts.includes(a) && hosts.includes(b));
        const busy = new Set<string>();
        const down = new Set<string>();
        const work = async (host: string): Promise<void> => {
          for (const other of busy) if (together(host, other)) throw new Error(`${host} and ${other} at once`);
          busy.add(host);
          await tick(0);
          busy.delete(host);
        };
        const faults: string[] = [];
        const guarded = async (host: string, step: () => Promise<HostOutcome | null>): Promise<HostOutcome | null> => {
          try {
            await work(host);
          } catch (error) {
            faults.push((error as Error).message);
          }
          return step();
        };
        const operations = new ScriptedOperations({
          rolesOf: fleet.rolesOf,
          apply: (host) =>
            guarded(host, async () => {
              for (const other of down) if (together(host, other)) faults.push(`${host} after ${other}`);
              if (!bad.includes(Number(host.slice(1)))) return null;
              down.add(host);
              return failed;
            }),
          keep: (host) => guarded(host, async () => null),
          revert: (host) => guarded(host, async () => null),
          rollback: (host) => guarded(host, async () => null),
        });
        const map = new Map(fleet.jobs.map((job) => [job.host, job]));
        const context = contextOf(map, new AbortController().signal, fleet.inventory);
        const summary = await runFleet(APPLY, context, operations, { forks: 40, emit: () => {} });
        expect(faults).toEqual([]);
        expect([...summary.outcomes.keys()]).toEqual([...map.keys()]);
      }),
      { numRuns: 60 },
    );
  });
});
