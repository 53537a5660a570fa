import { describe, expect, it } from 'vitest';
import type { InterfaceFacts, SocketFacts } from '../../../src/facts/facts.ts';
import type { Comers } from '../../../src/firewalld/filter/comers.ts';
import { filterOf } from '../../../src/firewalld/filter/dispatch.ts';
import { offlineObserved, stockFirewalld } from '../../../src/firewalld/offline.ts';
import { accessOf } from '../../../src/plan/access.ts';
import { type HostAccess, NO_ACCESS } from '../../../src/plan/access-types.ts';
import { ReachPair } from '../../../src/plan/impact/reach-pair.ts';
import type { Change } from '../../../src/plan/plan.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import { type DesiredFirewalld, type Reason, withoutReasons } from '../../../src/policy/desired.ts';
import { makePlan } from '../../helpers/make-plan.ts';
import { inputOf } from '../policy/helpers/cases.ts';
import { INTERFACES, layer } from './helpers/proof-case.ts';

interface Given {
  /** Zone → its XML, now and after the plan; without `after` the plan changes nothing. */
  readonly before: Readonly<Record<string, string>>;
  readonly after?: Readonly<Record<string, string>>;
  readonly interfaces?: readonly InterfaceFacts[];
  readonly changes?: readonly Change[];
  readonly desired?: DesiredFirewalld;
  readonly sockets?: readonly SocketFacts[];
}

const NOTHING: DesiredFirewalld = withoutReasons({ zones: new Map(), services: new Map(), ipsets: new Map() });

function access(given: Given): HostAccess {
  const filter = (zones: Given['before']) =>
    filterOf({ config: layer(zones), policies: [], defaultZone: 'public', dispatch: '1' });
  const before = filter(given.before);
  return accessOf({
    facts: {
      interfaces: given.interfaces ?? INTERFACES,
      sockets: given.sockets ?? [],
      flows: null,
      controllerPath: null,
    },
    pair: new ReachPair(before, given.after === undefined ? before : filter(given.after)),
    desired: given.desired ?? NOTHING,
    changes: given.changes ?? [],
  });
}

const who = ({ who: word, sources }: Comers) => [word, ...sources].join(' ');

/** A side in lines; what `whole` says of nobody is left out. */
function lines({ sides, reasons }: HostAccess, name = 'eth0'): string[] {
  const side = sides.find((item) => item.interface === name)!;
  return [
    `${[...side.classes, side.zoneBefore].join(' ')} -> ${side.zoneAfter}`,
    ...side.whole
      .filter(({ before, after }) => before.who !== 'nobody' || after.who !== 'nobody')
      .map(({ family, before, after, turn }) => `all ${family}: ${who(before)} -> ${who(after)}, ${turn}`),
    ...side.rows.map((row) => {
      const at = row.destinations.length === 0 ? '' : ` at ${row.destinations.join(' ')}`;
      const by = row.by.length === 0 ? '' : ` by ${row.by.join('; ')}`;
      const why = row.why.map((place) => ` because ${textOf(reasons[place]!)}`).join('');
      return `${row.ports}/${row.protocol} ${row.family}${at}: ${who(row.before)} -> ${who(row.after)}, ${row.turn}${by}${why}`;
    }),
  ];
}

function textOf(reason: Reason): string {
  switch (reason.kind) {
    case 'rule':
      return reason.rule;
    case 'extra-rule':
      return reason.name;
    case 'peers':
      return `peers ${reason.from}`;
    default:
      return reason.kind;
  }
}

const zone = (inner: string, name = 'eth0', target = '') =>
  `<zone${target === '' ? '' : ` target="${target}"`}><interface name="${name}"/>${inner}</zone>`;
const port = (number: number | string, protocol = 'tcp') => `<port port="${number}" protocol="${protocol}"/>`;
const rule = (inner: string, family = 'ipv4', action = 'accept') =>
  `<rule family="${family}">${inner}<${action}/></rule>`;
const RULE_22 = 'rule family="ipv4" source ipset="admins" port port="22" protocol="tcp" accept';

describe('who gets in where', () => {
  it.each<[string, Given, readonly string[]]>([
    [
      'a side that is trusted as a whole has no rows',
      { before: { 'portfw-private': zone(`<rule priority="32767"><accept/></rule>${port(80)}`) } },
      ['portfw-private -> portfw-private', 'all ipv4: anybody -> anybody, same', 'all ipv6: anybody -> anybody, same'],
    ],
    [
      'trusted no more: what stays open is told port by port, and nobody new gets in there',
      { before: { a: zone('', 'eth0', 'ACCEPT') }, after: { a: zone(port(80)) } },
      [
        'a -> a',
        'all ipv4: anybody -> nobody, closed',
        'all ipv6: anybody -> nobody, closed',
        '80/tcp ipv4: anybody -> anybody, same by 80/tcp',
        '80/tcp ipv6: anybody -> anybody, same by 80/tcp',
      ],
    ],
    [
      'an allow list of IPv4 addresses closes IPv6',
      {
        before: { a: zone(port(22)) },
        after: { a: zone(rule(`<source ipset="admins"/>${port(22)}`)) },
      },
      [
        'a -> a',
        `22/tcp ipv4: anybody -> these 203.0.113.0/24, narrowed by ${RULE_22}`,
        '22/tcp ipv6: anybody -> nobody, closed by 22/tcp',
      ],
    ],
    [
      'another list',
      {
        before: { a: zone(rule(`<source address="203.0.113.1"/>${port(22)}`)) },
        after: { a: zone(rule(`<source address="203.0.113.2"/>${port(22)}`)) },
      },
      [
        'a -> a',
        '22/tcp ipv4: these 203.0.113.1 -> these 203.0.113.2, changed by rule family="ipv4" source address="203.0.113.2" port port="22" protocol="tcp" accept',
      ],
    ],
    [
      'ports that come, go and widen, in their order, and ranges',
      {
        before: { a: zone(`${port('30000-30009', 'udp')}${rule(`<source ipset="admins"/>${port(443)}`)}`) },
        after: { a: zone(`${port('30008-30009', 'udp')}${port(443)}${port(80)}`) },
        interfaces: INTERFACES.map((item) => ({ ...item, addresses: item.addresses.slice(0, 1) })),
      },
      [
        'a -> a',
        '80/tcp ipv4: nobody -> anybody, opened by 80/tcp',
        '443/tcp ipv4: these 203.0.113.0/24 -> anybody, widened by 443/tcp',
        '30000-30007/udp ipv4: anybody -> nobody, closed by 30000-30009/udp',
        '30008-30009/udp ipv4: anybody -> anybody, same by 30008-30009/udp',
      ],
    ],
    [
      'neighbours of different services are two rows',
      {
        before: { a: zone('<service name="ssh"/><port port="23" protocol="tcp"/>') },
        interfaces: INTERFACES.map((item) => ({ ...item, addresses: item.addresses.slice(0, 1) })),
      },
      ['a -> a', '22/tcp ipv4: anybody -> anybody, same by ssh', '23/tcp ipv4: anybody -> anybody, same by 23/tcp'],
    ],
    [
      'a rule for one address of the interface, and one for an address that nobody holds now',
      {
        before: { 'portfw-public': zone('') },
        after: {
          'portfw-public': zone(
            ['192.0.2.100', '192.0.2.101']
              .map((address) => rule(`<destination address="${address}"/><service name="ssh"/>`))
              .join(''),
          ),
        },
        interfaces: [
          {
            ...INTERFACES[1]!,
            addresses: ['192.0.2.10', '192.0.2.100'].map((address) => ({ address, prefix: 24, family: 'ipv4' })),
          },
        ],
      },
      ['portfw-public -> portfw-public', '22/tcp ipv4 at 192.0.2.100 192.0.2.101: nobody -> anybody, opened by ssh'],
    ],
    [
      'an interface that moves',
      {
        before: { a: zone('', 'eth1', 'ACCEPT'), 'portfw-public': zone(port(80)) },
        after: { a: '<zone target="ACCEPT"/>', 'portfw-public': zone(`<interface name="eth1"/>${port(80)}`) },
        changes: [
          {
            kind: 'interface',
            action: 'bind',
            interface: 'eth0',
            zone: 'portfw-public',
            classes: ['public'],
            otherZone: 'a',
            editsZone: null,
            closes: [],
            opens: [],
            layers: { permanent: true, runtime: true },
            reasons: [],
          },
        ],
      },
      [
        'public portfw-public -> portfw-public',
        '80/tcp ipv4: anybody -> anybody, same by 80/tcp',
        '80/tcp ipv6: anybody -> anybody, same by 80/tcp',
      ],
    ],
    [
      'somebody who is banned is left out of all ports',
      { before: { a: zone(rule('<source ipset="banned"/>', 'ipv4', 'drop'), 'eth0', 'ACCEPT') } },
      [
        'a -> a',
        'all ipv4: anybody-but 203.0.113.66 -> anybody-but 203.0.113.66, same',
        'all ipv6: anybody -> anybody, same',
      ],
    ],
    [
      'a zone that is bound to a source names the ports that the own zone does not',
      {
        before: { a: zone(''), vpn: `<zone><source address="203.0.113.0/24"/>${port(80)}</zone>` },
      },
      ['a -> a', '80/tcp ipv4: these 203.0.113.0/24 -> these 203.0.113.0/24, same by 80/tcp'],
    ],
    [
      'a port that a trusted side refuses: who gets in elsewhere is told by what opens all ports',
      {
        before: {
          a: zone(rule(port(25), 'ipv4', 'drop'), 'eth0', 'ACCEPT'),
        },
        interfaces: INTERFACES.map((item) => ({ ...item, addresses: item.addresses.slice(0, 1) })),
      },
      [
        'a -> a',
        '1-24/tcp ipv4: anybody -> anybody, same by target ACCEPT',
        '26-65535/tcp ipv4: anybody -> anybody, same by target ACCEPT',
        '1-65535/udp ipv4: anybody -> anybody, same by target ACCEPT',
      ],
    ],
    [
      'a protocol as a whole',
      {
        before: { a: zone('<protocol value="udp"/>') },
        interfaces: INTERFACES.map((item) => ({ ...item, addresses: item.addresses.slice(0, 1) })),
      },
      ['a -> a', '1-65535/udp ipv4: anybody -> anybody, same by protocol udp'],
    ],
    [
      'a forward port takes its port away',
      {
        before: { a: zone(port(8080)) },
        after: {
          a: zone(`${port('8079-8081')}<forward-port port="8080" protocol="tcp" to-port="80" to-addr="198.51.100.7"/>`),
        },
        interfaces: INTERFACES.map((item) => ({ ...item, addresses: item.addresses.slice(0, 1) })),
      },
      [
        'a -> a',
        '8079/tcp ipv4: nobody -> anybody, opened by 8079-8081/tcp',
        '8080/tcp ipv4: anybody -> nobody, closed by 8080/tcp',
        '8081/tcp ipv4: nobody -> anybody, opened by 8079-8081/tcp',
      ],
    ],
    [
      'the stock zone where nothing binds the interface',
      { before: {}, interfaces: [{ ...INTERFACES[1]!, addresses: INTERFACES[1]!.addresses.slice(0, 1) }] },
      ['public -> public', '22/tcp ipv4: anybody -> anybody, same by ssh'],
    ],
  ])('%s', (_what, given, expected) => {
    expect(lines(access(given))).toEqual(expected);
  });

  it('is told of each interface that is up, by name, with its families; link-local addresses do not count', () => {
    const address = (text: string, family: 'ipv4' | 'ipv6') => ({ address: text, prefix: 24, family });
    const item = (name: string, up: boolean, ...addresses: InterfaceFacts['addresses']): InterfaceFacts => {
      return { name, up, loopback: false, addresses };
    };
    const { sides } = access({
      before: {},
      interfaces: [
        item('eth1', true, address('192.0.2.10', 'ipv4'), address('fe80::1', 'ipv6')),
        item('eth0', true, address('2001:db8::10', 'ipv6')),
        item('docker0', true),
        item('eth2', false, address('192.0.2.11', 'ipv4')),
        INTERFACES[0]!,
      ],
    });
    expect(sides.map((side) => [side.interface, ...side.whole.map(({ family }) => family)])).toEqual([
      ['docker0'],
      ['eth0', 'ipv6'],
      ['eth1', 'ipv4'],
    ]);
  });

  it('names some of many rules', () => {
    const rules = Array.from({ length: 50 }, (_, index) =>
      rule(`<source address="203.0.113.${index * 2}"/>${port(80)}`),
    );
    const { rows } = access({ before: { a: zone(rules.join('')) } }).sides[0]!;
    expect(rows[0]!.by).toHaveLength(20);
    expect(rows[0]!.by.at(-1)).toBe('and 31 more');
  });

  it('names the ports of sshd', () => {
    const socket = (number: number, process: string): SocketFacts => {
      return { protocol: 'tcp', address: '*', port: number, processes: [process] };
    };
    expect(
      access({ before: {}, sockets: [socket(2222, 'sshd'), socket(80, 'httpd'), socket(22, 'sshd')] }).ssh,
    ).toEqual([22, 2222]);
  });
});

describe('why', () => {
  const rule22: Reason = { kind: 'site-ssh' };

  it('comes from the removing changes for what is taken away, and of an edited service only what is new', () => {
    const before = { 'portfw-a': zone('<service name="ssh"/><service name="admin"/>') };
    const after = { 'portfw-a': zone('<service name="admin-here"/>') };
    const layers = { permanent: true, runtime: true };
    const changes: Change[] = [
      {
        kind: 'zone-service',
        action: 'remove',
        zone: 'portfw-a',
        service: 'ssh',
        ports: [],
        layers,
        reasons: [rule22],
      },
      {
        kind: 'zone-service',
        action: 'remove',
        zone: 'portfw-b',
        service: 'ssh',
        ports: [],
        layers,
        reasons: [{ kind: 'needed-icmp' }],
      },
      {
        kind: 'definition',
        action: 'edit',
        object: 'service',
        name: 'admin',
        inUse: true,
        fields: [],
        reasons: [
          { kind: 'cluster', group: 'kept' },
          { kind: 'shared-address', address: 'lost' },
        ],
      },
    ];
    const kept: Reason = { kind: 'cluster', group: 'kept' };
    const service = layer({}).services.get('admin')!;
    const desired = { ...NOTHING, services: new Map([['admin', { value: service, reasons: [kept] }]]) };
    const found = access({ before, after, changes, desired });
    expect(lines(found)).toEqual([
      'portfw-a -> portfw-a',
      '22/tcp ipv4: anybody -> anybody, same by admin-here',
      '22/tcp ipv6: anybody -> nobody, closed by admin; ssh because site-ssh because shared-address',
      '9090/tcp ipv4: anybody -> nobody, closed by admin because shared-address',
      '9090/tcp ipv6: anybody -> nobody, closed by admin because shared-address',
    ]);
  });

  it('is, of reasons that list ports, told only for these ports', () => {
    const ports = (...texts: string[]): Reason => ({ kind: 'feature-off', feature: texts.join(), ports: texts });
    const row: Reason = {
      kind: 'row-gone',
      matrix: 'm',
      before: null,
      role: 'web',
      side: 'public',
      ports: ['9090/tcp from peers'],
    };
    const found = access({
      before: { 'portfw-a': zone('<service name="ssh"/><service name="admin"/>') },
      after: { 'portfw-a': zone('') },
      changes: ['ssh', 'admin'].map(
        (service): Change => ({
          kind: 'zone-service',
          action: 'remove',
          zone: 'portfw-a',
          service,
          ports: [],
          layers: { permanent: true, runtime: true },
          reasons: [ports('20-23/tcp'), ports('22/udp', '9091/tcp'), row],
        }),
      ),
    });
    const why = (wanted: string) =>
      found.sides
        .find((side) => side.interface === 'eth0')!
        .rows.filter((one) => one.ports === wanted && one.turn === 'closed')
        .map((one) => one.why.map((place) => found.reasons[place]));
    expect(why('22')).toContainEqual([ports('20-23/tcp')]);
    expect(why('9090')).toContainEqual([row]);
    expect([...why('22'), ...why('9090')].map(({ length }) => length)).toEqual([1, 1, 1, 1]);
  });
});

describe('in a plan', () => {
  const given = {
    matrix: 'portaswitch',
    roles: ['server', 'web-admin', 'radius'],
    facts: { interfaces: { eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'] } },
    inventory: {
      all: {
        hosts: {
          'web1.example.net': {
            ansible_host: '192.0.2.10',
            portfw_interfaces: { public: 'eth0', private: 'eth1' },
            portfw_management: ['203.0.113.0/24'],
          },
        },
      },
    },
  } as const;

  function planned(ensure?: 'start' | 'install') {
    const input = inputOf(given);
    const outcome = buildDesired(input);
    if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.refusals));
    const facts = stockFirewalld();
    const { plan } = makePlan({
      host: 'web1.example.net',
      matrix: 'portaswitch',
      roles: [],
      facts,
      observed: offlineObserved(facts),
      desired: outcome.desired,
      remembered: null,
      notes: [],
      live: { interfaces: input.facts.interfaces, sockets: [], flows: null, controllerPath: null },
      ...(ensure === undefined ? {} : { ensure }),
    });
    return plan;
  }

  it('says of a host whose firewalld does not run that everybody gets in before', () => {
    const { access: found } = planned('install');
    expect(
      found.sides.map((side) => side.whole.map(({ before, after, turn }) => [before.who, after.who, turn])),
    ).toEqual([[['anybody', 'nobody', 'closed']], [['anybody', 'anybody', 'same']]]);
    expect(new Set(found.sides[0]!.rows.map(({ before, turn }) => `${before.who} ${turn}`))).toEqual(
      new Set(['anybody same', 'anybody narrowed']),
    );
  });

  it('gives each port the reasons of its own rows, each reason once', () => {
    const { access: found } = planned('install');
    const told = lines(found);
    expect(told[0]).toBe('public public -> portfw-public');
    expect(told.find((line) => line.startsWith('1812'))).toMatch(/ because \S*radius\S*/);
    const { rows } = found.sides[0]!;
    const reasonsAt = (ports: string) =>
      rows.find((row) => row.ports === ports)!.why.map((place) => found.reasons[place]);
    expect(reasonsAt('443')).toHaveLength(1);
    expect(reasonsAt('443')).not.toEqual(reasonsAt('25'));
    expect(reasonsAt('22').map((reason) => reason!.kind)).toEqual(['rule', 'peers', 'interface-class']);
    expect(new Set(found.reasons.map((reason) => JSON.stringify(reason))).size).toBe(found.reasons.length);
    expect(new Set(rows.flatMap(({ why }) => why)).size).toBe(found.reasons.length);
  });

  it('is equal for equal inputs', () => {
    expect(JSON.stringify(planned('install').access)).toBe(JSON.stringify(planned('install').access));
  });

  it('is empty without facts', () => {
    const outcome = buildDesired(inputOf(given));
    if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.refusals));
    const facts = stockFirewalld();
    const common = { facts, observed: offlineObserved(facts), desired: outcome.desired, remembered: null, notes: [] };
    const { plan } = makePlan({ ...common, host: 'web1.example.net', matrix: 'portaswitch', roles: [] });
    expect(plan.access).toEqual(NO_ACCESS);
  });
});
