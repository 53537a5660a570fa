import { describe, expect, it } from 'vitest';
import { guardSettings } from '../../../src/cli/guard-flags.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

describe('how long hosts wait for a decision, and whose', () => {
  it.each([
    [{}, { windowSeconds: 60, confirm: 'auto' }],
    [{ revertAfter: '30s' }, { windowSeconds: 30, confirm: 'auto' }],
    [{ confirm: 'manual' }, { windowSeconds: 600, confirm: 'manual' }],
    [
      { confirm: 'manual', revertAfter: '2h' },
      { windowSeconds: 7200, confirm: 'manual' },
    ],
    [
      { confirm: 'auto', revertAfter: '5' },
      { windowSeconds: 5, confirm: 'auto' },
    ],
  ] as const)('%j', (flags, wanted) => {
    expect(guardSettings(flags)).toEqual(wanted);
  });

  it.each([
    [{ revertAfter: 'soon' }, '--revert-after is a time from 5s to 24h'],
    [{ revertAfter: '4s' }, '--revert-after is a time from 5s to 24h'],
    [{ revertAfter: '25h' }, '--revert-after is a time from 5s to 24h'],
    [{ confirm: 'me' }, '--confirm is "auto" or "manual"'],
  ])('%j is a mistake', (flags, message) => {
    expect(() => guardSettings(flags)).toThrow(UsageError);
    expect(() => guardSettings(flags)).toThrow(message);
  });
});
