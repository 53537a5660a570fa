import { type AddressRanges, addressRanges, intersect, subtract } from '../core/address-ranges.ts';
import type { AddressFamily } from '../core/addresses.ts';
import type { HostFacts, InterfaceFacts } from '../facts/facts.ts';

type Facts = Pick<HostFacts, 'interfaces'> & Partial<Pick<HostFacts, 'routeTable'>>;

/** Addresses, and the interfaces by which answers to them leave; any of several. */
export interface Direction {
  readonly ranges: AddressRanges;
  readonly interfaces: readonly string[];
}

/**
 * By which interfaces answers to some addresses leave the host: the narrowest route decides, as in the kernel. If the host
 * did not report its routes, or rules choose other tables for some packets, only its own networks are known.
 *
 * @returns what is known, part by part; addresses without a known route are in no part
 */
export function interfacesTowards(facts: Facts, sources: AddressRanges, family: AddressFamily): Direction[] {
  const found: Direction[] = [];
  let left = sources;
  for (const { ranges, interfaces } of knownRoutes(facts, family)) {
    if (left.length === 0) break;
    const near = intersect(left, ranges);
    if (near.length === 0) continue;
    found.push({ ranges: near, interfaces });
    left = subtract(left, ranges);
  }
  return found;
}

/** Whether the host reported everything that decides its routes. */
export function routesKnown({ routeTable }: Facts): boolean {
  return routeTable !== undefined && routeTable.routes.length > 0 && !routeTable.policies && !routeTable.cut;
}

function knownRoutes(facts: Facts, family: AddressFamily): Direction[] {
  const rows = routesKnown(facts) ? facts.routeTable!.routes : connected(facts.interfaces);
  const found = new Map<string, { ranges: AddressRanges; prefix: number; interfaces: string[] }>();
  for (const { destination, interface: name } of rows) {
    const ranges = destination.includes(':') === (family === 'ipv6') ? addressRanges([destination], family) : null;
    if (ranges === null || ranges.length === 0) continue;
    const prefix = Number(destination.split('/')[1]);
    const key = `${ranges[0]!.first}/${prefix}`;
    const held = found.get(key) ?? { ranges, prefix, interfaces: [] };
    if (!held.interfaces.includes(name)) held.interfaces.push(name);
    found.set(key, held);
  }
  return [...found.values()].sort((a, b) => b.prefix - a.prefix);
}

/** The networks that interfaces are on. */
function connected(interfaces: readonly InterfaceFacts[]): { destination: string; interface: string }[] {
  return interfaces
    .filter(({ up, loopback }) => up && !loopback)
    .flatMap(({ name, addresses }) =>
      addresses
        .filter(({ address, prefix, family }) => {
          const full = family === 'ipv4' ? 32 : 128;
          return prefix !== full && prefix !== 0 && !/^fe[89ab]|^169\.254\./i.test(address);
        })
        .map(({ address, prefix }) => ({ destination: `${address}/${prefix}`, interface: name })),
    );
}
