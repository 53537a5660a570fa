import type { RunningFirewalld } from '../../facts/facts.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';
import type { Change } from '../plan.ts';
import { definitionChanges, needsReload } from './definitions.ts';
import { entryChanges } from './entry-changes.ts';
import { zoneChanges } from './zone-changes.ts';

export interface DiffInput {
  readonly desired: DesiredFirewalld;
  readonly observed: ObservedFirewalld;
  readonly facts: Pick<RunningFirewalld, 'defaultZone' | 'networkManager'>;
}

/**
 * The one comparison of what a host's firewalld is with what it should be: what a reviewer reads, and what the steps are
 * made for. The proof after an apply is this comparison, made again from fresh facts.
 */
export function differences({ desired, observed, facts }: DiffInput): readonly Change[] {
  const { permanent, runtime } = observed;
  const definitions = definitionChanges(desired, permanent, runtime);
  const deleted = definitions.flatMap(({ action, object, name }) =>
    action === 'delete' && object === 'ipset' ? [name] : [],
  );
  return [
    ...definitions,
    ...entryChanges(desired.ipsets, permanent, runtime, deleted),
    ...zoneChanges({
      desired,
      permanent,
      runtime,
      defaultZone: facts.defaultZone,
      zoneFiles: observed.zoneFiles,
      connections: facts.networkManager,
    }),
  ];
}

/** Whether a change is one of what runs now, and not of the files alone. */
export function concernsRuntime(change: Change): boolean {
  if (change.kind === 'definition') return needsReload(change);
  return 'layers' in change && change.layers.runtime;
}
