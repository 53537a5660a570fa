import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregate, contains, parseNetwork } from '../../../src/core/addresses.ts';
import { entryCalls, joined } from '../../../src/plan/steps/entry-calls.ts';

const overlap = (a: string, b: string) => {
  const [left, right] = [parseNetwork(a)!, parseNetwork(b)!];
  return contains(left, right) || contains(right, left);
};

/** Entries that do not overlap each other, of a small world, so that those of two lists often do. */
const entries = fc
  .array(fc.tuple(fc.nat(31), fc.constantFrom(27, 28, 29, 30, 31, 32)), { maxLength: 8 })
  .map((list) =>
    list
      .map(([at, prefix]) => `192.0.2.${at}/${prefix}`)
      .filter((one, index, all) => !all.slice(0, index).some((other) => overlap(one, other))),
  )
  .map((list) => aggregate(list).ipv4);

describe('the calls that move entries', () => {
  it('never add one that overlaps what is there, end with what is wanted, and close nothing that both lists have', () => {
    fc.assert(
      fc.property(entries, entries, (held, wanted) => {
        const add = wanted.filter((entry) => !held.includes(entry));
        const remove = held.filter((entry) => !wanted.includes(entry));
        const { opened, closed } = entryCalls('portfw-x', add, remove);
        const now = new Set(held);
        for (const [operation, name, entry = ''] of [...opened, ...closed]) {
          expect(name).toBe('portfw-x');
          if (operation === 'remove-entry') expect(now.delete(entry)).toBe(true);
          else {
            expect([...now].filter((other) => overlap(other, entry))).toEqual([]);
            now.add(entry);
          }
        }
        expect([...now].sort()).toEqual([...wanted].sort());
        // What is opened takes away only what a wider entry replaces.
        for (const [operation, , entry = ''] of opened)
          if (operation === 'remove-entry') expect(wanted.some((other) => overlap(other, entry))).toBe(true);
      }),
      { numRuns: 2000, seed: 5 },
    );
  });

  it('replaces a network by a part of it, and a part by the whole', () => {
    expect(entryCalls('portfw-x', ['192.0.2.0/25'], ['192.0.2.0/24'])).toEqual({
      opened: [],
      closed: [
        ['remove-entry', 'portfw-x', '192.0.2.0/24'],
        ['add-entry', 'portfw-x', '192.0.2.0/25'],
      ],
    });
    expect(entryCalls('portfw-x', ['192.0.2.0/24'], ['192.0.2.0/25', '192.0.2.200'])).toEqual({
      opened: [
        ['remove-entry', 'portfw-x', '192.0.2.0/25'],
        ['remove-entry', 'portfw-x', '192.0.2.200'],
        ['add-entry', 'portfw-x', '192.0.2.0/24'],
      ],
      closed: [],
    });
  });

  it('passes over what is no network', () => {
    expect(entryCalls('portfw-x', ['192.0.2.7'], ['00:00:5E:00:53:01'])).toEqual({
      opened: [['add-entry', 'portfw-x', '192.0.2.7']],
      closed: [['remove-entry', 'portfw-x', '00:00:5E:00:53:01']],
    });
  });
});

it('joins entries with foreign ones that do not overlap', () => {
  fc.assert(
    fc.property(entries, entries, (held, others) => {
      const both = joined(held, others);
      expect(both).toEqual([...held, ...others.filter((other) => !held.some((entry) => overlap(entry, other)))].sort());
    }),
    { numRuns: 500, seed: 5 },
  );
});
