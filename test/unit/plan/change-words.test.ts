import { describe, expect, it } from 'vitest';
import { changeSign, changeText, describeChange } from '../../../src/plan/change-words.ts';
import { DRIFT, FIRST_APPLY } from '../report/helpers/plans.ts';

describe('the words for one change', () => {
  it('on a line of its own: what is done, to what, in which zone', () => {
    expect(DRIFT.changes.map(describeChange)).toEqual([
      'change service portfw-sip-pub (ports: −25/tcp +5060/tcp; destination: 203.0.113.45 → nothing)',
      'remove service portfw-old-pub (ports: 1/tcp → nothing)',
      'remove service portfw-old-pub in zone portfw-public',
      'remove rich rule family="ipv4" source address="192.0.2.66" accept in zone portfw-public',
      'remove port tcp/9999 in zone portfw-public',
      'remove interface eth9 in zone portfw-public',
      'change ipset portfw-peers4: +192.0.2.10 +192.0.2.16/28 -192.0.2.9',
      'change remembered roles',
    ]);
  });

  it('below the title of its zone: the zone is not named again, but where it comes from or goes to', () => {
    expect(DRIFT.changes.map((change) => `${changeSign(change)} ${changeText(change)}`)).toEqual([
      '~ service portfw-sip-pub',
      '- service portfw-old-pub',
      '- service portfw-old-pub',
      '- rich rule family="ipv4" source address="192.0.2.66" accept',
      '- port tcp/9999',
      '- interface eth9 moves to zone public',
      '~ ipset portfw-peers4',
      '~ remembered roles',
    ]);
    expect(changeText(FIRST_APPLY.changes[3]!)).toBe('interface eth0 (public) moves here from zone public');
  });

  it('names the connection whose zone changes, and not all of 100 entries', () => {
    const { networkManager, ...bind } = {
      ...FIRST_APPLY.changes[3]!,
      networkManager: { uuid: 'u', connection: 'Wired', before: '', after: 'portfw-public' },
    };
    expect(describeChange({ ...bind, networkManager } as (typeof DRIFT.changes)[number])).toBe(
      'change interface eth0 in zone portfw-public; NetworkManager connection "Wired": zone none → portfw-public',
    );
    const add = Array.from({ length: 100 }, (_, index) => `192.0.2.${index}`);
    const entries = DRIFT.changes[6]! as Extract<(typeof DRIFT.changes)[number], { kind: 'ipset-entries' }>;
    expect(describeChange({ ...entries, add, remove: [] })).toBe(
      'change ipset portfw-peers4: +192.0.2.0 +192.0.2.1 +192.0.2.2 +192.0.2.3 and 96 more',
    );
  });
});
