import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, startBench, VERSIONS } from '../faults/bench.ts';
import { carryOut, type Fault, type Result } from '../faults/drill.ts';
import { FAULTS } from '../faults/faults.ts';

/**
 * The short form of the fault suite (docs/evidence/faults.md): some of its faults, each at a boundary where it hurts, spread over
 * firewalld 0.9.3 (old), 1.3.3 (middle) and 2.3.1 (young). `npm run faults` injects them all.
 */
const SHORT: Readonly<Record<string, readonly (readonly [Fault, string, 'old' | 'new'])[]>> = {
  old: [
    [FAULTS.controllerKilled, 'behaves', 'old'],
    [FAULTS.operationKilled, 'permanent in part', 'old'],
    [FAULTS.powerCut, 'permanent', 'old'],
  ],
  middle: [
    [FAULTS.cutForGood, 'permanent', 'old'],
    [FAULTS.diskFull, 'making permanent', 'old'],
    [FAULTS.firewalldHung, 'behaving', 'old'],
  ],
  young: [
    [FAULTS.lockout, '-', 'old'],
    [FAULTS.revertReadOnly, 'reloaded', 'old'],
    [FAULTS.powerCut, 'decided', 'new'],
  ],
};
/** The shortest that the command takes. */
const WINDOW_SECONDS = 5;

let bench: Bench;
const results = new Map<string, Result | Error>();

beforeAll(async () => {
  bench = await startBench(['first']);
  // The hosts all at once, one fault after the other on each; what came of them is judged below.
  await Promise.all(
    bench.stands.map(async (stand) => {
      for (const [fault, step] of SHORT[stand.host.name]!) {
        const done = carryOut(stand, { fault, step, scenario: 'first' }, WINDOW_SECONDS);
        results.set(`${stand.host.name} ${fault.name} ${step}`, await done.catch((error: Error) => error));
      }
    }),
  );
});

afterAll(() => bench?.lab.stop());

for (const [host, drills] of Object.entries(SHORT)) {
  describe(`firewalld ${VERSIONS[host]}`, () => {
    it.each(drills)('$0.name at "%s": the host ends on the %s configuration', (fault, step, outcome) => {
      const result = results.get(`${host} ${fault.name} ${step}`);
      expect(result).toMatchObject({ outcome, problems: [] });
    });
  });
}
