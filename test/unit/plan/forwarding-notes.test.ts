import { describe, expect, it } from 'vitest';
import type { FlowKind, InterfaceFacts, PermanentFile } from '../../../src/facts/facts.ts';
import type { FilterFacts } from '../../../src/firewalld/filter/facts.ts';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { filtersOf } from '../../../src/plan/before-and-after.ts';
import { forwarding } from '../../../src/plan/forwarding/forwarding-notes.ts';
import { ours } from './helpers/our-zone.ts';
import { policiesOf, withOurs } from './helpers/proof-case.ts';

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
  readonly flows?: readonly FlowKind[];
  /** The interfaces' addresses. */
  readonly addresses?: Readonly<Record<string, string>>;
}

function read(texts: Readonly<Record<string, string>>): FirewalldConfig['zones'] {
  return new Map(Object.entries(texts).map(([name, text]) => [name, readZoneXml(name, text)]));
}

/** The file of a policy that D-Bus shows so. */
function policyFile(name: string, policy: Readonly<Record<string, unknown>>): PermanentFile {
  const list = (key: string) => (policy[key] ?? []) as readonly string[];
  const inner = [
    ...list('ingress_zones').map((zone) => `<ingress-zone name="${zone}"/>`),
    ...list('egress_zones').map((zone) => `<egress-zone name="${zone}"/>`),
    ...list('services').map((service) => `<service name="${service}"/>`),
    ...((policy['ports'] ?? []) as readonly (readonly [string, string])[]).map(
      ([port, protocol]) => `<port port="${port}" protocol="${protocol}"/>`,
    ),
    ...list('protocols').map((protocol) => `<protocol value="${protocol}"/>`),
    ...(policy['masquerade'] === true ? ['<masquerade/>'] : []),
  ];
  const text = `<policy target="${String(policy['target'] ?? 'CONTINUE')}">${inner.join('')}</policy>`;
  return { path: `policies/${name}.xml`, text, mode: '0644', owner: '0:0', sha256: '' };
}

/** Warnings, and what the plan is refused for. */
function notes(given: Case): string[] {
  const files = Object.entries(given.policies ?? {}).map(([name, policy]) => policyFile(name, policy));
  const policies = policiesOf(files, given.policies ?? {});
  const layer: FirewalldConfig = { ...emptyLayer(), zones: read(given.zones), policies: policies.runtime };
  const after = withOurs(layer, [...read(given.desired).values()].map(ours), []);
  const names = given.interfaces ?? ['eth0', 'eth1'];
  const interfaces = ['lo', ...names].map((name): InterfaceFacts => {
    const address = given.addresses?.[name];
    return {
      name,
      up: name !== 'down0',
      loopback: name === 'lo',
      addresses: address === undefined ? [] : [{ address, prefix: 24, family: 'ipv4' }],
    };
  });
  const firewalld: FilterFacts = {
    version: given.version ?? '1.3.3',
    defaultZone: 'public',
    zoneDrifting: false,
    files,
    networkManager: [],
    runtime: { direct: [] },
  };
  const permanent = { ...layer, policies: policies.permanent };
  const observed = { permanent, runtime: layer, zoneFiles: new Set<string>(), zoneFolders: new Map(), broken: [] };
  const outcome = { runtime: after, permanent: after };
  const found = forwarding({
    host: 'gw1',
    filters: filtersOf({ firewalld, observed, outcome, kernels: null }),
    facts: {
      interfaces,
      forwarding: { ipv4: given.ipv4 ?? ['eth0', 'eth1', 'docker0'], ipv6: given.ipv6 ?? [] },
      writers: { units: given.writers ?? [] },
      flows:
        given.flows === undefined
          ? null
          : { source: 'conntrack', kinds: given.flows, omitted: 0, cut: false, untracked: [] },
    },
    firewalld,
    starts: given.starts ?? false,
  });
  return [
    ...found.refusals.map(({ code, what }) => `refused ${code}: ${what}`),
    ...found.notes.map(({ severity, code, text }) => `${severity} ${code}: ${text}`),
  ];
}

const bound = (name: string, inner = '', target = '') => `<zone${target}><interface name="${name}"/>${inner}</zone>`;
const ACCEPT = ' target="ACCEPT"';
const OURS = { 'portfw-public': bound('eth0'), 'portfw-private': bound('eth1', TRUSTED) };
/** A policy as D-Bus has it. */
const between = (from: string, to: string, more: Readonly<Record<string, unknown>>) => ({
  ingress_zones: [from],
  egress_zones: [to],
  ...more,
});
const LAN = { internal: bound('eth1'), external: bound('eth0') };
const OURS_010 = { 'portfw-public': bound('eth0'), 'portfw-private': bound('eth1', '', ACCEPT) };

describe('what stops being forwarded', () => {
  const stops = (families: string, from: string, to: string, why: string, more = '') =>
    `warning forwarding-stops: ${families} from ${from} to ${to} is forwarded now, because ${why}, and will no longer be forwarded; established connections continue${more}`;
  const refused = (...parts: Parameters<typeof stops>) => stops(...parts).replace('warning', 'refused');
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
      [refused('IPv4', 'eth1', 'eth0', 'zone trusted has the target ACCEPT')],
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
          "; ports that Docker publishes stay reachable; a container's own address is reachable only where Docker's zone allows it",
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
      "an owner's policy between zones that both interfaces leave",
      { zones: LAN, desired: OURS, policies: { 'lan-out': between('internal', 'external', { target: 'ACCEPT' }) } },
      [refused('IPv4', 'eth1', 'eth0', 'policy lan-out has the target ACCEPT')],
    ],
    [
      'what a policy opens, one by one',
      {
        zones: LAN,
        desired: OURS,
        policies: {
          in: between('external', 'ANY', { services: ['ssh'], ports: [['2200', 'tcp']], protocols: ['gre'] }),
        },
      },
      [refused('IPv4', 'eth0', 'eth1 (service ssh, 2200/tcp, protocol gre)', 'policy in opens it')],
    ],
    [
      'nothing where the policy names the zones that the interfaces move to as well',
      {
        zones: LAN,
        desired: OURS,
        policies: {
          'lan-out': {
            target: 'ACCEPT',
            ingress_zones: ['internal', 'portfw-private'],
            egress_zones: ['external', 'portfw-public'],
          },
        },
      },
      [],
    ],
    [
      'nothing where the interfaces of the policy stay',
      {
        zones: { ...LAN, public: bound('eth2') },
        desired: { 'portfw-public': bound('eth2') },
        interfaces: ['eth0', 'eth1', 'eth2'],
        policies: { 'lan-out': between('internal', 'external', { target: 'ACCEPT' }) },
      },
      [],
    ],
    [
      'what the zone left masquerades where it is forwarded on',
      {
        zones: { internal: bound('eth1'), external: bound('eth0', '<masquerade/>') },
        desired: { 'portfw-public': bound('eth0') },
        policies: { any: between('internal', 'ANY', { target: 'ACCEPT' }) },
      },
      [refused('IPv4', 'eth1', 'eth0 (masquerading)', 'zone external masquerades')],
    ],
    [
      'a port of the host that leads to a machine behind it',
      {
        zones: {
          external: bound('eth0', '<forward-port port="8080" protocol="tcp" to-port="80" to-addr="198.51.100.9"/>'),
        },
        desired: { 'portfw-public': bound('eth0') },
      },
      [refused('IPv4', 'eth0', '198.51.100.9:80 (8080/tcp of the host)', 'zone external has a forward port for it')],
    ],
    [
      'between the interfaces of one zone, refused where flows show that it is used',
      {
        zones: { public: '<zone><interface name="eth0"/><interface name="eth1"/><forward/></zone>' },
        desired: { 'portfw-public': '<zone><interface name="eth0"/><interface name="eth1"/></zone>' },
        addresses: { eth0: '192.0.2.10', eth1: '198.51.100.10' },
        flows: [
          {
            protocol: 'tcp',
            opener: '198.51.100.9',
            address: '192.0.2.9',
            port: 443,
            count: 1,
            forwardedTo: null,
            disguisedAs: null,
          },
        ],
      },
      [
        refused('IPv4', 'eth1', 'eth0', 'zone public forwards between its interfaces'),
        stops('IPv4', 'eth0', 'eth1', 'zone public forwards between its interfaces'),
      ],
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
    `warning forwards-icmp: firewalld 0.9.3 forwards ICMP (ping) ${pairs}, independent of what the zones open, because their target is the default; portfw_zone_target: reject (or drop) stops this`;
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
