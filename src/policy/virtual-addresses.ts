import { contains, normaliseAddress, parseAddress, parseNetwork } from '../core/addresses.ts';
import type { InterfaceFacts } from '../facts/facts.ts';
import { confValue } from '../firewalld/stock.ts';
import type { PolicyNote } from './desired.ts';

/** How keepalived names the interfaces of `use_vmac` when its configuration gives no name. */
export const MADE_BY_KEEPALIVED = /^vrrp[46]?\.\d{1,3}(?:\.\d{1,5})?$/;

/** Kinds of link that are on the network of the interface below them, with an address of their own. */
const ON_THE_SAME_NETWORK: ReadonlySet<string> = new Set(['macvlan', 'ipvlan']);

/** Kinds of link on which no packet ever arrives, whatever address they hold: it arrives on the interface of the network. */
const NEVER_ENTERED: ReadonlySet<string> = new Set(['dummy', 'ifb']);

/** The interface below a macvlan or ipvlan, or `null`: also where that one is not the host's own (a container's is not). */
export function standsOn(item: InterfaceFacts, all: readonly InterfaceFacts[]): string | null {
  const { kind, parent } = item;
  if (kind === undefined || parent === undefined || !ON_THE_SAME_NETWORK.has(kind)) return null;
  return all.some((other) => other.name === parent && other.name !== item.name) ? parent : null;
}

/** Whether packets for an address may come in by an interface because it holds the address. */
export function takesVips(item: InterfaceFacts): boolean {
  return !item.loopback && (item.kind === undefined || !NEVER_ENTERED.has(item.kind));
}

/** Whether an interface holds an address now. */
export function holds(item: InterfaceFacts, vip: string): boolean {
  const wanted = normaliseAddress(vip);
  return wanted !== null && item.addresses.some(({ address }) => address === wanted);
}

/** Whether an interface is on an address's network by an address of its own. */
export function onNetworkOf(item: InterfaceFacts, vip: string): boolean {
  const address = parseAddress(vip);
  return (
    address !== null &&
    takesVips(item) &&
    item.addresses.some((own) => {
      const network = parseNetwork(`${own.address}/${own.prefix}`);
      return network !== null && own.address !== normaliseAddress(vip) && contains(network, address);
    })
  );
}

/**
 * Whether an interface is there for virtual addresses alone, as keepalived's `use_vmac` makes it: a macvlan or ipvlan on an
 * interface of the host that has these addresses, or, on the node that waits, none.
 */
export function carriesVips(item: InterfaceFacts, vips: readonly string[], all: readonly InterfaceFacts[]): boolean {
  if (vips.length === 0 || standsOn(item, all) === null) return false;
  const virtual = new Set(vips.map(normaliseAddress));
  return item.addresses.every(({ address }) => address.startsWith('fe80:') || virtual.has(address));
}

/** Values of `IPv6_rpfilter` (firewalld.conf(5)) under which a packet must come in by the interface that answers leave by. */
const STRICT = ['yes', 'true', 'strict'];

/**
 * Says which virtual IPv6 addresses nobody can reach although their ports are open: on a macvlan with a /128 the answers leave
 * by the interface below it, and firewalld's reverse path filter drops what asks.
 *
 * @param conf the text of firewalld.conf
 */
export function rpfilterNotes(
  vips: readonly string[],
  interfaces: readonly InterfaceFacts[],
  conf: string,
): readonly PolicyNote[] {
  const filter = confValue(conf, 'IPv6_rpfilter') ?? 'yes';
  if (!STRICT.includes(filter.toLowerCase())) return [];
  const virtual = new Set(vips.map(normaliseAddress));
  return interfaces.flatMap((item) => {
    const parent = standsOn(item, interfaces);
    if (parent === null) return [];
    return item.addresses
      .filter(({ address, family, prefix }) => family === 'ipv6' && prefix === 128 && virtual.has(address))
      .map(({ address }): PolicyNote => {
        const text = `firewalld drops packets to ${address} that arrive on ${item.name}, because answers leave by ${parent}: IPv6_rpfilter is ${filter}; set it to no (from firewalld 2.0 on, loose is enough) in /etc/firewalld/firewalld.conf, and reload`;
        return { severity: 'warning', code: 'vip-rpfilter', text };
      });
  });
}
