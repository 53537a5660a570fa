import { describe, expect, it } from 'vitest';
import type { InterfaceFacts } from '../../../src/facts/facts.ts';
import type { FirewalldConfig } from '../../../src/firewalld/model.ts';
import { readZoneXml } from '../../../src/firewalld/read-xml.ts';
import { forwardingNotes } from '../../../src/plan/forwarding-notes.ts';
import { ours } from './our-zone.ts';
import { withOurs } from './proof-case.ts';

const TRUSTED = '<rule priority="32767"><accept/></rule>';

interface Case {
  /** Zones at runtime, before. */
  readonly zones: Readonly<Record<string, string>>;
  /** Our zones, after. */
  readonly desired: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly ipv4?: readonly string[];
  readonly ipv6?: 'all' | readonly string[];
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly writers?: readonly string[];
  readonly starts?: boolean;
  readonly interfaces?: readonly string[];
}

function read(texts: Readonly<Record<string, string>>): FirewalldConfig['zones'] {
  return new Map(Object.entries(texts).map(([name, text]) => [name, readZoneXml(name, text)]));
}

function notes(given: Case): string[] {
  const layer: FirewalldConfig = { zones: read(given.zones), services: new Map(), ipsets: new Map() };
  const after = withOurs(layer, [...read(given.desired).values()].map(ours), []);
  const names = given.interfaces ?? ['eth0', 'eth1'];
  const interfaces = ['lo', ...names].map(
    (name): InterfaceFacts => ({ name, up: name !== 'down0', loopback: name === 'lo', addresses: [] }),
  );
  const found = forwardingNotes({
    kernels: null,
    facts: {
      interfaces,
      forwarding: { ipv4: given.ipv4 ?? ['eth0', 'eth1', 'docker0'], ipv6: given.ipv6 ?? [] },
      writers: { units: given.writers ?? [] },
    },
    firewalld: {
      version: given.version ?? '1.3.3',
      defaultZone: 'public',
      zoneDrifting: false,
      files: [],
      networkManager: [],
      runtime: { policies: given.policies ?? {}, direct: [] },
    },
    observed: { permanent: layer, runtime: layer, zoneFiles: new Set(), zoneFolders: new Map(), broken: [] },
    outcome: { runtime: after, permanent: after },
    starts: given.starts ?? false,
  });
  return found.map(({ severity, code, text }) => `${severity} ${code}: ${text}`);
}

const bound = (name: string, inner = '', target = '') => `<zone${target}><interface name="${name}"/>${inner}</zone>`;
const ACCEPT = ' target="ACCEPT"';
const OURS = { 'portfw-public': bound('eth0'), 'portfw-private': bound('eth1', TRUSTED) };
const OURS_010 = { 'portfw-public': bound('eth0'), 'portfw-private': bound('eth1', '', ACCEPT) };

describe('what stops being forwarded', () => {
  const stops = (families: string, from: string, to: string, why: string, more = '') =>
    `warning forwarding-stops: ${families} from ${from} to ${to} is forwarded now, since ${why}, and will not be any more; established connections go on${more}`;
  const ofTarget = 'zone portfw-private has the target ACCEPT';

  it.each<[string, Case, readonly string[]]>([
    ['a trusted side of 0.1.0', { zones: OURS_010, desired: OURS }, [stops('IPv4', 'eth1', 'eth0', ofTarget)]],
    [
      'both families',
      { zones: OURS_010, desired: OURS, ipv6: 'all' },
      [stops('IPv4 and IPv6', 'eth1', 'eth0', ofTarget)],
    ],
    [
      'IPv6 where one interface alone forwards it',
      { zones: OURS_010, desired: OURS, ipv4: [], ipv6: ['eth1'] },
      [stops('IPv6', 'eth1', 'eth0', ofTarget)],
    ],
    ['nothing where forwarding is off', { zones: OURS_010, desired: OURS, ipv4: [] }, []],
    ['nothing where it is off by which packets come in', { zones: OURS_010, desired: OURS, ipv4: ['eth0'] }, []],
    ['nothing that did not pass', { zones: OURS, desired: OURS }, []],
    [
      'on 0.9 the way in as well, as the target of the zone behind counts',
      {
        version: '0.9.3',
        zones: OURS_010,
        desired: {
          'portfw-public': bound('eth0', '', ' target="DROP"'),
          'portfw-private': bound('eth1', TRUSTED, ' target="DROP"'),
        },
      },
      [stops('IPv4', 'eth0', 'eth1', ofTarget), stops('IPv4', 'eth1', 'eth0', ofTarget)],
    ],
    [
      "an owner's zone that the interface leaves",
      {
        zones: { public: '<zone/>', trusted: bound('eth1', '', ACCEPT) },
        desired: OURS,
      },
      [stops('IPv4', 'eth1', 'eth0', 'zone trusted has the target ACCEPT')],
    ],
    [
      'between the interfaces of one zone',
      {
        zones: { public: '<zone><interface name="eth0"/><interface name="eth1"/><forward/></zone>' },
        desired: { 'portfw-public': '<zone><interface name="eth0"/><interface name="eth1"/></zone>' },
      },
      ['eth0', 'eth1'].map((name, index, all) =>
        stops('IPv4', name, all[1 - index]!, 'zone public forwards between its interfaces'),
      ),
    ],
    [
      "by Docker's bridge",
      {
        zones: { ...OURS_010, docker: bound('docker0', '', ACCEPT) },
        desired: OURS,
        interfaces: ['eth0', 'eth1', 'docker0', 'veth12ab', 'down0'],
        writers: ['docker.service'],
      },
      [
        stops(
          'IPv4',
          'eth1',
          'eth0, docker0',
          ofTarget,
          '; ports that Docker publishes are reached as before, a container by its own address only by what Docker allows in its zone',
        ),
      ],
    ],
    [
      "not what an owner's policy lets through all the same",
      {
        zones: OURS_010,
        desired: OURS,
        policies: { out: { ingress_zones: ['portfw-private'], egress_zones: ['ANY'], target: 'ACCEPT', priority: -1 } },
      },
      [],
    ],
    [
      'nothing on 0.9 towards a zone that masquerades, which lets everything through',
      {
        version: '0.9.3',
        zones: { wan: bound('eth0', '<masquerade/>'), 'portfw-private': bound('eth1', '', ACCEPT) },
        desired: { 'portfw-private': bound('eth1', TRUSTED) },
      },
      [stops('IPv4', 'eth0', 'eth1', ofTarget)],
    ],
    [
      'everything where firewalld is started',
      { zones: { public: bound('eth0', '', ACCEPT) }, desired: OURS, starts: true },
      [
        stops('IPv4', 'eth0', 'eth1', 'nothing is filtered until firewalld starts'),
        stops('IPv4', 'eth1', 'eth0', 'nothing is filtered until firewalld starts'),
      ],
    ],
  ])('%s', (_what, given, expected) => {
    expect(notes(given)).toEqual(expected);
  });
});

describe('what firewalld 0.9 forwards by itself', () => {
  const pings = (pairs: string) =>
    `warning forwards-icmp: firewalld 0.9.3 forwards ICMP (pings) ${pairs}, whatever zones open, as it does for each zone with the default target; portfw_zone_target: reject (or drop) ends that`;
  const dropped = (name: string) => bound(name, '', ' target="DROP"');

  it.each<[string, Case, readonly string[]]>([
    ['pings between our zones', { zones: OURS, desired: OURS }, [pings('from eth0 to eth1, from eth1 to eth0')]],
    [
      'pings out of the one that has no target of its own',
      { zones: OURS, desired: { ...OURS, 'portfw-public': dropped('eth0') } },
      [pings('from eth1 to eth0')],
    ],
    [
      'none where both have one',
      { zones: OURS, desired: { 'portfw-public': dropped('eth0'), 'portfw-private': dropped('eth1') } },
      [],
    ],
    ['none where nothing is forwarded', { zones: OURS, desired: OURS, ipv4: [] }, []],
    ['none on a later version', { zones: OURS, desired: OURS, version: '1.0.1' }, []],
  ])('%s', (_what, given, expected) => {
    expect(notes({ version: '0.9.3', ...given })).toEqual(expected);
  });
});
