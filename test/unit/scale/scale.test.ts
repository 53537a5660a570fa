import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { decidedFromFacts } from '../decide/helpers/decided.ts';
import { type BigHost, bigHost, type Size, SMALL } from './helpers/big-host.ts';

/** From what a host printed to a plan that is shown, as text and as JSON. */
function planned({ text, job, play, context }: BigHost): { readonly shown: string; readonly changes: number } {
  const parsed = parseFacts(text);
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}`);
  const decided = decidedFromFacts(job, play, parsed.facts, context);
  if (decided.kind === 'refused') throw new Error(JSON.stringify(decided.failure));
  const { plan } = decided;
  jsonLine({ kind: 'host-finished', plan });
  return { shown: plansText([plan], { style: PLAIN_STYLE, verbosity: 0 }), changes: plan.changes.length };
}

/** Milliseconds of CPU: other programs on the machine do not count. The best of three, so that neither does a collection of garbage. */
function cpuOf(work: () => unknown): number {
  const runs = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}

const SECONDS = 1000;
/** Four times as much takes four times as long, or sixteen times where somebody asks each about each. */
const MOST_GROWTH = 9;
/** Below this, what is measured is not the size. */
const LEAST_MS = 10;

describe('the time from facts to a shown plan grows with the size, not with its square', () => {
  it.each<[string, Partial<Size>]>([
    ['entries of a set of ours', { entries: 12_000 }],
    ['entries that come and go', { entries: 12_000, changed: 6_000 }],
    ['entries of a set of others', { foreign: 12_000, changed: 1 }],
    ['rich rules of others', { rules: 1_250, changed: 1 }],
    ['sockets', { sockets: 2_500, changed: 1 }],
    ['flows', { flows: 1_000, changed: 1 }],
    ['interfaces', { interfaces: 250, changed: 1 }],
    ['zones', { interfaces: 250, zones: 250, changed: 1 }],
  ])(
    '%s',
    (_what, size) => {
      const four = Object.fromEntries(Object.entries(size).map(([key, count]) => [key, count * 4]));
      const once = bigHost({ ...SMALL, ...size });
      const often = bigHost({ ...SMALL, ...four });
      planned(once);
      const least = Math.max(
        LEAST_MS,
        cpuOf(() => planned(once)),
      );
      const most = cpuOf(() => planned(often));
      expect(most / least, `${least.toFixed(0)} ms, and ${most.toFixed(0)} ms for four times as many`).toBeLessThan(
        MOST_GROWTH,
      );
    },
    180 * SECONDS,
  );

  it(
    '100,000 entries take about a second of CPU, half of them new or not, and their text is short',
    () => {
      for (const changed of [0, 50_000]) {
        const host = bigHost({ ...SMALL, entries: 100_000, changed });
        const { shown, changes } = planned(host);
        expect(changes).toBeGreaterThan(0);
        expect(shown.length).toBeLessThan(20_000);
        if (changed > 0) expect(shown).toContain('and 49950 more to add (-v shows them)');
        // Three times what a quiet machine takes; it was more than a minute.
        expect(cpuOf(() => planned(host))).toBeLessThan(4 * SECONDS);
      }
    },
    180 * SECONDS,
  );
});
