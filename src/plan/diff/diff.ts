import type { RunningFirewalld } from '../../facts/facts.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';
import type { Losses } from '../../policy/losses.ts';
import type { Change } from '../plan.ts';
import { definitionChanges, needsReload } from './definitions.ts';
import { entryChanges } from './entry-changes.ts';
import { zoneChanges } from './zone-changes.ts';

export interface DiffInput {
  readonly desired: DesiredFirewalld;
  readonly observed: ObservedFirewalld;
  readonly facts: Pick<RunningFirewalld, 'defaultZone' | 'networkManager'>;
  /**
   * The saved configuration that a rollback restores: what others had added to portfw zones comes back, and what they have
   * added since goes, bans too.
   */
  readonly restored?: FirewalldConfig;
  /** Says why something goes; without it, what goes has no reasons: nobody reads them after an apply. */
  readonly losses?: Losses;
}

/**
 * The only comparison of the observed with the desired firewalld: a reviewer reads its result, and the steps are made
 * for it. The verification after an apply makes it again, from new facts.
 */
export function differences({ desired, observed, facts, restored, losses }: DiffInput): readonly Change[] {
  const { permanent, runtime } = observed;
  const definitions = definitionChanges({ desired, permanent, runtime, losses });
  const deleted = definitions.flatMap(({ action, object, name }) =>
    action === 'delete' && object === 'ipset' ? [name] : [],
  );
  return [
    ...definitions,
    ...entryChanges({ desired: desired.ipsets, permanent, runtime, deleted, losses }),
    ...zoneChanges({
      desired,
      permanent,
      runtime,
      defaultZone: facts.defaultZone,
      zoneFiles: observed.zoneFiles,
      connections: facts.networkManager,
      ...(restored === undefined ? {} : { restored }),
      losses,
    }),
  ];
}

/** Whether a change is at runtime, and not only in the files. */
export function concernsRuntime(change: Change): boolean {
  if (change.kind === 'definition') return needsReload(change);
  return 'layers' in change && change.layers.runtime;
}
