import type { Inventory } from '../ansible/inventory.ts';
import { aggregate, normaliseAddress, parseSource } from '../core/addresses.ts';
import { listed } from '../core/lists.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { type ClusterBond, playsIn, type RoleCluster, siteMembers, virtualAddresses } from './clusters.ts';
import { type HostSettings, INTERFACE_CLASSES } from './settings-types.ts';

/** Further addresses of a host that the inventory does not know, such as those that its facts give. */
export type AddressLookup = (host: string) => readonly string[];

const NO_LOOKUP: AddressLookup = () => [];

/** Addresses of sources, and the hosts among them of which none is known. */
export interface ResolvedSources {
  /** Aggregated, IPv4 first. */
  readonly addresses: readonly string[];
  /** Hosts without a known address: nothing opens towards them. */
  readonly unknown: readonly string[];
}

/**
 * The addresses that a host's peers see: `ansible_host` (or the inventory name) when it is an address, `portfw_addresses`,
 * addresses in `portfw_interfaces`, the virtual addresses that may float to it, and what `lookup` adds. Normalised, each
 * once.
 */
export function hostAddresses(settings: HostSettings, lookup: AddressLookup = NO_LOOKUP): string[] {
  const given = [
    settings.connection.address,
    ...INTERFACE_CLASSES.flatMap((interfaceClass) => settings.addresses[interfaceClass] ?? []),
    // Names and networks in there are no addresses, and fall out below.
    ...INTERFACE_CLASSES.flatMap((interfaceClass) => settings.interfaces[interfaceClass]),
    ...settings.vips,
    ...lookup(settings.name),
  ];
  return [...new Set(given.map(normaliseAddress).filter((address) => address !== null))];
}

/**
 * Resolves group and host names, addresses and networks to addresses.
 *
 * @param settings of every host; a host that is absent (its settings are wrong) has no known address
 */
export function resolveSources(
  sources: Iterable<string>,
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  lookup: AddressLookup = NO_LOOKUP,
): ResolvedSources {
  const addresses: string[] = [];
  const hosts = new Set<string>();
  for (const source of sources) {
    if (typeof parseSource(source) !== 'string') {
      // A host may be named by its address; then all of its addresses are meant.
      if (!inventory.hosts.has(source)) addresses.push(source);
      else hosts.add(source);
      continue;
    }
    const members = inventory.groups.get(source)?.allHosts ?? (inventory.hosts.has(source) ? [source] : []);
    for (const host of members) hosts.add(host);
  }
  return resolveHosts(hosts, addresses, settings, lookup);
}

/** The name that means everybody in `portfw_allow_from` and in an extra rule's `from`. */
export const ANYONE = 'any';

/** Whether a list of sources says that anyone may connect. */
export function meansAnyone(sources: readonly string[]): boolean {
  return sources.includes(ANYONE);
}

function resolveHosts(
  hosts: Iterable<string>,
  further: readonly string[],
  settings: ReadonlyMap<string, HostSettings>,
  lookup: AddressLookup,
): ResolvedSources {
  const addresses = [...further];
  const unknown: string[] = [];
  for (const host of hosts) {
    const its = settings.get(host);
    const found = its === undefined ? [] : hostAddresses(its, lookup);
    if (found.length === 0) unknown.push(host);
    addresses.push(...found);
  }
  const { ipv4, ipv6 } = aggregate(addresses);
  return { addresses: [...ipv4, ...ipv6], unknown };
}

/** A named set of peers as a matrix has it. */
export interface PeerQuery {
  readonly name: string;
  /** Roles whose hosts are meant where the inventory says nothing else. */
  readonly roles: readonly string[];
  /** Whether only hosts of the host's own site are meant; without roles, all of its servers. */
  readonly site: boolean;
}

/** The other members of a cluster that a host is in. */
export interface ClusterPeers {
  readonly bond: ClusterBond;
  /** Empty when no address of any of them is known. */
  readonly addresses: readonly string[];
}

/** What decides in which clusters of roles a host is. */
export interface OwnRoles {
  /** The roles that it plays, declared or found. */
  readonly roles: readonly string[];
  /** The features that the play or the inventory turns on. */
  readonly features: ReadonlySet<string>;
  /** Those of its matrix. */
  readonly clusters: Iterable<RoleCluster>;
}

/** What one host sees of the other machines of the inventory. */
export interface HostPeers {
  /** Addresses of a peer set: as `portfw_peers` says, else the hosts that declare one of its roles, or the site's servers. */
  peerSet(set: PeerQuery): { readonly addresses: readonly string[]; readonly from: string };
  /** Addresses of groups, hosts, addresses and networks. */
  addressesOf(names: readonly string[]): readonly string[];
  /** Addresses of the other managed servers of the host's site. */
  site(): { readonly addresses: readonly string[]; readonly from: string };
  /**
   * The clusters of the host whose members are never filtered from each other: that of `portfw_cluster`, the hosts that
   * share a virtual address with it, and those of its site whose roles form a cluster. Of other hosts the declared
   * roles count, as for peer sets. A virtual address or roles that no other host shares are no cluster.
   */
  clusters(own: OwnRoles): readonly ClusterPeers[];
}

/** Looks at the inventory through the eyes of one host; it is never its own peer. */
export function hostPeers(
  host: HostSettings,
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  lookup: AddressLookup = NO_LOOKUP,
): HostPeers {
  return new PeersOfHost(host, inventory, settings, lookup);
}

class PeersOfHost implements HostPeers {
  readonly #host: HostSettings;
  readonly #others: readonly HostSettings[];
  readonly #inventory: Inventory;
  readonly #settings: ReadonlyMap<string, HostSettings>;
  readonly #lookup: AddressLookup;

  constructor(
    host: HostSettings,
    inventory: Inventory,
    settings: ReadonlyMap<string, HostSettings>,
    lookup: AddressLookup,
  ) {
    this.#host = host;
    this.#others = [...settings.values()].filter((other) => other.name !== host.name);
    this.#inventory = inventory;
    this.#settings = settings;
    this.#lookup = lookup;
  }

  peerSet({ name, roles, site }: PeerQuery): { readonly addresses: readonly string[]; readonly from: string } {
    const given = this.#host.peers[name];
    if (given !== undefined)
      return { addresses: this.addressesOf(given), from: `portfw_peers.${name}: ${listed(given)}` };
    if (roles.length === 0 && !site) return { addresses: [], from: `nothing: portfw_peers.${name} is not set` };
    const among = site ? this.#siteHosts() : { hosts: this.#others, from: null };
    const playing = (other: HostSettings): boolean => roles.some((role) => other.roles?.includes(role) === true);
    const hosts = roles.length === 0 ? among.hosts : among.hosts.filter(playing);
    return { addresses: this.#addressesOfHosts(hosts), from: peersFrom(roles, among.from) };
  }

  addressesOf(names: readonly string[]): readonly string[] {
    return resolveSources(names, this.#inventory, this.#settings, this.#lookup).addresses;
  }

  site(): { readonly addresses: readonly string[]; readonly from: string } {
    const { hosts, from } = this.#siteHosts();
    return { addresses: this.#addressesOfHosts(hosts), from };
  }

  clusters(own: OwnRoles): readonly ClusterPeers[] {
    const { cluster, site, features } = this.#host;
    const found: ClusterPeers[] = [];
    const add = (bond: ClusterBond, members: readonly HostSettings[]): void => {
      if (members.length === 0 && bond.kind !== 'group') return;
      found.push({ bond, addresses: this.#addressesOfHosts(members) });
    };
    if (cluster !== null) add({ kind: 'group', group: cluster }, this.#membersOf(cluster));
    for (const address of virtualAddresses(this.#host)) {
      add(
        { kind: 'address', address },
        this.#others.filter((other) => virtualAddresses(other).includes(address)),
      );
    }
    for (const roles of own.clusters) {
      if (roles.filtered || !playsIn(roles, own.roles, own.features)) continue;
      // On without a word in the host's own settings: the play turns it on, for all of its hosts.
      const everywhere = roles.feature !== null && !features.includes(roles.feature);
      const isOfSite = siteMembers(this.#host, this.#inventory);
      const isMember = (other: HostSettings): boolean =>
        isOfSite(other) && playsIn(roles, other.roles ?? [], everywhere ? own.features : new Set(other.features));
      add({ kind: 'roles', cluster: roles.name, description: roles.description, site }, this.#others.filter(isMember));
    }
    return found;
  }

  #membersOf(group: string): readonly HostSettings[] {
    const members = new Set(this.#inventory.groups.get(group)?.allHosts ?? []);
    return this.#others.filter((other) => members.has(other.name));
  }

  #siteHosts(): { readonly hosts: readonly HostSettings[]; readonly from: string } {
    const { site, playbook } = this.#host;
    const hosts = this.#others.filter(siteMembers(this.#host, this.#inventory));
    if (site !== null) return { hosts, from: `the group ${site}` };
    return { hosts, from: playbook === null ? 'the managed hosts' : 'the managed hosts under the same playbook' };
  }

  #addressesOfHosts(hosts: readonly HostSettings[]): readonly string[] {
    const names = hosts.map(({ name }) => name);
    return resolveHosts(names, [], this.#settings, this.#lookup).addresses;
  }
}

/** Who a peer set is by default, in words. */
function peersFrom(roles: readonly string[], site: string | null): string {
  if (roles.length === 0) return site ?? '';
  const playing = `with the role ${roles.join(' or ')}`;
  return site === null ? `the hosts ${playing}` : `${site}, ${playing}`;
}

/**
 * Warns of hosts that a list of peers names and of which no address is known: nothing will open towards them.
 */
export function peerWarnings(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  lookup: AddressLookup = NO_LOOKUP,
): Problem[] {
  const warnings = new Map<string, Problem>();
  // What a group says for a thousand hosts is looked up once.
  const resolved = new Map<string, readonly string[]>();
  const unknownOf = (names: readonly string[]): readonly string[] => {
    const key = names.join('\n');
    const unknown = resolved.get(key) ?? resolveSources(names, inventory, settings, lookup).unknown;
    resolved.set(key, unknown);
    return unknown;
  };
  for (const host of settings.values()) {
    const lists: [readonly (string | number)[], readonly string[]][] = [
      ...Object.entries(host.peers).map(([set, names]): [string[], readonly string[]] => [
        ['portfw_peers', set],
        names,
      ]),
      ...Object.entries(host.allowFrom).map(([selector, names]): [string[], readonly string[]] => [
        ['portfw_allow_from', selector],
        names,
      ]),
      ...host.extraRules.map((rule, index): [(string | number)[], readonly string[]] => [
        ['portfw_extra_rules', index, 'from'],
        rule.from ?? [],
      ]),
      [['portfw_management'], host.management],
      ...(host.cluster === null ? [] : [[['portfw_cluster'], [host.cluster]] as [string[], readonly string[]]]),
    ];
    for (const [path, names] of lists) {
      for (const unknown of unknownOf(names)) {
        if (unknown === host.name) continue;
        const location = host.locate(path);
        warnings.set(
          `${location?.file}:${location?.line}:${location?.column}:${unknown}`,
          new Problem({
            severity: 'warning',
            code: 'unknown-address',
            what: `no address of the host ${shown(unknown)} is known, so nothing opens towards it`,
            solve: 'Set portfw_addresses for it, or write its address as ansible_host',
            location,
          }),
        );
      }
    }
  }
  return [...warnings.values()];
}
