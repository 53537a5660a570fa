import type { ControllerPath, InterfaceFacts, PermanentFile } from '../../../../src/facts/facts.ts';
import type { FilterFacts } from '../../../../src/firewalld/filter/facts.ts';
import { type IpsetConfig, readIpsetXml } from '../../../../src/firewalld/kinds/ipset.ts';
import { emptyLayer, type FirewalldConfig } from '../../../../src/firewalld/kinds/kinds.ts';
import { readServiceXml } from '../../../../src/firewalld/kinds/service.ts';
import { readZoneXml, type ZoneConfig } from '../../../../src/firewalld/kinds/zone.ts';
import { isOurs } from '../../../../src/firewalld/model.ts';
import { observedFirewalld } from '../../../../src/firewalld/observed.ts';
import { stockFirewalld } from '../../../../src/firewalld/offline.ts';
import { filtersOf } from '../../../../src/plan/before-and-after.ts';
import { lockout } from '../../../../src/plan/lockout/lockout.ts';
import type { LockoutVerdict } from '../../../../src/plan/lockout/lockout-types.ts';
import type { ManagementSource } from '../../../../src/plan/lockout/management-ways.ts';
import type { WayFacts } from '../../../../src/plan/lockout/proof-ways.ts';
import { waysOf } from '../../../../src/plan/lockout/ways.ts';
import { NOTHING_RUNS } from './nothing.ts';

export const INTERFACES: readonly InterfaceFacts[] = [
  { name: 'lo', up: true, loopback: true, addresses: [{ address: '127.0.0.1', prefix: 8, family: 'ipv4' }] },
  {
    name: 'eth0',
    up: true,
    loopback: false,
    addresses: [
      { address: '192.0.2.10', prefix: 24, family: 'ipv4' },
      { address: '2001:db8::10', prefix: 64, family: 'ipv6' },
    ],
  },
  { name: 'eth1', up: true, loopback: false, addresses: [{ address: '198.51.100.10', prefix: 24, family: 'ipv4' }] },
];

const SERVICES: Readonly<Record<string, string>> = {
  ssh: '<service><port port="22" protocol="tcp"/></service>',
  admin: '<service><include service="ssh"/><port port="9090" protocol="tcp"/></service>',
  'admin-here': '<service><port port="22" protocol="tcp"/><destination ipv4="192.0.2.10"/></service>',
  'admin-elsewhere': '<service><port port="22" protocol="tcp"/><destination ipv4="192.0.2.99"/></service>',
};

const IPSETS: Readonly<Record<string, string>> = {
  admins: '<ipset type="hash:net"><entry>203.0.113.0/24</entry></ipset>',
  banned: '<ipset type="hash:ip"><entry>203.0.113.66</entry></ipset>',
  macs: '<ipset type="hash:mac"><entry>00:00:5E:00:53:01</entry></ipset>',
  fading: '<ipset type="hash:ip"><option name="timeout" value="600"/></ipset>',
  six: '<ipset type="hash:net"><option name="family" value="inet6"/><entry>2001:db8:9::/48</entry></ipset>',
};

function read<T>(texts: Readonly<Record<string, string>>, reader: (name: string, text: string) => T): Map<string, T> {
  return new Map(Object.entries(texts).map(([name, text]) => [name, reader(name, text)]));
}

/** The policies of a host in both layers, read as they come from it: out of its files, and as D-Bus has them. */
export function policiesOf(
  files: readonly PermanentFile[],
  policies: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): Readonly<Record<'permanent' | 'runtime', FirewalldConfig['policies']>> {
  const { permanent, runtime } = observedFirewalld({
    ...stockFirewalld(),
    files: files.filter(({ path }) => path.startsWith('policies/')),
    runtime: { ...NOTHING_RUNS, policies },
  });
  return { permanent: permanent.policies, runtime: runtime.policies };
}

/** A layer of a host with the services and ipsets above. */
export function layer(zones: Readonly<Record<string, string>>): FirewalldConfig {
  return {
    ...emptyLayer(),
    zones: read(zones, readZoneXml),
    services: read(SERVICES, readServiceXml),
    ipsets: read(IPSETS, readIpsetXml),
  };
}

export interface Case {
  /** Client, server and port of the session; `null` for a local connection. */
  readonly path?: readonly [string, string, number] | null;
  /** Zone → its XML, as it is to be. */
  readonly desired?: Readonly<Record<string, string>>;
  readonly runtime?: Readonly<Record<string, string>>;
  /** The files of others; as runtime when left out. */
  readonly permanent?: Readonly<Record<string, string>>;
  readonly reload?: boolean;
  readonly changes?: boolean;
  /** The plan starts firewalld. */
  readonly starts?: boolean;
  readonly version?: string;
  readonly drifting?: boolean;
  readonly defaultZone?: string;
  /** Policies in force, as D-Bus has them. */
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Further files below /etc/firewalld. */
  readonly files?: Readonly<Record<string, string>>;
  readonly direct?: readonly string[];
  readonly management?: readonly ManagementSource[];
  /** Port → address that sshd listens on. */
  readonly sshd?: Readonly<Record<number, string>>;
  /** Interface → the zone that NetworkManager's connection names. */
  readonly networkManager?: Readonly<Record<string, string>>;
  readonly interfaces?: readonly InterfaceFacts[];
  /** Entries of an ipset `portfw-many`. */
  readonly many?: readonly string[];
}

export const PUBLIC_OPEN = { public: '<zone><service name="ssh"/></zone>' };

/** Sources of `portfw_management` that are written out. */
export function from(...addresses: readonly string[]): ManagementSource[] {
  return addresses.map((given) => ({ given, addresses: [given] }));
}

/** A layer once our part of it is as it is to be. */
export function withOurs(
  held: FirewalldConfig,
  zones: readonly ZoneConfig[],
  ipsets: readonly IpsetConfig[],
): FirewalldConfig {
  const of = <T extends { readonly name: string }>(items: ReadonlyMap<string, T>, ours: readonly T[]) =>
    new Map([...[...items].filter(([name]) => !isOurs(name)), ...ours.map((item): [string, T] => [item.name, item])]);
  return { ...held, zones: of(held.zones, zones), ipsets: of(held.ipsets, ipsets) };
}

/** What the proof says of a case. */
export function verdict(given: Case): LockoutVerdict {
  const [clientAddress, serverAddress, serverPort] = given.path ?? ['203.0.113.7', '192.0.2.10', 22];
  const path: ControllerPath = { clientAddress, clientPort: 40000, serverAddress, serverPort };
  const zones = [...layer(given.desired ?? {}).zones].map(([name, config]): ZoneConfig => {
    return { ...config, short: `portfw ${name.replace('portfw-', '')}` };
  });
  const ipsets = [
    readIpsetXml('portfw-site', IPSETS['admins']!),
    { ...readIpsetXml('portfw-many', IPSETS['admins']!), entries: given.many ?? [] },
  ];
  const files = Object.entries(given.files ?? {}).map(([name, text]) => ({
    path: name,
    text,
    mode: '0644',
    owner: '0:0',
    sha256: 'a',
  }));
  const read = policiesOf(files, given.policies ?? {});
  const runtime = { ...layer(given.runtime ?? PUBLIC_OPEN), policies: read.runtime };
  const permanent = {
    ...layer(given.permanent ?? given.runtime ?? PUBLIC_OPEN),
    policies: read.permanent,
  };
  const facts: WayFacts = {
    controllerPath: given.path === null ? null : path,
    interfaces: given.interfaces ?? INTERFACES,
    sockets: Object.entries(given.sshd ?? {}).map(([port, address]) => ({
      protocol: 'tcp',
      address,
      port: Number(port),
      processes: ['sshd'],
    })),
  };
  const { ways, doubts } = waysOf(facts, given.management ?? [], null);
  const firewalld: FilterFacts = {
    version: given.version ?? '1.3.3',
    defaultZone: given.defaultZone ?? 'public',
    zoneDrifting: given.drifting ?? false,
    files,
    networkManager: Object.entries(given.networkManager ?? {}).map(([name, zone]) => ({
      uuid: name,
      connection: name,
      zone,
      interfaces: [name],
      unsaved: false,
    })),
    runtime: { direct: given.direct ?? [] },
  };
  const outcome = { runtime: withOurs(runtime, zones, ipsets), permanent: withOurs(permanent, zones, ipsets) };
  const observed = { runtime, permanent, zoneFiles: new Set<string>(), zoneFolders: new Map(), broken: [] };
  const proof = lockout({
    facts,
    firewalld,
    filters: filtersOf({ firewalld, observed, outcome, kernels: null }),
    outcome,
    reload: given.reload ?? false,
    changes: given.changes ?? true,
    starts: given.starts ?? false,
    ways,
    trials: { ways: [], samples: [] },
    rehearsal: null,
    kernels: null,
  });
  const unknown = doubts.map((text) => ({ severity: 'warning', code: 'management-unknown', text }) as const);
  return { ...proof, notes: [...unknown, ...proof.notes] };
}
