import { describe, expect, it } from 'vitest';
import { ACCEPT_ALL } from '../../../src/firewalld/rich-rule.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import type { DesiredFirewalld, PolicyNote } from '../../../src/policy/desired.ts';
import { inputOf } from './helpers/cases.ts';

/** An inventory with one host whose extra rules and narrowing are those given. */
function desiredWith(variables: Readonly<Record<string, unknown>>, roles: readonly string[] = ['server']) {
  const outcome = buildDesired(
    inputOf({
      roles,
      facts: { interfaces: { eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'] } },
      inventory: {
        all: {
          hosts: {
            'web1.example.net': {
              ansible_host: '192.0.2.10',
              portfw_interfaces: { public: 'eth0', private: 'eth1' },
              ...variables,
            },
          },
        },
      },
    }),
  );
  if (outcome.kind !== 'desired') throw new Error(outcome.refusals.map(({ what }) => what).join('\n'));
  return outcome;
}

const extra = (name: string, port: number, from: readonly string[], side = 'public') => ({
  name,
  interface: side,
  protocol: 'tcp',
  port,
  from,
  owner: 'ops',
  reason: 'test',
});

/** Service → the entries of the ipsets from which a rule opens it, by family. */
function admitted(desired: DesiredFirewalld): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const zone of desired.zones.values()) {
    for (const { text: rule } of zone.config.richRules.filter(({ text }) => text !== ACCEPT_ALL.text)) {
      const [, family, ipset, service] = /family="(\w+)" source ipset="([^"]+)" service name="([^"]+)"/.exec(rule)!;
      const { value } = desired.ipsets.get(ipset!)!;
      expect(value.family, rule).toBe(family);
      found[service!] = [...(found[service!] ?? []), ...value.entries];
    }
  }
  return found;
}

describe('sources of rules', () => {
  it.each([[['vpn', 'vpn-6']], [['vpn-6', 'vpn']]])('keep apart in sets whose names meet: %s', (order) => {
    const rules = {
      vpn: extra('vpn', 1000, ['192.0.2.50', '2001:db8::50']),
      'vpn-6': extra('vpn-6', 2000, ['203.0.113.60', '2001:db8::60']),
    };
    const { desired } = desiredWith({
      portfw_extra_rules: order.map((name) => rules[name as keyof typeof rules]),
    });
    expect(admitted(desired)).toEqual({
      'portfw-extra-vpn': ['192.0.2.50', '2001:db8::50'],
      'portfw-extra-vpn-6': ['203.0.113.60', '2001:db8::60'],
    });
    expect([...desired.ipsets.keys()].every((name) => name.length <= 31)).toBe(true);
  });

  const narrowed = (notes: readonly PolicyNote[]) =>
    notes
      .filter(({ code }) => code === 'not-narrowed')
      .map(({ severity, text }) => `${severity} ${text.split(' limits')[0]}`);

  it('are said to count for nothing on a side that is trusted as a whole', () => {
    const variables = {
      portfw_allow_from: { 'database/tcp/3306': ['198.51.100.20'], 'server/22': ['192.0.2.0/25'] },
      portfw_extra_rules: [extra('agent', 5666, ['198.51.100.30'], 'private'), extra('noc', 161, ['192.0.2.30'])],
    };
    expect(narrowed(desiredWith({ ...variables }, ['server', 'database']).notes)).toEqual([
      'warning database/private/tcp/3306',
      'warning extra rule agent',
    ]);
    expect(narrowed(desiredWith({ ...variables, portfw_private: 'matrix' }, ['server', 'database']).notes)).toEqual([]);
    expect(narrowed(desiredWith({}, ['server', 'database']).notes)).toEqual([]);
  });
});
