import { describe, expect, it } from 'vitest';
import { exceedsFailures, serialBatches } from '../../../src/fleet/batches.ts';
import type { BatchSize } from '../../../src/matrix/matrix.ts';

const count = (n: number): BatchSize => ({ kind: 'count', count: n });
const percent = (n: number): BatchSize => ({ kind: 'percent', percent: n });

describe('serialBatches', () => {
  it.each([
    ['no serial takes all at once', 7, [], [7]],
    ['a count, with a smaller rest', 7, [count(3)], [3, 3, 1]],
    ['a count beyond the hosts', 3, [count(10)], [3]],
    ['a list, whose last size repeats', 10, [count(1), count(2), count(3)], [1, 2, 3, 3, 1]],
    ['a list longer than needed', 3, [count(1), count(5), count(5)], [1, 2]],
    ['a share of all hosts, not of what is left', 10, [percent(30)], [3, 3, 3, 1]],
    ['a share rounded down', 10, [percent(39)], [3, 3, 3, 1]],
    ['a share below one host is one host', 4, [percent(10)], [1, 1, 1, 1]],
    ['all of them', 4, [percent(100)], [4]],
    ['counts and shares mixed', 20, [count(1), percent(10), percent(50)], [1, 2, 10, 7]],
    ['a count of zero takes what is left', 5, [count(2), count(0)], [2, 3]],
    ['no hosts', 0, [count(3)], []],
  ] as const)('%s', (_name, hosts, serial, sizes) => {
    const names = Array.from({ length: hosts }, (_, index) => `h${index}`);
    const batches = serialBatches(names, serial);
    expect(batches.map((batch) => batch.length)).toEqual(sizes);
    expect(batches.flat()).toEqual(names);
  });

  it.each([
    ['one big batch', 'abcd', [], ['ab'], ['acd', 'b']],
    ['a batch that moves up to its size', 'abcdef', [count(2)], ['ab'], ['ac', 'bd', 'ef']],
    ['a cluster larger than its batches', 'abcd', [count(2)], ['abcd'], ['a', 'b', 'c', 'd']],
    ['two clusters that meet in a host', 'abc', [], ['ab', 'bc'], ['ac', 'b']],
    ['a cluster that serial keeps apart', 'abcd', [count(2)], ['ac'], ['ab', 'cd']],
    [
      'sizes by the turn, and shares of all hosts',
      'abcdefghij',
      [count(1), percent(30)],
      ['cde'],
      ['a', 'bcf', 'dgh', 'eij'],
    ],
    ['a cluster of hosts that are not there', 'ab', [], ['xy', 'ax'], ['ab']],
  ] as const)('keeps clusters apart: %s', (_name, hosts, serial, clusters, expected) => {
    const batches = serialBatches(
      [...hosts],
      serial,
      clusters.map((cluster) => [...cluster]),
    );
    expect(batches.map((batch) => batch.join(''))).toEqual(expected);
  });
});

describe('exceedsFailures', () => {
  it.each([
    [1, 2, 50, false],
    [2, 2, 50, true],
    [1, 3, 33, true],
    [1, 3, 34, false],
    [0, 5, 0, false],
    [1, 1000, 0, true],
    [5, 5, 100, false],
    [5, 5, null, false],
    [0, 0, 0, false],
  ])('%i of %i failed, %s allowed: %s', (failed, size, allowed, expected) => {
    expect(exceedsFailures(failed, size, allowed)).toBe(expected);
  });
});
