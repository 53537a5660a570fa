import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressRanges,
  addressRanges,
  EVERY_ADDRESS,
  intersect,
  sameRanges,
  subtract,
} from '../../../src/core/address-ranges.ts';
import type { AddressFamily } from '../../../src/core/addresses.ts';
import { parsePortRange } from '../../../src/core/ports.ts';
import type { Comers } from '../../../src/firewalld/filter/comers.ts';
import { filterOf } from '../../../src/firewalld/filter/dispatch.ts';
import { type Filter, passage } from '../../../src/firewalld/filter/passage.ts';
import type { PolicyConfig } from '../../../src/firewalld/kinds/policy.ts';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';
import type { Dispatch } from '../../../src/firewalld/stock.ts';
import { accessOf } from '../../../src/plan/access.ts';
import type { Turn } from '../../../src/plan/access-types.ts';
import { ReachPair } from '../../../src/plan/impact/reach-pair.ts';
import { withoutReasons } from '../../../src/policy/desired.ts';
import { INTERFACES, layer } from './helpers/proof-case.ts';

const NUMBERS = ['20', '22', '22-24', '23', '30-40', '35', '9090', '65535'];
const PORTS = [1, 19, 20, 21, 22, 23, 24, 25, 29, 30, 34, 35, 36, 40, 41, 546, 9089, 9090, 9091, 65_534, 65_535];
const DESTINATIONS = ['192.0.2.10', '192.0.2.11', '2001:db8::10'];

const port = fc
  .tuple(fc.constantFrom(...NUMBERS), fc.constantFrom('tcp', 'udp'))
  .map(([number, protocol]) => `<port port="${number}" protocol="${protocol}"/>`);
const service = fc.constantFrom('ssh', 'admin', 'admin-here', 'admin-elsewhere', 'no-such');
const forward = fc
  .tuple(
    fc.constantFrom('22', '30-40'),
    fc.constantFrom('35', '22', '9090'),
    fc.constantFrom('', ' to-addr="198.51.100.7"'),
  )
  .map(([own, to, address]) => `<forward-port port="${own}" protocol="tcp" to-port="${to}"${address}/>`);
const element = fc.oneof(
  port,
  service.map((name) => `<service name="${name}"/>`),
  fc.constantFrom('', '<protocol value="tcp"/>'),
);
const rule = fc
  .record({
    family: fc.constantFrom('ipv4', 'ipv4', 'ipv6'),
    source: fc.constantFrom('', '<source ipset="admins"/>', '<source ipset="banned"/>', '<source ipset="six"/>'),
    to: fc.constantFrom('', '', ...DESTINATIONS.map((address) => `<destination address="${address}"/>`)),
    element,
    action: fc.constantFrom('accept', 'accept', 'drop'),
    priority: fc.constantFrom('', '', ' priority="-1"', ' priority="5"'),
  })
  .map(
    (one) => `<rule family="${one.family}"${one.priority}>${one.source}${one.to}${one.element}<${one.action}/></rule>`,
  );

function list(items: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> {
  return fc.array(items, { maxLength: most }).map((texts) => texts.join(''));
}

const zone = fc.record({
  target: fc.constantFrom('', '', '', ' target="ACCEPT"', ' target="DROP"'),
  services: list(
    service.map((name) => `<service name="${name}"/>`),
    2,
  ),
  ports: list(port, 3),
  protocols: fc.constantFrom('', '', '', '<protocol value="udp"/>'),
  rules: list(rule, 4),
  forwards: fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: forward }),
  source: fc.constantFrom('', '', '<source address="203.0.113.0/25"/>', '<source ipset="six"/>'),
});

const policy = fc
  .record({
    priority: fc.constantFrom(-1, 1),
    ingress: fc.constantFrom('ANY', 'home', 'portfw-a'),
    rule: fc.constantFrom('port port="22" protocol="tcp" drop', 'port port="30-40" protocol="udp" accept', 'drop'),
  })
  .map(
    (one): PolicyConfig => ({
      name: 'own',
      priority: one.priority,
      target: 'CONTINUE',
      ingressZones: [one.ingress],
      egressZones: ['HOST'],
      services: [],
      ports: [],
      protocols: [],
      sourcePorts: [],
      masquerade: false,
      forwardPorts: [],
      richRules: [parseRichRule(`rule family="ipv4" source address="203.0.113.0/26" ${one.rule}`)],
    }),
  );

const moment = fc.record({
  zones: fc.tuple(zone, zone),
  home: fc.constantFrom('portfw-a', 'home', null),
  policies: fc.oneof(fc.constant([]), fc.array(policy, { minLength: 1, maxLength: 1 })),
});
type Moment = typeof moment extends fc.Arbitrary<infer T> ? T : never;

function filter({ zones, home, policies }: Moment, dispatch: Dispatch): Filter {
  const [first, second] = zones.map((one, index) => {
    const bound = home === (index === 0 ? 'portfw-a' : 'home') ? '<interface name="eth0"/>' : '';
    return `<zone${one.target}>${bound}${one.source}${one.services}${one.ports}${one.protocols}${one.forwards}${one.rules}</zone>`;
  });
  const config = layer({ 'portfw-a': first!, home: second! });
  return filterOf({ config, policies, defaultZone: 'home', dispatch });
}

function rangesOf({ who, sources }: Comers, family: AddressFamily): AddressRanges {
  const every = EVERY_ADDRESS[family];
  const named = addressRanges(sources, family)!;
  switch (who) {
    case 'anybody':
      return every;
    case 'nobody':
      return [];
    case 'these':
      return named;
    case 'anybody-but':
      return subtract(every, named);
  }
}

function expectedTurn(before: AddressRanges, after: AddressRanges): Turn {
  if (sameRanges(before, after)) return 'same';
  if (before.length === 0) return 'opened';
  if (after.length === 0) return 'closed';
  const [lost, gained] = [subtract(before, after).length > 0, subtract(after, before).length > 0];
  return lost && gained ? 'changed' : lost ? 'narrowed' : 'widened';
}

const SIDE = {
  ...INTERFACES[1]!,
  addresses: DESTINATIONS.map((address) => ({
    address,
    prefix: 64,
    family: address.includes(':') ? ('ipv6' as const) : ('ipv4' as const),
  })),
};

describe('who gets in where', () => {
  it('is what the filters say, for every port, and at each address', () => {
    const dispatches = fc.constantFrom<Dispatch>('drifting', '0', '1', '2');
    fc.assert(
      fc.property(moment, moment, dispatches, fc.boolean(), (one, other, dispatch, changes) => {
        const before = filter(one, dispatch);
        const after = changes ? filter(other, dispatch) : before;
        const { sides } = accessOf({
          facts: { interfaces: [SIDE], sockets: [], flows: null, controllerPath: null },
          pair: new ReachPair(before, after),
          desired: withoutReasons({ zones: new Map(), services: new Map(), ipsets: new Map() }),
          changes: [],
        });
        const { whole, rows } = sides[0]!;
        for (const family of ['ipv4', 'ipv6'] as const) {
          const all = { before: EVERY_ADDRESS[family], after: EVERY_ADDRESS[family] };
          const doors = DESTINATIONS.filter((address) => address.includes(':') === (family === 'ipv6')).flatMap(
            (destination) =>
              (['tcp', 'udp'] as const).flatMap((protocol) =>
                PORTS.map((number) => {
                  const through = (by: Filter) =>
                    passage(
                      by,
                      {
                        interface: 'eth0',
                        destination,
                        family,
                        protocol,
                        port: number,
                        sources: EVERY_ADDRESS[family],
                      },
                      false,
                    ).accepted;
                  const ends = { before: through(before), after: through(after) };
                  all.before = intersect(all.before, ends.before);
                  all.after = intersect(all.after, ends.after);
                  return { destination, protocol, number, ...ends };
                }),
              ),
          );
          const told = whole.find((item) => item.family === family)!;
          expect(sameRanges(rangesOf(told.before, family), all.before)).toBe(true);
          expect(sameRanges(rangesOf(told.after, family), all.after)).toBe(true);
          expect(told.turn).toBe(expectedTurn(all.before, all.after));
          for (const door of doors) {
            const found = rows.filter((row) => {
              const range = parsePortRange(row.ports);
              return (
                row.family === family &&
                row.protocol === door.protocol &&
                (row.destinations.length === 0 || row.destinations.includes(door.destination)) &&
                typeof range !== 'string' &&
                range.first <= door.number &&
                door.number <= range.last
              );
            });
            const beyond = subtract(door.before, all.before).length > 0 || subtract(door.after, all.after).length > 0;
            expect(found).toHaveLength(beyond ? 1 : 0);
            if (!beyond) continue;
            const [row] = found;
            expect(sameRanges(rangesOf(row!.before, family), door.before)).toBe(true);
            expect(sameRanges(rangesOf(row!.after, family), door.after)).toBe(true);
            expect(row!.turn).toBe(expectedTurn(door.before, door.after));
          }
        }
      }),
      { numRuns: 200 },
    );
  }, 120_000);
});
