import type { CodedFault } from '../../core/failure.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { ManagedConnection } from '../../facts/facts.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';
import type { Losses } from '../../policy/losses.ts';
import type { Change, ConnectionMove } from '../plan.ts';

/**
 * The change of a connection that manages an interface and names another zone, so that NetworkManager keeps the interface
 * in `zone`. With an empty `zone`, a connection in a portfw zone goes back to the default zone; one in a foreign zone stays.
 */
export function connectionMove(
  connections: readonly ManagedConnection[],
  name: string,
  zone: string,
): { readonly networkManager?: ConnectionMove } {
  const managed = connections.find((item) => item.interfaces.includes(name));
  if (managed === undefined || managed.zone === zone || (zone === '' && !isOurs(managed.zone))) return {};
  const { uuid, connection, zone: before } = managed;
  return { networkManager: { uuid, connection, before, after: zone } };
}

/** Connections that name a portfw zone for an interface which no portfw zone has, nor should have. */
export function leftConnections(
  connections: readonly ManagedConnection[],
  homes: ReadonlyMap<string, string>,
  changes: readonly Change[],
  defaultZone: string,
  losses: Losses | undefined,
): Change[] {
  const said = new Set(changes.flatMap((change) => (change.kind === 'interface' ? [change.interface] : [])));
  return connections.flatMap((connection) =>
    connection.interfaces
      .filter((name) => isOurs(connection.zone) && !homes.has(name) && !said.has(name))
      .map((name): Change => {
        const layers = { permanent: false, runtime: false };
        const move = connectionMove([connection], name, '');
        const where = { zone: connection.zone, classes: [], otherZone: defaultZone, editsZone: null, layers };
        const reasons = losses?.ofInterface(name, connection.zone) ?? [];
        const effects = { closes: [], opens: [], reasons };
        return { kind: 'interface', action: 'release', interface: name, ...where, ...move, ...effects };
      }),
  );
}

/** The connections that a plan moves, each once. */
export function connectionMoves(changes: readonly Change[]): ConnectionMove[] {
  const moves = changes.flatMap((change) =>
    change.kind === 'interface' && change.networkManager !== undefined ? [change.networkManager] : [],
  );
  return [...new Map(moves.map((move) => [move.uuid, move])).values()];
}

/** Why a connection that the plan moves cannot be moved for good, or `null`. */
export function connectionRefusal(
  connections: readonly ManagedConnection[],
  changes: readonly Change[],
  desired: DesiredFirewalld,
): CodedFault | null {
  const homes = new Map(
    [...desired.zones.values()].flatMap(({ config }) => config.interfaces.map((name) => [name, config.name] as const)),
  );
  for (const { uuid, connection, before, after } of connectionMoves(changes)) {
    const managed = connections.find((item) => item.uuid === uuid);
    const names = managed?.interfaces ?? [];
    const zones = [...new Set(names.map((name) => homes.get(name) ?? ''))];
    if (zones.length > 1)
      return {
        code: 'networkmanager-shared',
        what: `NetworkManager's connection ${connection} manages ${names.join(', ')} together, and it can name one zone only: the plan has them in ${zones.map(shownZone).join(' and ')}`,
        solve: 'give each of these interfaces a connection of its own, or the same class in portfw_interfaces',
      };
    if (managed?.unsaved === true)
      return {
        code: 'networkmanager-unsaved',
        what: `NetworkManager's connection ${connection} is not saved: at the next boot it would name zone ${shownZone(before)} again, and not ${shownZone(after)}`,
        solve: `set the zone to ${shownZone(after)} in what writes the connection (netplan, cloud-init, the boot line), or save it on the host: nmcli connection modify uuid ${uuid} connection.zone ${shellWord(before)}`,
      };
  }
  return null;
}

function shownZone(zone: string): string {
  return zone === '' ? 'none' : zone;
}
