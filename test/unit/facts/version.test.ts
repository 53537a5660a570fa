import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, firewalldRefusal, isVersion } from '../../../src/facts/version.ts';

describe('compareVersions', () => {
  it.each([
    ['0.9.3', '0.9.3', 0],
    ['0.9', '0.9.0', 0],
    ['0.8.6', '0.9.0', -1],
    ['0.9.10', '0.9.9', 1],
    ['0.10.0', '0.9.9', 1],
    ['1.0', '0.9.99', 1],
    ['2.3.1', '10.0', -1],
    ['1.3.3-rc1', '1.3.3', 0],
    ['2.0.0_dev', '2.0.1', -1],
  ])('%s and %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
    expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
  });

  it('is an order', () => {
    const version = fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const [x, , z] = [a, b, c].sort(compareVersions) as [string, string, string];
        expect(compareVersions(x, z)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('firewalldRefusal', () => {
  it.each(['0.9.0', '0.9.3', '0.9', '1.3.3', '2.3.1', '10.0.0'])('lets %s pass', (version) => {
    expect(firewalldRefusal(version)).toBeNull();
  });

  it.each(['0.8.6', '0.6.3', '0.4.4.5'])('refuses %s and says which version is needed', (version) => {
    const refusal = firewalldRefusal(version);
    expect(refusal?.what).toContain(version);
    expect(refusal?.solve).toContain('0.9.0');
  });

  it.each(['', 'unknown', '\u001b[2J9.9'])('refuses the unknown version %j without repeating it', (version) => {
    expect(firewalldRefusal(version)?.what).toMatch(/not known$/);
  });
});

it.each([
  ['2.3.1', true],
  ['0.9.3-1.el8', true],
  ['1.0.0rc1', true],
  ['1', true],
  ['', false],
  ['v1', false],
  ['1..2', false],
  [`1${'.1'.repeat(40)}`, false],
])('isVersion(%j)', (text, expected) => {
  expect(isVersion(text)).toBe(expected);
});
