import { describe, expect, it } from 'vitest';
import { mixedUpSides } from '../../../src/policy/sides.ts';
import type { InterfaceClass, PrivateMode } from '../../../src/settings/settings-types.ts';
import { defaultRoutesOf, interfacesOf } from './helpers/cases.ts';

const QUESTION = /^are public and private mixed up\? /;

interface Given {
  readonly interfaces: Readonly<Record<string, readonly string[]>>;
  readonly routes?: readonly string[];
  /** eth0 is public and eth1 private when left out. */
  readonly classes?: Readonly<Record<string, readonly InterfaceClass[]>>;
  readonly mode?: PrivateMode;
  readonly checked?: boolean;
}

/** `refused`, `warning`, `info` or `silent`, and what was said. */
function verdict(given: Given): { readonly kind: string; readonly text: string } {
  const classes = given.classes ?? { eth0: ['public'], eth1: ['private'] };
  const { refusals, notes } = mixedUpSides({
    map: {
      interfaces: new Map(
        Object.entries(classes).map(([name, list]) => [name, { classes: new Set(list), given: name }]),
      ),
    },
    facts: { interfaces: interfacesOf(given.interfaces), defaultRoutes: defaultRoutesOf(given.routes ?? []) },
    mode: given.mode ?? 'trusted',
    checked: given.checked ?? false,
  });
  const said = [
    ...refusals.map(({ what }) => ['refused', what]),
    ...notes.map(({ severity, text }) => [severity, text]),
  ];
  expect(said.length).toBeLessThanOrEqual(1);
  const [kind = 'silent', text = ''] = said[0] ?? [];
  return { kind, text };
}

const SWAPPED = { eth0: ['10.0.0.5/24'], eth1: ['8.8.8.10/24'] };
const RIGHT = { eth0: ['8.8.8.10/24'], eth1: ['10.0.0.5/24'] };
const EXAMPLES = { eth0: ['203.0.113.10/24'], eth1: ['198.51.100.10/24', '2001:db8:19::b/64'] };

describe('public and private mixed up', () => {
  it.each<[string, Given, RegExp]>([
    ['the default route and a global address', { interfaces: SWAPPED, routes: ['ipv4 eth1'] }, /IPv4.*8\.8\.8\.10/],
    [
      'the default route and a global address, both sides being global',
      { interfaces: { eth0: ['8.8.4.10/24'], eth1: ['8.8.8.10/24'] }, routes: ['ipv4 eth1'] },
      /default route and the address 8\.8\.8\.10/,
    ],
    [
      'the same in a table of its own',
      { interfaces: { eth0: ['8.8.4.10/24'], eth1: ['8.8.8.10/24'] }, routes: ['ipv4 eth0', 'ipv4 eth1 100'] },
      /8\.8\.8\.10/,
    ],
    [
      'IPv6 alone: a router announced it',
      {
        interfaces: { eth0: ['8.8.4.10/24'], eth1: ['10.0.0.5/24', '2600:1::5/64', 'fe80::5/64'] },
        routes: ['ipv4 eth0', 'ipv6 eth1'],
      },
      /IPv6 default route and the address 2600:1::5/,
    ],
    [
      'global addresses beside a public side of private ones',
      { interfaces: SWAPPED },
      /eth0, which is public, has private/,
    ],
    [
      'the same with addresses for documentation, and the default route',
      { interfaces: { eth0: ['192.168.0.5/24'], eth1: ['203.0.113.10/24'] }, routes: ['ipv4 eth1'] },
      /203\.0\.113\.10/,
    ],
    [
      'no public side at all',
      { interfaces: { eth1: ['8.8.8.10/24'] }, routes: ['ipv4 eth1'], classes: { eth1: ['private'] } },
      /8\.8\.8\.10/,
    ],
  ])('is refused: %s', (_what, given, words) => {
    const { kind, text } = verdict(given);
    expect(kind).toBe('refused');
    expect(text).toMatch(QUESTION);
    expect(text).toMatch(words);
    // Where the side is not trusted it is worth a warning, and where somebody has looked a note.
    expect(verdict({ ...given, mode: 'peers' })).toMatchObject({
      kind: 'warning',
      text: expect.stringMatching(QUESTION),
    });
    expect(verdict({ ...given, mode: 'matrix' })).toMatchObject({ kind: 'warning' });
    expect(verdict({ ...given, checked: true })).toMatchObject({ kind: 'info', text: expect.stringMatching(words) });
  });

  it.each<[string, Given, RegExp]>([
    ['the default route over the private side', { interfaces: RIGHT, routes: ['ipv4 eth1'] }, /default route \(IPv4\)/],
    [
      'the default route of one family',
      { interfaces: { ...RIGHT, eth1: ['10.0.0.5/24', 'fd00::5/64'] }, routes: ['ipv4 eth0', 'ipv6 eth1'] },
      /default route \(IPv6\)/,
    ],
    [
      'a global address on both sides',
      { interfaces: { ...RIGHT, eth1: ['8.8.4.4/32'] }, routes: ['ipv4 eth0'] },
      /8\.8\.4\.4/,
    ],
    ['the default route between addresses for documentation', { interfaces: EXAMPLES, routes: ['ipv4 eth1'] }, /IPv4/],
  ])('is doubted: %s', (_what, given, words) => {
    const { kind, text } = verdict(given);
    expect(kind).toBe('warning');
    expect(text).toMatch(QUESTION);
    expect(text).toMatch(words);
    expect(text).toContain('portfw_sides_checked: true');
    expect(verdict({ ...given, checked: true }).kind).toBe('silent');
    expect(verdict({ ...given, mode: 'matrix' }).kind).toBe('silent');
  });

  it.each<[string, Given]>([
    ['a site as it should be', { interfaces: RIGHT, routes: ['ipv4 eth0', 'ipv6 eth0'] }],
    ['a site of example addresses', { interfaces: EXAMPLES, routes: ['ipv4 eth0', 'ipv6 eth0'] }],
    ['no word of routes', { interfaces: EXAMPLES }],
    ['both sides behind NAT', { interfaces: { eth0: ['10.1.0.5/24'], eth1: ['10.0.0.5/24'] }, routes: ['ipv4 eth0'] }],
    [
      'answers by the way that the question came, from a table of their own',
      { interfaces: RIGHT, routes: ['ipv4 eth0', 'ipv4 eth1 100'] },
    ],
    [
      'a database server behind a NAT gateway, with no public side',
      { interfaces: { eth1: ['10.0.0.5/24'] }, routes: ['ipv4 eth1'], classes: { eth1: ['private'] } },
    ],
    [
      "an interface that is both: that is another refusal's",
      { interfaces: { eth0: ['8.8.8.10/24'] }, routes: ['ipv4 eth0'], classes: { eth0: ['public', 'private'] } },
    ],
    [
      'carrier-grade NAT and link-local addresses',
      { interfaces: { ...RIGHT, eth1: ['100.64.0.5/24', '169.254.1.1/16', 'fe80::1/64'] } },
    ],
  ])('is not asked about: %s', (_what, given) => {
    expect(verdict(given)).toEqual({ kind: 'silent', text: '' });
  });
});
