import { describe, expect, it } from 'vitest';
import { fuzz } from '../../fuzz/fuzz.ts';

/** A short run of `npm run fuzz`, with inputs that are the same every time. */
describe('mutated files', () => {
  it('never bring down a parser, and what is said of them can be shown', { timeout: 60_000 }, () => {
    const results = fuzz(20_260_101, { runs: 60, seconds: 1 });
    expect(results.map(({ target, finding }) => [target, finding])).toEqual(
      results.map(({ target }) => [target, null]),
    );
    // A target that refuses nothing tests little; only known_hosts passes over what it does not understand.
    for (const { target, runs, accepted } of results) {
      expect(runs, target).toBeGreaterThan(2);
      if (target !== 'known_hosts') expect(accepted, target).toBeLessThan(runs);
    }
  });
});
