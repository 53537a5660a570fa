import { expect, it } from 'vitest';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import type { RunContext } from '../../../src/fleet/operations.ts';
import { runFleet } from '../../../src/fleet/run.ts';
import { auditOf, RunJournal } from '../../../src/fleet/run-journal.ts';
import type { JournalEntry } from '../../../src/journal/controller-line.ts';
import { planDigest } from '../../../src/journal/plan-digest.ts';
import { contextOf, failed, jobsOf, planOf, playOf, ScriptedOperations, unreachable } from './helpers/fakes.ts';

/** Runs a scripted apply and gives what the journal gets. */
async function journalOf(hosts: readonly string[], operations: ScriptedOperations, play = playOf({})) {
  const entries: JournalEntry[] = [];
  const lines = new RunJournal((entry) => entries.push(entry));
  await runFleet({ kind: 'apply', review: async () => true }, contextOf(jobsOf(hosts, play)), operations, {
    forks: 4,
    emit: (event) => lines.event(event),
  });
  return entries;
}

it('has a line for each host that was to be changed, with its plan also where it failed, and one for the end', async () => {
  const unchanged: HostOutcome = { kind: 'unchanged', plan: planOf('same', 0) };
  const outcomes: Readonly<Record<string, HostOutcome>> = { bad: failed };
  const entries = await journalOf(
    ['good', 'bad', 'gone', 'same'],
    new ScriptedOperations({
      plan: async (host) => (host === 'gone' ? unreachable : host === 'same' ? unchanged : null),
      apply: async (host) => outcomes[host] ?? null,
    }),
  );
  const byHost = new Map(entries.map((entry) => [entry.event === 'host' ? entry.host : entry.event, entry]));
  expect([...byHost.keys()].sort()).toEqual(['bad', 'ended', 'gone', 'good']);
  expect(byHost.get('good')).toMatchObject({
    matrix: 'portaswitch',
    plan: planDigest(planOf('good')),
    changes: { stray: 1 },
    outcome: { kind: 'changed', code: null, aftermath: null },
  });
  expect(byHost.get('bad')).toMatchObject({
    generation: 'g1',
    plan: planDigest(planOf('bad')),
    outcome: { kind: 'failed', code: 'disk-full', aftermath: 'restored' },
  });
  expect(byHost.get('gone')).toMatchObject({ plan: null, outcome: { kind: 'unreachable', code: 'no-route' } });
  expect(entries.at(-1)).toEqual({
    event: 'ended',
    outcomes: { changed: 1, failed: 1, unreachable: 1, unchanged: 1 },
    interrupted: false,
  });
});

it('has a second line for a host that was changed, and later rolled back because of another', async () => {
  const entries = await journalOf(
    ['one', 'two'],
    new ScriptedOperations({ apply: async (host) => (host === 'two' ? failed : null) }),
    playOf({ serial: [{ kind: 'count', count: 1 }], onFailure: 'revert-run', maxFailPercentage: 0 }),
  );
  const ofOne = entries.flatMap((entry) =>
    entry.event === 'host' && entry.host === 'one' ? [entry.outcome.kind] : [],
  );
  expect(ofOne).toEqual(['changed', 'reverted']);
});

it('tells the host where the run comes from, and nothing that was not given', () => {
  const plan = planOf('web1');
  const journal = { run: 'r', at: { id: 'a', seq: 3, digest: 'b' } };
  const plannedBy = { digest: 'c', signers: ['board@example.net'] };
  expect(auditOf({ journal, plannedBy } as unknown as RunContext, plan)).toEqual({
    run: 'r',
    plan: planDigest(plan),
    file: 'c',
    signers: ['board@example.net'],
    journal: { id: 'a', seq: 3, digest: 'b' },
  });
  expect(auditOf({} as RunContext, null)).toEqual({ run: null, plan: null, file: null, signers: [], journal: null });
});

it('gives equal plans equal digests, in whatever order their keys are', () => {
  const plan = planOf('web1');
  const turned = Object.fromEntries(Object.entries(plan).reverse());
  expect(planDigest(turned)).toBe(planDigest(plan));
  expect(planDigest({ ...plan, observedHash: 'other' })).not.toBe(planDigest(plan));
  // A saved plan is applied with the time of a reload that is measured then.
  expect(planDigest({ ...plan, disruption: { kind: 'reload', because: 'x', holdMs: 2000 } })).toBe(planDigest(plan));
});
