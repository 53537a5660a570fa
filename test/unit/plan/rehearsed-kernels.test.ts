import { describe, expect, it } from 'vitest';
import type { RulesText } from '../../../src/kernel/rules-text.ts';
import type { Rehearsal } from '../../../src/plan/rehearsal.ts';
import { readKernels } from '../../../src/plan/rehearsed-kernels.ts';

const NOTHING: RulesText = { nft: '{"nftables":[]}', save4: '', save6: '', ipsets: '' };

function rehearsed(now: Partial<RulesText>): Rehearsal {
  return { kind: 'rehearsed', now: { ...NOTHING, ...now }, states: [], ways: [] };
}

const read = (now: Partial<RulesText>) => readKernels(rehearsed(now), { interfaces: [] });

describe('the rules of a rehearsal', () => {
  it('that can be read are taken', () => {
    expect(read({}).kernels).not.toBeNull();
    expect(read({}).notes).toEqual([]);
  });

  it.each<[string, Partial<RulesText>]>([
    ['no JSON', { nft: '{"nftables":[' }],
    ['an object that nobody knows', { nft: '{"nftables":[{"surprise":{}}]}' }],
    ['a line that iptables does not write', { save4: '*filter\n:INPUT ACCEPT [0:0]\nsurprise\nCOMMIT\n' }],
  ])('that cannot are no rules: %s', (_, now) => {
    const { kernels, notes } = read(now);
    expect(kernels).toBeNull();
    expect(notes).toEqual([
      { severity: 'warning', code: 'not-rehearsed', text: expect.stringContaining('cannot be read') },
    ]);
  });

  it('that are not looked at are named, whatever they are called', () => {
    const chain = {
      family: 'inet',
      table: 'edge',
      name: 'first',
      type: 'filter',
      hook: 'ingress',
      prio: 0,
      policy: 'drop',
    };
    const nft = JSON.stringify({
      nftables: [
        { table: { family: 'netdev', name: 'guard\u001b[2J' } },
        { table: { family: 'inet', name: 'edge' } },
        { chain },
      ],
    });
    const { kernels, notes } = read({ nft });
    expect(kernels).not.toBeNull();
    expect(notes.map(({ code }) => code)).toEqual(['not-looked-at']);
    expect(notes[0]?.text).toContain('inet edge chain first (ingress)');
    expect(notes[0]?.text).not.toContain('\u001b');
  });
});
