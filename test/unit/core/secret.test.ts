import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';

describe('Secret', () => {
  const secret = new Secret('hunter2');

  it('gives itself away only on request', () => {
    expect(secret.reveal()).toBe('hunter2');
  });

  it.each([
    ['a string', String(secret)],
    ['a template', `${secret}`],
    ['a sum', `password: ${secret}`],
    ['JSON', JSON.stringify({ nested: { secret } })],
    ['inspection', inspect({ nested: [secret] }, { depth: 9, showHidden: true })],
    ['its own keys', JSON.stringify(Object.entries(secret))],
    ['a copy', inspect({ ...secret })],
  ])('does not show in %s', (_where, shown) => {
    expect(shown).not.toContain('hunter2');
  });
});
