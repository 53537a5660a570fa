import { describe, expect, it } from 'vitest';
import { durationText, parseDuration } from '../../../src/core/duration.ts';

describe('a length of time', () => {
  it.each([
    ['60s', 60],
    ['90', 90],
    ['2m', 120],
    ['1h', 3600],
    ['0s', 0],
    ['', null],
    ['s', null],
    ['-5s', null],
    ['1.5m', null],
    ['5 s', null],
    ['5d', null],
    ['1m30s', null],
    ['9999999s', null],
  ])('%s is %s seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [125, '2 min 5 s'],
    [3600, '1 h'],
    [4200, '1 h 10 min'],
  ])('%s seconds read %s', (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  it.each([
    [0, '0.0 s'],
    [1.234, '1.2 s'],
    [59.949, '59.9 s'],
    [59.951, '1 min'],
    [119.6, '2 min'],
    [185.4, '3 min 5 s'],
    [3661.2, '1 h 1 min'],
  ])('%s seconds that were measured read %s', (seconds, text) => {
    expect(durationText(seconds, 1)).toBe(text);
  });
});
