import { type AddressFamily, parseNetwork } from '../../core/addresses.ts';
import { counted } from '../../core/lists.ts';
import { type PortRange, type Protocol, parsePortRange } from '../../core/ports.ts';
import type { Comers } from '../../firewalld/filter/comers.ts';
import type { AccessSide, Turn } from '../../plan/access-types.ts';
import { comersText } from '../impact-view.ts';

/** Who reaches something from one address family, before and after. */
export interface Entry {
  readonly family: AddressFamily;
  readonly before: Comers;
  readonly after: Comers;
  readonly turn: Turn;
  readonly why: readonly number[];
}

/** Ports of an interface that every row names together or not at all. */
export interface Stretch {
  /** `null`: all ports that no other stretch of the interface names. */
  readonly ports: { readonly protocol: Protocol; readonly range: PortRange } | null;
  /** Only at some of the interface's addresses. */
  readonly partly: boolean;
  readonly entries: readonly Entry[];
}

/**
 * The ports of an interface, cut so that the rows of IPv4 and of IPv6 can be compared port by port: access of one family may be
 * in other ranges than that of the other.
 */
export function stretchesOf(side: AccessSide): readonly Stretch[] {
  const kinds = new Map<string, { protocol: Protocol; partly: boolean; rows: { range: PortRange; entry: Entry }[] }>();
  for (const { protocol, ports, destinations, ...entry } of side.rows) {
    const range = parsePortRange(ports);
    if (typeof range === 'string') continue;
    const partly = destinations.length > 0;
    const key = `${protocol} ${partly}`;
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { protocol, partly, rows: [{ range, entry }] });
    else kind.rows.push({ range, entry });
  }
  const whole = side.whole.map((one): Entry => ({ ...one, why: [] }));
  return [
    ...(whole.length === 0 ? [] : [{ ports: null, partly: false, entries: whole }]),
    ...[...kinds.values()].flatMap(({ protocol, partly, rows }) =>
      cut(rows).map(({ range, entries }) => ({ ports: { protocol, range }, partly, entries })),
    ),
  ];
}

function cut(
  rows: readonly { readonly range: PortRange; readonly entry: Entry }[],
): readonly { readonly range: PortRange; readonly entries: readonly Entry[] }[] {
  const sorted = [...rows].sort((a, b) => a.range.first - b.range.first);
  const starts = [...new Set(sorted.flatMap(({ range }) => [range.first, range.last + 1]))].sort((a, b) => a - b);
  const parts: { range: PortRange; entries: readonly Entry[] }[] = [];
  let active: typeof sorted = [];
  let next = 0;
  starts.slice(0, -1).forEach((first, index) => {
    active = active.filter(({ range }) => range.last >= first);
    while (next < sorted.length && sorted[next]!.range.first <= first) active.push(sorted[next++]!);
    if (active.length > 0)
      parts.push({ range: { first, last: starts[index + 1]! - 1 }, entries: active.map(({ entry }) => entry) });
  });
  return parts;
}

/** Entries of which the same can be said; two where it can be said of both families at once. */
export interface Joined {
  readonly entries: readonly Entry[];
  /** Only where IPv4 and IPv6 differ. */
  readonly family: 'IPv4' | 'IPv6' | null;
}

const FAMILIES = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;

/**
 * Joins the entries of IPv4 and of IPv6 that are alike.
 *
 * @param both whether the interface has addresses of both families: otherwise none is named
 */
export function joinFamilies(
  entries: readonly Entry[],
  both: boolean,
  alike: (one: Entry, other: Entry) => boolean,
): readonly Joined[] {
  if (!both) return entries.map((entry) => ({ entries: [entry], family: null }));
  const left = [...entries];
  const joined: Joined[] = [];
  for (let entry = left.shift(); entry !== undefined; entry = left.shift()) {
    const one = entry;
    const at = left.findIndex((other) => other.family !== one.family && alike(one, other));
    if (at === -1) joined.push({ entries: [one], family: FAMILIES[one.family] });
    else joined.push({ entries: [one, ...left.splice(at, 1)], family: null });
  }
  return joined;
}

/** Whether an interface has addresses of both families. */
export function hasBothFamilies(side: AccessSide): boolean {
  return new Set([...side.whole, ...side.rows].map(({ family }) => family)).size > 1;
}

/** Some people, as texts and for comparison. */
export interface Who {
  readonly text: string;
  /** Equal for those that count as the same on several hosts. */
  readonly key: string;
  /** What to say if the texts of several hosts differ although their keys are equal. */
  readonly rough: string;
}

/**
 * Says who they are, of one family or of both together.
 *
 * @param rough whether single addresses may be others on each host: each member of a cluster lets in all the others
 */
export function whoOf(comers: readonly Comers[], rough: boolean): Who {
  const [first] = comers;
  if (first === undefined) throw new Error('no comers');
  const sources = comers.flatMap((one) => one.sources);
  const more = comers.reduce((sum, one) => sum + one.more, 0);
  const text = comersText({ who: first.who, sources, more });
  if (!rough || first.who !== 'these') return { text, key: JSON.stringify([first.who, sources, more]), rough: text };
  const { networks, addresses } = counting(sources);
  const named = networks.slice(0, MOST_NETWORKS);
  const further = more + networks.length - named.length;
  const others = further === 0 ? '' : ` and ${counted(further, 'further network')}`;
  const few = addresses === 0 ? [] : [counted(addresses, 'address', 'addresses')];
  return {
    text,
    key: JSON.stringify([first.who, networks, addresses, more]),
    rough: `${[...few, ...named].join(', ')}${others} (not the same on each host)`,
  };
}

/** Networks that a rough text names; the others are counted. */
const MOST_NETWORKS = 3;

/** A network of at most 16 addresses is counted as these: neighbours are written as one. */
const FEW_BITS = 4;

function counting(sources: readonly string[]): { networks: readonly string[]; addresses: number } {
  const networks: string[] = [];
  let addresses = 0;
  for (const source of sources) {
    const network = parseNetwork(source);
    const bits = network === null ? Number.POSITIVE_INFINITY : (network.family === 'ipv4' ? 32 : 128) - network.prefix;
    if (bits > FEW_BITS) networks.push(source);
    else addresses += 2 ** bits;
  }
  return { networks, addresses };
}
