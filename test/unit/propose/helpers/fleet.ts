import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Inventory, readInventoryFiles } from '../../../../src/ansible/inventory.ts';
import { type LookText, lookText } from '../../../../src/cli/init-look-text.ts';
import type { HostFacts, InterfaceFacts } from '../../../../src/facts/facts.ts';
import { parseFacts } from '../../../../src/facts/parse-facts.ts';
import { assignPlays } from '../../../../src/matrix/assign.ts';
import { shippedNames } from '../../../../src/matrix/shipped.ts';
import type { Proposal } from '../../../../src/propose/proposals.ts';
import { propose } from '../../../../src/propose/propose.ts';
import { leftOut } from '../../../../src/settings/left-out.ts';
import { readSettings } from '../../../../src/settings/read-settings.ts';

const FACTS = path.join(import.meta.dirname, '../../../fixtures/facts');

/** A host as a test wants it: a recording, and what differs from it. */
export interface FleetHost {
  /** A recording of `test/fixtures/facts`, or nothing that plays a role. */
  readonly recording?: string;
  /** Interface → addresses with their prefixes; `up` and hardware. */
  readonly interfaces: Readonly<Record<string, readonly string[]>>;
  /** Interface → its kind and parent. */
  readonly links?: Readonly<Record<string, { readonly kind: string; readonly parent?: string }>>;
  /** Interfaces with a default route. */
  readonly routes?: readonly string[];
  /** Where portfw comes in, and from. */
  readonly path?: readonly [client: string, server: string];
  /** Sources of SSH connections to the first address. */
  readonly ssh?: readonly string[];
  readonly processes?: readonly string[];
}

/** A fleet with its inventory. */
export interface Fleet {
  /** Lines of `hosts.ini`. */
  readonly ini: readonly string[];
  readonly hosts: Readonly<Record<string, FleetHost>>;
  readonly missed?: Readonly<Record<string, string>>;
}

/** What is proposed, and the file that comes of it. */
export interface Proposed {
  readonly proposals: readonly Proposal[];
  readonly file: LookText;
  /** The inventory as it is with the file, as our own reader has it. */
  readonly inventory: Inventory;
  /** The fleet's facts, by host. */
  readonly facts: ReadonlyMap<string, HostFacts>;
}

/** Proposes for a fleet, writes the file, and reads it back with the inventory. */
export function proposeFor(fleet: Fleet): Proposed {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-propose-'));
  try {
    const hostsFile = path.join(folder, 'hosts.ini');
    writeFileSync(hostsFile, `${fleet.ini.join('\n')}\n`);
    const inventory = readInventoryFiles(hostsFile);
    const { settings } = readSettings(inventory);
    const facts = new Map(Object.entries(fleet.hosts).map(([name, host]) => [name, factsOf(host)] as const));
    const groups = [...inventory.groups].filter(([name]) => name !== 'all' && name !== 'ungrouped');
    const proposals = propose({
      hosts: [...facts].map(([name, own]) => ({
        name,
        settings: settings.get(name)!,
        facts: own,
        throughOther: false,
      })),
      missed: Object.entries(fleet.missed ?? {}).map(([name, why]) => ({ name, settings: settings.get(name)!, why })),
      groups: new Map(groups.map(([name, { allHosts }]) => [name, allHosts])),
      leftOut: leftOut(settings.values()),
      playbooks: shippedNames('playbook').map((name) => {
        const { plays } = assignPlays(inventory, settings, name);
        return { name, playOf: (host: string) => plays.get(host) ?? null };
      }),
    });
    const file = lookText(
      proposals,
      { user: null, become: null },
      {
        file: 'portfw.yaml',
        from: ['hosts.ini'],
        schema: 'inventory.schema.json',
        playbooks: shippedNames('playbook'),
        addresses: [],
        leftOut: [],
      },
    );
    const added = path.join(folder, 'portfw.yaml');
    writeFileSync(added, file.text);
    return { proposals, file, inventory: readInventoryFiles([hostsFile, added]), facts };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const recordings = new Map<string, HostFacts>();

function recorded(name: string): HostFacts {
  const known = recordings.get(name);
  if (known !== undefined) return known;
  const parsed = parseFacts(readFileSync(path.join(FACTS, `${name}.txt`), 'utf8'));
  if (parsed.kind !== 'facts') throw new Error(parsed.why);
  recordings.set(name, parsed.facts);
  return parsed.facts;
}

function factsOf(host: FleetHost): HostFacts {
  const base = recorded(host.recording ?? 'busybox-without-ss');
  const interfaces = Object.entries(host.interfaces).map(([name, addresses]): InterfaceFacts => {
    const link = host.links?.[name];
    return {
      name,
      up: true,
      loopback: name === 'lo',
      ...(link === undefined ? {} : { kind: link.kind }),
      ...(link?.parent === undefined ? {} : { parent: link.parent }),
      addresses: addresses.map((text) => {
        const [address = '', prefix = ''] = text.split('/');
        return { address, prefix: Number(prefix), family: address.includes(':') ? 'ipv6' : 'ipv4' };
      }),
    };
  });
  const first = interfaces.flatMap(({ addresses }) => addresses)[0]?.address ?? '';
  const [clientAddress = '', serverAddress = ''] = host.path ?? [];
  const ssh = (host.ssh ?? []).map((opener) => ({
    protocol: 'tcp' as const,
    opener,
    address: first,
    port: 22,
    count: 1,
    forwardedTo: null,
    disguisedAs: null,
  }));
  return {
    ...base,
    interfaces,
    carriers: [],
    units: host.recording === undefined ? [] : base.units,
    sockets: host.recording === undefined ? [] : base.sockets,
    packages: host.recording === undefined ? [] : base.packages,
    defaultRoutes: (host.routes ?? []).map((name) => ({ family: 'ipv4', interface: name, table: 'main' })),
    controllerPath:
      host.path === undefined ? null : { clientAddress, clientPort: 50000, serverAddress, serverPort: 22 },
    flows: { source: 'conntrack', kinds: ssh, omitted: 0, cut: false, untracked: [] },
    processes: [...(host.recording === undefined ? [] : base.processes), ...(host.processes ?? [])],
    remembered: null,
  };
}
