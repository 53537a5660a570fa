import { eachOurKind, type OurFolder, type OurLayer, perOurKind, type Settings } from '../../firewalld/kinds/kinds.ts';
import { type DesiredFirewalld, desiredObjects, withoutReasons } from '../../policy/desired.ts';
import type { PlannedState } from '../plan.ts';

/** The desired configuration without its reasons, as a plan holds it. */
export function plannedState(desired: DesiredFirewalld): PlannedState {
  const objects = desiredObjects(desired);
  const state = perOurKind<{ readonly [F in OurFolder]: Settings<F>[] }>(() => []);
  eachOurKind((kind, folder) => {
    const sorted = [...objects[folder].values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    state[folder].push(...sorted.map(kind.settingsOf));
  });
  return state;
}

/** The configuration that a plan ends with, to be compared with a host. Reasons are not part of it. */
export function stateAsDesired(state: PlannedState): DesiredFirewalld {
  const objects = perOurKind<OurLayer>(() => new Map());
  eachOurKind((kind, folder) => {
    for (const settings of state[folder]) objects[folder].set(settings.name, kind.ofSettings(settings));
  });
  return withoutReasons(objects);
}
