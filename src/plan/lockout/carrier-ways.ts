import { addressRanges, EVERY_ADDRESS, oneAddress } from '../../core/address-ranges.ts';
import { addressFamily } from '../../core/addresses.ts';
import type { InterfaceFacts } from '../../facts/facts.ts';
import { interfacesTowards } from '../routes.ts';
import { entrance, linkLocal, openersOf, type Place, usable, type Way, type WayFacts } from './proof-ways.ts';

/** DHCPv6 servers answer from this port to that of clients (RFC 8415, section 7.2). */
const DHCPV6 = { server: 547, client: 546 } as const;

/** What carries the tunnel of this session: without it, the next connection could not use the tunnel. */
export function carrierWays(facts: WayFacts): Way[] {
  const tunnel = entrance(facts)?.name;
  const carriers = (facts.carriers ?? []).filter((carrier) => carrier.interface === tunnel);
  return carriers.flatMap(({ interface: given, protocol, port }) => {
    const openers = openersOf(facts, protocol, port, null).filter((opener) => addressFamily(opener) !== null);
    const place = (name: string, destination: string): Place => ({
      interface: name,
      destination,
      protocol,
      port,
      sourcePort: null,
    });
    const ways = openers.flatMap((opener): Way[] => {
      const family = addressFamily(opener)!;
      const sources = oneAddress(opener, family);
      return interfacesTowards(facts, sources, family).flatMap(({ interfaces }) =>
        interfaces.map((name) => ({
          kind: 'carrier',
          given,
          family,
          sources,
          guessed: false,
          places: placesOn(facts, name, family, place),
        })),
      );
    });
    const asked = ways.filter(({ places }) => places.length > 0);
    if (asked.length > 0) return asked;
    // The other end is unknown: all sources that got in before must get in afterwards.
    return usable(facts.interfaces)
      .filter(({ name }) => name !== tunnel)
      .flatMap(({ name }) =>
        (['ipv4', 'ipv6'] as const).flatMap((family): Way[] => {
          const places = placesOn(facts, name, family, place);
          return places.length === 0
            ? []
            : [{ kind: 'carrier', given, family, sources: EVERY_ADDRESS[family], places, guessed: false }];
        }),
      );
  });
}

function placesOn(
  facts: WayFacts,
  name: string,
  family: Way['family'],
  place: (name: string, destination: string) => Place,
): Place[] {
  const own = facts.interfaces.find((item) => item.name === name)?.addresses ?? [];
  return own
    .filter((item) => item.family === family && !linkLocal(item.address))
    .map(({ address }) => place(name, address));
}

/**
 * The answers that renew DHCPv6 addresses. The host asks a multicast address, so an answer belongs to no flow that the kernel
 * knows: only an open port lets it in. DHCP for IPv4 needs no port: clients read the answers before any filter.
 *
 * @param others the ways that are lost with the address, if they have no other destination
 */
export function leaseWays(facts: Pick<WayFacts, 'interfaces'>, others: readonly Way[]): Way[] {
  const sources = addressRanges(['fe80::/10'], 'ipv6') ?? [];
  const all = facts.interfaces.map((item) => ({ ...item, leased: item.addresses.filter(isLeased) }));
  const passing = new Set(all.flatMap(({ leased }) => leased.map(({ address }) => address)));
  const needed = new Set(
    others
      .map(({ places }) => places.map(({ destination }) => destination))
      .filter((destinations) => destinations.every((one) => passing.has(one)))
      .flat(),
  );
  return all.flatMap(({ name, addresses, leased }): Way[] => {
    const own = addresses.find(({ address, family }) => family === 'ipv6' && linkLocal(address));
    const vital = leased.find(({ address }) => needed.has(address));
    const given = (vital ?? leased[0])?.address;
    if (given === undefined || own === undefined) return [];
    const place: Place = {
      interface: name,
      destination: own.address,
      protocol: 'udp',
      port: DHCPV6.client,
      sourcePort: DHCPV6.server,
    };
    const minor = vital === undefined ? { minor: true as const } : {};
    return [{ kind: 'lease', given, family: 'ipv6', sources, places: [place], guessed: false, ...minor }];
  });
}

function isLeased({ dynamic, family }: InterfaceFacts['addresses'][number]): boolean {
  return dynamic === true && family === 'ipv6';
}
