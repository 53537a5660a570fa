import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowFacts, FlowKind, SocketFacts } from '../../../src/facts/facts.ts';
import type { Comers } from '../../../src/firewalld/filter/comers.ts';
import { filterOf } from '../../../src/firewalld/filter/dispatch.ts';
import type { Dispatch } from '../../../src/firewalld/stock.ts';
import { holdMs, reloadHoldMs, ruleCount } from '../../../src/plan/impact/disruption.ts';
import { impactOf } from '../../../src/plan/impact/impact.ts';
import { ReachPair } from '../../../src/plan/impact/reach-pair.ts';
import type { Impact, SocketImpact } from '../../../src/plan/impact-types.ts';
import type { Rehearsal } from '../../../src/plan/rehearsal.ts';
import { INTERFACES, layer } from './helpers/proof-case.ts';

const NO_RULES = { nft: '{"nftables": []}', save4: '', save6: '', ipsets: '' };

interface Given {
  /** Zone → its XML, now and after the plan. */
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
  /** `443/tcp 0.0.0.0 httpd`. */
  readonly sockets?: readonly string[];
  /** `3 tcp 203.0.113.7 192.0.2.10 443`. */
  readonly flows?: readonly string[] | null;
  readonly untracked?: readonly string[];
  readonly omitted?: number;
  readonly cut?: boolean;
  /** Client, server and port of our own session. */
  readonly path?: readonly [string, string, number] | null;
  readonly dispatch?: Dispatch;
}

function socket(text: string): SocketFacts {
  const [end = '', address = '', ...processes] = text.split(' ');
  const [port, protocol] = end.split('/');
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', address, port: Number(port), processes };
}

/** A flow; `>` before an address and port says who answers, `~` before an address as whom the opener appears. */
function kind(text: string): FlowKind {
  const [count, protocol, opener = '', address = '', port, ...more] = text.split(' ');
  const forwarded = more.find((item) => item.startsWith('>'))?.slice(1);
  const disguised = more.find((item) => item.startsWith('~'))?.slice(1);
  const [to = '', toPort] = forwarded?.split('#') ?? [];
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    opener,
    address,
    port: Number(port),
    count: Number(count),
    forwardedTo: forwarded === undefined ? null : { address: to, port: Number(toPort) },
    disguisedAs: disguised ?? null,
  };
}

function impact(given: Given): Impact {
  const filter = (zones: Given['before']) => ({
    config: layer(zones),
    policies: [],
    defaultZone: 'public',
    dispatch: given.dispatch ?? '1',
  });
  const flows: FlowFacts | null =
    given.flows === null
      ? null
      : {
          source: 'conntrack',
          kinds: (given.flows ?? []).map(kind),
          untracked: (given.untracked ?? []).map(kind),
          omitted: given.omitted ?? 0,
          cut: given.cut ?? false,
        };
  const [clientAddress, serverAddress, serverPort] = given.path ?? ['203.0.113.7', '192.0.2.10', 22];
  return impactOf(
    {
      interfaces: INTERFACES,
      sockets: (given.sockets ?? []).map(socket),
      flows,
      controllerPath: given.path === null ? null : { clientAddress, clientPort: 40000, serverAddress, serverPort },
    },
    new ReachPair(filterOf(filter(given.before)), filterOf(filter(given.after))),
  );
}

const who = ({ who: word, sources }: Comers) => [word, ...sources].join(' ');

function texts(rows: readonly SocketImpact[]): string[] {
  return rows.map((row) => {
    const at = row.destinations.length === 0 ? '' : ` at ${row.destinations.join(' ')}`;
    const owner = row.processes.join(' ');
    return `${row.ports.join(' ')}/${row.protocol} ${row.address} ${owner} on ${row.interface}${at}: ${who(row.before)} -> ${who(row.after)}`;
  });
}

const zone = (inner: string, name = 'eth0', target = '') =>
  `<zone${target === '' ? '' : ` target="${target}"`}><interface name="${name}"/>${inner}</zone>`;
const port = (number: number | string, protocol = 'tcp') => `<port port="${number}" protocol="${protocol}"/>`;
const from = (source: string, inner: string, action = 'accept') =>
  `<rule family="ipv4"><source ${source}/>${inner}<${action}/></rule>`;

describe('listening sockets', () => {
  it.each<[string, Given, { closed?: readonly string[]; opened?: readonly string[] }]>([
    [
      'a port that goes, on each family, and one that comes',
      {
        before: { a: zone(port(80)) },
        after: { a: zone(port(443)) },
        sockets: ['80/tcp * httpd', '443/tcp 0.0.0.0 httpd', '25/tcp * master'],
      },
      {
        closed: ['80/tcp * httpd on eth0: anybody -> nobody'],
        opened: ['443/tcp 0.0.0.0 httpd on eth0: nobody -> anybody'],
      },
    ],
    [
      'the other protocol of the same port is not concerned',
      { before: { a: zone(port(53)) }, after: { a: zone('') }, sockets: ['53/udp 0.0.0.0 named', '53/tcp :: named'] },
      { closed: ['53/tcp :: named on eth0: anybody -> nobody'] },
    ],
    [
      'from anybody to some, over IPv4 only',
      {
        before: { a: zone(port(22)) },
        after: { a: zone(from('ipset="admins"', port(22))) },
        sockets: ['22/tcp * sshd'],
      },
      {
        closed: [
          '22/tcp * sshd on eth0 at 192.0.2.10: anybody -> these 203.0.113.0/24',
          '22/tcp * sshd on eth0 at 2001:db8::10: anybody -> nobody',
        ],
      },
    ],
    [
      'one peer instead of another is both',
      {
        before: { a: zone(from('address="203.0.113.1"', port(5060, 'udp'))) },
        after: { a: zone(from('address="203.0.113.2"', port(5060, 'udp'))) },
        sockets: ['5060/udp 192.0.2.10 sbc'],
      },
      {
        closed: ['5060/udp 192.0.2.10 sbc on eth0: these 203.0.113.1 -> these 203.0.113.2'],
        opened: ['5060/udp 192.0.2.10 sbc on eth0: these 203.0.113.1 -> these 203.0.113.2'],
      },
    ],
    [
      'somebody who was banned gets in again',
      {
        before: { a: zone(`${port(80)}${from('ipset="banned"', '', 'drop')}`) },
        after: { a: zone(port(80)) },
        sockets: ['80/tcp 0.0.0.0 httpd'],
      },
      { opened: ['80/tcp 0.0.0.0 httpd on eth0: anybody-but 203.0.113.66 -> anybody'] },
    ],
    [
      'an interface that moves takes along what listens on it alone',
      {
        before: { a: zone('', 'eth1', 'ACCEPT'), b: zone(port(80)) },
        after: { a: '<zone target="ACCEPT"/>', b: zone(`<interface name="eth1"/>${port(80)}`) },
        sockets: ['80/tcp 0.0.0.0 httpd', '3306/tcp 198.51.100.10 mysqld', '3306/tcp 192.0.2.10 mysqld'],
      },
      { closed: ['3306/tcp 198.51.100.10 mysqld on eth1: anybody -> nobody'] },
    ],
    [
      'an interface that nobody binds any more falls to the default zone',
      {
        before: { a: zone(port(80)), public: '<zone/>' },
        after: { public: '<zone><service name="ssh"/></zone>' },
        sockets: ['80/tcp 192.0.2.10 httpd', '22/tcp 192.0.2.10 sshd'],
      },
      {
        closed: ['80/tcp 192.0.2.10 httpd on eth0: anybody -> nobody'],
        opened: ['22/tcp 192.0.2.10 sshd on eth0: nobody -> anybody'],
      },
    ],
    [
      'a zone that is bound to a source is asked about it first',
      {
        before: { a: zone(port(80)), vip: `<zone><source address="203.0.113.0/24"/></zone>` },
        after: { a: zone(''), vip: `<zone><source address="203.0.113.0/24"/>${port(80)}</zone>` },
        sockets: ['80/tcp 192.0.2.10 httpd'],
      },
      {
        closed: ['80/tcp 192.0.2.10 httpd on eth0: anybody-but 203.0.113.0/24 -> these 203.0.113.0/24'],
        opened: ['80/tcp 192.0.2.10 httpd on eth0: anybody-but 203.0.113.0/24 -> these 203.0.113.0/24'],
      },
    ],
    [
      'a rule for one address of the host concerns that address',
      {
        before: { a: zone(port(5060)) },
        after: {
          a: zone(
            '<rule family="ipv6"><destination address="2001:db8::10"/><port port="5060" protocol="tcp"/><accept/></rule>',
          ),
        },
        sockets: ['5060/tcp * sbc'],
      },
      { closed: ['5060/tcp * sbc on eth0 at 192.0.2.10: anybody -> nobody'] },
    ],
    [
      "what the loopback alone reaches is nobody's loss, and neither is an address that the host has not",
      {
        before: { a: zone(port('1-65535')) },
        after: { a: zone('') },
        sockets: ['5432/tcp 127.0.0.1 postgres', '6379/tcp ::1 redis', '80/tcp 192.0.2.99 httpd'],
      },
      {},
    ],
    [
      'many ports of one program are one row',
      {
        before: { a: zone(port('30000-30009', 'udp')) },
        after: { a: zone(port('30008-30009', 'udp')) },
        sockets: [0, 1, 2, 3, 6, 7, 8].map((item) => `${30_000 + item}/udp 0.0.0.0 rtp`),
      },
      { closed: ['30000-30003 30006-30007/udp 0.0.0.0 rtp on eth0: anybody -> nobody'] },
    ],
  ])('%s', (_what, given, { closed = [], opened = [] }) => {
    const found = impact(given);
    expect(texts(found.closed)).toEqual(closed);
    expect(texts(found.opened)).toEqual(opened);
  });

  it('names the zone before and after', () => {
    const given = { before: { a: zone(port(80)) }, after: { b: zone('') }, sockets: ['80/tcp 192.0.2.10 httpd'] };
    expect(impact(given).closed[0]).toMatchObject({ zoneBefore: 'a', zoneAfter: 'b' });
  });

  it('lists some of many sources, and says how many more there are', () => {
    const rules = Array.from({ length: 50 }, (_, index) => from(`address="203.0.113.${index * 2}"`, port(80)));
    const { opened } = impact({
      before: { a: zone('') },
      after: { a: zone(rules.join('')) },
      sockets: ['80/tcp 192.0.2.10 httpd'],
    });
    expect(opened[0]!.after.sources).toHaveLength(40);
    expect(opened[0]!.after.more).toBe(10);
  });
});

describe('ports that are opened and that nothing listens on', () => {
  const ports = (given: Given) =>
    impact(given).unheard.flatMap((item) => [`${item.interface} in ${item.zone}`, ...item.ports]);

  it('are told by interface, but for those that something listens on or that were open before', () => {
    const given = {
      before: { a: zone(port(80)) },
      after: { b: zone(`${port('78-82')}${from('ipset="admins"', port(5060, 'udp'))}`) },
      sockets: ['79/tcp 0.0.0.0 x', '82/udp 0.0.0.0 x', '81/tcp 127.0.0.1 x'],
    };
    expect(ports(given)).toEqual(['eth0 in b', '78/tcp', '81-82/tcp', '5060/udp']);
  });

  it('are not told of a zone that accepts everything', () => {
    expect(ports({ before: { a: zone('') }, after: { a: zone('', 'eth0', 'ACCEPT') } })).toEqual([]);
  });
});

describe('established flows', () => {
  const outlive = (given: Given) =>
    impact(given).flows.outlive.map(
      (flow) => `${flow.count} ${flow.port}/${flow.protocol} ${flow.opener} ${flow.lost}`,
    );
  const closing = { before: { a: zone(`${port(80)}${port(22)}`) }, after: { a: zone('') } };

  it.each<[string, Partial<Given>, readonly string[]]>([
    [
      'that nothing lets in any more',
      { flows: ['3 tcp 203.0.113.9 192.0.2.10 80'] },
      ['3 80/tcp 203.0.113.9 permission'],
    ],
    ['over IPv6', { flows: ['1 tcp 2001:db8:9::1 2001:db8::10 80'] }, ['1 80/tcp 2001:db8:9::1 permission']],
    ['that were not let in before', { flows: ['3 tcp 203.0.113.9 192.0.2.10 81'] }, []],
    ['that the host opened', { flows: ['3 tcp 192.0.2.10 203.0.113.9 80'] }, []],
    ['through the host', { flows: ['3 tcp 203.0.113.9 203.0.113.10 80'] }, []],
    ['between its own addresses', { flows: ['3 tcp 192.0.2.10 198.51.100.10 80'] }, []],
    ['of another interface', { flows: ['3 tcp 198.51.100.7 198.51.100.10 80'] }, []],
    ['that are our own', { flows: ['2 tcp 203.0.113.7 192.0.2.10 22'] }, []],
    ['of another client of sshd', { flows: ['1 tcp 203.0.113.8 192.0.2.10 22'] }, ['1 22/tcp 203.0.113.8 permission']],
    [
      'of our address on another port',
      { flows: ['1 tcp 203.0.113.7 192.0.2.10 80'] },
      ['1 80/tcp 203.0.113.7 permission'],
    ],
    [
      'that are still let in by a rule for their source',
      {
        after: { a: zone(from('ipset="admins"', port(80))) },
        flows: ['1 tcp 203.0.113.9 192.0.2.10 80', '1 tcp 203.1.0.1 192.0.2.10 80'],
      },
      ['1 80/tcp 203.1.0.1 permission'],
    ],
  ])('%s', (_what, given, expected) => {
    expect(outlive({ ...closing, ...given })).toEqual(expected);
  });

  it('of our own are known behind a forward port too', () => {
    const flows = ['1 tcp 203.0.113.7 192.0.2.10 2222 >192.0.2.10#22'];
    const forward = '<forward-port port="2222" protocol="tcp" to-port="22"/>';
    expect(outlive({ before: { a: zone(forward) }, after: { a: zone('') }, flows })).toEqual([]);
  });

  it('by a forward port that goes, or that stays', () => {
    const forward = '<forward-port port="8080" protocol="tcp" to-port="80" to-addr="198.51.100.7"/>';
    const flows = ['2 tcp 203.0.113.9 192.0.2.10 8080 >198.51.100.7#80'];
    expect(outlive({ before: { a: zone(forward) }, after: { a: zone('') }, flows })).toEqual([
      '2 8080/tcp 203.0.113.9 forward-port',
    ]);
    expect(outlive({ before: { a: zone(forward) }, after: { a: zone(`${forward}${port(1)}`) }, flows })).toEqual([]);
  });

  it('that are masqueraded, where that goes', () => {
    const flows = ['1 tcp 198.51.100.7 203.0.113.9 443 ~192.0.2.10'];
    const before = { a: zone('<masquerade/>') };
    expect(outlive({ before, after: { a: zone('') }, flows })).toEqual(['1 443/tcp 198.51.100.7 masquerade']);
    expect(outlive({ before, after: before, flows })).toEqual([]);
  });

  it('are cut where the kernel does not track them', () => {
    const { flows } = impact({
      ...closing,
      flows: [],
      untracked: ['1 tcp 203.0.113.9 192.0.2.10 80', '1 tcp 203.0.113.7 192.0.2.10 22'],
    });
    expect(flows.cut).toMatchObject([{ opener: '203.0.113.9', port: 80 }]);
    expect(flows.outlive).toEqual([]);
  });

  it('may not be known, or not all of them', () => {
    expect(impact({ ...closing, flows: null }).flows).toMatchObject({ source: null, unseen: null });
    expect(impact({ ...closing, omitted: 7 }).flows).toMatchObject({ source: 'conntrack', unseen: 7 });
    expect(impact({ ...closing, omitted: 7, cut: true }).flows.unseen).toBeNull();
  });
});

describe('the time for which a reload holds up new flows', () => {
  it('grows with the rules, by version', () => {
    expect(reloadHoldMs('1.3.3', 0)).toBe(80);
    expect(['0.9.3', '1.3.3', '2.3.1'].map((version) => reloadHoldMs(version, 500))).toEqual([760, 430, 1000]);
  });

  it('is the estimate if the rehearsal took less than a second, and else what it took, in whole seconds', () => {
    const state = (seconds: number): Rehearsal => ({
      kind: 'rehearsed',
      now: NO_RULES,
      ways: [],
      states: [
        {
          name: 'reload',
          loads: true,
          seconds,
          modules: [],
          lost: [],
          said: [],
          failed: [],
          rules: NO_RULES,
          packets: [],
        },
      ],
    });
    expect([0.12, 0.48, 0.99].map((seconds) => holdMs(state(seconds), 'reload', 80))).toEqual([80, 80, 80]);
    expect(holdMs(state(0.9), 'reload', 4000)).toBe(990);
    expect([1, 1.01, 2.4].map((seconds) => holdMs(state(seconds), 'reload', 80))).toEqual([1000, 2000, 3000]);
    expect(holdMs({ kind: 'not-rehearsed', why: 'no namespaces' }, 'reload', 1200)).toBe(1200);
    expect(holdMs(null, 'reload', 80)).toBe(80);
  });

  it('counts what zones in use make rules of', () => {
    const inUse = zone(`<service name="admin"/>${port(1)}${from('ipset="admins"', port(2))}`);
    // Two ports of the service with what it includes, the port, the rule, the interface.
    expect(ruleCount(layer({ a: inUse, idle: `<zone>${port(3)}</zone>` }))).toBe(5);
  });
});

describe('any two configurations', () => {
  const piece = fc.constantFrom(
    port(22),
    port('80-443'),
    port(5060, 'udp'),
    '<service name="admin"/>',
    '<protocol value="udp"/>',
    from('ipset="admins"', port(22)),
    from('ipset="banned"', '', 'drop'),
    from('ipset="fading"', port(443)),
    from('address="203.0.113.7" invert="True"', port(443)),
    from('mac="00:00:5E:00:53:01"', ''),
    '<forward-port port="22" protocol="tcp" to-port="23" to-addr="198.51.100.7"/>',
    '<masquerade/>',
  );
  const zones = fc
    .record({
      first: fc.array(piece, { maxLength: 4 }),
      second: fc.array(piece, { maxLength: 4 }),
      eth0: fc.constantFrom('a', 'b', null),
      eth1: fc.constantFrom('a', 'b', null),
      source: fc.boolean(),
      target: fc.constantFrom('', ' target="ACCEPT"', ' target="DROP"'),
    })
    .map(({ first, second, eth0, eth1, source, target }) => {
      const bound = (name: string) =>
        `${eth0 === name ? '<interface name="eth0"/>' : ''}${eth1 === name ? '<interface name="eth1"/>' : ''}`;
      return {
        a: `<zone${target}>${bound('a')}${first.join('')}</zone>`,
        b: `<zone>${bound('b')}${source ? '<source address="203.0.113.0/25"/>' : ''}${second.join('')}</zone>`,
      };
    });
  const sockets = [
    '22/tcp * sshd',
    '443/tcp 192.0.2.10 httpd',
    '100/tcp :: x',
    '5060/udp 0.0.0.0 sbc',
    '9/udp 127.0.0.1 y',
  ];
  const flows = [
    '1 tcp 203.0.113.9 192.0.2.10 443',
    '2 tcp 203.0.113.66 192.0.2.10 22',
    '1 udp 198.51.100.9 198.51.100.10 5060',
  ];
  const dispatch = fc.constantFrom<Dispatch>('drifting', '0', '1', '2');

  it('take away one way what they give the other way', () => {
    fc.assert(
      fc.property(zones, zones, dispatch, (left, right, how) => {
        const there = impact({ before: left, after: right, sockets, flows, dispatch: how });
        const back = impact({ before: right, after: left, sockets, flows, dispatch: how });
        const turned = (rows: readonly SocketImpact[]) =>
          texts(rows.map((row) => ({ ...row, before: row.after, after: row.before }))).sort();
        expect(texts(there.closed).sort()).toEqual(turned(back.opened));
        expect(texts(there.opened).sort()).toEqual(turned(back.closed));
        const none = impact({ before: left, after: left, sockets, flows, dispatch: how });
        expect([none.closed, none.opened, none.unheard, none.flows.outlive]).toEqual([[], [], [], []]);
        // A flow is revoked only through a socket's door that is closed to somebody.
        const doors = there.closed.flatMap(({ ports }) => ports);
        for (const flow of there.flows.outlive) expect(doors).toContain(String(flow.port));
      }),
      { seed: 11, numRuns: 60 },
    );
  }, 60_000);
});
