import path from 'node:path';
import type { DecideContext } from '../../../../src/decide/decide.ts';
import type { HostFacts } from '../../../../src/facts/facts.ts';
import { parseFacts } from '../../../../src/facts/parse-facts.ts';
import { type IpsetConfig, writeIpsetXml } from '../../../../src/firewalld/kinds/ipset.ts';
import { writeServiceXml } from '../../../../src/firewalld/kinds/service.ts';
import { writeZoneXml } from '../../../../src/firewalld/kinds/zone.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import { loadMatrix } from '../../../../src/matrix/load-matrix.ts';
import type { Play } from '../../../../src/matrix/matrix.ts';
import { buildDesired } from '../../../../src/policy/build-desired.ts';
import { hostPeers } from '../../../../src/settings/addresses-of-hosts.ts';
import type { HostSettings } from '../../../../src/settings/settings-types.ts';
import { probeText, runningFirewalld } from '../../facts/helpers/probe-text.ts';
import { Firewalld } from '../../plan/helpers/simulator.ts';
import { readInventory } from '../../policy/helpers/cases.ts';

const HOST = 'sip1.example.net';
const MATRIX = loadMatrix(path.join(import.meta.dirname, '../../../fixtures/roles/example.yaml'));

/** How much of each there is on a host. */
export interface Size {
  /** Entries of an ipset of ours, in the inventory and on the host. */
  readonly entries: number;
  /** Of those, how many the host does not have yet; as many others are to go. */
  readonly changed: number;
  /** Entries of an ipset of somebody else's, in use in a zone of his. */
  readonly foreign: number;
  /** Rich rules of somebody else's zone. */
  readonly rules: number;
  readonly sockets: number;
  readonly flows: number;
  readonly interfaces: number;
  /** Zones of others, each with an interface. */
  readonly zones: number;
}

export const SMALL: Size = {
  entries: 10,
  changed: 0,
  foreign: 10,
  rules: 10,
  sockets: 10,
  flows: 10,
  interfaces: 4,
  zones: 2,
};

/** A host as its probe tells it, with the inventory that it is planned from. */
export interface BigHost {
  readonly text: string;
  readonly job: HostJob;
  readonly play: Play;
  readonly context: DecideContext;
}

/** Every other address of a network, so that none of them join: `10.0.0.0`, `10.0.0.2`, … */
export function addresses(count: number, first = 0x0a000000): string[] {
  return Array.from({ length: count }, (_, index) => {
    const value = first + 2 * index;
    return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  });
}

/** Generates a host of that size. The time that this takes is nobody's but the test's. */
export function bigHost(size: Size): BigHost {
  const inventory = readInventory({
    all: {
      hosts: {
        [HOST]: {
          ansible_host: '192.0.2.10',
          portfw_roles: ['proxy'],
          portfw_interfaces: { public: 'eth0', private: 'eth1' },
          portfw_extra_rules: [
            {
              name: 'portal',
              interface: 'public',
              protocol: 'tcp',
              port: 8443,
              from: ['office'],
              owner: 'noc',
              reason: 'r',
            },
          ],
        },
        office: { ansible_host: '198.51.100.77', portfw_managed: false },
      },
    },
  });
  const settings = withSources(inventory.settings.get(HOST)!, addresses(size.entries));
  const held = addresses(size.entries - size.changed).concat(addresses(size.changed, 0x14000000));
  const play: Play = {
    name: 'p',
    hosts: 'all',
    matrix: MATRIX,
    private: null,
    features: [],
    serial: [],
    maxFailPercentage: null,
    onFailure: 'keep-good',
    probes: [],
    location: { file: 'p', line: 1, column: 1, secret: null },
  };
  const context: DecideContext = {
    inventory: inventory.inventory,
    settings: new Map([...inventory.settings, [HOST, settings]]),
    today: '2026-03-01',
    acceptLockout: new Set(),
  };
  const job = { host: HOST, settings } as HostJob;
  return { text: probed(size, filesOf(job, play, context, held, size)), job, play, context };
}

/** Settings of which the one extra rule is for these addresses: an inventory of that length is not what is measured. */
function withSources(settings: HostSettings, from: readonly string[]): HostSettings {
  return { ...settings, extraRules: settings.extraRules.map((rule) => ({ ...rule, from })) };
}

/** The files of a host that has been brought to its plan, but for the addresses. */
function filesOf(job: HostJob, play: Play, context: DecideContext, held: readonly string[], size: Size) {
  const settings = withSources(job.settings, held);
  const bare = new Firewalld().facts();
  const outcome = buildDesired({
    matrix: play.matrix,
    roles: ['proxy'],
    settings,
    facts: factsOf(probed({ ...SMALL, sockets: 0, flows: 0 }, [])),
    firewalld: bare,
    privateMode: 'trusted',
    features: new Set(),
    peers: hostPeers(settings, context.inventory, context.settings),
    today: context.today,
  });
  if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.refusals));
  const { zones, services, ipsets } = outcome.desired;
  const banned: IpsetConfig = {
    name: 'banned',
    short: '',
    description: '',
    type: 'hash:net',
    family: 'ipv4',
    options: {},
    entries: addresses(size.foreign, 0x64000000),
  };
  const rules = addresses(size.rules, 0x1e000000).map(
    (address) => `<rule family="ipv4"><source address="${address}"/><port port="9000" protocol="tcp"/><accept/></rule>`,
  );
  const ban = '<rule family="ipv4"><source ipset="banned"/><drop/></rule>';
  return [
    ...[...zones].map(([name, zone]) => [`zones/${name}.xml`, writeZoneXml(zone.config)] as const),
    ...[...services].map(([name, service]) => [`services/${name}.xml`, writeServiceXml(service.value)] as const),
    ...[...ipsets].map(([name, ipset]) => [`ipsets/${name}.xml`, writeIpsetXml(ipset.value)] as const),
    ['ipsets/banned.xml', writeIpsetXml(banned)] as const,
    ['zones/guests.xml', `<zone><interface name="guest0"/>${ban}${rules.join('')}</zone>`] as const,
    ...Array.from(
      { length: size.zones },
      (_, index) =>
        [`zones/other${index}.xml`, `<zone><interface name="vlan${index}"/><service name="ssh"/></zone>`] as const,
    ),
  ];
}

function factsOf(text: string): HostFacts {
  const parsed = parseFacts(text);
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}`);
  return parsed.facts;
}

function probed(size: Size, files: readonly (readonly [string, string])[]): string {
  const { runtime, files: described, ...facts } = new Firewalld(files).facts();
  const collected = runningFirewalld({ ...facts, hash: 'a'.repeat(64), files: described, runtime });
  const names = ['guest0', ...Array.from({ length: size.interfaces }, (_, index) => `vlan${index}`)];
  return probeText({
    ssh: ['203.0.113.7 40000 192.0.2.10 22'],
    interfaces: [
      '1: lo: <LOOPBACK,UP>',
      '    inet 127.0.0.1/8',
      '2: eth0: <UP>',
      '    inet 192.0.2.10/24',
      '3: eth1: <UP>',
      '    inet 198.51.100.10/24',
      ...names.flatMap((name, index) => [
        `${index + 4}: ${name}: <UP>`,
        `    inet 172.16.${index >> 8}.${index & 255}/30`,
      ]),
    ],
    sockets: addresses(size.sockets, 0x7f000001).map(
      (_, index) =>
        `tcp LISTEN 0 128 0.0.0.0:${1024 + (index % 60000)} 0.0.0.0:* users:(("media${index % 7}",pid=${index},fd=3))`,
    ),
    flows: [
      'source conntrack',
      `flows ${size.flows}`,
      ...addresses(size.flows, 0x50000000).map(
        (address) => `1 tcp ${address} 192.0.2.10 8443 192.0.2.10 8443 ${address}`,
      ),
    ],
    'firewalld-version': ['installed', "'1.3.3'"],
    firewalld: [JSON.stringify(collected)],
  });
}
