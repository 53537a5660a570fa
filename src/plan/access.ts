import { subtract } from '../core/address-ranges.ts';
import { type AddressFamily, compareNetworks, parseAddress } from '../core/addresses.ts';
import { formatPortRange, type Protocol } from '../core/ports.ts';
import type { Crowd } from '../firewalld/filter/reach.ts';
import { familyOf } from '../firewalld/filter/treatment.ts';
import type { ZoneConfig } from '../firewalld/kinds/zone.ts';
import { isOurs } from '../firewalld/model.ts';
import type { DesiredFirewalld } from '../policy/desired.ts';
import type { AccessRow, AccessSide, HostAccess, WholeAccess } from './access-types.ts';
import { type Opener, Openers } from './impact/access-openers.ts';
import { AccessReasons } from './impact/access-reasons.ts';
import type { ImpactFacts } from './impact/impact.ts';
import { type Ends, type ReachPair, takesAway } from './impact/reach-pair.ts';
import { type Side, sidesOf } from './impact/sides.ts';
import { sshPorts } from './lockout/proof-ways.ts';
import type { Change } from './plan.ts';

/** What the access of a host is worked out from. */
export interface AccessInput {
  readonly facts: ImpactFacts;
  /** What decides about new flows now, and once the plan is applied: the one that the impact is worked out from. */
  readonly pair: ReachPair;
  /** Says why something is open after the plan, and which classes an interface serves. */
  readonly desired: DesiredFirewalld;
  /** Say why something is taken away. */
  readonly changes: readonly Change[];
}

/**
 * Who gets in where on a host, before and after a plan: by interface, address family and range of ports. Pure; equal inputs
 * give equal results, in one order.
 *
 * Virtual addresses that no interface holds now count as addresses of the interfaces in whose zones their rules are.
 */
export function accessOf(input: AccessInput): HostAccess {
  const { facts, pair, desired, changes } = input;
  const before = new Openers(pair.before.filter);
  const after = pair.after === pair.before ? before : new Openers(pair.after.filter);
  const reasons = new AccessReasons(desired, changes);
  const held = new Set(facts.interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  const classes = classesOf(desired, changes);
  const sides = sidesOf(facts.interfaces)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((side): AccessSide => {
      const [zoneBefore, zoneAfter] = [before.zoneOf(side.name), after.zoneOf(side.name)];
      const addresses = addressesOf(side, held, [zoneBefore, zoneAfter]);
      return {
        interface: side.name,
        classes: isOurs(zoneAfter.name) ? (classes.get(side.name) ?? []) : [],
        zoneBefore: zoneBefore.name,
        zoneAfter: zoneAfter.name,
        ...sideAccess(side.name, addresses, { pair, before, after, reasons }),
      };
    });
  return { sides, ssh: [...sshPorts(facts)].sort((a, b) => a - b), reasons: reasons.all };
}

/** The interface classes that interfaces serve, as the desired zones or the changes say it. */
function classesOf(desired: DesiredFirewalld, changes: readonly Change[]): ReadonlyMap<string, readonly string[]> {
  const bound = changes.flatMap((change): [string, readonly string[]][] =>
    change.kind === 'interface' && change.action === 'bind' ? [[change.interface, change.classes]] : [],
  );
  const wanted = [...desired.zones.values()].flatMap(({ interfaces }) =>
    interfaces.flatMap(({ value, reasons }): [string, readonly string[]][] => {
      const classes = reasons.flatMap((reason) => (reason.kind === 'interface-class' ? reason.classes : []));
      return classes.length === 0 ? [] : [[value, classes]];
    }),
  );
  return new Map([...bound, ...wanted].map(([name, classes]) => [name, [...new Set(classes)].sort()]));
}

/** An interface's addresses, and the virtual ones that it may get: those that rules of its portfw zones are for. */
function addressesOf(side: Side, held: ReadonlySet<string>, zones: readonly ZoneConfig[]): readonly string[] {
  const rules = zones.filter(({ name }) => isOurs(name)).flatMap(({ richRules }) => richRules);
  const floating = rules.flatMap(({ destination, destinationInverted }) =>
    destination === null || destinationInverted || held.has(destination) || parseAddress(destination) === null
      ? []
      : [destination],
  );
  return [...new Set([...side.addresses, ...floating])].sort(byValue);
}

function byValue(one: string, other: string): number {
  const [a, b] = [parseAddress(one), parseAddress(other)];
  return a === null || b === null ? (one < other ? -1 : 1) : compareNetworks(a, b);
}

const FAMILIES: readonly AddressFamily[] = ['ipv4', 'ipv6'];
const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];

/** What all interfaces of a host are looked at with. */
interface Host {
  readonly pair: ReachPair;
  readonly before: Openers;
  readonly after: Openers;
  readonly reasons: AccessReasons;
}

/** Ports that are treated alike at all addresses of one family, with the addresses by who gets in. */
interface Stretch {
  readonly protocol: Protocol;
  readonly first: number;
  readonly last: number;
  readonly doors: ReadonlyMap<Ends, readonly string[]>;
}

function sideAccess(
  name: string,
  addresses: readonly string[],
  host: Host,
): { readonly whole: readonly WholeAccess[]; readonly rows: readonly AccessRow[] } {
  const found = FAMILIES.flatMap((family) => {
    const own = addresses.filter((address) => familyOf(address) === family);
    if (own.length === 0) return [];
    const stretches = PROTOCOLS.flatMap((protocol) => stretchesAt(name, protocol, own, host.pair));
    const ends = [...new Set(stretches.flatMap(({ doors }) => [...doors.keys()]))] as [Ends, ...Ends[]];
    const crowds = (pick: (one: Ends) => Crowd) => ends.map(pick) as [Crowd, ...Crowd[]];
    const whole = host.pair.ends(
      host.pair.common(crowds(({ before }) => before)),
      host.pair.common(crowds(({ after }) => after)),
    );
    const rows = new Rows({ name, family, count: own.length, whole, ends }, host);
    for (const stretch of stretches) rows.add(stretch);
    const told: WholeAccess = { family, before: whole.before.comers, after: whole.after.comers, turn: whole.turn };
    return [{ whole: told, rows: rows.finish() }];
  });
  return {
    whole: found.map((one) => one.whole),
    rows: found
      .flatMap((one) => one.rows)
      .sort(
        (a, b) => compare(a.row.protocol, b.row.protocol) || a.first - b.first || compare(a.row.family, b.row.family),
      )
      .map(({ row }) => row),
  };
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function stretchesAt(name: string, protocol: Protocol, addresses: readonly string[], pair: ReachPair): Stretch[] {
  const starts = pair.startsAt(name, protocol);
  return starts.map((first, index) => {
    const doors = new Map<Ends, string[]>();
    for (const destination of addresses) {
      const ends = pair.at({ interface: name, destination, protocol, port: first });
      const alike = doors.get(ends);
      if (alike === undefined) doors.set(ends, [destination]);
      else alike.push(destination);
    }
    return { protocol, first, last: (starts[index + 1] ?? 65_536) - 1, doors };
  });
}

/** A row that may go on with the next port. */
interface Draft {
  readonly first: number;
  last: number;
  readonly ends: Ends;
  row: Omit<AccessRow, 'ports'>;
}

/** One family of an interface. */
interface FamilySide {
  readonly name: string;
  readonly family: AddressFamily;
  /** How many addresses of the family there are. */
  readonly count: number;
  readonly whole: Ends;
  /** All that occur. */
  readonly ends: readonly Ends[];
}

/** Gathers the rows of one family of an interface, ports in their order. */
class Rows {
  readonly #side: FamilySide;
  readonly #host: Host;
  /** Those by whom more get in than those of `whole`. */
  readonly #beyond: ReadonlySet<Ends>;
  readonly #drafts: Draft[] = [];
  /** By protocol and destinations. */
  readonly #latest = new Map<string, Draft>();

  constructor(side: FamilySide, host: Host) {
    this.#side = side;
    this.#host = host;
    const { whole } = side;
    const more = (one: Crowd, all: Crowd) => one !== all && subtract(one.ranges, all.ranges).length > 0;
    this.#beyond = new Set(
      side.ends.filter(({ before, after }) => more(before, whole.before) || more(after, whole.after)),
    );
  }

  add({ protocol, first, last, doors }: Stretch): void {
    for (const [ends, addresses] of doors) {
      if (!this.#beyond.has(ends)) continue;
      const row = this.#row(protocol, first, ends, addresses);
      const place = `${protocol} ${row.destinations.join(' ')}`;
      const latest = this.#latest.get(place);
      if (latest?.last === first - 1 && latest.ends === ends && sameNames(latest.row.by, row.by)) {
        latest.last = last;
        latest.row = { ...row, why: [...new Set([...latest.row.why, ...row.why])] };
        continue;
      }
      const draft = { first, last, ends, row };
      this.#latest.set(place, draft);
      this.#drafts.push(draft);
    }
  }

  finish(): readonly { readonly first: number; readonly row: AccessRow }[] {
    return this.#drafts.map(({ first, last, row: { protocol, ...rest } }) => ({
      first,
      row: { protocol, ports: formatPortRange({ first, last }), ...rest },
    }));
  }

  #row(protocol: Protocol, port: number, ends: Ends, addresses: readonly string[]): Omit<AccessRow, 'ports'> {
    const { name, family, count } = this.#side;
    const { before, after, reasons } = this.#host;
    const entrance = { interface: name, family, destinations: addresses, protocol, port };
    const { turn } = ends;
    const is = turn === 'closed' ? [] : after.at(entrance);
    // What opened it before is of interest only where somebody loses.
    const was = takesAway(turn) ? before.at(entrance) : [];
    const taken = takesAway(turn) ? reasons.ofTaken(entrance, was, turn === 'closed' ? after.at(entrance) : is) : [];
    return {
      protocol,
      family,
      destinations: addresses.length === count ? [] : addresses,
      before: ends.before.comers,
      after: ends.after.comers,
      turn,
      by: namesOf(turn === 'closed' ? was : is),
      why: [...new Set([...reasons.ofOpen(is, port, protocol), ...taken])],
    };
  }
}

/** How many names a row lists: a zone may have thousands of rules for one port. */
const MOST_NAMES = 20;

function namesOf(openers: readonly Opener[]): readonly string[] {
  const names = [...new Set(openers.map(({ name }) => name))];
  if (names.length <= MOST_NAMES) return names;
  return [...names.slice(0, MOST_NAMES - 1), `and ${names.length - MOST_NAMES + 1} more`];
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}
