import { describe, expect, it } from 'vitest';
import type { Approach } from '../../../src/kernel/flow.ts';
import { readNft } from '../../../src/kernel/read-nft.ts';
import { ask, fixture, verdict } from './helpers/asking.ts';

const VERSIONS = ['0.9.8', '1.0.6', '1.1.3'];

/** Source, port, and what becomes of it; the rules are in forms.nft. */
const VERDICTS: readonly (readonly [string, number, string, Partial<Approach>?])[] = [
  ['203.0.113.90', 22, 'drop'],
  ['192.0.2.9', 80, 'reject'],
  ['192.0.2.128', 80, 'drop'],
  ['198.51.100.7', 80, 'reject'],
  ['198.51.100.19', 80, 'reject'],
  ['198.51.100.20', 80, 'drop'],
  ['203.0.113.5', 80, 'reject'],
  ['203.0.113.78', 22, 'accept'],
  ['203.0.113.15', 8010, 'accept'],
  ['203.0.113.15', 8011, 'drop'],
  ['203.0.113.16', 8010, 'drop'],
  ['203.0.113.200', 22, 'accept'],
  ['203.0.113.65', 80, 'accept'],
  ['203.0.113.65', 81, 'drop'],
  ['203.0.113.100', 80, 'drop'],
  // The later table drops what the first accepted.
  ['203.0.113.70', 443, 'drop'],
  ['203.0.113.71', 443, 'accept'],
  ['203.0.113.30', 100, 'accept'],
  ['203.0.113.31', 100, 'drop'],
  ['203.0.113.31', 101, 'accept'],
  ['203.0.113.33', 101, 'drop'],
  ['203.0.113.33', 102, 'accept'],
  ['203.0.113.30', 102, 'drop'],
  ['203.0.113.90', 103, 'accept'],
  ['203.0.113.90', 103, 'drop', { interface: 'wan0' }],
  ['203.0.113.90', 104, 'drop'],
  ['203.0.113.90', 104, 'accept', { interface: 'eth1' }],
  ['203.0.113.90', 105, 'accept'],
  ['203.0.113.90', 105, 'drop', { interface: 'eth2' }],
  ['203.0.113.90', 106, 'accept'],
  ['203.0.113.50', 112, 'accept'],
  ['203.0.113.51', 112, 'drop'],
  ['203.0.113.90', 116, 'accept'],
  ['203.0.112.90', 116, 'drop'],
  ['203.0.113.90', 59_999, 'drop'],
  ['203.0.113.90', 60_000, 'accept'],
  ['203.0.113.90', 118, 'drop'],
  ['203.0.113.90', 119, 'drop'],
  ['203.0.113.90', 120, 'accept'],
  ['203.0.113.90', 122, 'accept'],
  ['203.0.113.90', 8080, 'to 198.51.100.1 80: accept'],
  ['203.0.113.90', 82, 'to 198.51.100.201 82: accept'],
  ['203.0.113.90', 83, 'to 198.51.100.202 83: accept'],
  ['203.0.113.40', 81, 'to 198.51.100.200 8081: accept'],
  ['203.0.113.41', 81, 'drop'],
  ['203.0.113.90', 22, 'accept', { state: 'established' }],
  ['203.0.113.90', 22, 'accept', { interface: 'lo' }],
  ['203.0.113.90', 9999, 'drop'],
  ['203.0.113.2', 22, 'drop', { direction: 'forward', destination: '198.51.100.2', outInterface: 'eth1' }],
  ['203.0.113.2', 22, 'accept', { direction: 'forward', destination: '198.51.100.2', outInterface: 'eth2' }],
  ['203.0.113.1', 80, 'drop', { direction: 'forward', destination: '198.51.100.3', outInterface: 'eth2' }],
  ['203.0.113.1', 80, 'accept', { direction: 'forward', destination: '198.51.100.2', outInterface: 'eth2' }],
  ['203.0.113.2', 9999, 'drop', { direction: 'forward', destination: '198.51.100.2', outInterface: 'eth2' }],
];

describe.each(VERSIONS)('rules of many forms, as nft %s prints them', (version) => {
  const rules = readNft(fixture(`forms-nft-${version}.json`));

  it('are read whole', () => {
    expect(rules.problems).toEqual([]);
    expect(rules.notLookedAt).toEqual(['bridge other']);
    const parts = rules.tables.flatMap(({ chains }) => [...chains.values()].flatMap((chain) => chain.rules));
    const unknown = parts.filter((rule) => rule.parts.some(({ kind }) => kind.startsWith('unknown')));
    expect(unknown.map(({ text }) => text)).toEqual(['tcp dport 123 {"socket":{"key":"transparent"}} 1 accept']);
  });

  it('are treated as the kernel would', () => {
    const found = VERDICTS.map(([source, port, , given = {}]) => verdict(ask(rules, { port, ...given }), source));
    expect(VERDICTS.map(([source, port], index) => [source, port, found[index]])).toEqual(
      VERDICTS.map(([source, port, expected]) => [source, port, expected]),
    );
  });

  it('knows UDP, ICMP and IPv6', () => {
    const udp = { protocol: 'udp', direction: 'forward', destination: '198.51.100.9', port: 53 } as const;
    expect(verdict(ask(rules, { ...udp, outInterface: 'eth2' }), '203.0.113.90')).toBe('reject');
    expect(verdict(ask(rules, { ...udp, outInterface: 'eth3' }), '203.0.113.90')).toBe('accept');
    expect(verdict(ask(rules, { protocol: 'icmp', port: null, icmpType: 8 }), '203.0.113.90')).toBe('accept');
    const six = { family: 'ipv6', protocol: 'udp', port: 546 } as const;
    expect(verdict(ask(rules, six), 'fe80::7')).toBe('accept');
    expect(verdict(ask(rules, six), '2001:db8::7')).toBe('drop');
    expect(ask(rules, six).refused[0]).toMatchObject({ table: 'inet forms', chain: 'early', by: 'rule' });
  });

  it('counts the unknown as no permission, and in the worst case as a refusal', () => {
    // A rate, a MAC, a time to live, and an element that expires.
    for (const port of [107, 108, 109]) {
      for (const worst of [true, false]) expect(verdict(ask(rules, { port }, worst), '203.0.113.90')).toBe('drop');
    }
    for (const worst of [true, false]) expect(verdict(ask(rules, { port: 9 }, worst), '203.0.113.77')).toBe('drop');
    // Too many connections, and an address that packets add to a set.
    for (const [port, refusal] of [
      [117, 'reject'],
      [124, 'drop'],
    ] as const) {
      expect(verdict(ask(rules, { port }, true), '203.0.113.90')).toBe(refusal);
      expect(verdict(ask(rules, { port }, false), '203.0.113.90')).toBe('accept');
    }
    expect(ask(rules, { port: 108 }).unknown).toEqual([]);
    expect(ask(rules, { port: 123 }).unknown).toEqual(['{"socket":{"key":"transparent"}} 1']);
  });

  it('names the rule and the chains', () => {
    const found = ask(rules, { port: 80 });
    expect(found.refused.find(({ rule }) => rule.includes('@banned'))).toMatchObject({
      verdict: 'reject',
      table: 'inet forms',
      chain: 'input',
      rule: 'ip saddr @banned counter reject with icmp host-unreachable',
      trail: ['input'],
      by: 'rule',
    });
    expect(found.refused.find(({ by }) => by === 'policy')).toMatchObject({ chain: 'input', rule: 'policy drop' });
  });
});

describe.each(['0.9.3', '1.3.3', '2.3.1'])('the rules of firewalld %s', (version) => {
  const rules = readNft(fixture(`firewalld-${version}.json`));

  it('open SSH and nothing else', () => {
    expect(rules.problems).toEqual([]);
    for (const family of ['ipv4', 'ipv6'] as const) {
      expect(ask(rules, { family }).refused).toEqual([]);
      expect(ask(rules, { family, port: 80 }).accepted).toEqual([]);
      expect(ask(rules, { family, port: 80 }).refused.map((refusal) => refusal.verdict)).toEqual(['reject']);
      expect(ask(rules, { family, direction: 'forward', outInterface: 'eth1' }).accepted).toEqual([]);
      expect(ask(rules, { family, port: 80, state: 'established' }).refused).toEqual([]);
    }
    const dhcp = { family: 'ipv6', protocol: 'udp', port: 546 } as const;
    expect(ask(rules, { ...dhcp, destination: 'fe80::1' }).refused).toEqual([]);
    expect(ask(rules, dhcp).accepted).toEqual([]);
  });
});
