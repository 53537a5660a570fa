import { addressSpace } from '../core/address-space.ts';
import { formatNetwork, parseNetwork } from '../core/addresses.ts';
import { three } from '../core/lists.ts';
import type { HostFacts, InterfaceFacts } from '../facts/facts.ts';
import { interfacesOf, mapInterfaces, OF_ENGINES } from '../policy/interfaces.ts';
import { MADE_BY_KEEPALIVED, standsOn, takesVips } from '../policy/virtual-addresses.ts';
import { PORTFW_SCHEMAS } from '../settings/schema.ts';
import { choice, isSet, line, type Proposal, type Seen, type SeenHost, type SettingOf, sorted } from './proposals.ts';
import { placeSettings } from './scopes.ts';

/** Links that end elsewhere: what arrives there has come through another interface. */
const TUNNELS: ReadonlySet<string> = new Set([
  'tun',
  'wireguard',
  'ppp',
  'ipip',
  'sit',
  'gre',
  'ip6gre',
  'ip6tnl',
  'vti',
  'xfrm',
]);

type Interfaces = SettingOf<'portfw_interfaces'>;
type Side = 'public' | 'private';

/** One interface of a host, with what the network that it is on tells of it. */
interface Link {
  readonly host: string;
  readonly name: string;
  /** The network that stands for it: that of its first address, IPv4 before IPv6. */
  readonly network: string;
  readonly space: ReturnType<typeof addressSpace>;
  readonly defaultRoute: boolean;
  /** portfw's own connection came in by an address of it. */
  readonly entrance: boolean;
}

/** What is known of a host's sides. */
interface Sides {
  readonly host: SeenHost;
  readonly links: readonly Link[];
  readonly sides: ReadonlyMap<Link, Side>;
  /** Those that nothing decides. */
  readonly open: readonly Link[];
}

/**
 * Which interface is public and which private, by the networks seen. Public is where the default route leads. Private is
 * where it does not lead, where the addresses are none of the internet, and where another host of the fleet is as well: to
 * call a side private trusts it. A host's only interface is what its network is on other hosts, or else public.
 */
export function proposeInterfaces(seen: Seen): readonly Proposal[] {
  const hosts = seen.hosts.filter((host) => !isSet(host, 'portfw_interfaces'));
  const links = new Map(seen.hosts.map((host) => [host.name, linksOf(host)] as const));
  const on = new Map<string, string[]>();
  for (const link of [...links.values()].flat()) on.set(link.network, [...(on.get(link.network) ?? []), link.host]);
  const shared = (link: Link): boolean => (on.get(link.network) ?? []).some((host) => host !== link.host);
  const several = hosts.filter((host) => links.get(host.name)!.length > 1);
  const judged = new Map(several.map((host) => [host.name, judge(host, links.get(host.name)!, shared)] as const));
  const votes = votesOf([...judged.values()]);
  for (const host of hosts) {
    const own = links.get(host.name)!;
    const [only] = own;
    if (only === undefined || own.length > 1) continue;
    const side: Side = only.space !== 'global' && votes.get(only.network) === 'private' ? 'private' : 'public';
    judged.set(host.name, { host, links: own, sides: new Map([[only, side]]), open: [] });
  }
  const values = new Map<string, Interfaces>();
  const without: Proposal[] = [];
  for (const { name } of hosts) {
    const own = judged.get(name);
    const value = own === undefined ? null : settingOf(own);
    if (value !== null) values.set(name, value);
    if (value === null || (own?.open.length ?? 0) > 0) without.push(openChoice(name, links.get(name)!, own, value));
  }
  const placed = placeSettings(values, seen, 'portfw_interfaces', 0.5);
  const lines = placed.map(({ scope, setting, hosts: covered }) => {
    const all = covered.map((host) => judged.get(host)!);
    return line(scope, setting, evidenceOf(all, on), checkOf(all));
  });
  return [...lines, ...without];
}

/** The networks that every host with several interfaces calls private, after these proposals. */
export function privateNetworks(proposals: readonly Proposal[]): readonly string[] {
  return sorted(
    proposals.flatMap((one) =>
      one.kind === 'line' && one.setting.variable === 'portfw_interfaces' ? one.setting.private : [],
    ),
  );
}

/** The interfaces that may have a class: not those of container engines, tunnels, or for virtual addresses alone. */
function linksOf({ name: host, facts }: SeenHost): readonly Link[] {
  const tunnels = new Set((facts.carriers ?? []).map((carrier) => carrier.interface));
  const main = new Set((facts.defaultRoutes ?? []).filter(isMain).map((route) => route.interface));
  return facts.interfaces.flatMap((item): Link[] => {
    if (!item.up || !takesVips(item) || OF_ENGINES.test(item.name)) return [];
    if (tunnels.has(item.name) || TUNNELS.has(item.kind ?? '')) return [];
    if (isMovable(item.name, facts)) return [];
    const network = networkOf(item);
    if (network === null) return [];
    const parsed = parseNetwork(network);
    const entrance = item.addresses.some(({ address }) => address === facts.controllerPath?.serverAddress);
    return parsed === null
      ? []
      : [
          {
            host,
            name: item.name,
            network,
            space: addressSpace(parsed),
            defaultRoute: main.has(item.name),
            entrance,
          },
        ];
  });
}

/** Whether an interface is one that keepalived makes for virtual addresses: it is what its parent is. */
function isMovable(name: string, { interfaces }: Pick<HostFacts, 'interfaces'>): boolean {
  const item = interfaces.find((one) => one.name === name);
  return item !== undefined && MADE_BY_KEEPALIVED.test(name) && standsOn(item, interfaces) !== null;
}

/** The addresses on such interfaces. */
function movable(facts: HostFacts): readonly string[] {
  const own = facts.interfaces.filter((item) => isMovable(item.name, facts));
  return own.flatMap((item) => item.addresses.map(({ address }) => address));
}

function isMain({ table }: { readonly table: string }): boolean {
  return table === 'main' || table === '254';
}

/** IPv4 before IPv6, and a network before a single address, which may be a virtual one. */
function networkOf(item: InterfaceFacts): string | null {
  const own = item.addresses.filter(({ address }) => !/^(?:fe[89ab]|169\.254\.)/.test(address));
  const rank = (one: (typeof own)[number]): number =>
    (one.family === 'ipv4' ? 0 : 1) + (one.prefix === (one.family === 'ipv4' ? 32 : 128) ? 2 : 0);
  const [best] = [...own].sort((a, b) => rank(a) - rank(b));
  const network = best === undefined ? null : parseNetwork(`${best.address}/${best.prefix}`);
  return network === null || network.prefix === 0 ? null : formatNetwork(network);
}

/** The sides of a host with several interfaces. */
function judge(host: SeenHost, links: readonly Link[], shared: (link: Link) => boolean): Sides {
  const sides = new Map<Link, Side>();
  const ways = links.filter((link) => link.defaultRoute);
  const global = links.filter((link) => link.space === 'global');
  // An address of the internet where the way out is not: which side is outside is not for a program to say. So what is certain
  // and has no default route can never be reached from the internet.
  const certain = ways.length > 0 && (global.length === 0 || global.every((link) => link.defaultRoute));
  for (const link of links) {
    if (!certain) continue;
    if (link.defaultRoute && (ways.length === 1 || ways.every(({ space }) => space === link.space)))
      sides.set(link, 'public');
    if (!link.defaultRoute && shared(link)) sides.set(link, 'private');
  }
  return { host, links, sides, open: links.filter((link) => !sides.has(link)) };
}

/** What each network is on the hosts that have several interfaces; nothing where they differ. */
function votesOf(all: readonly Sides[]): ReadonlyMap<string, Side> {
  const votes = new Map<string, Side | 'both'>();
  for (const { sides } of all) {
    for (const [{ network }, side] of sides) {
      const before = votes.get(network);
      votes.set(network, before === undefined || before === side ? side : 'both');
    }
  }
  return new Map([...votes].filter((entry): entry is [string, Side] => entry[1] !== 'both'));
}

/**
 * The line of a host: its networks, or the names of its interfaces where a network would take in another one as well;
 * `null` if nothing is decided. What is written is what portfw's own reader makes of it.
 */
function settingOf({ host, sides }: Sides): Interfaces | null {
  if (sides.size === 0) return null;
  const of = (side: Side, entry: (link: Link) => string): readonly string[] =>
    sorted([...sides].filter(([, own]) => own === side).map(([link]) => entry(link)));
  for (const entry of [(link: Link) => link.network, (link: Link) => link.name]) {
    const value: Interfaces = {
      variable: 'portfw_interfaces',
      public: of('public', entry),
      private: of('private', entry),
    };
    if (!PORTFW_SCHEMAS.portfw_interfaces.safeParse({ public: value.public, private: value.private }).success) continue;
    const interfaces = { public: value.public, private: value.private, vip: [], control: [] };
    const map = mapInterfaces({ ...host.settings, interfaces, vips: movable(host.facts) }, host.facts.interfaces);
    const same = (['public', 'private'] as const).every((side) => {
      const names = interfacesOf(map, side).filter((name) => !isMovable(name, host.facts));
      return names.join(' ') === of(side, (link) => link.name).join(' ');
    });
    if (same && map.refusals.length === 0) return value;
  }
  return null;
}

function evidenceOf(all: readonly Sides[], on: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const texts = new Map<string, { readonly link: Link; readonly side: Side; readonly seen: Link[] }>();
  for (const { sides } of all) {
    for (const [link, side] of sides) {
      const entry = texts.get(`${side} ${link.network}`) ?? { link, side, seen: [] };
      entry.seen.push(link);
      texts.set(`${side} ${link.network}`, entry);
    }
  }
  const alone = all.filter(({ links }) => links.length === 1).map(({ host }) => host.name);
  return [
    ...[...texts.values()]
      .sort((a, b) => (a.side === b.side ? 0 : a.side === 'public' ? -1 : 1))
      .map(({ side, link, seen }) => `${side}: ${link.network}: ${reasons(seen, on.get(link.network) ?? [])}`),
    ...(alone.length === 0 ? [] : [`${three(alone)}: the only interface`]),
  ];
}

function reasons(seen: readonly Link[], onNetwork: readonly string[]): string {
  const hosts = (links: readonly Link[]): string => three(links.map(({ host, name }) => `${host} ${name}`));
  const routes = seen.filter((link) => link.defaultRoute);
  const others = seen.filter((link) => !link.defaultRoute);
  const entrances = seen.filter((link) => link.entrance);
  const [first] = seen;
  return [
    ...(routes.length === 0 ? [] : [`the default route (${hosts(routes)})`]),
    ...(others.length === 0 ? [] : [`no default route (${hosts(others)})`]),
    ...(new Set(onNetwork).size < 2 ? [] : [`${new Set(onNetwork).size} hosts are on it`]),
    ...(entrances.length === 0 ? [] : [`portfw comes in by it (${three(entrances.map(({ host }) => host))})`]),
    ...(first?.space === 'private' ? ['private address space'] : []),
  ].join(', ');
}

/** What to look at before the line is trusted. */
function checkOf(all: readonly Sides[]): string | null {
  const networks = sorted(
    all.flatMap(({ sides }) => {
      const own = [...sides].filter(([, side]) => side === 'private').map(([link]) => link.network);
      return new Set(own).size > 1 ? own : [];
    }),
  );
  return networks.length === 0
    ? null
    : `may everything that arrives on ${networks.join(' and on ')} be trusted? Otherwise leave the network out`;
}

function openChoice(host: string, links: readonly Link[], own: Sides | undefined, value: Interfaces | null): Proposal {
  const open = own?.open ?? links;
  const evidence = open.map(
    (link) =>
      `${link.name}: ${link.network}, ${link.defaultRoute ? 'the default route' : 'no default route'}, ${link.space === 'private' ? 'private address space' : link.space === 'global' ? 'addresses that the internet can reach' : 'addresses for documentation or tests'}`,
  );
  if (open.length === 0)
    return choice(
      host,
      'portfw_interfaces',
      'which interface is public, and which private?',
      [],
      [links.length === 0 ? 'no interface with an address that could have a class was seen' : 'its networks overlap'],
    );
  const listed =
    value === null ? 'which of its interfaces is public, and which private?' : 'what are its other interfaces?';
  const base = { public: value?.public ?? [], private: value?.private ?? [] };
  const networks = open.map(({ network }) => network);
  const option = (side: Side): Interfaces => ({
    variable: 'portfw_interfaces',
    ...base,
    [side]: sorted([...base[side], ...networks]),
  });
  return choice(host, 'portfw_interfaces', listed, [option('private'), option('public')].filter(valid), evidence);
}

function valid(value: Interfaces): boolean {
  return PORTFW_SCHEMAS.portfw_interfaces.safeParse({ public: value.public, private: value.private }).success;
}
