import { type AddressRanges, intersect, oneAddress, subtract, uniteAll } from '../../core/address-ranges.ts';
import { type AddressFamily, addressFamily } from '../../core/addresses.ts';
import type { Protocol } from '../../core/ports.ts';
import { isLoopback } from '../../facts/addresses.ts';
import type { HostFacts, InterfaceFacts } from '../../facts/facts.ts';
import { type Filter, letIn, passage, type Refusal } from '../../firewalld/filter/passage.ts';
import { OF_ENGINES } from '../../policy/interfaces.ts';
import { interfacesTowards, routesKnown } from '../routes.ts';

/** What the proof reads of the facts. */
export type WayFacts = Pick<HostFacts, 'controllerPath' | 'interfaces'> &
  Partial<Pick<HostFacts, 'sockets' | 'routeTable' | 'carriers' | 'flows'>>;

/** The remote end of portfw's TCP connection, as seen from here. */
export interface Dialled {
  readonly address: string;
  readonly port: number;
}

/** Sources that must get in, and where: one of the places is enough. */
export interface Way {
  /**
   * `controller`: portfw's own connection. `management`: an entry of `portfw_management`. `carrier`: what carries the tunnel
   * of this session. `lease`: the answers that renew an address.
   */
  readonly kind: 'controller' | 'management' | 'carrier' | 'lease';
  /** The entry of `portfw_management`, the controller's address, the tunnel, or the leased address. */
  readonly given: string;
  readonly family: AddressFamily;
  readonly sources: AddressRanges;
  readonly places: readonly Place[];
  /** True if the host does not say by which interface they come: then each is evaluated, and a failure is not a refusal. */
  readonly guessed: boolean;
  /** No SSH access depends on it: its loss is a warning, not a refusal. */
  readonly minor?: true;
}

export interface Place {
  readonly interface: string;
  readonly destination: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** `null` for any. */
  readonly sourcePort: number | null;
}

/** A place where sshd, or what leads to it, is reached. */
export function tcpPlace(name: string, destination: string, port: number): Place {
  return { interface: name, destination, protocol: 'tcp', port, sourcePort: null };
}

/** OpenSSH's default port. */
const SSH_PORT = 22;

/** The interface by which this session comes in, or else the one with the address that sshd answered on. */
export function entrance(facts: WayFacts): InterfaceFacts | undefined {
  const { controllerPath, interfaces } = facts;
  if (controllerPath === null) return undefined;
  return interfaces.find(
    ({ name }) => name === comesBy(facts, controllerPath.clientAddress, controllerPath.serverAddress),
  );
}

/**
 * By which interface packets from an address come in: the one by which the route back to it leads. If the routes do not say
 * (not reported, or policy routing), the interface with the destination address; `null` if that is not known either.
 */
function comesBy(facts: WayFacts, source: string, destination: string): string | null {
  const family = addressFamily(source);
  const holder = facts.interfaces.find((item) => item.addresses.some(({ address }) => address === destination));
  if (family === null || linkLocal(source) || !routesKnown(facts)) return holder?.name ?? null;
  const [way] = interfacesTowards(facts, oneAddress(source, family), family);
  if (way?.interfaces.length === 1) return way.interfaces[0]!;
  return holder?.name ?? null;
}

/** The controller's own ways in: to the address that sshd saw, and to the dialled one if it differs. None for a local connection. */
export function controllerWays(facts: WayFacts, dialled: Dialled | null): Way[] {
  const path = facts.controllerPath;
  const family = path === null ? null : addressFamily(path.clientAddress);
  if (path === null || family === null) return [];
  const ways: Way[] = [];
  const own = (source: string, itsFamily: AddressFamily, destination: string, port: number): void => {
    const sources = oneAddress(source, itsFamily);
    const way = { kind: 'controller', given: source, family: itsFamily, sources } as const;
    // The host reaches itself over the loopback, whose packets are never filtered.
    if (isLoopback(source) || holds(facts, source)) return;
    const found = comesBy(facts, source, destination);
    // No packet from outside comes in by the loopback, whatever addresses it has.
    const by = facts.interfaces.find(({ name }) => name === found)?.loopback === true ? null : found;
    if (by !== null) ways.push({ ...way, places: [tcpPlace(by, destination, port)], guessed: false });
    else
      for (const { name } of usable(facts.interfaces))
        ways.push({ ...way, places: [tcpPlace(name, destination, port)], guessed: true });
  };
  const inside = isLoopback(path.clientAddress);
  if (!inside) own(path.clientAddress, family, path.serverAddress, path.serverPort);
  if (dialled === null) return ways;
  if (!holds(facts, dialled.address)) {
    // Translated on the way to a program that relays connections: the flows show the address and the opener.
    const flows = inside ? flowsTo(facts, 'tcp', dialled.port).filter(({ address }) => holds(facts, address)) : [];
    for (const { opener, address } of flows) {
      const itsFamily = addressFamily(opener);
      if (itsFamily !== null && !isLoopback(opener)) own(opener, itsFamily, address, dialled.port);
    }
    return ways;
  }
  if (dialled.address === path.serverAddress && dialled.port === path.serverPort) return ways;
  // Behind a forward port, or a program that relays connections: sshd sees another address, or the host itself.
  const openers = inside ? openersOf(facts, 'tcp', dialled.port, dialled.address) : [path.clientAddress];
  for (const opener of openers) {
    const itsFamily = addressFamily(opener);
    if (itsFamily !== null) own(opener, itsFamily, dialled.address, dialled.port);
  }
  return ways;
}

/** Says that the controller's own way in cannot be evaluated, because its address is unknown to the host; else `null`. */
export function unaskedOwnWay(facts: WayFacts, dialled: Dialled | null): string | null {
  const path = facts.controllerPath;
  if (path === null || dialled === null || !isLoopback(path.clientAddress) || isLoopback(dialled.address)) return null;
  if (controllerWays(facts, dialled).length > 0) return null;
  return `this session goes through a program on the host (sshd sees ${path.clientAddress}), and no connection to its port ${dialled.port} is known: whether SSH gets in again cannot be proved`;
}

function holds(facts: WayFacts, wanted: string): boolean {
  return facts.interfaces.some(({ addresses }) => addresses.some(({ address }) => address === wanted));
}

/** The addresses that opened flows to a port of the host, at one address or any. */
export function openersOf(facts: WayFacts, protocol: Protocol, port: number, address: string | null): string[] {
  const to = flowsTo(facts, protocol, port).filter((flow) => address === null || flow.address === address);
  return [...new Set(to.map(({ opener }) => opener))];
}

function flowsTo({ flows }: WayFacts, protocol: Protocol, port: number): { opener: string; address: string }[] {
  const kinds = flows === undefined || flows === null ? [] : [...flows.kinds, ...flows.untracked];
  return kinds.filter((kind) => kind.protocol === protocol && kind.port === port);
}

/** sshd's port in this session, else those that it listens on. */
export function sshPorts(facts: Pick<WayFacts, 'controllerPath' | 'sockets'>): number[] {
  if (facts.controllerPath !== null) return [facts.controllerPath.serverPort];
  const listening = (facts.sockets ?? []).filter(
    ({ protocol, address, processes }) =>
      protocol === 'tcp' && processes.includes('sshd') && !address.startsWith('127.') && address !== '::1',
  );
  const ports = [...new Set(listening.map(({ port }) => port))];
  return ports.length > 0 ? ports : [SSH_PORT];
}

/** Interfaces by which packets from outside may come in. */
export function usable(interfaces: readonly InterfaceFacts[]): InterfaceFacts[] {
  return interfaces.filter((item) => item.up && !item.loopback && !OF_ENGINES.test(item.name));
}

/** Whether an address is valid on one link only. */
export function linkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address) || address.startsWith('169.254.');
}

/** The host's own addresses of one family. */
export function ownAddresses(interfaces: readonly InterfaceFacts[], family: AddressFamily): AddressRanges {
  const all = interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  return uniteAll(all.map((address) => oneAddress(address, family)));
}

/** What a filter does to a way. */
export interface ShutOut {
  /** Sources that get in at none of the places. */
  readonly missing: AddressRanges;
  /** Why the first place refuses each of them. */
  readonly refusals: readonly (Refusal & { readonly place: Place })[];
  /** Expressions of the kernel's rules that apply and are not understood. */
  readonly unknown: readonly string[];
}

/**
 * Which of a way's sources get in at none of its places.
 *
 * @param ports those that sshd listens on: a translation to one of them is a way in as well
 */
export function shutOut(way: Way, filter: Filter, worst: boolean, ports: readonly number[]): ShutOut {
  let accepted: AddressRanges = [];
  const refusals: (Refusal & { readonly place: Place })[] = [];
  const unknown = new Set<string>();
  for (const place of way.places) {
    const result = passage(filter, { ...place, family: way.family, sources: way.sources }, worst);
    accepted = uniteAll([accepted, ...letIn(result, ports, way.sources)]);
    for (const refusal of result.refused) refusals.push({ ...refusal, place });
    for (const { ranges } of result.diverted)
      refusals.push({
        ranges,
        kind: 'rule',
        owner: 'translation',
        what: 'its destination is changed before it is filtered',
        place,
      });
    for (const text of result.unknown) unknown.add(text);
  }
  let left = subtract(way.sources, accepted);
  const missing = left;
  const said = refusals.flatMap((refusal) => {
    const ranges = intersect(left, refusal.ranges);
    left = subtract(left, refusal.ranges);
    return ranges.length === 0 ? [] : [{ ...refusal, ranges }];
  });
  return { missing, refusals: said, unknown: [...unknown] };
}
