import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressRanges, intersect, oneAddress, subtract } from '../../../src/core/address-ranges.ts';
import { parseNetwork, rangeNetworks } from '../../../src/core/addresses.ts';
import { dispatched, type Filter, filterOf } from '../../../src/firewalld/filter/dispatch.ts';
import { readIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import type { PolicyConfig } from '../../../src/firewalld/kinds/policy.ts';
import { readServiceXml } from '../../../src/firewalld/kinds/service.ts';
import { EMPTY_ZONE } from '../../../src/firewalld/kinds/zone.ts';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';
import type { Dispatch } from '../../../src/firewalld/stock.ts';
import {
  letsIn,
  type Packet,
  type Policy,
  type Rule,
  ruleText,
  type World,
  type Zone,
} from './helpers/naive-firewalld.ts';

const MACS = ['00:00:5E:00:53:01', '00:00:5E:00:53:02'];
const NETWORKS = ['10.0.0.0/28', '10.0.0.4/30', '10.0.0.7', '10.0.0.8/29', '10.0.0.0/16', '10.0.1.0/24', '10.0.0.15'];
const DESTINATIONS = ['192.0.2.10', '192.0.2.80'];
const IPSETS = { few: ['10.0.0.2', '10.0.0.9'], half: ['10.0.0.0/29'], none: [] };
const ZONES = ['alpha', 'inner', 'public', 'zulu'];
const INTERFACES = ['eth0', 'eth1'];

/** @param certain without what no facts can tell: MACs, and the order of what has the same priority */
function rule(certain: boolean): fc.Arbitrary<Rule> {
  const sources: fc.Arbitrary<Rule['source']>[] = [
    fc.constant(null),
    fc.record({ kind: fc.constant('address' as const), value: fc.constantFrom(...NETWORKS), not: fc.boolean() }),
    fc.record({
      kind: fc.constant('ipset' as const),
      value: fc.constantFrom(...Object.keys(IPSETS)),
      not: fc.boolean(),
    }),
  ];
  if (!certain)
    sources.push(fc.record({ kind: fc.constant('mac' as const), value: fc.constantFrom(...MACS), not: fc.boolean() }));
  return fc.record({
    priority: fc.constantFrom(-2, -1, 0, 0, 0, 1, 2),
    source: fc.oneof(...sources),
    destination: fc.constantFrom(null, null, ...DESTINATIONS),
    element: fc.constantFrom('none', 'ssh', 'port', 'other-port', 'tcp', 'udp'),
    action: fc.constantFrom('accept', 'accept', 'drop', 'reject'),
  });
}

/** Rules of one priority other than 0 only where their order is free to be anything. */
function rules(certain: boolean): fc.Arbitrary<readonly Rule[]> {
  return fc
    .array(rule(certain), { maxLength: 4 })
    .map((list) =>
      certain
        ? list.filter(
            ({ priority }, index) => priority === 0 || list.findIndex((one) => one.priority === priority) === index,
          )
        : list,
    );
}

function world(certain: boolean): fc.Arbitrary<World> {
  const zone = (name: string): fc.Arbitrary<Zone> =>
    fc.record({
      name: fc.constant(name),
      priority: fc.constantFrom(0, 0, 0, -1, 1),
      target: fc.constantFrom('default', 'default', 'default', 'ACCEPT', 'DROP', '%%REJECT%%'),
      interfaces: fc.constant([]),
      sources: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        fc.uniqueArray(fc.constantFrom(...NETWORKS, 'ipset:few', 'ipset:half', ...(certain ? [] : MACS)), {
          maxLength: 2,
        }),
      ),
      ssh: fc.boolean(),
      port: fc.constantFrom(false, false, true),
      forwarded: fc.constantFrom(false, false, false, false, false, true),
      rules: rules(certain),
    });
  const policy = (name: string): fc.Arbitrary<Policy> =>
    fc.record({
      name: fc.constant(name),
      priority: fc.constantFrom(-2, -1, 1, 2),
      target: fc.constantFrom('CONTINUE', 'CONTINUE', 'CONTINUE', 'ACCEPT', 'DROP', 'REJECT'),
      ingress: fc.oneof(
        fc.constant(['ANY']),
        fc.uniqueArray(fc.constantFrom(...ZONES), { minLength: 1, maxLength: 2 }),
      ),
      ssh: fc.constantFrom(false, false, true),
      rules: rules(certain),
    });
  return fc
    .record({
      dispatch: fc.constantFrom<Dispatch>('drifting', '0', '1', '2'),
      defaultZone: fc.constantFrom('public', 'alpha'),
      zones: fc.tuple(...ZONES.map(zone)),
      homes: fc.array(fc.constantFrom(null, ...ZONES), { minLength: 2, maxLength: 2 }),
      policies: fc
        .tuple(policy('first'), policy('second'))
        .chain(([first, second]) =>
          fc.subarray(certain && first.priority === second.priority ? [first] : [first, second]),
        ),
    })
    .map(({ homes, zones, policies, ...rest }) => ({
      ...rest,
      ipsets: IPSETS,
      zones: zones.map((one) => {
        const sources = one.sources.filter(
          // Two zones cannot be bound to the same source: the daemon refuses the second.
          (source) => zones.find((other) => other.sources.includes(source))?.name === one.name,
        );
        return { ...one, sources, interfaces: INTERFACES.filter((_, at) => homes[at] === one.name) };
      }),
      policies,
    }));
}

const SSH = readServiceXml('ssh', '<service><port port="22" protocol="tcp"/></service>');

/** The same world in the model that the proof reads. */
function filterFor({ zones, policies, ipsets, ...rest }: World): Filter {
  const config: FirewalldConfig = {
    ...emptyLayer(),
    zones: new Map(
      zones.map((one) => [
        one.name,
        {
          ...EMPTY_ZONE,
          name: one.name,
          short: '',
          description: '',
          ingressPriority: one.priority,
          target: one.target,
          interfaces: one.interfaces,
          sources: one.sources,
          services: one.ssh ? ['ssh'] : [],
          ports: one.port ? [{ protocol: 'tcp', range: { first: 20, last: 22 } }] : [],
          forwardPorts: one.forwarded ? ['22:tcp:2222:'] : [],
          richRules: one.rules.map((rule) => parseRichRule(ruleText(rule))),
        },
      ]),
    ),
    services: new Map([['ssh', SSH]]),
    ipsets: new Map(
      Object.entries(ipsets).map(([name, entries]) => [
        name,
        readIpsetXml(name, `<ipset type="hash:net">${entries.map((one) => `<entry>${one}</entry>`).join('')}</ipset>`),
      ]),
    ),
  };
  return filterOf({
    ...rest,
    config,
    policies: policies.map(
      (one): PolicyConfig => ({
        name: one.name,
        priority: one.priority,
        target: one.target,
        ingressZones: one.ingress,
        egressZones: ['HOST'],
        services: one.ssh ? ['ssh'] : [],
        ports: [],
        protocols: [],
        sourcePorts: [],
        masquerade: false,
        forwardPorts: [],
        richRules: one.rules.map((rule) => parseRichRule(ruleText(rule))),
      }),
    ),
  });
}

/** Addresses at the edges of everything that is named anywhere, and some beyond. */
const SAMPLES = new Set(
  [...NETWORKS, ...Object.values(IPSETS).flat()].flatMap((text) => {
    const { first, last } = parseNetwork(text)!;
    return [first - 1n, first, last, last + 1n].flatMap((value) => rangeNetworks(value, value, 'ipv4'));
  }),
);

const packets = fc.record({
  mac: fc.constantFrom(...MACS, '00:00:5E:00:53:99'),
  destination: fc.constantFrom(...DESTINATIONS),
  interface: fc.constantFrom(...INTERFACES, 'eth9'),
});

const management = fc.constantFrom('10.0.0.0/27', '10.0.0.0/15', '10.0.0.7', '10.0.0.8/30', '0.0.0.0/0');

function check(
  certain: boolean,
  property: (given: {
    readonly world: World;
    readonly sample: string;
    readonly sure: boolean;
    readonly likely: boolean;
    readonly truth: boolean;
  }) => void,
): void {
  fc.assert(
    fc.property(world(certain), packets, management, fc.boolean(), (given, packet, given2, reversed) => {
      const filter = filterFor(given);
      const sources = addressRanges([given2], 'ipv4')!;
      const approach = { family: 'ipv4', sources, port: 22, ...packet } as const;
      const sure = dispatched(filter, approach, true).accepted;
      const likely = dispatched(filter, approach, false).accepted;
      for (const sample of SAMPLES) {
        const one = oneAddress(sample, 'ipv4');
        if (intersect(sources, one).length === 0) continue;
        const sent: Packet = { ...packet, source: sample };
        const truth = letsIn(given, sent, (items) => (reversed ? [...items].reverse() : items));
        property({
          world: given,
          sample,
          sure: subtract(one, sure).length === 0,
          likely: subtract(one, likely).length === 0,
          truth,
        });
      }
    }),
    { numRuns: 600 },
  );
}

describe('the proof against firewalld, packet by packet', () => {
  it('never says that SSH gets in where a packet does not', () => {
    let proved = 0;
    check(false, ({ sure, truth, sample }) => {
      if (!sure) return;
      proved += 1;
      if (!truth) throw new Error(`${sample} was said to get in`);
    });
    expect(proved).toBeGreaterThan(500);
  }, 30_000);

  it('says exactly what happens where the facts leave nothing open', () => {
    const seen = { in: 0, out: 0 };
    check(true, ({ sure, likely, truth, sample }) => {
      if (sure !== truth || likely !== truth) throw new Error(`${sample} gets in: ${truth}, proof: ${sure}, ${likely}`);
      seen[truth ? 'in' : 'out'] += 1;
    });
    expect(Math.min(seen.in, seen.out)).toBeGreaterThan(500);
  }, 30_000);
});
