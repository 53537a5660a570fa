import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressRanges,
  addressRanges,
  EVERY_ADDRESS,
  intersect,
  networksOf,
  oneAddress,
  sameRanges,
  subtract,
  unite,
} from '../../../src/core/address-ranges.ts';

/** The last numbers of the addresses of a small network that a set holds. */
function members(ranges: AddressRanges): number[] {
  const base = 0xc0000200n;
  return Array.from({ length: 32 }, (_, index) => index).filter((index) =>
    ranges.some(({ first, last }) => first <= base + BigInt(index) && base + BigInt(index) <= last),
  );
}

const networks = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 28, max: 32 }))
    .map(([last, prefix]) => `192.0.2.${last}/${prefix}`),
  { maxLength: 6 },
);
const sets = networks.map((texts) => addressRanges(texts, 'ipv4')!);

describe('sets of addresses', () => {
  it('are united, cut and taken from each other like sets of numbers', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const [left, right] = [new Set(members(a)), new Set(members(b))];
        expect(members(unite(a, b))).toEqual([...new Set([...left, ...right])].sort((x, y) => x - y));
        expect(members(intersect(a, b))).toEqual([...left].filter((item) => right.has(item)));
        expect(members(subtract(a, b))).toEqual([...left].filter((item) => !right.has(item)));
        expect(sameRanges(a, b)).toBe(members(a).join() === members(b).join());
      }),
      { seed: 7 },
    );
  });

  it('are written as networks that stand for the same set', () => {
    fc.assert(
      fc.property(sets, (set) => {
        expect(addressRanges(networksOf(set, 'ipv4'), 'ipv4')).toEqual(set);
      }),
      { seed: 7 },
    );
  });

  it('pass over the other family, and are none for what is no address', () => {
    expect(addressRanges(['2001:db8::/32', '192.0.2.1'], 'ipv4')).toEqual(oneAddress('192.0.2.1', 'ipv4'));
    expect(addressRanges(['00:00:5e:00:53:01'], 'ipv4')).toBeNull();
    expect(oneAddress('192.0.2.1', 'ipv6')).toEqual([]);
    expect(networksOf(EVERY_ADDRESS.ipv6, 'ipv6')).toEqual(['::/0']);
  });
});
