import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  comparePorts,
  formatPortRange,
  mergePortRanges,
  type PortRange,
  parsePortRange,
  subtractPortRanges,
} from '../../../src/core/ports.ts';

const range = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.nat(15))
  .map(([first, more]): PortRange => ({ first, last: first + more }));
const ranges = fc.array(range, { maxLength: 8 });

/** The ports of some ranges, one by one. */
function portsOf(given: readonly PortRange[]): Set<number> {
  const found = new Set<number>();
  for (const { first, last } of given) for (let port = first; port <= last; port += 1) found.add(port);
  return found;
}

describe('reading a port', () => {
  it.each([
    ['1', { first: 1, last: 1 }],
    ['65535', { first: 65535, last: 65535 }],
    ['8903-8904', { first: 8903, last: 8904 }],
    ['8903–8904', { first: 8903, last: 8904 }],
    [' 8903 - 8904 ', { first: 8903, last: 8904 }],
    ['80-80', { first: 80, last: 80 }],
  ])('%j', (text, wanted) => {
    expect(parsePortRange(text)).toEqual(wanted);
  });

  it.each([
    ['', 'is not a port'],
    ['ssh', '"ssh" is not a port or a range of ports'],
    ['0', 'port 0 is not between 1 and 65535'],
    ['65536', 'port 65536 is not between'],
    ['1-65536', 'port 65536 is not between'],
    ['0-1', 'port 0 is not between'],
    ['90-80', 'the range 90-80 is reversed'],
    ['-80', 'is not a port'],
    ['80-', 'is not a port'],
    ['80-90-100', 'is not a port'],
    ['80,90', 'is not a port'],
    ['8e3', 'is not a port'],
    ['80.5', 'is not a port'],
    ['٨٠', 'is not a port'],
    ['99999999999', 'is not a port'],
  ])('refuses %j', (text, why) => {
    expect(parsePortRange(text)).toEqual(expect.stringContaining(why));
  });

  it('reads what it writes', () => {
    fc.assert(
      fc.property(range, (given) => {
        expect(parsePortRange(formatPortRange(given))).toEqual(given);
      }),
    );
  });

  it('answers any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = parsePortRange(text);
        if (typeof read !== 'string') expect(read.first).toBeLessThanOrEqual(read.last);
      }),
    );
  });
});

describe('sets of ports', () => {
  it('merges what overlaps or touches', () => {
    expect(
      mergePortRanges([
        { first: 90, last: 99 },
        { first: 80, last: 85 },
        { first: 86, last: 86 },
        { first: 82, last: 83 },
        { first: 95, last: 101 },
      ]),
    ).toEqual([
      { first: 80, last: 86 },
      { first: 90, last: 101 },
    ]);
  });

  it('merges to the same ports, in order and apart', () => {
    fc.assert(
      fc.property(ranges, (given) => {
        const merged = mergePortRanges(given);
        expect(portsOf(merged)).toEqual(new Set([...portsOf(given)].sort((a, b) => a - b)));
        for (const [index, one] of merged.entries()) {
          const next = merged[index + 1];
          if (next !== undefined) expect(next.first).toBeGreaterThan(one.last + 1);
        }
      }),
    );
  });

  it('subtracts port by port', () => {
    fc.assert(
      fc.property(ranges, ranges, (given, without) => {
        const left = subtractPortRanges(given, without);
        const holes = portsOf(without);
        expect([...portsOf(left)]).toEqual([...portsOf(mergePortRanges(given))].filter((port) => !holes.has(port)));
        expect(mergePortRanges(left)).toEqual(left);
      }),
    );
  });

  it('orders by protocol, then by the first port, then by the last', () => {
    const of = (text: string) => {
      const [port = '', protocol = ''] = text.split('/');
      return { protocol, range: parsePortRange(port) as PortRange };
    };
    const given = ['80/udp', '80-90/tcp', '443/tcp', '80/tcp', '9/udp'];
    expect(
      given
        .map(of)
        .sort(comparePorts)
        .map((one) => `${formatPortRange(one.range)}/${one.protocol}`),
    ).toEqual(['80/tcp', '80-90/tcp', '443/tcp', '9/udp', '80/udp']);
  });
});
