import { type AddressFamily, aggregate, formatNetwork, parseAddress, parseNetwork } from '../../core/addresses.ts';
import { ExpressionError, isList, kindOf, pythonText, type Value } from './values.ts';

/**
 * The filters of the collection `ansible.utils` for addresses: `ipaddr` and its family, as far as they say something of an
 * address. Their results are those of the collection with netaddr 0.8, `false` and nothing for what does not fit included.
 * Source: https://docs.ansible.com/ansible/latest/collections/ansible/utils/docsite/filters_ipaddr.html
 */

/** An address with the length of its network's prefix. */
interface Interface {
  readonly family: AddressFamily;
  readonly ip: bigint;
  readonly prefix: number;
  /** Whether a prefix was written. */
  readonly isNetwork: boolean;
}

const BITS: Readonly<Record<AddressFamily, number>> = { ipv4: 32, ipv6: 128 };

const PRIVATE = [
  ...['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '239.0.0.0/8'],
  ...['169.254.0.0/16', 'fc00::/7', 'fec0::/10', 'fe80::/10'],
];
const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const MULTICAST = ['224.0.0.0/4', 'ff00::/8'];
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'];

type Query = (of: Interface, value: Value) => Value;

const QUERIES: Readonly<Record<string, Query>> = {
  '': (of) => (of.isNetwork ? withPrefix(of, of.ip) : address(of, of.ip)),
  address: (of) => (of.ip !== first(of) || size(of) <= 2n || of.family === 'ipv6' ? address(of, of.ip) : null),
  'address/prefix': (of) =>
    size(of) > 2n && (of.ip === first(of) || of.ip === last(of)) ? false : withPrefix(of, of.ip),
  bool: () => true,
  broadcast: (of) => (size(of) > 2n ? address(of, last(of)) : null),
  cidr: (of) => withPrefix(of, of.ip),
  first_usable: (of) => network(of, () => (size(of) === 1n ? null : address(of, usable(of)[0]))),
  last_usable: (of) => network(of, () => (size(of) === 1n ? null : address(of, usable(of)[1]))),
  range_usable: (of) =>
    network(of, () =>
      size(of) === 1n
        ? null
        : usable(of)
            .map((ip) => address(of, ip))
            .join('-'),
    ),
  next_usable: (of) => network(of, () => neighbour(of, 1n)),
  previous_usable: (of) => network(of, () => neighbour(of, -1n)),
  peer: (of) => network(of, () => peer(of)),
  host: (of) => (size(of) === 1n || of.ip !== first(of) || size(of) === 2n ? withPrefix(of, of.ip) : null),
  hostmask: (of) => address(of, size(of) - 1n),
  int: (of) => (of.isNetwork ? `${of.ip}/${of.prefix}` : number(of.ip)),
  'ip/prefix': (of) => (size(of) === 2n || of.ip !== first(of) ? withPrefix(of, of.ip) : null),
  ip_netmask: (of) => (size(of) === 2n || of.ip !== first(of) ? `${address(of, of.ip)} ${netmask(of)}` : null),
  ipv4: (of, value) => (of.family === 'ipv4' ? value : mappedIpv4(of)),
  ipv6: (of, value) => (of.family === 'ipv6' ? value : `::ffff:${address(of, of.ip)}/${of.prefix + 96}`),
  'link-local': (of, value) => (within(of, LINK_LOCAL) ? value : null),
  loopback: (of, value) => (within(of, LOOPBACK) ? value : null),
  multicast: (of, value) => (within(of, MULTICAST) ? value : null),
  net: (of) => (size(of) > 1n && of.ip === first(of) ? withPrefix(of, of.ip) : null),
  netmask,
  network: (of) => address(of, first(of)),
  network_netmask: (of) => `${address(of, first(of))} ${netmask(of)}`,
  network_wildcard: (of) => `${address(of, first(of))} ${address(of, size(of) - 1n)}`,
  prefix: (of) => of.prefix,
  private: (of, value) => (within(of, PRIVATE) ? value : null),
  public: (of, value) => (within(of, [...PRIVATE, ...LOOPBACK, ...MULTICAST]) || isMask(of) ? null : value),
  size: (of) => number(size(of)),
  size_usable: (of) => number(size(of) <= 2n ? (size(of) === 1n ? 0n : 2n) : size(of) - 2n),
  subnet: (of) => withPrefix(of, first(of)),
  type: (of) => (size(of) === 1n || of.ip !== first(of) ? 'address' : 'network'),
  unicast: (of, value) => (within(of, MULTICAST) ? null : value),
  version: (of) => (of.family === 'ipv4' ? 4 : 6),
  wrap: (of, value) => (of.family === 'ipv4' ? value : `[${address(of, of.ip)}]${of.isNetwork ? `/${of.prefix}` : ''}`),
};

const ALIASES: Readonly<Record<string, string>> = {
  ...{ ip: 'address', gateway: 'address/prefix', gw: 'address/prefix', router: 'address/prefix' },
  ...{ 'host/prefix': 'address/prefix', hostnet: 'address/prefix', wildcard: 'hostmask', lo: 'loopback' },
  ...{ network_id: 'network', 'network/prefix': 'subnet', v4: 'ipv4', v6: 'ipv6' },
};

type Filter = (value: Value, args: readonly Value[]) => Value;

/** The filters by their names without the collection's. */
export const ADDRESS_FILTERS: Readonly<Record<string, Filter>> = {
  ipaddr: (value, [query]) => ipaddr(value, query ?? '', null),
  ipv4: (value, [query]) => ipaddr(value, query ?? '', 'ipv4'),
  ipv6: (value, [query]) => ipaddr(value, query ?? '', 'ipv6'),
  ipwrap: (value) => {
    const wrap = (one: Value): Value => (ipaddr(one, '', null) === false ? one : ipaddr(one, 'wrap', null));
    return isList(value) ? value.map(wrap) : wrap(value);
  },
  ipmath: (value, [amount]) => {
    const of = read(pythonText(value));
    if (of === null)
      throw new ExpressionError(`"ipmath" is given ${kindOf(value)} that is not an address`, 'Give it an address');
    if (typeof amount !== 'number' || !Number.isInteger(amount)) {
      throw new ExpressionError('"ipmath" needs a whole number', 'Add "| int" to the number');
    }
    const sum = of.ip + BigInt(amount);
    if (sum < 0n || sum >> BigInt(BITS[of.family]) !== 0n) {
      throw new ExpressionError('"ipmath" leaves the range of addresses', 'Correct the number');
    }
    return address(of, sum);
  },
  nthhost: (value, [query]) => {
    const of = read(pythonText(value));
    const nth = typeof query === 'number' ? query : /^-?\d+$/.test(pythonText(query ?? '')) ? Number(query) : 0;
    return of === null || nth === 0 ? false : nthAddress(of, nth);
  },
  ipsubnet: (value, [query, index]) => subnet(value, query ?? '', index),
  network_in_network: (value, [test]) => {
    const [outer, inner] = [value, test ?? ''].map((one) => parseNetwork(pythonText(one)));
    return (
      outer != null &&
      inner != null &&
      outer.family === inner.family &&
      outer.first <= inner.first &&
      inner.last <= outer.last
    );
  },
  network_in_usable: (value, [test]) => {
    const [outer, inner] = [read(pythonText(value)), parseNetwork(pythonText(test ?? ''))];
    if (outer === null || inner === null || outer.family !== inner.family) return false;
    const [low, high] = size(outer) === 1n ? [outer.ip, outer.ip] : usable(outer);
    return low <= inner.first && inner.last <= high;
  },
  cidr_merge: (value) => {
    if (!isList(value))
      throw new ExpressionError(`"cidr_merge" is given ${kindOf(value)}`, 'Give it a list of networks');
    const texts = value.map(pythonText);
    const bad = texts.find((text) => parseNetwork(text) === null);
    if (bad !== undefined)
      throw new ExpressionError('"cidr_merge" is given something that is not a network', 'Give it a list of networks');
    const { ipv4, ipv6 } = aggregate(texts);
    return [
      ...ipv4.map((one) => (one.includes('/') ? one : `${one}/32`)),
      ...ipv6.map((one) => (one.includes('/') ? one : `${one}/128`)),
    ];
  },
};

/** `ipaddr(query)`; `version` is the family that is wanted. */
function ipaddr(value: Value, query: Value, version: AddressFamily | null): Value {
  if (isList(value))
    return value.map((one) => ipaddr(one, query, version)).filter((one) => one !== false && one !== null && one !== '');
  if (value === null || value === '' || typeof value === 'boolean' || value === 0) return false;
  const of =
    typeof value === 'number' || typeof value === 'bigint' || /^\d+$/.test(pythonText(value))
      ? fromNumber(value, version)
      : read(pythonText(value));
  if (of === null || (version !== null && of.family !== version)) return false;
  const name = pythonText(query);
  const found = QUERIES[Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name];
  if (found !== undefined && Object.hasOwn(QUERIES, ALIASES[name] ?? name))
    return found(of, isNumeric(value) ? withPrefix(of, of.ip) : value);
  const net = parseNetwork(name);
  if (net !== null && !/^\d+$/.test(name)) {
    return net.family === of.family && net.first <= first(of) && last(of) <= net.last ? value : false;
  }
  if (!/^-?\d+$/.test(name))
    throw new ExpressionError(
      `"ipaddr" does not know ${JSON.stringify(name)}`,
      'Write address, network, prefix, netmask, subnet or the like',
    );
  if (size(of) === 1n) return of.isNetwork ? withPrefix(of, of.ip) : address(of, of.ip);
  const nth = nthAddress(of, Number(name));
  return nth === false ? false : `${nth}/${of.prefix}`;
}

function isNumeric(value: Value): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || (typeof value === 'string' && /^\d+$/.test(value));
}

function read(text: string): Interface | null {
  const [ip, prefix, more] = text.split('/');
  const parsed = parseAddress(ip ?? '');
  if (parsed === null || more !== undefined) return null;
  const bits = BITS[parsed.family];
  if (prefix === undefined) return { family: parsed.family, ip: parsed.first, prefix: bits, isNetwork: false };
  const length = /^\d{1,3}$/.test(prefix) ? Number(prefix) : maskLength(prefix, parsed.family);
  return length === null || length > bits
    ? null
    : { family: parsed.family, ip: parsed.first, prefix: length, isNetwork: true };
}

/** The prefix length that a netmask such as `255.255.255.0` stands for. */
function maskLength(mask: string, family: AddressFamily): number | null {
  const parsed = parseAddress(mask);
  if (parsed === null || parsed.family !== family) return null;
  const bits = parsed.first.toString(2).padStart(BITS[family], '0');
  return /^1*0*$/.test(bits) ? bits.replace(/0+$/, '').length : null;
}

function fromNumber(value: Value, version: AddressFamily | null): Interface | null {
  const ip = BigInt(pythonText(value));
  const family = version ?? (ip >> 32n === 0n ? 'ipv4' : 'ipv6');
  return ip < 0n || ip >> BigInt(BITS[family]) !== 0n ? null : { family, ip, prefix: BITS[family], isNetwork: false };
}

function size(of: Interface): bigint {
  return 1n << BigInt(BITS[of.family] - of.prefix);
}

function first(of: Interface): bigint {
  return of.ip & ~(size(of) - 1n);
}

function last(of: Interface): bigint {
  return first(of) + size(of) - 1n;
}

function usable(of: Interface): [bigint, bigint] {
  return size(of) === 2n ? [first(of), last(of)] : [first(of) + 1n, last(of) - 1n];
}

function address(of: { readonly family: AddressFamily }, ip: bigint): string {
  return formatNetwork({ family: of.family, first: ip, last: ip, prefix: BITS[of.family] });
}

function withPrefix(of: Interface, ip: bigint): string {
  return `${address(of, ip)}/${of.prefix}`;
}

function netmask(of: Interface): string {
  return address(of, (1n << BigInt(BITS[of.family])) - size(of));
}

/** A number, exact as long as it can be. */
function number(value: bigint): Value {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function network(of: Interface, result: () => Value): Value {
  if (of.isNetwork) return result();
  throw new ExpressionError(
    '"ipaddr" is given an address without a prefix, so it has no network',
    'Give it an address with a prefix',
  );
}

function neighbour(of: Interface, by: bigint): Value {
  if (size(of) === 1n) return null;
  const [low, high] = usable(of);
  return of.ip + by >= low && of.ip + by <= high ? address(of, of.ip + by) : null;
}

function peer(of: Interface): Value {
  if (size(of) === 2n) return address(of, of.ip ^ 1n);
  if (size(of) === 4n && of.ip !== first(of) && of.ip !== last(of)) return address(of, of.ip ^ 3n);
  throw new ExpressionError('"ipaddr" is given an address that has no peer', 'Give it an address of a /30 or /31');
}

function nthAddress(of: Interface, nth: number): string | false {
  const at = BigInt(nth);
  if (at >= size(of) || -at > size(of)) return false;
  return address(of, at < 0n ? last(of) + 1n + at : first(of) + at);
}

function mappedIpv4(of: Interface): Value {
  const isMapped = of.ip >> 32n === 0xffffn || of.ip >> 32n === 0n;
  return isMapped && of.prefix >= 96 ? `${address({ family: 'ipv4' }, of.ip & 0xffffffffn)}/${of.prefix - 96}` : false;
}

function within(of: Interface, networks: readonly string[]): boolean {
  return networks.some((text) => {
    const net = parseNetwork(text)!;
    return net.family === of.family && net.first <= first(of) && last(of) <= net.last;
  });
}

function isMask(of: Interface): boolean {
  return of.family === 'ipv4' && /^(?:1*0*|0*1*)$/.test(of.ip.toString(2).padStart(32, '0'));
}

/** `ipsubnet`: the network; with a length how many such subnets there are; with an index that subnet. */
function subnet(value: Value, query: Value, index: Value | undefined): Value {
  const of = read(pythonText(value));
  if (of === null) return false;
  const isAddress = size(of) === 1n || of.ip !== first(of);
  const base: Interface = { ...of, ip: first(of), prefix: isAddress && !of.isNetwork ? BITS[of.family] : of.prefix };
  if (query === '') return withPrefix(base, base.ip);
  if (!/^\d+$/.test(pythonText(query))) {
    throw new ExpressionError('"ipsubnet" takes the length of a prefix', 'Write a number such as 26');
  }
  const length = Number(query);
  if (length > BITS[of.family]) return false;
  if (size(base) === 1n) {
    if (index !== undefined && index !== null)
      throw new ExpressionError('"ipsubnet" takes no index for an address', 'Give it a network');
    return withPrefix({ ...base, prefix: length }, first({ ...base, prefix: length }));
  }
  if (length < base.prefix)
    throw new ExpressionError(
      '"ipsubnet" is given a prefix that is shorter than that of the network',
      'Write a longer prefix',
    );
  const count = 1n << BigInt(length - base.prefix);
  if (index === undefined || index === null) return String(count);
  const given = BigInt(Number(index));
  const at = given < 0n ? given + count : given;
  if (at < 0n || at >= count) return false;
  return `${address(base, base.ip + (at << BigInt(BITS[of.family] - length)))}/${length}`;
}
