import { addressSpace } from '../core/address-space.ts';
import { contains, parseAddress, parseNetwork } from '../core/addresses.ts';
import { counted } from '../core/lists.ts';
import { isLoopback } from '../facts/addresses.ts';
import { sshPorts } from '../plan/lockout/proof-ways.ts';
import { PORTFW_SCHEMAS } from '../settings/schema.ts';
import { isSet, line, type Proposal, type Seen, type SeenHost, sorted } from './proposals.ts';

/** More sources are named in the comment only: a list that nobody reads protects nobody. */
const MOST = 32;

/** A source of SSH connections. */
interface Source {
  readonly address: string;
  readonly hosts: ReadonlySet<string>;
  /** portfw's own connection comes from it. */
  readonly own: boolean;
}

/**
 * From where the administrators are logged in: portfw's own address, and the sources of established SSH connections inside
 * the site. A connection from elsewhere is no login yet, as a guess of passwords looks the same: those are named, and
 * somebody who knows them adds them.
 *
 * @param inside the networks that are private
 */
export function proposeManagement(seen: Seen, inside: readonly string[]): readonly Proposal[] {
  const hosts = seen.hosts.filter((host) => !isSet(host, 'portfw_management'));
  const sources = sourcesOf(hosts);
  const fleet = new Set(seen.hosts.flatMap((host) => addressesOf(host)));
  const networks = inside.flatMap((text) => parseNetwork(text) ?? []);
  const isInside = (address: string): boolean => {
    const parsed = parseAddress(address);
    return parsed !== null && (addressSpace(parsed) === 'private' || networks.some((one) => contains(one, parsed)));
  };
  const own = sources.filter((source) => source.own);
  const others = sources.filter((source) => !source.own && !fleet.has(source.address));
  const near = others.filter(({ address }) => isInside(address)).slice(0, MOST);
  const unknown = others.filter((source) => !near.includes(source));
  const chosen = [...own, ...near].filter(({ address }) => PORTFW_SCHEMAS.portfw_management.safeParse(address).success);
  if (chosen.length === 0) return [];
  const jumps = hosts.some((host) => host.throughOther);
  const evidence = [
    ...chosen.map(
      (source) =>
        `${source.address}: ${source.own ? (jumps ? 'portfw comes from here, by a jump host or a proxy' : 'portfw comes from here') : 'established SSH connections'}, seen on ${counted(source.hosts.size, 'host')}`,
    ),
    ...unknown
      .slice(0, MOST)
      .map(
        (source) =>
          `not in the list: ${source.address}, an established SSH connection, seen on ${counted(source.hosts.size, 'host')}`,
      ),
    ...(unknown.length > MOST ? [`and ${unknown.length - MOST} more addresses`] : []),
    ...hosts.filter(({ facts }) => facts.flows === null).map(({ name }) => `${name} did not report its connections`),
  ];
  const check =
    unknown.length === 0
      ? 'from where else do administrators log in? On the public side, SSH will be open only to this list'
      : `who of the other sources in the comment (${unknown.length}) is an administrator? On the public side, SSH will be open only to this list`;
  const setting = { variable: 'portfw_management', sources: sorted(chosen.map(({ address }) => address)) } as const;
  return [line({ kind: 'all' }, setting, evidence, check)];
}

/** Sources of SSH connections, those seen on most hosts first. */
function sourcesOf(hosts: readonly SeenHost[]): readonly Source[] {
  const seenOn = new Map<string, Set<string>>();
  const own = new Set(hosts.flatMap(({ facts }) => facts.controllerPath?.clientAddress ?? []));
  for (const host of hosts) {
    for (const address of sourcesAt(host)) seenOn.set(address, (seenOn.get(address) ?? new Set()).add(host.name));
  }
  return [...seenOn]
    .map(([address, on]): Source => ({ address, hosts: on, own: own.has(address) }))
    .sort((a, b) => b.hosts.size - a.hosts.size || (a.address < b.address ? -1 : 1));
}

function sourcesAt(host: SeenHost): readonly string[] {
  const { facts } = host;
  const ports = sshPorts(facts);
  const addresses = new Set(addressesOf(host));
  const flows = [...(facts.flows?.kinds ?? []), ...(facts.flows?.untracked ?? [])];
  const openers = flows
    .filter(
      ({ protocol, address, port, forwardedTo }) =>
        protocol === 'tcp' && ports.includes(port) && addresses.has(address) && forwardedTo === null,
    )
    .map(({ opener }) => opener)
    .filter((opener) => !isLoopback(opener) && !opener.startsWith('fe80:') && !addresses.has(opener));
  const client = facts.controllerPath?.clientAddress;
  return sorted([...openers, ...(client === undefined || isLoopback(client) ? [] : [client])]);
}

function addressesOf({ facts }: SeenHost): readonly string[] {
  return facts.interfaces.flatMap((item) => item.addresses.map(({ address }) => address));
}
