import { contains, parseAddress, parseNetwork } from '../core/addresses.ts';
import type { InterfaceFacts } from '../facts/facts.ts';
import { type HostSettings, INTERFACE_CLASSES, type InterfaceClass } from '../inventory/settings-types.ts';
import type { PolicyRefusal } from './desired.ts';

/** Which of a host's interfaces serve which interface classes. */
export interface InterfaceMap {
  /** Interface name → the classes it serves and what the inventory says that led there. */
  readonly interfaces: ReadonlyMap<string, { readonly classes: ReadonlySet<InterfaceClass>; readonly given: string }>;
  /** Virtual address → the interfaces whose zone its rules stand in. */
  readonly vips: ReadonlyMap<string, readonly string[]>;
  readonly refusals: readonly PolicyRefusal[];
}

/** The interfaces that serve a class, sorted. */
export function interfacesOf(map: InterfaceMap, interfaceClass: InterfaceClass): string[] {
  return [...map.interfaces]
    .filter(([, item]) => item.classes.has(interfaceClass))
    .map(([name]) => name)
    .sort();
}

/**
 * Maps interface classes to real interfaces: by name, by address or by network, as `portfw_interfaces` says.
 *
 * Where the inventory says nothing at all and the host has exactly one interface, that one is public. Nothing else is
 * ever guessed: a wrong guess would trust a public interface.
 */
export function mapInterfaces(settings: HostSettings, facts: readonly InterfaceFacts[]): InterfaceMap {
  const candidates = facts.filter((item) => !item.loopback);
  const hardware = candidates.filter((item) => !OF_ENGINES.test(item.name));
  const found = new Map<string, { classes: Set<InterfaceClass>; given: string }>();
  const refusals: PolicyRefusal[] = [];
  const assign = (name: string, interfaceClass: InterfaceClass, given: string) => {
    const item = found.get(name) ?? { classes: new Set<InterfaceClass>(), given };
    item.classes.add(interfaceClass);
    found.set(name, item);
  };
  for (const interfaceClass of INTERFACE_CLASSES) {
    for (const given of settings.interfaces[interfaceClass]) {
      const names = matching(given, candidates, hardware);
      if (names.length === 0) {
        refusals.push({
          code: 'interface-not-found',
          text: `portfw_interfaces says ${interfaceClass} is ${given}, and the host has no such interface`,
          hint: `the host has ${describe(candidates)}`,
        });
      }
      for (const name of names) assign(name, interfaceClass, given);
    }
  }
  const mapped = INTERFACE_CLASSES.some((name) => settings.interfaces[name].length > 0);
  const only = hardware.filter((item) => item.addresses.some(({ address }) => !address.startsWith('fe80:')));
  if (!mapped && only.length === 1) assign(only[0]!.name, 'public', 'the only interface of the host');
  const vips = new Map<string, readonly string[]>();
  for (const vip of settings.vips) vips.set(vip, interfacesOfVip(vip, found, candidates));
  return { interfaces: new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))), vips, refusals };
}

/** Interface names, as an operator needs them to choose: `eth0 (192.0.2.7/24), eth1 (no address)`. */
export function describe(interfaces: readonly InterfaceFacts[]): string {
  if (interfaces.length === 0) return 'no interface besides loopback';
  return interfaces
    .map((item) => {
      const addresses = item.addresses.map(({ address, prefix }) => `${address}/${prefix}`).join(', ');
      return `${item.name} (${addresses === '' ? 'no address' : addresses})`;
    })
    .join(', ');
}

/**
 * Bridges and virtual ends that container engines and hypervisors make and hand to zones of their own: a wide network in
 * the inventory must not take one of them in; its name or its very address still does.
 */
export const OF_ENGINES = /^(?:docker\d+|br-[0-9a-f]{12}|veth.*|virbr\d+.*|vnet\d+|podman\d+|cni.*|lxc.*|lxdbr\d+)$/;

function matching(given: string, candidates: readonly InterfaceFacts[], hardware: readonly InterfaceFacts[]): string[] {
  const network = parseNetwork(given);
  if (network === null) return candidates.filter((item) => item.name === given).map((item) => item.name);
  return (network.first === network.last ? candidates : hardware)
    .filter((item) =>
      item.addresses.some(({ address }) => {
        const own = parseAddress(address);
        return own !== null && contains(network, own);
      }),
    )
    .map((item) => item.name);
}

/** An interface named for the class, else the one whose network holds the address, else the public ones. */
function interfacesOfVip(
  vip: string,
  found: ReadonlyMap<string, { readonly classes: ReadonlySet<InterfaceClass> }>,
  candidates: readonly InterfaceFacts[],
): string[] {
  const serving = (interfaceClass: InterfaceClass) =>
    [...found].filter(([, item]) => item.classes.has(interfaceClass)).map(([name]) => name);
  if (serving('vip').length > 0) return serving('vip').sort();
  const address = parseAddress(vip);
  const holding = candidates
    .filter((item) =>
      item.addresses.some((own) => {
        const network = parseNetwork(`${own.address}/${own.prefix}`);
        return address !== null && network !== null && own.address !== vip && contains(network, address);
      }),
    )
    .map((item) => item.name)
    .filter((name) => found.has(name));
  return (holding.length > 0 ? holding : serving('public')).sort();
}
