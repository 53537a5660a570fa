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
const MANAGER_UNITS = /^(keepalived|pacemaker|corosync|heartbeat|ucarp)(?:@.*)?\.service$/;

/** An address beyond a host's own. */
interface Extra {
  readonly address: string;
  readonly interface: string;
  /** keepalived's interface with a VRRP id, or `null`. */
  readonly vrrp: string | null;
  readonly why: string;
}

/**
 * Virtual addresses: those that a host holds beyond its own, where a program that moves addresses runs. Hosts that keepalived
 * gave an interface with the same VRRP id on the same network share them. The configuration of these programs is not in the facts,
 * so what else may move, and where to, is asked.
 */
export function proposeVirtualAddresses(seen: Seen): readonly Proposal[] {
  const hosts = seen.hosts.filter((host) => !isSet(host, 'portfw_vips'));
  const extras = new Map(hosts.map((host) => [host.name, extrasOf(host)] as const));
  const held = new Map<string, Map<string, string>>();
  const tell = (host: string, address: string, why: string): void => {
    const own = held.get(host) ?? new Map<string, string>();
    if (!own.has(address)) own.set(address, why);
    held.set(host, own);
  };
  for (const host of hosts) {
    for (const extra of extras.get(host.name)!) {
      if (!isCertain(host, extra)) continue;
      tell(host.name, extra.address, `${extra.address}: ${host.name} ${extra.interface} holds it: ${extra.why}`);
      for (const other of hosts.filter((one) => one !== host && sharesVrrp(one, host, extra)))
        tell(other.name, extra.address, `${extra.address}: ${other.name} has ${extra.vrrp} too, the same VRRP id`);
    }
  }
  const values = new Map<string, SettingOf<'portfw_vips'>>();
  for (const [host, own] of held) {
    const vips = sorted(own.keys());
    if (PORTFW_SCHEMAS.portfw_vips.safeParse(vips).success) values.set(host, { variable: 'portfw_vips', vips });
  }
  const lines = placeSettings(values, seen, 'portfw_vips', false).map(({ scope, setting, hosts: covered }) => {
    const evidence = sorted(covered.flatMap((host) => [...held.get(host)!.values()]));
    const cluster = sorted(
      [...values].filter(([, value]) => value.vips.some((vip) => setting.vips.includes(vip))).map(([host]) => host),
    );
    const bond =
      cluster.length < 2
        ? []
        : [`${three(cluster)} list the same address, so they are a cluster: nothing is filtered between them`];
    return line(scope, setting, [...evidence, ...bond]);
  });
  return [...lines, ...hosts.flatMap((host) => openVips(host, hosts, extras, held))];
}

/** What the facts leave open about the addresses of one host. */
function openVips(
  host: SeenHost,
  hosts: readonly SeenHost[],
  extras: ReadonlyMap<string, readonly Extra[]>,
  held: ReadonlyMap<string, ReadonlyMap<string, string>>,
): readonly Proposal[] {
  const own = held.get(host.name);
  const doubtful = extras.get(host.name)!.filter((extra) => !isCertain(host, extra));
  if (doubtful.length > 0 && own === undefined) {
    const evidence = doubtful.map(
      (extra) => `${extra.address} on ${extra.interface}: ${extra.why}; no program that moves addresses runs`,
    );
    return [
      choice(
        host.name,
        'does this address move to other hosts?',
        options(doubtful.map(({ address }) => address)),
        evidence,
      ),
    ];
  }
  const managers = managersOf(host.facts);
  if (managers.length === 0 || own !== undefined) return [];
  const near = hosts.flatMap((other) => {
    const theirs = [...(held.get(other.name)?.keys() ?? [])];
    const same = managersOf(other.facts).some((name) => managers.includes(name));
    return other === host || !same
      ? []
      : theirs
          .filter((vip) => host.facts.interfaces.some((item) => onNetworkOf(item, vip)))
          .map((vip) => ({ vip, other: other.name }));
  });
  const runs = `${managers.join(', ')} runs, and the host holds no address beyond its own now`;
  const unknown = 'which addresses may come to it is in its own configuration, which is not in the facts';
  const evidence = [runs, ...near.map(({ vip, other }) => `${vip}, on ${other} now, is on the same network`), unknown];
  return [choice(host.name, 'which virtual addresses may come to it?', options(near.map(({ vip }) => vip)), evidence)];
}

function options(addresses: readonly string[]): readonly SettingOf<'portfw_vips'>[] {
  const vips = sorted(addresses);
  return vips.length === 0 || !PORTFW_SCHEMAS.portfw_vips.safeParse(vips).success
    ? []
    : [{ variable: 'portfw_vips', vips }];
}

function isCertain(host: SeenHost, extra: Extra): boolean {
  return extra.vrrp !== null || managersOf(host.facts).length > 0;
}

/** Programs that move addresses, as they run on the host. */
function managersOf({ processes, units }: HostFacts): readonly string[] {
  const active = units.flatMap(({ name, active: state }) =>
    state === 'active' ? (MANAGER_UNITS.exec(name)?.[1] ?? []) : [],
  );
  return sorted([
    ...MANAGERS.filter((name) => processes.includes(name)).map((name) => name.replace(/d$/, '')),
    ...active.map((name) => name.replace(/d$/, '')),
  ]);
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
