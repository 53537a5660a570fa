import { contains, parseAddress, parseNetwork } from '../core/addresses.ts';
import type { CodedFault } from '../core/failure.ts';
import type { InterfaceFacts } from '../facts/facts.ts';
import { type HostSettings, INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';
import type { PolicyNote } from './desired.ts';
import { zoneName } from './names.ts';
import { carriesVips, holds, MADE_BY_KEEPALIVED, onNetworkOf, standsOn, takesVips } from './virtual-addresses.ts';

/** Which of a host's interfaces serve which interface classes. */
export interface InterfaceMap {
  /** Interface name → the classes it serves and what the inventory says that led there. */
  readonly interfaces: ReadonlyMap<string, { readonly classes: ReadonlySet<InterfaceClass>; readonly given: string }>;
  /** Virtual address → the interfaces in whose zones its rules are: each that holds it, or may get it. */
  readonly vips: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly PolicyNote[];
  readonly refusals: readonly CodedFault[];
}

/** The interfaces that serve a class, sorted. */
export function interfacesOf(map: Pick<InterfaceMap, 'interfaces'>, interfaceClass: InterfaceClass): string[] {
  return [...map.interfaces]
    .filter(([, item]) => item.classes.has(interfaceClass))
    .map(([name]) => name)
    .sort();
}

/**
 * Maps interface classes to real interfaces: by name, by address or by network, as `portfw_interfaces` says. Interfaces that
 * hold virtual addresses, or may come to, are mapped as well: see {@link Mapping.placeVips}.
 *
 * Where the inventory says nothing at all and the host has exactly one interface, that one is public. Nothing else is
 * ever guessed: a wrong guess would trust a public interface.
 *
 * @param bound interfaces that a portfw zone holds already, by name
 */
export function mapInterfaces(
  settings: HostSettings,
  facts: readonly InterfaceFacts[],
  bound: ReadonlyMap<string, string> = new Map(),
): InterfaceMap {
  const mapping = new Mapping(settings, facts);
  mapping.placeGiven();
  mapping.placeOnly();
  mapping.placeVips();
  mapping.placeAbsent(bound);
  return mapping.finish();
}

class Mapping {
  readonly #settings: HostSettings;
  readonly #candidates: readonly InterfaceFacts[];
  /** What a network of the inventory may mean: real interfaces, and not those that only carry virtual addresses. */
  readonly #hardware: readonly InterfaceFacts[];
  readonly #carriers: readonly InterfaceFacts[];
  readonly #found = new Map<string, { classes: Set<InterfaceClass>; given: string }>();
  readonly #notes: PolicyNote[] = [];
  readonly #refusals: CodedFault[] = [];

  constructor(settings: HostSettings, facts: readonly InterfaceFacts[]) {
    this.#settings = settings;
    this.#candidates = facts.filter((item) => !item.loopback);
    const carries = (item: InterfaceFacts) => carriesVips(item, settings.vips, this.#candidates);
    this.#carriers = this.#candidates.filter(carries);
    this.#hardware = this.#candidates.filter((item) => !OF_ENGINES.test(item.name) && !carries(item));
  }

  #assign(name: string, classes: Iterable<InterfaceClass>, given: string): void {
    const item = this.#found.get(name) ?? { classes: new Set<InterfaceClass>(), given };
    for (const one of classes) item.classes.add(one);
    this.#found.set(name, item);
  }

  /** What the inventory names. */
  placeGiven(): void {
    for (const interfaceClass of INTERFACE_CLASSES) {
      for (const given of this.#settings.interfaces[interfaceClass]) {
        const names = matching(given, this.#candidates, this.#hardware);
        // Where nothing else is on the network, its addresses are all virtual.
        const meant = names.length > 0 ? names : matching(given, [], this.#carriers);
        for (const name of meant) this.#assign(name, [interfaceClass], given);
        if (meant.length === 0) this.#notFound(interfaceClass, given);
      }
    }
  }

  #notFound(interfaceClass: InterfaceClass, given: string): void {
    const left = matching(given, this.#candidates, this.#candidates);
    const missing =
      left.length === 0
        ? 'the host has no such interface'
        : `the host has only ${left.join(', ')} on it, and a network does not select such interfaces: container engines and hypervisors create them`;
    const text = `portfw_interfaces says ${interfaceClass} is ${given}, and ${missing}`;
    if (interfaceClass !== 'vip') {
      const hint =
        left.length === 0
          ? `the host has ${describe(this.#candidates)}`
          : `name the interface itself if it is meant; the host has ${describe(this.#candidates)}`;
      this.#refusals.push({ code: 'interface-not-found', what: text, solve: hint });
      return;
    }
    // A virtual address comes and goes, and with keepalived's use_vmac its interface as well.
    const isName = parseNetwork(given) === null;
    if (isName) this.#assign(given, ['vip'], given);
    this.#notes.push({
      severity: 'warning',
      code: 'vip-interface-absent',
      text: isName
        ? `${text} now; its name is bound to the zone anyway, for when the interface appears`
        : `${text}${left.length === 0 ? ' now' : ''}; ${given} takes effect once ${left.length === 0 ? 'an' : 'another'} interface has it`,
    });
  }

  /** Where the inventory says nothing. */
  placeOnly(): void {
    if (INTERFACE_CLASSES.some((name) => this.#settings.interfaces[name].length > 0)) return;
    const only = this.#hardware.filter((item) => item.addresses.some(({ address }) => !address.startsWith('fe80:')));
    if (only.length === 1) this.#assign(only[0]!.name, ['public'], 'the only interface of the host');
  }

  /**
   * Interfaces that no class names, and that matter for a virtual address: a macvlan (keepalived's `use_vmac`) is what its
   * parent is, so that the same is open on the address with it as without; any other one that holds the address, or whose
   * network does while no mapped interface's does, gets the class `vip`.
   */
  placeVips(): void {
    // If nothing is mapped, the user is asked to map it: the interface of an address is not enough.
    if (this.#found.size === 0) return;
    for (const item of this.#candidates) {
      const parent = standsOn(item, this.#candidates);
      const classes = parent === null ? undefined : this.#found.get(parent)?.classes;
      if (this.#found.has(item.name) || classes === undefined) continue;
      if (this.#carriers.includes(item) || this.#settings.vips.some((vip) => holds(item, vip)))
        this.#assign(item.name, classes, `${parent}, the parent of ${item.name}`);
    }
    for (const vip of this.#settings.vips) {
      const free = this.#candidates.filter((item) => takesVips(item) && !OF_ENGINES.test(item.name));
      const mapped = (item: InterfaceFacts) => this.#found.has(item.name);
      for (const item of free.filter((one) => holds(one, vip) && !mapped(one)))
        this.#assign(item.name, ['vip'], `the interface that holds ${vip}`);
      const near = free.filter((item) => holds(item, vip) || onNetworkOf(item, vip));
      if (near.some(mapped)) continue;
      for (const item of near) this.#assign(item.name, ['vip'], `the interface on whose network ${vip} is`);
    }
  }

  /** Keepalived's interfaces that are not there now keep the zone that they had: its address may come at any time. */
  placeAbsent(bound: ReadonlyMap<string, string>): void {
    if (this.#settings.vips.length === 0) return;
    const there = new Set(this.#candidates.map((item) => item.name));
    const classesOf = new Map([...this.#found.values()].map((item) => [zoneName(item.classes), item.classes]));
    for (const [name, zone] of [...bound].sort()) {
      const classes = classesOf.get(zone);
      if (there.has(name) || this.#found.has(name) || classes === undefined || !MADE_BY_KEEPALIVED.test(name)) continue;
      this.#assign(name, classes, `the class that ${name} had before it disappeared`);
      const text = `${name} is not there now; it stays bound to ${zone}, for when keepalived creates it again`;
      this.#notes.push({ severity: 'info', code: 'vip-interface-absent', text });
    }
  }

  finish(): InterfaceMap {
    const interfaces = new Map([...this.#found].sort(([a], [b]) => (a < b ? -1 : 1)));
    const vips = new Map(this.#settings.vips.map((vip) => [vip, this.#interfacesOfVip(vip)] as const));
    return { interfaces, vips, notes: this.#notes, refusals: this.#refusals };
  }

  /**
   * Each mapped interface that holds the address, is on its network or has the class `vip`, the parents of these and what
   * stands on them; where there is none, the public ones.
   */
  #interfacesOfVip(vip: string): readonly string[] {
    const near = this.#candidates.filter((item) => holds(item, vip) || onNetworkOf(item, vip)).map(({ name }) => name);
    const names = new Set([...interfacesOf({ interfaces: this.#found }, 'vip'), ...near]);
    for (const item of this.#candidates) {
      const parent = standsOn(item, this.#candidates);
      if (parent !== null && names.has(item.name) && holds(item, vip)) names.add(parent);
    }
    for (const item of this.#carriers) if (names.has(standsOn(item, this.#candidates) ?? '')) names.add(item.name);
    const mapped = [...names].filter((name) => this.#found.has(name));
    return (mapped.length > 0 ? mapped : interfacesOf({ interfaces: this.#found }, 'public')).sort();
  }
}

/** Interface names, as an operator needs them to choose: `eth0 (192.0.2.7/24), eth1 (no address)`. */
export function describe(interfaces: readonly InterfaceFacts[]): string {
  if (interfaces.length === 0) return 'no interface besides loopback';
  // Hosts list their interfaces in any order; the same text can be said once for many hosts.
  return [...interfaces]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
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
