import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/core/problem.ts';
import { reviewOf } from '../../../src/report/review.ts';
import type { ReviewInput } from '../../../src/report/review-input.ts';
import { sarifLint } from '../../../src/report/sarif/sarif-lint.ts';
import { sarifReview } from '../../../src/report/sarif/sarif-review.ts';
import { access, planOf, refusedHost, reviewInput, smallFleet } from './helpers/fleets.ts';
import { HOSTILE } from './helpers/many-hosts.ts';
import { DRIFT } from './helpers/plans.ts';
import { SARIF } from './helpers/sarif-schema.ts';

const logOf = (input: ReviewInput) => SARIF.parse(JSON.parse(sarifReview(reviewOf(input, 'short'))));
const resultsOf = (input: ReviewInput) => logOf(input).runs[0].results;
const fingerprints = (input: ReviewInput) => resultsOf(input).map((one) => one.partialFingerprints['portfw/v1']);

describe('SARIF', () => {
  it('has a result for each change, note and host without a plan', async () => {
    const fleet = smallFleet();
    const places = new Map([['web1.example.net', { file: 'site a/inventory.yaml', line: 7, column: 5 }]]);
    const log = logOf({ ...fleet, places });
    await expect(`${JSON.stringify(log, null, 2)}\n`).toMatchFileSnapshot(
      '../../fixtures/report/formats-plan.sarif.json',
    );
    const { results } = log.runs[0];
    const changes = fleet.plans.reduce((sum, plan) => sum + plan.changes.length, 0);
    expect(results).toHaveLength(changes + 2 + 3);
    const of = (host: string) => results.filter(({ message }) => message.text.startsWith(`${host}: `));
    for (const { locations } of of('web1.example.net'))
      expect(locations![0]!.physicalLocation).toEqual({
        artifactLocation: { uri: 'site%20a/inventory.yaml', uriBaseId: '%SRCROOT%' },
        region: { startLine: 7, startColumn: 5 },
      });
    for (const { locations } of of('web2.example.net')) expect(locations![0]!.physicalLocation).toBeUndefined();
    expect(of('gw1.example.net').map(({ level }) => level)).toEqual(['error']);
  });

  it('knows a finding again although numbers and texts around it have changed', () => {
    const plan = planOf('a.example.net', access([]), DRIFT.changes);
    const input = reviewInput([plan], [refusedHost('b.example.net', 'failed', 'code', 'after 3 s')]);
    const before = fingerprints(input);
    expect(new Set(before).size).toBe(before.length);
    const later = reviewInput(
      [
        {
          ...plan,
          changes: plan.changes.map((change) =>
            'layers' in change ? { ...change, layers: { permanent: true, runtime: false } } : change,
          ),
        },
      ],
      [refusedHost('b.example.net', 'failed', 'code', 'after 4 s')],
    );
    expect(fingerprints(later)).toEqual(before);
    expect(
      fingerprints({ ...later, plans: [{ ...plan, host: 'c.example.net' }] }).some((one) =>
        before.slice(0, -1).includes(one),
      ),
    ).toBe(false);
  });

  it.each(HOSTILE)('takes a host and a rule named %j', (nasty) => {
    const change = { ...DRIFT.changes[3]!, rule: nasty, zone: nasty } as (typeof DRIFT.changes)[number];
    const warning = { severity: 'warning', code: nasty, text: nasty } as const;
    const text = sarifReview(
      reviewOf(reviewInput([planOf(nasty, access([]), [change], { notes: [warning] })], [refusedHost(nasty)]), 'short'),
    );
    expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u202e\u200b]/u);
    expect(SARIF.safeParse(JSON.parse(text))).toMatchObject({ success: true });
  });

  it('has the problems of lint at their places, with relative paths below the working folder', () => {
    const problem = (file: string, line: number) =>
      new Problem({
        severity: 'error',
        code: 'unknown-key',
        what: 'no such key',
        solve: 'remove it',
        location: { file, line, column: 2, secret: null },
      });
    const here = path.join(process.cwd(), 'a b/ü#.yaml');
    const log = SARIF.parse(
      JSON.parse(
        sarifLint([problem(here, 3), problem('./x.yaml', 4), problem('/etc/portfw/y.yaml', 1), problem('./x.yaml', 9)]),
      ),
    );
    const places = log.runs[0].results.map(({ locations }) => locations![0]!.physicalLocation!);
    expect(places.map(({ artifactLocation }) => artifactLocation)).toEqual([
      { uri: 'a%20b/%C3%BC%23.yaml', uriBaseId: '%SRCROOT%' },
      { uri: 'x.yaml', uriBaseId: '%SRCROOT%' },
      { uri: 'file:///etc/portfw/y.yaml' },
      { uri: 'x.yaml', uriBaseId: '%SRCROOT%' },
    ]);
    expect(places[0]!.region).toEqual({ startLine: 3, startColumn: 2 });
    const prints = log.runs[0].results.map((one) => one.partialFingerprints['portfw/v1']);
    // The same mistake on another line of the same file is the same one that has moved.
    expect(prints[1]).toBe(prints[3]);
    expect(prints[0]).not.toBe(prints[1]);
  });
});
