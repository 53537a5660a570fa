import { describe, expect, it } from 'vitest';
import type { InterfaceFacts } from '../../../src/facts/facts.ts';
import type { Way, WayFacts } from '../../../src/plan/lockout/proof-ways.ts';
import { waysOf } from '../../../src/plan/lockout/ways.ts';
import { from, INTERFACES } from './helpers/proof-case.ts';

const path = (clientAddress: string, serverAddress: string, serverPort = 22) => ({
  clientAddress,
  clientPort: 40_000,
  serverAddress,
  serverPort,
});

const routes = (...rows: readonly (readonly [string, string])[]): Pick<WayFacts, 'routeTable'> => ({
  routeTable: {
    routes: rows.map(([destination, name]) => ({ destination, interface: name })),
    policies: false,
    cut: false,
  },
});

const ROUTED = routes(['0.0.0.0/0', 'eth0'], ['192.0.2.0/24', 'eth0'], ['198.51.100.0/24', 'eth1']);

/** `KIND SOURCE by INTERFACE to ADDRESS PORT`, the first source of each. */
function said(ways: readonly Way[]): string[] {
  return ways.map(({ kind, given, places, minor }) => {
    const doors = places.map((one) => `${one.interface} to ${one.destination} ${one.port}/${one.protocol}`);
    return `${minor === true ? 'minor ' : ''}${kind} ${given} by ${doors.join(' or ')}`;
  });
}

describe('who must get in', () => {
  it('comes by any interface where the address is on the loopback and no route says which', () => {
    const [lo, ...others] = INTERFACES;
    const held = { address: '192.0.2.200', prefix: 32, family: 'ipv4' } as const;
    const interfaces = [{ ...lo!, addresses: [...lo!.addresses, held] }, ...others];
    const { ways } = waysOf({ controllerPath: path('203.0.113.7', '192.0.2.200'), interfaces }, [], null);
    expect(said(ways)).toEqual(
      ['eth0', 'eth1'].map((name) => `controller 203.0.113.7 by ${name} to 192.0.2.200 22/tcp`),
    );
    expect(ways.every(({ guessed }) => guessed)).toBe(true);
  });

  it('finds the only address of a host on its loopback, and says so where there is none', () => {
    const [lo, eth0] = INTERFACES;
    const held = { address: '192.0.2.200', prefix: 32, family: 'ipv4' } as const;
    const facts = {
      controllerPath: null,
      interfaces: [
        { ...lo!, addresses: [...lo!.addresses, held] },
        { ...eth0!, addresses: [] },
      ],
      ...routes(['0.0.0.0/0', 'eth0'], ['::/0', 'eth0']),
    };
    const { ways, doubts } = waysOf(facts, from('203.0.113.9', '2001:db8:9::9'), null);
    expect(said(ways)).toEqual(['management 203.0.113.9 by eth0 to 192.0.2.200 22/tcp']);
    expect(doubts).toEqual(['portfw_management: 2001:db8:9::9 cannot connect over IPv6: the host has no IPv6 address']);
  });

  it('comes by the interface that the route back leads by, not by the one that holds the address', () => {
    const facts = { controllerPath: path('203.0.113.7', '198.51.100.10'), interfaces: INTERFACES, ...ROUTED };
    expect(said(waysOf(facts, [], null).ways)).toEqual(['controller 203.0.113.7 by eth0 to 198.51.100.10 22/tcp']);
  });

  it('is also evaluated at the dialled address, where sshd saw another one', () => {
    const facts = { controllerPath: path('203.0.113.7', '192.0.2.10'), interfaces: INTERFACES, ...ROUTED };
    expect(said(waysOf(facts, [], { address: '192.0.2.10', port: 2222 }).ways)).toEqual([
      'controller 203.0.113.7 by eth0 to 192.0.2.10 22/tcp',
      'controller 203.0.113.7 by eth0 to 192.0.2.10 2222/tcp',
    ]);
    // Translated on the way: the host has no such address, and nothing is known of it.
    expect(waysOf(facts, [], { address: '203.0.113.200', port: 2222 }).ways).toHaveLength(1);
  });

  it('behind a program on the host is who has opened the connection to it', () => {
    const kind = { protocol: 'tcp' as const, opener: '203.0.113.7', address: '192.0.2.10', port: 443 };
    const flows = { kinds: [{ ...kind, count: 1 }], untracked: [] } as unknown as WayFacts['flows'];
    const facts: WayFacts = {
      controllerPath: path('127.0.0.1', '127.0.0.1'),
      interfaces: INTERFACES,
      ...ROUTED,
      ...(flows === undefined ? {} : { flows }),
    };
    expect(said(waysOf(facts, [], { address: '192.0.2.10', port: 443 }).ways)).toEqual([
      'controller 203.0.113.7 by eth0 to 192.0.2.10 443/tcp',
    ]);
  });

  it('behind a program on the host and a translation on the way is who the flows say; or it is said that nobody knows', () => {
    const kinds = [{ protocol: 'tcp', opener: '203.0.113.7', address: '192.0.2.10', port: 443, count: 1 }];
    const facts = { controllerPath: path('127.0.0.1', '127.0.0.1'), interfaces: INTERFACES, ...ROUTED };
    const dialled = { address: '203.0.113.200', port: 443 };
    const seen = { ...facts, flows: { kinds, untracked: [] } as unknown as NonNullable<WayFacts['flows']> };
    expect(said(waysOf(seen, [], dialled).ways)).toEqual(['controller 203.0.113.7 by eth0 to 192.0.2.10 443/tcp']);
    expect(waysOf(seen, [], dialled).doubts).toEqual([]);
    expect(waysOf(facts, [], dialled).doubts).toEqual([expect.stringMatching(/sshd sees 127.0.0.1.*port 443/)]);
    // Over a local connection there is nothing to ask.
    expect(waysOf(facts, [], null).doubts).toEqual([]);
    expect(waysOf(facts, [], { address: '127.0.0.1', port: 22 }).doubts).toEqual([]);
  });

  it('of portfw_management is asked about by the routes, part by part', () => {
    const facts = { controllerPath: path('198.51.100.7', '198.51.100.10'), interfaces: INTERFACES, ...ROUTED };
    const { ways, doubts } = waysOf(facts, from('203.0.113.0/24', '198.51.100.0/24'), null);
    expect(doubts).toEqual([]);
    expect(said(ways).slice(1)).toEqual([
      'management 203.0.113.0/24 by eth0 to 192.0.2.10 22/tcp',
      'management 198.51.100.0/24 by eth1 to 198.51.100.10 22/tcp',
    ]);
  });

  it('and has no route back cannot come in, which is said', () => {
    const facts = { controllerPath: null, interfaces: INTERFACES, ...routes(['192.0.2.0/24', 'eth0']) };
    const { ways, doubts } = waysOf(facts, from('203.0.113.0/24'), null);
    expect(ways).toEqual([]);
    expect(doubts).toEqual([expect.stringContaining('no route to 203.0.113.0/24')]);
  });
});

describe('what SSH depends on', () => {
  const tunnel: InterfaceFacts = {
    name: 'tun0',
    up: true,
    loopback: false,
    addresses: [{ address: '198.51.100.129', prefix: 30, family: 'ipv4' }],
  };
  const carriers = [{ interface: 'tun0', protocol: 'udp' as const, port: 1194 }];
  const interfaces = [...INTERFACES, tunnel];

  it('is the carrier of the tunnel that we came through, from anywhere where its other end is not known', () => {
    const facts = { controllerPath: path('198.51.100.130', '198.51.100.129'), interfaces, carriers };
    expect(said(waysOf(facts, [], null).ways)).toEqual([
      'controller 198.51.100.130 by tun0 to 198.51.100.129 22/tcp',
      'carrier tun0 by eth0 to 192.0.2.10 1194/udp',
      'carrier tun0 by eth0 to 2001:db8::10 1194/udp',
      'carrier tun0 by eth1 to 198.51.100.10 1194/udp',
    ]);
  });

  it('is no carrier of a tunnel that we did not come through', () => {
    const facts = { controllerPath: path('203.0.113.7', '192.0.2.10'), interfaces, carriers };
    expect(waysOf(facts, [], null).ways.map(({ kind }) => kind)).toEqual(['controller']);
  });

  const leased = (address: string, ...others: readonly string[]): InterfaceFacts[] => [
    {
      name: 'eth0',
      up: true,
      loopback: false,
      addresses: [
        ...others.map((one) => ({ address: one, prefix: 64, family: 'ipv6' as const })),
        { address, prefix: 128, family: 'ipv6', dynamic: true },
        { address: 'fe80::10', prefix: 64, family: 'ipv6' },
      ],
    },
  ];
  const six = routes(['2001:db8:9::/48', 'eth0']);

  it('is the lease of the address that we came to', () => {
    const facts = { controllerPath: path('2001:db8:9::1', '2001:db8::6'), interfaces: leased('2001:db8::6'), ...six };
    expect(said(waysOf(facts, [], null).ways)).toContain('lease 2001:db8::6 by eth0 to fe80::10 546/udp');
  });

  it('is the lease of the only address that administration can come to', () => {
    const facts = { controllerPath: null, interfaces: leased('2001:db8::6'), ...six };
    expect(said(waysOf(facts, from('2001:db8:9::/48'), null).ways)).toContain(
      'lease 2001:db8::6 by eth0 to fe80::10 546/udp',
    );
  });

  it('is no other lease: that one is a warning', () => {
    const interfaces = leased('2001:db8::6', '2001:db8::10');
    const facts = { controllerPath: path('2001:db8:9::1', '2001:db8::10'), interfaces, ...six };
    expect(said(waysOf(facts, from('2001:db8:9::/48'), null).ways)).toContain(
      'minor lease 2001:db8::6 by eth0 to fe80::10 546/udp',
    );
  });
});
