import { expect, it } from 'vitest';
import type { CutFlows } from '../../../src/fleet/events.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';
import { NdjsonReport } from '../../../src/report/json/ndjson.ts';
import { outcomeView } from '../../../src/report/outcome-view.ts';
import { DRIFT, SETTLED } from './helpers/plans.ts';

const changed = (cut?: CutFlows, plan = DRIFT) =>
  ({ kind: 'changed', plan, generation: 'g1', reloads: 0, ...(cut === undefined ? {} : { cut }) }) as const;

it.each<[string, ReturnType<typeof changed>, string]>([
  ['nothing was revoked', changed(undefined, SETTLED), ''],
  ['without the flag', changed(), '; 4 flows that nothing allows any more continue (--cut-revoked ends such flows)'],
  ['all were ended', changed({ kind: 'cut', ended: 4, left: 0 }), '; ended 4 flows that nothing allows any more'],
  [
    'sockets that the kernel does not close',
    changed({ kind: 'cut', ended: 3, left: 1 }),
    '; ended 3 flows that nothing allows any more, 1 connection could not be closed',
  ],
  [
    'it failed, and what a host says of it cannot steer the terminal',
    changed({ kind: 'failed', why: 'no route\u001b[2J' }),
    '; 4 flows that nothing allows any more could not be ended: no route',
  ],
])('the outcome says what became of revoked flows: %s', (_what, outcome, expected) => {
  expect(outcomeView(outcome).note).toBe(`no reload; previous state saved as generation g1${expected}`);
});

it('the summary of --json says it too, and plans carry their impact as plain JSON', () => {
  const lines: string[] = [];
  const report = new NdjsonReport({ write: (text: string) => lines.push(text) } as never, { write: () => {} } as never);
  const outcomes = new Map([['sip1', changed({ kind: 'cut', ended: 4, left: 0 })]]);
  report.event({
    kind: 'run-finished',
    summary: { command: 'apply', outcomes, durationMs: 1, interrupted: false },
    at: 1,
  });
  expect(JSON.parse(lines[0]!).summary.outcomes.sip1.cut).toEqual({ kind: 'cut', ended: 4, left: 0 });
  expect(JSON.parse(jsonLine(DRIFT)).impact).toEqual(DRIFT.impact);
});
