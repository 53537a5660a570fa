import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, parseAddress, parseNetwork } from '../../../src/core/addresses.ts';
import { asLayer } from '../../../src/firewalld/kinds/kinds.ts';
import { ACCEPT_ALL, NEEDED_ICMP } from '../../../src/firewalld/rich-rule.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { desiredObjects } from '../../../src/policy/desired.ts';
import type { PolicyInput } from '../../../src/policy/policy-input.ts';
import type { InterfaceClass, ZoneTarget } from '../../../src/settings/settings-types.ts';
import { type Knock, letsIn } from '../../helpers/lets-in.ts';
import { inputOf, type PolicyCase } from './helpers/cases.ts';

const ADDRESSES: Readonly<Record<string, string>> = { eth0: '192.0.2.10', eth1: '198.51.100.10', eth2: '203.0.113.10' };
const VIP = '192.0.2.80';
const SOURCES = ['198.51.100.20', '198.51.100.21', '198.51.100.99', '203.0.113.5', '203.0.113.6', '192.0.2.200'];
const PORTS = [7, 21, 22, 80, 162, 443, 3306, 5060, 6937, 8442, 8903, 8904, 8905, 20048];

const sources = fc.uniqueArray(
  fc.constantFrom('198.51.100.20', '198.51.100.0/25', '203.0.113.4/30', 'db1.example.net', '192.0.2.200'),
  { minLength: 1, maxLength: 3 },
);

const zoneTarget = fc.constantFrom<ZoneTarget>('default', 'drop', 'reject');
const targets = { public: zoneTarget, private: zoneTarget, control: zoneTarget };

/** Cases in the form of the data files, with everything that decides who may come. */
const policyCase: fc.Arbitrary<PolicyCase> = fc
  .record({
    roles: fc.subarray(['web', 'proxy', 'database', 'manager']),
    features: fc.subarray(['console']),
    private: fc.constantFrom('trusted' as const, 'peers' as const, 'matrix' as const),
    target: fc.option(fc.oneof(zoneTarget, fc.record(targets, { requiredKeys: [] }))),
    homes: fc.array(fc.subarray(['public', 'private', 'control']), { minLength: 3, maxLength: 3 }),
    database: fc.constantFrom('private', 'public'),
    cluster: fc.boolean(),
    allowFrom: fc.record(
      {
        web: sources,
        'web/443': sources,
        'web/tcp/8903-8904': sources,
        'web/public/tcp/80': sources,
        proxy: sources,
        manager: sources,
        'server/22': sources,
      },
      { requiredKeys: [] },
    ),
    peers: fc.record({ gateways: sources, partners: sources }, { requiredKeys: [] }),
    extra: fc.option(
      fc.record({ interface: fc.constantFrom('public', 'private'), from: fc.option(sources), expired: fc.boolean() }),
    ),
  })
  .map((given) => {
    const interfaces: Record<string, string[]> = {};
    for (const [index, classes] of given.homes.entries())
      for (const name of classes) interfaces[name] = [...(interfaces[name] ?? []), `eth${index}`];
    return {
      roles: ['server', ...given.roles],
      features: given.features,
      private: given.private,
      facts: {
        interfaces: {
          lo: ['127.0.0.1/8'],
          eth0: ['192.0.2.10/24'],
          eth1: ['198.51.100.10/24'],
          eth2: ['203.0.113.10/24'],
        },
        rpc: ['100005 3 udp 20048 mountd'],
      },
      inventory: {
        all: {
          hosts: {
            'web1.example.net': {
              ansible_host: '192.0.2.10',
              portfw_interfaces: interfaces,
              portfw_vips: [VIP],
              portfw_role_interfaces: { database: given.database },
              portfw_allow_from: given.allowFrom,
              portfw_peers: given.peers,
              ...(given.cluster ? { portfw_cluster: 'pair' } : {}),
              ...(given.target === null ? {} : { portfw_zone_target: given.target }),
              ...(given.extra === null
                ? {}
                : {
                    portfw_extra_rules: [
                      {
                        name: 'probe',
                        interface: given.extra.interface,
                        protocol: 'tcp',
                        port: 7,
                        ...(given.extra.from === null ? {} : { from: given.extra.from }),
                        owner: 'ops',
                        reason: 'Probe',
                        expires: given.extra.expired ? '2026-02-28' : '2026-03-01',
                      },
                    ],
                  }),
            },
            'db1.example.net': { ansible_host: '198.51.100.20' },
            'db2.example.net': { ansible_host: '198.51.100.21' },
            'img1.example.net': { portfw_managed: false, portfw_roles: ['gateway'], ansible_host: '203.0.113.5' },
          },
          children: { pair: { hosts: { 'web1.example.net': null, 'db2.example.net': null } } },
        },
      },
    };
  });

function isIn(source: string, list: readonly string[]): boolean {
  return list.some((text) => contains(parseNetwork(text)!, parseAddress(source)!));
}

/** What the matrix and the inventory say of a packet, read rule by rule: the oracle, which knows nothing of firewalld. */
function named(input: PolicyInput, interfaceName: string, knock: Knock): boolean {
  const { settings, matrix, peers } = input;
  const serves = (name: InterfaceClass) => settings.interfaces[name].includes(interfaceName);
  if (serves('private')) {
    if (input.privateMode === 'trusted') return true;
    const ofSite = isIn(knock.source, peers.site().addresses);
    if (ofSite && (input.privateMode === 'peers' || (knock.protocol === 'tcp' && knock.port === 22))) return true;
  }
  const clusters = peers.clusters({ roles: input.roles, features: input.features, clusters: matrix.clusters.values() });
  if (clusters.some(({ addresses }) => isIn(knock.source, addresses))) return true;
  for (const name of input.roles) {
    const role = matrix.roles.get(name)!;
    for (const rule of role.rules) {
      if (rule.feature !== null && !input.features.has(rule.feature)) continue;
      const side = role.interfaceChoices.includes(settings.roleInterfaces[name]!)
        ? settings.roleInterfaces[name]!
        : rule.interface;
      // The virtual address lies in the network of eth0, whatever else that serves.
      if (side === 'vip' ? knock.destination !== VIP : !serves(side)) continue;
      const port = rule.port.kind === 'range' ? rule.port.range : { first: 20048, last: 20048 };
      if (rule.port.kind === 'rpc' && rule.protocol !== 'udp') continue;
      if (rule.protocol !== knock.protocol || knock.port < port.first || knock.port > port.last) continue;
      const text = port.first === port.last ? `${port.first}` : `${port.first}-${port.last}`;
      const selectors = [
        `${name}/${rule.interface}/${rule.protocol}/${text}`,
        `${name}/${rule.protocol}/${text}`,
        `${name}/${text}`,
        name,
      ];
      const selector = selectors.find((one) => settings.allowFrom[one] !== undefined);
      if (selector !== undefined && !isIn(knock.source, peers.addressesOf(settings.allowFrom[selector]!))) continue;
      const set = matrix.peers.get(rule.from);
      if (set !== undefined && !isIn(knock.source, peers.peerSet(set).addresses)) continue;
      return true;
    }
  }
  return settings.extraRules.some(
    (rule) =>
      serves(rule.interface) &&
      rule.protocol === knock.protocol &&
      rule.ports.some(({ first, last }) => first <= knock.port && knock.port <= last) &&
      (rule.expires === null || rule.expires >= input.today) &&
      (rule.from === null || isIn(knock.source, peers.addressesOf(rule.from))),
  );
}

function knocksOn(interfaceName: string): Knock[] {
  const destinations = [ADDRESSES[interfaceName]!, ...(interfaceName === 'eth0' ? [VIP] : [])];
  return SOURCES.flatMap((source) =>
    destinations.flatMap((destination) =>
      ['tcp', 'udp'].flatMap((protocol) => PORTS.map((port) => ({ source, destination, protocol, port }))),
    ),
  );
}

function eachReasoned(desired: DesiredFirewalld): readonly { readonly reasons: readonly unknown[] }[] {
  return [
    ...desired.services.values(),
    ...desired.ipsets.values(),
    ...[...desired.zones.values()].flatMap((zone) => [...zone.interfaces, ...zone.services, ...zone.richRules]),
  ];
}

describe('any inventory', { timeout: 120_000 }, () => {
  it('opens exactly what a rule names, to exactly those whom it names', () => {
    let planned = 0;
    fc.assert(
      fc.property(policyCase, (given) => {
        const input = inputOf(given);
        const outcome = buildDesired(input);
        if (outcome.kind === 'refused') return;
        planned += 1;
        const config = asLayer(desiredObjects(outcome.desired));
        for (const zone of config.zones.values()) {
          for (const name of zone.interfaces) {
            for (const knock of knocksOn(name)) {
              if (letsIn(zone, config, knock) === named(input, name, knock)) continue;
              throw new Error(
                `${name}: ${JSON.stringify(knock)} is ${letsIn(zone, config, knock) ? 'open' : 'closed'}`,
              );
            }
          }
        }
      }),
      { numRuns: 50, seed: 7 },
    );
    expect(planned).toBeGreaterThan(15);
  });

  it('gives the same for the same, with a reason for everything and nothing that is not used', () => {
    fc.assert(
      fc.property(policyCase, (given) => {
        const outcome = buildDesired(inputOf(given));
        expect(buildDesired(inputOf(given))).toEqual(outcome);
        if (outcome.kind === 'refused') {
          expect(outcome.refusals.length).toBeGreaterThan(0);
          return;
        }
        const { zones, services, ipsets } = outcome.desired;
        for (const item of eachReasoned(outcome.desired)) expect(item.reasons.length).toBeGreaterThan(0);
        const uses = JSON.stringify(
          [...zones.values()].map(({ config }) => [...config.services, ...config.richRules.map(({ text }) => text)]),
        );
        for (const name of [...services.keys(), ...ipsets.keys()]) expect(uses).toContain(name);
        for (const name of [...zones.keys()]) expect(name).toMatch(/^portfw-[a-z0-9-]{1,10}$/);
        for (const name of services.keys()) expect(name).toMatch(/^portfw-[a-z0-9-]{1,64}$/);
        for (const name of ipsets.keys()) expect(name).toMatch(/^portfw-[a-z0-9-]{1,24}$/);
      }),
      { numRuns: 30, seed: 8 },
    );
  });

  it('gives no zone of ours a target that forwards, and each the strictest that its classes ask for', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(policyCase, (given) => {
        const input = inputOf(given);
        const outcome = buildDesired(input);
        if (outcome.kind === 'refused') return;
        for (const { config } of outcome.desired.zones.values()) {
          const [first] = config.interfaces;
          const mapped = (['public', 'private', 'control'] as const).filter((name) =>
            input.settings.interfaces[name].includes(first!),
          );
          // One that no class names is there for a virtual address.
          const classes = mapped.length > 0 ? mapped : (['vip'] as const);
          const asked = classes.map((name) => input.settings.zoneTargets[name] ?? 'default');
          const strictest = asked.includes('drop') ? 'DROP' : asked.includes('reject') ? '%%REJECT%%' : 'default';
          expect(config.target).toBe(strictest);
          expect(config.forward).toBe(false);
          const trusted = input.privateMode === 'trusted' && classes.join() === 'private';
          expect(config.richRules.some(({ text }) => text === ACCEPT_ALL.text)).toBe(trusted);
          const icmp = config.richRules.filter((rule) => NEEDED_ICMP.some(({ text }) => text === rule.text)).length;
          expect(icmp).toBe(trusted || strictest === 'default' ? 0 : NEEDED_ICMP.length);
          kinds.add(`${strictest} ${trusted}`);
        }
      }),
      { numRuns: 300, seed: 9 },
    );
    expect([...kinds].sort()).toEqual(
      ['%%REJECT%%', 'DROP', 'default'].flatMap((target) => [`${target} false`, `${target} true`]),
    );
  });

  it('keeps names within what firewalld and the kernel take, whatever they are made from', () => {
    const roles = ['a-role-whose-name-is-as-long-as3'];
    const input = inputOf({
      matrix: 'long-names.yaml',
      roles,
      facts: { interfaces: { eth0: ['192.0.2.10/24'] } },
      inventory: {
        all: {
          hosts: {
            'web1.example.net': {
              ansible_host: '192.0.2.10',
              portfw_interfaces: { public: 'eth0', control: 'eth0', vip: 'eth0', private: 'eth0' },
              portfw_private: 'matrix',
              portfw_allow_from: {
                [`${roles[0]}/public/tcp/50001-60000`]: ['203.0.113.1'],
                [`${roles[0]}/public/tcp/50000`]: ['203.0.113.2'],
                [`${roles[0]}/control/udp/50000-60000`]: ['203.0.113.3', '2001:db8::3'],
              },
              portfw_extra_rules: [
                {
                  name: 'x'.repeat(60),
                  interface: 'public',
                  protocol: 'tcp',
                  port: 1,
                  from: ['203.0.113.4'],
                  owner: 'o',
                  reason: ' r ',
                },
                {
                  name: `${'x'.repeat(59)}y`,
                  interface: 'public',
                  protocol: 'tcp',
                  port: 2,
                  from: ['203.0.113.5'],
                  owner: 'o',
                  reason: 'r',
                },
                {
                  name: 'A.b',
                  interface: 'public',
                  protocol: 'tcp',
                  port: 3,
                  from: ['203.0.113.6'],
                  owner: 'o',
                  reason: 'r',
                },
                {
                  name: 'a_B',
                  interface: 'public',
                  protocol: 'tcp',
                  port: 4,
                  from: ['203.0.113.7'],
                  owner: 'o',
                  reason: 'r',
                },
              ],
            },
          },
        },
      },
    });
    const outcome = buildDesired(input);
    if (outcome.kind === 'refused') throw new Error(outcome.refusals[0]!.what);
    const { zones, services, ipsets } = outcome.desired;
    for (const name of zones.keys()) expect(name).toMatch(/^portfw-[a-z0-9-]{1,10}$/);
    for (const name of services.keys()) expect(name).toMatch(/^portfw-[a-z0-9-]{1,64}$/);
    for (const name of ipsets.keys()) expect(name).toMatch(/^portfw-[a-z0-9-]{1,24}$/);
    expect([...ipsets.values()].map(({ value }) => value.entries.join(' ')).sort()).toEqual([
      '2001:db8::3',
      ...[1, 2, 3, 4, 5, 6, 7].map((last) => `203.0.113.${last}`),
    ]);
    expect(services.size).toBe(7);
    // What surrounds a text is lost in firewalld's files: it may not come back as a difference.
    for (const { value } of services.values()) expect(value.description).toBe(value.description.trim());
  });
});
