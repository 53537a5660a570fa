import { type AddressRanges, subtract } from '../../core/address-ranges.ts';
import {
  formatPortRange,
  mergePortRanges,
  type PortRange,
  type Protocol,
  subtractPortRanges,
} from '../../core/ports.ts';
import { isLoopback } from '../../facts/addresses.ts';
import type { HostFacts, InterfaceFacts, SocketFacts } from '../../facts/facts.ts';
import type { Comers } from '../../firewalld/filter/comers.ts';
import { type Filter, zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { comers, familyOf, Reach, stretches, stretchOf } from '../../firewalld/filter/reach.ts';
import type { Impact, SocketImpact, UnheardImpact } from '../impact-types.ts';
import { flowImpact } from './flow-impact.ts';

/** The facts that the impact is computed from. */
export type ImpactFacts = Pick<HostFacts, 'interfaces' | 'sockets' | 'flows' | 'controllerPath'>;

/**
 * What a plan does to the host's listening sockets and its live traffic. Pure.
 *
 * @param before what decides about new flows now
 * @param after the same once the plan is applied
 */
export function impactOf(facts: ImpactFacts, before: Filter, after: Filter): Impact {
  const starts = stretches([before, after]);
  const pair: ReachPair = { before: new Reach(before, starts), after: new Reach(after, starts) };
  const sides = facts.interfaces.filter((item) => item.up && !item.loopback).map(sideOf);
  const alike = socketsAlike(facts.sockets, starts);
  const rows = sides.flatMap((side) => socketRows(alike, side, pair));
  return {
    closed: merged(rows.filter((row) => row.lost)),
    opened: merged(rows.filter((row) => row.gained)),
    unheard: sides.flatMap((side) => unheard(facts.sockets, side, pair, starts)),
    flows: flowImpact(facts, pair.before, pair.after),
  };
}

interface ReachPair {
  readonly before: Reach;
  readonly after: Reach;
}

/** An interface with the addresses at which it is reached. */
interface Side {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly linkLocal: readonly string[];
}

function sideOf({ name, addresses }: InterfaceFacts): Side {
  const all = addresses.map(({ address }) => address);
  const linkLocal = all.filter((address) => /^fe[89ab][0-9a-f]:|^169\.254\./.test(address));
  return { name, addresses: all.filter((address) => !linkLocal.includes(address)), linkLocal };
}

/** The interface's addresses at which a socket can be reached. */
function doorsOf(socket: Pick<SocketFacts, 'address'>, side: Side): readonly string[] {
  if (isLoopback(socket.address)) return [];
  if (socket.address === '*') return side.addresses;
  if (socket.address === '0.0.0.0') return side.addresses.filter((address) => !address.includes(':'));
  if (socket.address === '::') return side.addresses.filter((address) => address.includes(':'));
  return [...side.addresses, ...side.linkLocal].filter((address) => address === socket.address);
}

interface Row extends Omit<SocketImpact, 'ports'> {
  readonly port: number;
  readonly lost: boolean;
  readonly gained: boolean;
}

/** Groups sockets that are treated alike on every interface: one protocol and address, ports that no rule tells apart. */
function socketsAlike(sockets: readonly SocketFacts[], starts: readonly number[]): readonly SocketFacts[][] {
  const found = new Map<string, SocketFacts[]>();
  for (const socket of sockets) {
    const key = `${socket.protocol} ${socket.address} ${stretchOf(starts, socket.port)}`;
    const group = found.get(key);
    if (group === undefined) found.set(key, [socket]);
    else group.push(socket);
  }
  return [...found.values()];
}

/** The changes of one socket; addresses that are treated alike are grouped. */
function socketRows(groups: readonly SocketFacts[][], side: Side, pair: ReachPair): Row[] {
  const zoneBefore = zoneOfInterface(pair.before.filter, side.name);
  const zoneAfter = zoneOfInterface(pair.after.filter, side.name);
  return groups.flatMap((group) => {
    const socket = group[0]!;
    const doors = doorsOf(socket, side);
    const alike = new Map<string, { before: Comers; after: Comers; change: Change; destinations: string[] }>();
    for (const destination of doors) {
      const change = changeAt(pair, { ...socket, interface: side.name, destination });
      if (!change.lost && !change.gained) continue;
      const family = familyOf(destination);
      const ends = { before: comers(change.before, family), after: comers(change.after, family) };
      const key = JSON.stringify(ends);
      const found = alike.get(key);
      if (found === undefined) alike.set(key, { ...ends, change, destinations: [destination] });
      else found.destinations.push(destination);
    }
    return [...alike.values()].flatMap(({ before, after, change, destinations }) =>
      group.map(
        (one): Row => ({
          protocol: one.protocol,
          address: one.address,
          port: one.port,
          processes: one.processes,
          interface: side.name,
          destinations: destinations.length === doors.length ? [] : destinations,
          zoneBefore,
          zoneAfter,
          before,
          after,
          lost: change.lost,
          gained: change.gained,
        }),
      ),
    );
  });
}

interface Change {
  readonly before: AddressRanges;
  readonly after: AddressRanges;
  readonly lost: boolean;
  readonly gained: boolean;
}

function changeAt(pair: ReachPair, door: Parameters<Reach['through']>[0]): Change {
  const before = pair.before.through(door);
  const after = pair.after.through(door);
  const seen = changes.get(before);
  const held = seen?.get(after);
  if (held !== undefined) return held;
  const change = {
    before,
    after,
    lost: subtract(before, after).length > 0,
    gained: subtract(after, before).length > 0,
  };
  if (seen === undefined) changes.set(before, new WeakMap([[after, change]]));
  else seen.set(after, change);
  return change;
}

/** Many sockets share the same rules, and a set may have 100,000 ranges. */
const changes = new WeakMap<AddressRanges, WeakMap<AddressRanges, Change>>();

/** Merges sockets that differ only in their ports: a media server has thousands. */
function merged(rows: readonly Row[]): SocketImpact[] {
  const found = new Map<string, { impact: Omit<SocketImpact, 'ports'>; ports: PortRange[] }>();
  for (const { port, lost: _lost, gained: _gained, ...impact } of rows) {
    const key = JSON.stringify(impact);
    const entry = found.get(key) ?? { impact, ports: [] };
    entry.ports.push({ first: port, last: port });
    found.set(key, entry);
  }
  return [...found.values()].map(({ impact: { protocol, address, ...rest }, ports }) => ({
    protocol,
    address,
    ports: mergePortRanges(ports).map(formatPortRange),
    ...rest,
  }));
}

/** Opened ports that nothing listens on; none if everything is opened. */
function unheard(
  sockets: readonly SocketFacts[],
  side: Side,
  pair: ReachPair,
  starts: readonly number[],
): UnheardImpact[] {
  const ports = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const heard = sockets
      .filter((socket) => socket.protocol === protocol && doorsOf(socket, side).length > 0)
      .map(({ port }) => ({ first: port, last: port }));
    const ranges = openedRanges(side, pair, protocol, starts);
    return subtractPortRanges(ranges, heard).map((range) => `${formatPortRange(range)}/${protocol}`);
  });
  const zone = zoneOfInterface(pair.after.filter, side.name);
  return ports.length === 0 ? [] : [{ interface: side.name, zone, ports }];
}

function openedRanges(side: Side, pair: ReachPair, protocol: Protocol, starts: readonly number[]): PortRange[] {
  const newcomers = (port: number): boolean =>
    side.addresses.some((destination) => changeAt(pair, { interface: side.name, destination, protocol, port }).gained);
  const found = starts.flatMap((first, index): PortRange[] => {
    const last = (starts[index + 1] ?? 65536) - 1;
    return newcomers(first) ? [{ first, last }] : [];
  });
  const open = mergePortRanges(found);
  // A zone that accepts everything opens no particular port.
  const many = open.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return many > MOST_PORTS ? [] : open;
}

/** Above this number of ports, everything counts as open and no list is made. */
const MOST_PORTS = 40_000;
