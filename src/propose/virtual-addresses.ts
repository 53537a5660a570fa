import { formatNetwork, parseNetwork } from '../core/addresses.ts';
import { three } from '../core/lists.ts';
import type { HostFacts, InterfaceFacts } from '../facts/facts.ts';
import { OF_ENGINES } from '../policy/interfaces.ts';
import { MADE_BY_KEEPALIVED, onNetworkOf, standsOn, takesVips } from '../policy/virtual-addresses.ts';
import { PORTFW_SCHEMAS } from '../settings/schema.ts';
import { choice, isSet, line, type Proposal, type Seen, type SeenHost, type SettingOf, sorted } from './proposals.ts';
import { placeSettings } from './scopes.ts';

/** What moves addresses between hosts, by its processes and units. */
const MANAGERS = ['keepalived', 'pacemakerd', 'corosync', 'heartbeat', 'ucarp'];
/** Programs by the name of what they are a part of. */
const NAMES: Readonly<Record<string, string>> = { pacemakerd: 'pacemaker' };
const MANAGER_UNITS = /^(keepalived|pacemaker|corosync|heartbeat|ucarp)(?:@.*)?\.service$/;

/** An address beyond a host's own. */
interface Extra {
  readonly address: string;
  readonly interface: string;
  /** keepalived's interface with a VRRP id, or `null`. */
  readonly vrrp: string | null;
  readonly why: string;
}

/** What is known of the hosts, for the proposals of one fleet. */
interface Known {
  readonly hosts: readonly SeenHost[];
  readonly extras: ReadonlyMap<string, readonly Extra[]>;
  /** Hosts with the role for which they need a virtual address. */
  readonly needed: ReadonlyMap<string, string>;
  /** Host, virtual address, why. */
  readonly held: Map<string, Map<string, string>>;
}

/**
 * Virtual addresses: those that a host holds beyond its own, where a program that moves addresses runs, or where a role of the
 * host opens its ports on such addresses only. Hosts with keepalived's interface of the same VRRP id on the same network share
 * them. The configuration of these programs is not in the facts, so what else may move, and where to, is asked.
 *
 * @param needed hosts with the role for which they need a virtual address
 */
export function proposeVirtualAddresses(seen: Seen, needed: ReadonlyMap<string, string>): readonly Proposal[] {
  const hosts = seen.hosts.filter((host) => !isSet(host, 'portfw_vips'));
  const extras = new Map(hosts.map((host) => [host.name, extrasOf(host)] as const));
  const known: Known = { hosts, extras, needed, held: new Map() };
  for (const host of hosts) {
    for (const extra of extras.get(host.name)!) if (isVirtual(host, extra, known)) hold(host, extra, known);
  }
  const values = new Map<string, SettingOf<'portfw_vips'>>();
  for (const [host, own] of known.held) {
    const vips = sorted(own.keys());
    if (PORTFW_SCHEMAS.portfw_vips.safeParse(vips).success) values.set(host, { variable: 'portfw_vips', vips });
  }
  const placed = placeSettings(values, seen, 'portfw_vips', 1);
  const lines = placed.map(({ scope, setting, hosts: covered }) => {
    const evidence = sorted(covered.flatMap((host) => [...known.held.get(host)!.values()]));
    const sharing = [...values].filter(([, { vips }]) => vips.some((vip) => setting.vips.includes(vip)));
    const cluster = sorted(sharing.map(([host]) => host));
    const bond = `${three(cluster)} list the same address, so they are a cluster: nothing is filtered between them`;
    const doubtful = hosts.filter((host) => covered.includes(host.name) && managersOf(host.facts).length === 0);
    const check = doubtful.length === 0 ? null : 'are these virtual addresses, and does no other host get them?';
    return line(scope, setting, [...evidence, ...(cluster.length < 2 ? [] : [bond])], check);
  });
  return [...lines, ...hosts.flatMap((host) => openVips(host, known))];
}

function isVirtual(host: SeenHost, extra: Extra, { needed }: Known): boolean {
  if (extra.vrrp !== null || managersOf(host.facts).length > 0) return true;
  // Somebody who logs in to an address means the host, wherever the address may move to.
  return needed.has(host.name) && extra.address !== host.facts.controllerPath?.serverAddress;
}

/** Notes an address for its holder and for the hosts that share its VRRP id. */
function hold(host: SeenHost, extra: Extra, { hosts, needed, held }: Known): void {
  const tell = (name: string, why: string): void => {
    const own = held.get(name) ?? new Map<string, string>();
    if (!own.has(extra.address)) own.set(extra.address, `${extra.address}: ${name} ${why}`);
    held.set(name, own);
  };
  const managers = managersOf(host.facts);
  const because =
    managers.length > 0
      ? `${managers.join(', ')} runs`
      : `the role ${needed.get(host.name)} opens ports on such addresses`;
  tell(host.name, `holds it on ${extra.interface}: ${extra.why}${extra.vrrp === null ? `, and ${because}` : ''}`);
  for (const other of hosts)
    if (other !== host && sharesVrrp(other, host, extra)) tell(other.name, `has the same VRRP id (${extra.vrrp})`);
}

/** What the facts leave open about the addresses of one host. */
function openVips(host: SeenHost, { hosts, extras, needed, held }: Known): readonly Proposal[] {
  if (held.has(host.name)) return [];
  const doubtful = extras.get(host.name)!;
  if (doubtful.length > 0) {
    const evidence = doubtful.map(
      (extra) => `${extra.address} on ${extra.interface}: ${extra.why}; no program that moves addresses runs`,
    );
    const found = options(doubtful.map(({ address }) => address));
    return [choice(host.name, 'portfw_vips', 'does this address move to other hosts?', found, evidence)];
  }
  const managers = managersOf(host.facts);
  const role = needed.get(host.name);
  if (managers.length === 0 && role === undefined) return [];
  const near = hosts.flatMap((other) => {
    const same =
      managersOf(other.facts).some((name) => managers.includes(name)) ||
      (role !== undefined && needed.get(other.name) === role);
    const theirs = other === host || !same ? [] : [...(held.get(other.name)?.keys() ?? [])];
    const reachable = theirs.filter((vip) => host.facts.interfaces.some((item) => onNetworkOf(item, vip)));
    return reachable.map((vip) => ({ vip, other: other.name }));
  });
  const evidence = [
    ...(managers.length === 0 ? [] : [`${managers.join(', ')} runs, and the host holds no address beyond its own now`]),
    ...(role === undefined ? [] : [`the role ${role} opens ports on virtual addresses only`]),
    ...near.map(({ vip, other }) => `${vip}, on ${other} now, is on the same network`),
    'which addresses may come to a host is in the configuration of its cluster, which is not in the facts',
  ];
  const found = options(near.map(({ vip }) => vip));
  return [choice(host.name, 'portfw_vips', 'which virtual addresses may come to it?', found, evidence)];
}

function options(addresses: readonly string[]): readonly SettingOf<'portfw_vips'>[] {
  const vips = sorted(addresses);
  const isValid = vips.length > 0 && PORTFW_SCHEMAS.portfw_vips.safeParse(vips).success;
  return isValid ? [{ variable: 'portfw_vips', vips }] : [];
}

/** Programs that move addresses, as they run on the host. */
function managersOf({ processes, units }: HostFacts): readonly string[] {
  const active = units.flatMap(({ name, active: state }) =>
    state === 'active' ? (MANAGER_UNITS.exec(name)?.[1] ?? []) : [],
  );
  return sorted([...MANAGERS.filter((name) => processes.includes(name)), ...active].map((name) => NAMES[name] ?? name));
}

/** The addresses of a host beyond its own: single ones beside a network, further ones of a network, those of keepalived's interfaces. */
function extrasOf({ facts }: SeenHost): readonly Extra[] {
  return facts.interfaces.flatMap((item): Extra[] => {
    if (!takesVips(item) || !item.up || OF_ENGINES.test(item.name)) return [];
    const vrrp = MADE_BY_KEEPALIVED.test(item.name) && standsOn(item, facts.interfaces) !== null ? item.name : null;
    const all = item.addresses.filter(
      ({ address, dynamic }) => dynamic !== true && !/^(?:fe[89ab]|169\.254\.)/.test(address),
    );
    return all.flatMap((own, index): Extra[] => {
      const { address, family, prefix } = own;
      const single = prefix === (family === 'ipv4' ? 32 : 128);
      const network = formatOf(own);
      const extra = (why: string): Extra[] => [{ address, interface: item.name, vrrp, why }];
      if (vrrp !== null) return extra(`${vrrp} is an interface that keepalived makes for virtual addresses`);
      const beside = all.some((other) => other !== own && other.family === family && !isSingle(other));
      if (single && beside) return extra(`it is a single address (/${prefix}) beside the interface's own`);
      // A host has several IPv6 addresses of one network by itself.
      const second = family === 'ipv4' && !single && all.slice(0, index).some((other) => formatOf(other) === network);
      return second ? extra(`it is a second address of ${network}`) : [];
    });
  });
}

function isSingle({ family, prefix }: InterfaceFacts['addresses'][number]): boolean {
  return prefix === (family === 'ipv4' ? 32 : 128);
}

function formatOf({ address, prefix }: InterfaceFacts['addresses'][number]): string | null {
  const network = parseNetwork(`${address}/${prefix}`);
  return network === null ? null : formatNetwork(network);
}

/** Whether a host has keepalived's interface of the same VRRP id, on an interface of the same network as the holder's. */
function sharesVrrp(host: SeenHost, holder: SeenHost, { vrrp }: Extra): boolean {
  if (vrrp === null) return false;
  const id = (name: string): string | undefined => /^vrrp[46]?\.(\d+)/.exec(name)?.[1];
  const networks = (one: SeenHost, wanted: (name: string) => boolean): ReadonlySet<string> =>
    new Set(
      one.facts.interfaces.flatMap((item) => {
        const parent = wanted(item.name) ? standsOn(item, one.facts.interfaces) : null;
        const below = one.facts.interfaces.find(({ name }) => name === parent);
        return (below?.addresses ?? [])
          .filter((own) => !isSingle(own) && !own.address.startsWith('fe80:'))
          .flatMap((own) => formatOf(own) ?? []);
      }),
    );
  const theirs = networks(holder, (name) => name === vrrp);
  const own = networks(host, (name) => MADE_BY_KEEPALIVED.test(name) && id(name) === id(vrrp));
  return [...own].some((network) => theirs.has(network));
}
