import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { type Inventory, readInventoryFiles } from '../../../../src/ansible/inventory.ts';
import type { DefaultRoute, HostFacts, InterfaceFacts, RunningFirewalld } from '../../../../src/facts/facts.ts';
import { formatPort } from '../../../../src/firewalld/normalise.ts';
import { loadMatrix } from '../../../../src/matrix/load-matrix.ts';
import type { Matrix } from '../../../../src/matrix/matrix.ts';
import type { PolicyOutcome } from '../../../../src/policy/build-desired.ts';
import type { Reason } from '../../../../src/policy/desired.ts';
import type { PolicyInput } from '../../../../src/policy/policy-input.ts';
import { hostPeers } from '../../../../src/settings/addresses-of-hosts.ts';
import { readSettings } from '../../../../src/settings/read-settings.ts';
import type { HostSettings, PrivateMode } from '../../../../src/settings/settings-types.ts';

export const FIXTURES = path.join(import.meta.dirname, '../../../fixtures/policy');

/** What a case file holds. */
export interface PolicyCase {
  /** A shipped matrix, or a file of the fixtures; `matrix.yaml` when left out. */
  readonly matrix?: string;
  readonly roles: readonly string[];
  readonly features?: readonly string[];
  readonly private?: PrivateMode;
  readonly today?: string;
  readonly facts: {
    /** Interface → addresses with their prefixes. */
    readonly interfaces: Readonly<Record<string, readonly string[]>>;
    /** Interface → `KIND` or `KIND on PARENT`, where it is no hardware. */
    readonly links?: Readonly<Record<string, string>>;
    /** `FAMILY INTERFACE`, or `FAMILY INTERFACE TABLE` where the table is not the main one. */
    readonly defaultRoutes?: readonly string[];
    /** Interface → the zone of ours that has it already. */
    readonly bound?: Readonly<Record<string, string>>;
    /** `program version protocol port service`. */
    readonly rpc?: readonly string[];
    readonly helpers?: readonly string[];
    readonly ipsetsUsable?: boolean;
    /** The text of firewalld.conf. */
    readonly conf?: string;
  };
  readonly inventory: unknown;
}

export function readInventory(document: unknown): {
  inventory: Inventory;
  settings: ReadonlyMap<string, HostSettings>;
} {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-policy-'));
  try {
    const file = path.join(folder, 'inventory.yaml');
    writeFileSync(file, stringify(document));
    const inventory = readInventoryFiles(file);
    const { settings, problems } = readSettings(inventory);
    const errors = problems.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new Error(errors.map(({ what }) => what).join('\n'));
    return { inventory, settings };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function matrixOf(reference: string): Matrix {
  return loadMatrix(reference.endsWith('.yaml') ? path.join(FIXTURES, reference) : reference);
}

export function interfacesOf(
  given: PolicyCase['facts']['interfaces'],
  links: PolicyCase['facts']['links'] = {},
): InterfaceFacts[] {
  return Object.entries(given).map(([name, addresses]) => ({
    name,
    up: true,
    loopback: name === 'lo',
    ...linkOf(links[name]),
    addresses: addresses.map((text) => {
      const [address = '', prefix] = text.split('/');
      return { address, prefix: Number(prefix), family: address.includes(':') ? 'ipv6' : 'ipv4' };
    }),
  }));
}

function linkOf(text = ''): Pick<InterfaceFacts, 'kind' | 'parent'> {
  const [kind, , parent] = text.split(' ');
  return { ...(kind === undefined || kind === '' ? {} : { kind }), ...(parent === undefined ? {} : { parent }) };
}

/** Default routes, each as `ipv4 eth0` or `ipv6 eth1 100`. */
export function defaultRoutesOf(given: readonly string[]): DefaultRoute[] {
  return given.map((line) => {
    const [family, name = '', table = 'main'] = line.split(' ');
    return { family: family === 'ipv6' ? 'ipv6' : 'ipv4', interface: name, table };
  });
}

/** The input that the policy gets for the host `web1.example.net` of a case. */
export function inputOf(given: PolicyCase): PolicyInput {
  const { inventory, settings } = readInventory(given.inventory);
  const own = settings.get('web1.example.net')!;
  const facts: Pick<HostFacts, 'interfaces' | 'defaultRoutes' | 'rpc'> = {
    interfaces: interfacesOf(given.facts.interfaces, given.facts.links),
    defaultRoutes: defaultRoutesOf(given.facts.defaultRoutes ?? []),
    rpc: (given.facts.rpc ?? []).map((line) => {
      const [program, version, protocol, port, service = ''] = line.split(' ');
      return {
        program: Number(program),
        version: Number(version),
        protocol: protocol === 'tcp' ? 'tcp' : 'udp',
        port: Number(port),
        service,
      };
    }),
  };
  const firewalld: Pick<RunningFirewalld, 'helpers' | 'ipsetsUsable' | 'files'> = {
    helpers: given.facts.helpers ?? ['ftp', 'tftp'],
    ipsetsUsable: given.facts.ipsetsUsable ?? true,
    files: [
      { path: 'firewalld.conf', text: given.facts.conf ?? '', mode: '0644', owner: '0:0', sha256: 'a'.repeat(64) },
    ],
  };
  return {
    matrix: matrixOf(given.matrix ?? 'matrix.yaml'),
    roles: given.roles,
    settings: own,
    facts: facts as HostFacts,
    firewalld: firewalld as RunningFirewalld,
    privateMode: own.private ?? given.private ?? 'trusted',
    features: new Set([...(given.features ?? []), ...own.features]),
    peers: hostPeers(own, inventory, settings),
    today: given.today ?? '2026-03-01',
    bound: new Map(Object.entries(given.facts.bound ?? {})),
  };
}

function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case 'rule':
      return `rule ${reason.rule}${reason.feature === null ? '' : ` (feature ${reason.feature})`}`;
    case 'extra-rule':
      return `extra rule ${reason.name} of ${reason.owner}: ${reason.text}${reason.expires === null ? '' : `, until ${reason.expires}`}`;
    case 'private-mode':
      return `private side: ${reason.mode}`;
    case 'site-ssh':
      return 'SSH from the site';
    case 'zone-target':
      return `portfw_zone_target: ${reason.target} (${reason.classes.join(' and ')})`;
    case 'needed-icmp':
      return 'needed ICMP';
    case 'cluster':
      return `cluster ${reason.group}`;
    case 'shared-address':
      return `shared address ${reason.address}`;
    case 'role-cluster':
      return `role cluster ${reason.cluster} of ${reason.site ?? 'the playbook'}: ${reason.description}`;
    case 'interface-class':
      return `${reason.classes.join(' and ')}: ${reason.given}`;
    case 'peers':
      return `${reason.set}: ${reason.from}`;
    default:
      throw new Error(`${reason.kind} is no reason for anything that is desired`);
  }
}

/** An outcome as a reader of a golden file wants it. */
export function shownOutcome(outcome: PolicyOutcome): string {
  const notes = outcome.notes.map(({ severity, code, text }) => `${severity} ${code}: ${text}`);
  if (outcome.kind === 'refused') {
    return stringify({ refused: outcome.refusals, notes }, { lineWidth: 0 });
  }
  const { zones, services, ipsets } = outcome.desired;
  const why = (items: readonly { readonly value: string; readonly reasons: readonly Reason[] }[]) =>
    Object.fromEntries(items.map(({ value, reasons }) => [value, reasons.map(reasonText)]));
  return stringify(
    {
      zones: Object.fromEntries(
        [...zones].map(([name, zone]) => [
          name,
          {
            target: zone.config.target,
            reasons: zone.reasons.map(reasonText),
            interfaces: why(zone.interfaces),
            services: why(zone.services),
            richRules: why(zone.richRules.map(({ value, reasons }) => ({ value: value.text, reasons }))),
          },
        ]),
      ),
      services: Object.fromEntries(
        [...services].map(([name, { value, reasons }]) => [
          name,
          {
            short: value.short,
            description: value.description,
            ports: value.ports.map(formatPort).join(' '),
            ...(value.helpers.length > 0 ? { helpers: value.helpers.join(' ') } : {}),
            reasons: reasons.map(reasonText),
          },
        ]),
      ),
      ipsets: Object.fromEntries(
        [...ipsets].map(([name, { value, reasons }]) => [
          name,
          { family: value.family, entries: value.entries, reasons: reasons.map(reasonText) },
        ]),
      ),
      notes,
    },
    { lineWidth: 0 },
  );
}
