import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';
import type { Change } from '../plan.ts';
import type { Ledger } from './change-ledger.ts';

/** What steps are made from. */
export interface StepsInput {
  readonly changes: readonly Change[];
  readonly desired: DesiredFirewalld;
  readonly observed: ObservedFirewalld;
  /** Whether a reload keeps the entries that ipsets have at runtime (`FlushAllOnReload=no`). */
  readonly keeps: boolean;
  /** What the host is to remember once the run is kept. */
  readonly remembers: { readonly matrix: string; readonly roles: readonly string[] };
}

/** What the builders of the three moves share. */
export interface StepsWork extends StepsInput {
  readonly ledger: Ledger;
  /** Why the plan needs a reload, or `null`. */
  readonly reload: string | null;
  /** The zone files that the reload finds written anew. */
  readonly written: ReadonlyMap<string, WrittenZone>;
  /** The entries in each ipset file that is written. */
  readonly entries: ReadonlyMap<string, readonly string[]>;
}

/** A portfw zone file as it must be for the reload. */
export interface WrittenZone {
  /**
   * `empty`: a new zone, inert until calls fill it. `whole`: everything but the interfaces that have yet to come or go.
   * `hollow`: a zone that goes, and that could not be loaded as it is.
   */
  readonly mode: 'empty' | 'whole' | 'hollow';
  readonly config: ZoneConfig;
  /** Interfaces that the file named and names no more, since another zone's file names them too. */
  readonly dropped: readonly string[];
  readonly serves: readonly number[];
}
