import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { Inventory } from '../../../../src/ansible/inventory.ts';
import type { Decision } from '../../../../src/decide/decide.ts';
import type { ControllerPath, HostFacts } from '../../../../src/facts/facts.ts';
import { parseFacts } from '../../../../src/facts/parse-facts.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import { loadMatrix } from '../../../../src/matrix/load-matrix.ts';
import type { Matrix, Play } from '../../../../src/matrix/matrix.ts';
import type { HostSettings, InterfaceClass, PrivateMode, ZoneTarget } from '../../../../src/settings/settings-types.ts';
import { decidedFromFacts } from '../../decide/helpers/decided.ts';
import { probeText } from '../../facts/helpers/probe-text.ts';
import { Firewalld } from '../../plan/helpers/simulator.ts';
import { type Mishap, mishapArbitrary } from '../../plan/helpers/states.ts';
import { readInventory } from '../../policy/helpers/cases.ts';

/**
 * Whole worlds for the pure stages: a matrix file, an inventory file, what a host says of itself and what its firewalld
 * holds. Each is as odd as its reader lets through; the host is under no such limit.
 */

const HOST = 'web1.example.net';
/** The addresses that sshd may answer on, and the virtual one. */
const INTERFACES: Readonly<Record<string, readonly string[]>> = {
  lo: ['127.0.0.1/8', '::1/128'],
  eth0: ['192.0.2.10/24', '2001:db8::10/64'],
  eth1: ['198.51.100.10/24'],
  eth2: ['203.0.113.10/24', '192.0.2.80/32'],
};
const CLIENTS = ['198.51.100.4', '192.0.2.7', '203.0.113.5', '203.0.113.200', '2001:db8::7', '192.0.2.129'];
const SOURCES = [
  '0.0.0.0/0',
  '::/0',
  '192.0.2.0/24',
  '192.0.2.128/25',
  '198.51.100.4',
  '203.0.113.4/30',
  '2001:db8::/64',
  '2001:db8::7',
  'db1.example.net',
  'constructor',
];
/** Names that a careless look-up in an object would find, besides plain ones; as long as they may be. */
const ROLES = ['web', 'constructor', 'valueof', 'tostring', 'a-role-whose-name-is-as-long-as3', 'x'];
const PORTS = [22, 2222, 80, '8903-8904', '20-30', 443, '1-65535'] as const;
/** Texts that mean something to a shell, to XML, to a template or to a terminal's reader. */
const TEXTS = [
  '"; reboot; #',
  '$(reboot) `id` $IFS',
  'it\'s <b>&amp;</b> ]]> <!-- x --> &#38; "quoted"',
  '%s %n %d %%REJECT%% \\ ',
  '../../etc/passwd',
  ' Zürich 東京 \u{1f642} \\u001b[31m ',
  '</short></zone><zone target="ACCEPT">',
  'rule family="ipv4" accept',
  '\ufffd',
];

/** Addresses that `portfw_management` may name, each in the network of one interface, by which it comes. */
const MANAGERS = ['192.0.2.7', '198.51.100.4', '203.0.113.5'];

const text = fc.constantFrom(...TEXTS);
const source = fc.constantFrom(...SOURCES);
const sources = fc.uniqueArray(source, { minLength: 1, maxLength: 3 });
const protocol = fc.constantFrom('tcp', 'udp');

const group = fc
  .record({
    side: fc.constantFrom('public', 'private', 'vip', 'control'),
    from: fc.constantFrom(null, 'gateways', 'partners'),
    feature: fc.constantFrom(null, 'console'),
    rows: fc.array(fc.record({ protocol, port: fc.constantFrom(...PORTS), purpose: text }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ side, from, feature, rows }) => ({
    interface: side,
    source: 'table',
    ...(from === null ? {} : { from }),
    ...(feature === null ? {} : { feature }),
    ports: rows.map((row) => ({ [row.protocol]: row.port, purpose: row.purpose.trim() })),
  }));

const SSH = { interface: 'public', source: 'table', ports: [{ tcp: 22, purpose: 'SSH' }] };

/** A matrix file; a third of them forget SSH. */
const matrixArbitrary = fc
  .record({
    ssh: fc.constantFrom(true, true, false),
    roles: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...ROLES),
        title: text,
        choices: fc.boolean(),
        groups: fc.array(group, { maxLength: 3 }),
      }),
      { selector: ({ name }) => name, maxLength: 4 },
    ),
  })
  .map(({ ssh, roles }) => ({
    matrix: 'adversary',
    title: 'A system',
    print: { document: 'none', edition: 'none' },
    features: { console: 'The console' },
    peers: { gateways: { description: 'Gateways', role: 'gateway' }, partners: { description: 'Partners' } },
    roles: {
      server: { title: 'Every host', every_host: true, rules: ssh ? [SSH] : [] },
      gateway: { title: 'Gateway', appliance: true, rules: [{ ...SSH, interface: 'control' }] },
      ...Object.fromEntries(
        roles.map((role) => [
          role.name,
          {
            title: role.title,
            ...(role.choices ? { interface_choices: ['public', 'private'] } : {}),
            rules: onceEach(role.groups),
          },
        ]),
      ),
    },
  }));

/** Rules of one role that overlap are an error: one for each side, protocol and sender is kept. */
function onceEach<G extends { readonly interface: string; readonly from?: string; readonly ports: readonly object[] }>(
  groups: readonly G[],
): G[] {
  const seen = new Set<string>();
  return groups.flatMap((given) => {
    const ports = given.ports.filter((row) => {
      const key = `${given.interface} ${given.from ?? 'any'} ${'tcp' in row ? 'tcp' : 'udp'}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
    return ports.length === 0 ? [] : [{ ...given, ports }];
  });
}

const extraRule = fc
  .record({
    name: fc.constantFrom('ssh-2222', 'a_B', 'A.b', 'constructor', 'x'.repeat(60)),
    interface: fc.constantFrom('public', 'private', 'control', 'vip'),
    protocol,
    port: fc.constantFrom(...PORTS),
    from: fc.option(sources),
    owner: text,
    reason: text,
    expires: fc.constantFrom('2026-02-28', '2026-03-01'),
  })
  .map(({ from, ...rule }) => ({ ...rule, ...(from === null ? {} : { from }) }));

/** The variables of the host that is planned. */
const variablesArbitrary = fc
  .record({
    homes: fc.array(fc.subarray(['public', 'private', 'control', 'vip']), { minLength: 3, maxLength: 3 }),
    byAddress: fc.boolean(),
    roles: fc.subarray(ROLES),
    features: fc.subarray(['console']),
    private: fc.constantFrom<PrivateMode>('trusted', 'peers', 'matrix'),
    target: fc.constantFrom<ZoneTarget | Partial<Record<InterfaceClass, ZoneTarget>>>(
      ...(['default', 'drop', { public: 'reject' }, { private: 'drop', vip: 'drop' }] as const),
    ),
    vips: fc.subarray(['192.0.2.80', '2001:db8::80']),
    cluster: fc.boolean(),
    roleInterfaces: fc.dictionary(fc.constantFrom(...ROLES), fc.constantFrom('public', 'private'), { maxKeys: 2 }),
    allowFrom: fc.dictionary(
      fc.constantFrom('server', 'server/22', 'server/public/tcp/22', 'web', 'constructor/tcp/80'),
      sources,
      { maxKeys: 2 },
    ),
    peers: fc.dictionary(fc.constantFrom('gateways', 'partners'), sources),
    management: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray([...MANAGERS])),
    extra: fc.uniqueArray(extraRule, { selector: ({ name }) => name, maxLength: 3 }),
  })
  .map((given) => {
    const interfaces: Record<string, string[]> = {};
    for (const [index, classes] of given.homes.entries()) {
      const name = given.byAddress ? INTERFACES[`eth${index}`]![0]!.split('/')[0]! : `eth${index}`;
      for (const side of classes) interfaces[side] = [...(interfaces[side] ?? []), name];
    }
    return {
      ansible_host: '192.0.2.10',
      portfw_interfaces: interfaces,
      portfw_roles: given.roles,
      portfw_features: given.features,
      portfw_private: given.private,
      portfw_zone_target: given.target,
      portfw_vips: given.vips,
      ...(given.cluster ? { portfw_cluster: 'pair' } : {}),
      portfw_role_interfaces: given.roleInterfaces,
      portfw_allow_from: given.allowFrom,
      portfw_peers: given.peers,
      portfw_management: given.management,
      portfw_extra_rules: given.extra,
    };
  });

export type Variables = typeof variablesArbitrary extends fc.Arbitrary<infer T> ? T : never;

const controllerArbitrary: fc.Arbitrary<ControllerPath | null> = fc.option(
  fc
    .record({
      clientAddress: fc.constantFrom(...CLIENTS),
      serverAddress: fc.constantFrom('192.0.2.10', '2001:db8::10', '198.51.100.10', '192.0.2.80', '192.0.2.99'),
      serverPort: fc.constantFrom(22, 22, 22, 2222),
    })
    .map((given) => ({ ...given, clientPort: 40_000 })),
  { freq: 8 },
);

/** Files of others, or with names like ours, that an administrator or an attacker on the host may have left. */
const FOREIGN_FILES: readonly (readonly [string, string])[] = [
  [
    'zones/public.xml',
    '<zone><interface name="eth0"/><service name="ssh"/><port port="1-1024" protocol="tcp"/></zone>',
  ],
  ['zones/inside.xml', '<zone target="ACCEPT"><interface name="eth1"/><source address="203.0.113.0/24"/></zone>'],
  ['zones/guests.xml', '<zone><source address="198.51.100.0/25"/><service name="ssh"/></zone>'],
  ['zones/constructor.xml', '<zone><interface name="eth2"/><service name="ssh"/><short>$(reboot)</short></zone>'],
  // The same entries as a set of ours may have.
  ['ipsets/partners.xml', '<ipset type="hash:net"><entry>192.0.2.0/24</entry><entry>198.51.100.4</entry></ipset>'],
  ['ipsets/portfw-peer-partners.xml', '<ipset type="hash:net"><entry>192.0.2.0/24</entry></ipset>'],
  ['ipsets/portfw-equal.xml', '<ipset type="hash:net"><entry>192.0.2.0/24</entry></ipset>'],
  ['zones/portfw-public.xml', '<zone target="ACCEPT"><masquerade/><source address="203.0.113.128/25"/></zone>'],
  ['zones/portfw-old.xml', '<zone><rule><source ipset="portfw-equal"/><accept/></rule><service name="http"/></zone>'],
  [
    'services/portfw-server-public.xml',
    '<service><port port="1-65535" protocol="udp"/><include service="ssh"/></service>',
  ],
];

const hostArbitrary = fc
  .subarray([...FOREIGN_FILES], { maxLength: 6 })
  .map((files) =>
    Object.assign(() => new Firewalld(files), { [fc.toStringMethod]: () => files.map(([name]) => name).join() }),
  );

/** One world. `before` was in force when an apply was broken off after `brokenOffAfter` calls; `null`: nothing was applied. */
export interface World {
  readonly matrix: object;
  readonly variables: Variables;
  readonly before: Variables | null;
  readonly brokenOffAfter: number | null;
  readonly host: () => Firewalld;
  readonly mishaps: readonly Mishap[];
  readonly controller: ControllerPath | null;
}

export const worldArbitrary: fc.Arbitrary<World> = fc.record({
  matrix: matrixArbitrary,
  variables: variablesArbitrary,
  before: fc.option(variablesArbitrary),
  brokenOffAfter: fc.option(fc.nat(12)),
  host: hostArbitrary,
  mishaps: fc.array(mishapArbitrary, { maxLength: 3 }),
  controller: controllerArbitrary,
});

/** Everything that {@link decide} takes, read by the real readers. */
export interface Prepared {
  readonly matrix: Matrix;
  readonly inventory: Inventory;
  readonly settings: ReadonlyMap<string, HostSettings>;
}

/** Reads a world's files. Throws what the readers throw. */
export function prepare(matrix: object, variables: Variables): Prepared {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-adversary-'));
  try {
    writeFileSync(path.join(folder, 'matrix.yaml'), stringify(matrix));
    const read = readInventory({
      all: {
        hosts: {
          [HOST]: variables,
          'db1.example.net': { ansible_host: '198.51.100.4' },
          // Found in every object, unless one looks carefully.
          constructor: { ansible_host: '198.51.100.21' },
          gw1: { portfw_managed: false, portfw_roles: ['gateway'], ansible_host: '203.0.113.5' },
        },
        children: {
          pair: { hosts: { [HOST]: null, 'db1.example.net': null } },
          hasOwnProperty: { hosts: { gw1: null } },
        },
      },
    });
    return { matrix: loadMatrix(path.join(folder, 'matrix.yaml')), ...read };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the probe prints on a host with this firewalld. */
export function probeOf(
  host: Firewalld,
  way: ControllerPath | null,
  replaced: Parameters<typeof probeText>[0] = {},
): string {
  const links = Object.entries(INTERFACES).flatMap(([name, addresses], index) => [
    `${index + 1}: ${name}: <${name === 'lo' ? 'LOOPBACK,UP' : 'UP'}>`,
    ...addresses.map((text) => `    inet${text.includes(':') ? '6' : ''} ${text} scope global ${name}`),
  ]);
  return probeText({
    interfaces: links,
    ...(way === null ? {} : { ssh: [`${way.clientAddress} ${way.clientPort} ${way.serverAddress} ${way.serverPort}`] }),
    'firewalld-version': ['installed', "'1.3.3'"],
    firewalld: [JSON.stringify(host.facts())],
    ...replaced,
  });
}

/** What a host that answers well says of itself. */
function factsOf(host: Firewalld, way: ControllerPath | null): HostFacts {
  const parsed = parseFacts(probeOf(host, way));
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}`);
  return parsed.facts;
}

/** What the pure stages make of a host. */
export function decideOn(
  { matrix, inventory, settings }: Prepared,
  host: Firewalld,
  way: ControllerPath | null,
  facts: HostFacts = factsOf(host, way),
): Decision {
  const play: Play = {
    name: 'p',
    hosts: 'all',
    matrix,
    private: null,
    features: [],
    serial: [],
    maxFailPercentage: null,
    onFailure: 'keep-good',
    probes: [],
    location: { file: 'p', line: 1, column: 1, secret: null },
  };
  const job = { host: HOST, settings: settings.get(HOST)! } as HostJob;
  return decidedFromFacts(job, play, facts, { inventory, settings, today: '2026-03-01' });
}

/** How an address of `portfw_management` comes in: by the interface whose network it is in, to the port that we came to. */
export function wayOf(manager: string, controller: ControllerPath): { way: ControllerPath; device: string } {
  const device = `eth${MANAGERS.indexOf(manager)}`;
  const serverAddress = INTERFACES[device]![0]!.split('/')[0]!;
  return { way: { ...controller, clientAddress: manager, serverAddress }, device };
}

/** The interface that an address of the host is on. */
export function interfaceWith(address: string): string | undefined {
  return Object.entries(INTERFACES).find(([, own]) => own.some((text) => text.split('/')[0] === address))?.[0];
}
