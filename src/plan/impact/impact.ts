import {
  formatPortRange,
  mergePortRanges,
  type PortRange,
  type Protocol,
  subtractPortRanges,
} from '../../core/ports.ts';
import { isLoopback } from '../../facts/addresses.ts';
import type { HostFacts, SocketFacts } from '../../facts/facts.ts';
import { zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { stretchOf } from '../../firewalld/filter/treatment.ts';
import type { Impact, SocketImpact, UnheardImpact } from '../impact-types.ts';
import { flowImpact } from './flow-impact.ts';
import { type Ends, letsMoreIn, type ReachPair, takesAway } from './reach-pair.ts';
import { type Side, sidesOf } from './sides.ts';

/** The facts that the impact is computed from. */
export type ImpactFacts = Pick<HostFacts, 'interfaces' | 'sockets' | 'flows' | 'controllerPath'>;

/**
 * What a plan does to the host's listening sockets and its live traffic. Pure.
 *
 * @param pair what decides about new flows now, and once the plan is applied
 */
export function impactOf(facts: ImpactFacts, pair: ReachPair): Impact {
  const sides = sidesOf(facts.interfaces);
  const alike = socketsAlike(facts.sockets, pair.starts());
  const rows = sides.flatMap((side) => socketRows(alike, side, pair));
  return {
    closed: merged(rows.filter((row) => row.lost)),
    opened: merged(rows.filter((row) => row.gained)),
    unheard: sides.flatMap((side) => unheard(facts.sockets, side, pair)),
    flows: flowImpact(facts, pair.before, pair.after),
  };
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
    const alike = new Map<string, { ends: Ends; destinations: string[] }>();
    for (const destination of doors) {
      const ends = pair.at({ ...socket, interface: side.name, destination });
      if (ends.turn === 'same') continue;
      // Of both families: anybody is anybody.
      const key = JSON.stringify([ends.before.comers, ends.after.comers]);
      const found = alike.get(key);
      if (found === undefined) alike.set(key, { ends, destinations: [destination] });
      else found.destinations.push(destination);
    }
    return [...alike.values()].flatMap(({ ends: { before, after, turn }, destinations }) =>
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
          before: before.comers,
          after: after.comers,
          lost: takesAway(turn),
          gained: letsMoreIn(turn),
        }),
      ),
    );
  });
}

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
function unheard(sockets: readonly SocketFacts[], side: Side, pair: ReachPair): UnheardImpact[] {
  const ports = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const heard = sockets
      .filter((socket) => socket.protocol === protocol && doorsOf(socket, side).length > 0)
      .map(({ port }) => ({ first: port, last: port }));
    const ranges = openedRanges(side, pair, protocol);
    return subtractPortRanges(ranges, heard).map((range) => `${formatPortRange(range)}/${protocol}`);
  });
  const zone = zoneOfInterface(pair.after.filter, side.name);
  return ports.length === 0 ? [] : [{ interface: side.name, zone, ports }];
}

function openedRanges(side: Side, pair: ReachPair, protocol: Protocol): PortRange[] {
  const starts = pair.startsAt(side.name, protocol);
  const newcomers = (port: number): boolean =>
    side.addresses.some((destination) =>
      letsMoreIn(pair.at({ interface: side.name, destination, protocol, port }).turn),
    );
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
