import { describe, expect, it } from 'vitest';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { changesOf, failureOf, outcomeView } from '../../../src/report/outcome-view.ts';
import { runView } from '../../../src/report/run-view.ts';
import { OUTCOMES, SUMMARY } from './helpers/outcomes.ts';

describe('the view of outcomes', () => {
  it('has a label, how loud it is, and the changes of the plan, for every kind', () => {
    const seen = new Map([...OUTCOMES].map(([host, outcome]) => [host, outcomeView(outcome)]));
    expect(new Set([...seen.values()].map(({ kind }) => kind)).size).toBe(16);
    expect(seen.get('changed1')).toMatchObject({ kind: 'changed', label: 'changed', tone: 'notable', changes: 10 });
    expect(seen.get('unsettled1')).toMatchObject({
      kind: 'unchanged',
      label: 'unsettled',
      tone: 'notable',
      changes: 0,
    });
    expect(seen.get('rolled1')).toMatchObject({ label: 'rolled back', tone: 'good', changes: null });
    const bad = [...seen.values()].filter(({ tone }) => tone === 'bad').map(({ kind }) => kind);
    expect(bad).toEqual(['refused', 'unreachable', 'failed', 'failed', 'failed']);
    for (const [host, { failure, changes }] of seen) {
      expect(failure === null, host).toBe(failureOf(OUTCOMES.get(host)!) === null);
      expect(changes, host).toBe(changesOf(OUTCOMES.get(host)!));
    }
  });

  it('has no text that could steer a terminal, whatever a host says', () => {
    const nasty = 'x\u001b[2J\u202e\ny';
    const failed: HostOutcome = {
      kind: 'failed',
      phase: 'writing',
      failure: { code: 'c', what: nasty, details: [nasty], solve: nasty },
      aftermath: { kind: 'restored', generation: nasty, by: nasty, differs: [nasty] },
    };
    const view = runView({ ...SUMMARY, outcomes: new Map([[nasty, failed]]) }, new Map(), 10);
    expect(view.rows[0]).toMatchObject({ host: 'x y', outcome: { failure: { what: 'x y', details: ['x y'] } } });
    expect(JSON.stringify(view)).not.toMatch(/\\u001b|\\n|\u202e/);
  });
});

describe('the view of a run', () => {
  const many = (count: number): ReadonlyMap<string, HostOutcome> =>
    new Map(
      Array.from({ length: count }, (_, index) => {
        const kind = index === 1 ? 'failed1' : index === 2 ? 'unsettled1' : index === 3 ? 'skipped1' : 'settled1';
        return [`host${index}`, OUTCOMES.get(kind)!];
      }),
    );

  it('has a row a host, with the time spent on it, unless it was skipped', () => {
    const durations = new Map(Array.from({ length: 5 }, (_, index) => [`host${index}`, 100 + index]));
    const { rows, hosts } = runView({ ...SUMMARY, outcomes: many(5) }, durations, 5);
    expect(hosts).toBe(5);
    expect(rows.map((row) => row.kind === 'host' && [row.host, row.durationMs])).toEqual([
      ['host0', 100],
      ['host1', 101],
      ['host2', 102],
      ['host3', null],
      ['host4', 104],
    ]);
  });

  it('folds the uneventful hosts of a larger fleet, and counts every host', () => {
    const { rows, counts } = runView({ ...SUMMARY, outcomes: many(100) }, new Map(), 99);
    expect(rows.map((row) => (row.kind === 'host' ? row.host : [row.hosts, row.outcome.label, row.note]))).toEqual([
      'host1',
      'host2',
      [97, 'unchanged', ''],
      [1, 'skipped', 'the run was interrupted before its turn'],
    ]);
    expect(counts).toEqual([
      { label: 'unchanged', tone: 'good', hosts: 97 },
      { label: 'failed', tone: 'bad', hosts: 1 },
      { label: 'unsettled', tone: 'notable', hosts: 1 },
      { label: 'skipped', tone: 'notable', hosts: 1 },
    ]);
  });
});
