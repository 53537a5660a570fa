import { type AddressRanges, addressRanges, intersect, oneAddress, subtract, unite } from '../core/address-ranges.ts';
import { type AddressFamily, addressFamily } from '../core/addresses.ts';
import type { ControllerPath, HostFacts, InterfaceFacts } from '../facts/facts.ts';
import { OF_ENGINES } from '../policy/interfaces.ts';
import type { Filter, Refusal } from './proof-dispatch.ts';
import { passage } from './proof-dispatch.ts';

/** What the proof reads of the facts. */
export type WayFacts = Pick<HostFacts, 'controllerPath' | 'interfaces'> & Partial<Pick<HostFacts, 'sockets'>>;

/** One entry of `portfw_management`, and the addresses that it stands for. */
export interface ManagementSource {
  readonly given: string;
  readonly addresses: readonly string[];
}

/** Sources that must reach sshd, and where: one of the places is enough. */
export interface Way {
  readonly kind: 'controller' | 'management';
  /** The entry of `portfw_management`; the client's address for our own way. */
  readonly given: string;
  readonly family: AddressFamily;
  readonly sources: AddressRanges;
  readonly places: readonly Place[];
  /** True where the host does not say by which interface they come: then every one is asked, and a no is no refusal. */
  readonly guessed: boolean;
}

export interface Place {
  readonly interface: string;
  readonly destination: string;
  readonly port: number;
}

/** Where OpenSSH listens when nobody says otherwise. */
const SSH_PORT = 22;

/** The interface with the address that sshd answered on; `undefined` when the host does not say. */
export function entrance(facts: Pick<WayFacts, 'controllerPath' | 'interfaces'>): InterfaceFacts | undefined {
  const { controllerPath, interfaces } = facts;
  if (controllerPath === null) return undefined;
  return interfaces.find((item) => item.addresses.some(({ address }) => address === controllerPath.serverAddress));
}

/** The controller's own way in; none over a local connection or the loopback. */
export function controllerWays(facts: WayFacts): Way[] {
  const path = facts.controllerPath;
  const family = path === null ? null : addressFamily(path.clientAddress);
  if (path === null || family === null) return [];
  const holder = entrance(facts);
  if (holder?.loopback === true) return [];
  const own = {
    kind: 'controller',
    given: path.clientAddress,
    family,
    sources: oneAddress(path.clientAddress, family),
  } as const;
  const place = (name: string): Place => ({
    interface: name,
    destination: path.serverAddress,
    port: path.serverPort,
  });
  if (holder !== undefined) return [{ ...own, places: [place(holder.name)], guessed: false }];
  return usable(facts.interfaces).map(({ name }) => ({ ...own, places: [place(name)], guessed: true }));
}

/** What of `portfw_management` can be asked about, and sentences on what cannot. */
export interface ManagementWays {
  readonly ways: readonly Way[];
  readonly doubts: readonly string[];
}

/**
 * By which interface each management address comes in: the one whose network it is in, and for all others the one that
 * the controller came by. Where that is not known (a local connection), any interface with an address of the family.
 */
export function managementWays(facts: WayFacts, management: readonly ManagementSource[]): ManagementWays {
  const ways: Way[] = [];
  const doubts: string[] = [];
  const interfaces = usable(facts.interfaces);
  const ports = sshPorts(facts);
  for (const { given, addresses } of management) {
    if (addresses.length === 0) doubts.push(`no address of ${given} is known`);
    for (const family of ['ipv4', 'ipv6'] as const) {
      // The host reaches itself over the loopback, which is never filtered.
      const all = addressRanges(addresses, family) ?? [];
      let left = subtract(all, ownAddresses(facts.interfaces, family));
      if (left.length === 0) continue;
      const way = (sources: AddressRanges, from: readonly InterfaceFacts[]): void => {
        const places = from.flatMap((item) =>
          destinations(item, family, facts.controllerPath).flatMap((destination) =>
            ports.map((port) => ({ interface: item.name, destination, port })),
          ),
        );
        ways.push({ kind: 'management', given, family, sources, places, guessed: false });
      };
      for (const { ranges, holders } of connected(interfaces, family)) {
        const near = intersect(left, ranges);
        if (near.length === 0) continue;
        for (const holder of holders) way(near, [holder]);
        left = subtract(left, ranges);
      }
      if (left.length === 0) continue;
      const speaking = interfaces.filter((item) => destinations(item, family, facts.controllerPath).length > 0);
      const main = speaking.filter((item) => item.name === entrance(facts)?.name);
      if (speaking.length > 0) way(left, main.length > 0 ? main : speaking);
      else
        doubts.push(
          `${given} cannot come in over ${family === 'ipv4' ? 'IPv4' : 'IPv6'}: the host has no such address`,
        );
    }
  }
  return { ways, doubts };
}

/** sshd's port as we met it, else those that it listens on. */
export function sshPorts(facts: Pick<WayFacts, 'controllerPath' | 'sockets'>): number[] {
  if (facts.controllerPath !== null) return [facts.controllerPath.serverPort];
  const listening = (facts.sockets ?? []).filter(
    ({ protocol, address, processes }) =>
      protocol === 'tcp' && processes.includes('sshd') && !address.startsWith('127.') && address !== '::1',
  );
  const ports = [...new Set(listening.map(({ port }) => port))];
  return ports.length > 0 ? ports : [SSH_PORT];
}

function usable(interfaces: readonly InterfaceFacts[]): InterfaceFacts[] {
  return interfaces.filter((item) => item.up && !item.loopback && !OF_ENGINES.test(item.name));
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address) || address.startsWith('169.254.');
}

function ownAddresses(interfaces: readonly InterfaceFacts[], family: AddressFamily): AddressRanges {
  return (
    addressRanges(
      interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
      family,
    ) ?? []
  );
}

/** Addresses of an interface that one can log in to: the one that we came to if it is among them. */
function destinations(item: InterfaceFacts, family: AddressFamily, path: ControllerPath | null): string[] {
  const own = item.addresses
    .filter((one) => one.family === family && !isLinkLocal(one.address))
    .map(({ address }) => address);
  return path !== null && own.includes(path.serverAddress) ? [path.serverAddress] : own;
}

interface Connected {
  readonly ranges: AddressRanges;
  readonly holders: readonly InterfaceFacts[];
}

/** The networks that the host is on, the narrower ones first, as the routing of the answers prefers them. */
function connected(interfaces: readonly InterfaceFacts[], family: AddressFamily): Connected[] {
  const found = new Map<string, { ranges: AddressRanges; prefix: number; holders: Set<InterfaceFacts> }>();
  const full = family === 'ipv4' ? 32 : 128;
  for (const item of interfaces) {
    for (const { address, prefix, family: own } of item.addresses) {
      if (own !== family || prefix === full || prefix === 0 || isLinkLocal(address)) continue;
      const ranges = addressRanges([`${address}/${prefix}`], family) ?? [];
      const key = `${ranges[0]?.first}/${prefix}`;
      const held = found.get(key) ?? { ranges, prefix, holders: new Set() };
      held.holders.add(item);
      found.set(key, held);
    }
  }
  return [...found.values()]
    .sort((a, b) => b.prefix - a.prefix)
    .map(({ ranges, holders }) => ({ ranges, holders: [...holders] }));
}

/** Which of a way's sources get in at none of its places, and what the first place says against them. */
export function shutOut(
  way: Way,
  filter: Filter,
  worst: boolean,
): { readonly missing: AddressRanges; readonly refusals: readonly (Refusal & { readonly place: Place })[] } {
  let accepted: AddressRanges = [];
  const refusals: (Refusal & { readonly place: Place })[] = [];
  for (const place of way.places) {
    const result = passage(filter, { ...place, family: way.family, sources: way.sources }, worst);
    accepted = unite(accepted, result.accepted);
    for (const refusal of result.refused) refusals.push({ ...refusal, place });
  }
  let left = subtract(way.sources, accepted);
  const missing = left;
  const said = refusals.flatMap((refusal) => {
    const ranges = intersect(left, refusal.ranges);
    left = subtract(left, ranges);
    return ranges.length === 0 ? [] : [{ ...refusal, ranges }];
  });
  return { missing, refusals: said };
}
