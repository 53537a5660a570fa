import type { ManagedConnection, RunningFirewalld } from '../facts/facts.ts';
import type { FirewalldConfig } from '../firewalld/kinds/kinds.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { Reason } from '../policy/desired.ts';
import type { GenerationLook } from './generation-look.ts';
import type { Change } from './plan.ts';
import type { Restored } from './restored.ts';

/** What interfaces and connections are compared with. */
export interface MovesInput {
  readonly firewalld: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly restored: Restored;
  readonly look: GenerationLook;
  readonly reasons: readonly Reason[];
}

type Move = Extract<Change, { kind: 'interface' }>;

/**
 * Changes with their interfaces as a rollback moves them: what runs follows the saved bindings, which may be others than those
 * of the files; connections of NetworkManager name what they named then.
 */
export function withRestoredMoves(changes: readonly Change[], input: MovesInput): readonly Change[] {
  const { permanent, runtime } = input.restored.observed;
  // A foreign zone that nothing is bound to now is not known, but the host says its name. A zone of portfw without a file is gone.
  const saved = [...input.look.bindings].filter(([, zone]) => !isOurs(zone) || permanent.zones.has(zone));
  const after = [...homesIn(runtime), ...saved];
  const homes = { was: homesIn(input.observed.runtime), is: new Map(after) };
  const settled = changes.flatMap((change): readonly Change[] => {
    if (change.kind !== 'interface') return [change];
    const move = settledMove(change, homes, input);
    const nothing = !move.layers.permanent && !move.layers.runtime && move.editsZone === null;
    return nothing && move.networkManager === undefined ? [] : [move];
  });
  const known = [...settled, ...runtimeMoves(settled, homes, input)];
  return [...known, ...otherConnections(known, homes, input)];
}

/** The zone that has each interface at runtime, before and after. */
interface Homes {
  readonly was: ReadonlyMap<string, string>;
  readonly is: ReadonlyMap<string, string>;
}

function homesIn({ zones }: FirewalldConfig): ReadonlyMap<string, string> {
  return new Map([...zones.values()].flatMap((zone) => zone.interfaces.map((name) => [name, zone.name] as const)));
}

function settledMove(change: Move, { was, is }: Homes, { firewalld, restored, look }: MovesInput): Move {
  const { networkManager: _, ...rest } = change;
  const { interface: name, zone, action, editsZone } = change;
  const here = (homes: ReadonlyMap<string, string>) => homes.get(name) === zone;
  const runtime = action === 'bind' ? here(is) && !here(was) : here(was) && !here(is);
  const stays = editsZone !== null && restored.observed.permanent.zones.get(editsZone)?.interfaces.includes(name);
  const managed = firewalld.networkManager.find((one) => one.interfaces.includes(name));
  return {
    ...rest,
    ...(action === 'release' ? { otherZone: is.get(name) ?? firewalld.defaultZone } : {}),
    editsZone: stays === true ? null : editsZone,
    layers: { ...change.layers, runtime },
    ...(managed === undefined ? {} : connectionBack(managed, look)),
  };
}

/** Interfaces that move at runtime only, because the files name them where they named them then. */
function runtimeMoves(
  changes: readonly Change[],
  { was, is }: Homes,
  { firewalld, look, reasons }: MovesInput,
): readonly Change[] {
  const moved = new Set(
    changes.flatMap((change) => (change.kind === 'interface' && change.layers.runtime ? [change.interface] : [])),
  );
  return [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((name): readonly Change[] => {
    const [before, after] = [was.get(name) ?? firewalld.defaultZone, is.get(name) ?? firewalld.defaultZone];
    if (before === after || moved.has(name) || !(isOurs(before) || isOurs(after))) return [];
    const managed = firewalld.networkManager.find((one) => one.interfaces.includes(name));
    const layers = { permanent: false, runtime: true };
    const connection = managed === undefined ? {} : connectionBack(managed, look);
    return [{ ...moveOf(name, before, after, reasons), layers, ...connection }];
  });
}

/** Connections that name another zone afterwards although firewalld has their interfaces right. */
function otherConnections(
  changes: readonly Change[],
  { is }: Homes,
  { firewalld, look, reasons }: MovesInput,
): readonly Change[] {
  const said = new Set(changes.flatMap((change) => (change.kind === 'interface' ? [change.interface] : [])));
  return firewalld.networkManager.flatMap((managed) => {
    const { networkManager } = connectionBack(managed, look);
    if (networkManager === undefined || managed.interfaces.some((name) => said.has(name))) return [];
    return managed.interfaces.map((name): Change => {
      const zone = is.get(name) ?? firewalld.defaultZone;
      return { ...moveOf(name, networkManager.before, zone, reasons), networkManager };
    });
  });
}

function moveOf(name: string, before: string, after: string, reasons: readonly Reason[]): Move {
  const where = isOurs(after)
    ? ({ action: 'bind', zone: after, otherZone: before } as const)
    : ({ action: 'release', zone: before, otherZone: after } as const);
  const effects = { classes: [], editsZone: null, closes: [], opens: [] };
  return { kind: 'interface', interface: name, ...where, ...effects, layers: NO_LAYER, reasons };
}

const NO_LAYER = { permanent: false, runtime: false };

function connectionBack(managed: ManagedConnection, { connections }: GenerationLook): Pick<Move, 'networkManager'> {
  const { uuid, connection, zone: before } = managed;
  const after = connections.get(uuid);
  return after === undefined || after === before ? {} : { networkManager: { uuid, connection, before, after } };
}
