import { type AddressRanges, addressRanges, networksOf, subtract, uniteAll } from '../../core/address-ranges.ts';
import type { AddressFamily } from '../../core/addresses.ts';
import { isLoopback } from '../../facts/addresses.ts';
import type { ControllerPath, InterfaceFacts } from '../../facts/facts.ts';
import { interfacesTowards, routesKnown } from '../routes.ts';
import {
  entrance,
  linkLocal,
  ownAddresses,
  type Place,
  sshPorts,
  tcpPlace,
  usable,
  type Way,
  type WayFacts,
} from './proof-ways.ts';

/** One entry of `portfw_management`, with its addresses. */
export interface ManagementSource {
  readonly given: string;
  readonly addresses: readonly string[];
}

/** The entries of `portfw_management` that can be evaluated, and sentences on those that cannot. */
export interface ManagementWays {
  readonly ways: readonly Way[];
  readonly doubts: readonly string[];
}

/**
 * By which interface each management address comes in: the one by which the host's routes lead back to it. If the host did
 * not report its routes, the interface of its network; for all other addresses the interface of the controller, and for a
 * local connection any interface with an address of the family.
 */
export function managementWays(facts: WayFacts, management: readonly ManagementSource[]): ManagementWays {
  const ways: Way[] = [];
  const doubts: string[] = [];
  for (const { given, addresses } of management) {
    if (addresses.length === 0) doubts.push(`no address of ${given} is known`);
    for (const family of ['ipv4', 'ipv6'] as const) {
      // The host reaches itself over the loopback, which is never filtered.
      const all = addressRanges(addresses, family) ?? [];
      const sources = subtract(all, ownAddresses(facts.interfaces, family));
      if (sources.length === 0) continue;
      const directions = interfacesTowards(facts, sources, family);
      const way = (ranges: AddressRanges, names: readonly string[]): void => {
        const places = placesOn(facts, names, family);
        if (places.length > 0)
          ways.push({ kind: 'management', given, family, sources: ranges, places, guessed: false });
        // A route of a family in which the host has no address.
        else doubts.push(`${given} cannot connect over ${NAMES[family]}: the host has no ${NAMES[family]} address`);
      };
      for (const { ranges, interfaces } of directions) for (const name of interfaces) way(ranges, [name]);
      const left = subtract(sources, uniteAll(directions.map(({ ranges }) => ranges)));
      if (left.length === 0) continue;
      const names = routesKnown(facts) ? [] : likely(facts, family);
      if (names.length > 0) way(left, names);
      else doubts.push(cannotCome(given, left, family, facts));
    }
  }
  return { ways, doubts };
}

const NAMES: Readonly<Record<AddressFamily, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

function cannotCome(given: string, left: AddressRanges, family: AddressFamily, facts: WayFacts): string {
  const over = NAMES[family];
  const speaks = facts.interfaces.some((item) => !item.loopback && addressesOf(item, family, null).length > 0);
  if (!speaks) return `${given} cannot connect over ${over}: the host has no ${over} address`;
  const [first = '', ...more] = networksOf(left, family);
  return `the host has no route to ${first}${more.length > 0 ? ` and ${more.length} more networks` : ''} of ${given}: no SSH connection from there is possible over ${over}`;
}

/** Interfaces by which unknown addresses may come in. */
function likely(facts: WayFacts, family: AddressFamily): string[] {
  const speaking = usable(facts.interfaces).filter(
    (item) => addressesOf(item, family, facts.controllerPath).length > 0,
  );
  const main = speaking.filter((item) => item.name === entrance(facts)?.name);
  return (main.length > 0 ? main : speaking).map(({ name }) => name);
}

/** Where sshd is reached by some interfaces: at their own addresses, or at any of the host's if they have none. */
function placesOn(facts: WayFacts, names: readonly string[], family: AddressFamily): Place[] {
  const ports = sshPorts(facts);
  const { controllerPath, interfaces } = facts;
  // The only address of a host may be on its loopback, with routes that lead to it.
  const homes = [...usable(interfaces), ...interfaces.filter((item) => item.loopback)];
  const every = homes
    .flatMap((item) => addressesOf(item, family, controllerPath))
    .filter((address) => !isLoopback(address));
  return names.flatMap((name) => {
    const own = interfaces
      .filter((item) => item.name === name)
      .flatMap((item) => addressesOf(item, family, controllerPath));
    return (own.length > 0 ? own : every).flatMap((destination) =>
      ports.map((port) => tcpPlace(name, destination, port)),
    );
  });
}

/** Addresses of an interface that accept logins: only this session's address if it is among them. */
function addressesOf(item: InterfaceFacts, family: AddressFamily, path: ControllerPath | null): string[] {
  const own = item.addresses
    .filter((one) => one.family === family && !linkLocal(one.address))
    .map(({ address }) => address);
  return path !== null && own.includes(path.serverAddress) ? [path.serverAddress] : own;
}
