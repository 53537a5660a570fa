import type { ObjectKind, OurFolder, Settings } from '../firewalld/kinds/kinds.ts';
import type { PortProtocol } from '../firewalld/model.ts';
import type { PolicyNote, Reason } from '../policy/desired.ts';
import type { RoleAssignment } from '../roles/findings.ts';
import type { HostAccess } from './access-types.ts';
import type { Impact } from './impact-types.ts';
import type { Step, StrayField } from './steps.ts';

/** Which of firewalld's two layers a change is needed in. */
export interface Layers {
  readonly permanent: boolean;
  readonly runtime: boolean;
}

/** One field of a definition that changes; `null` means absent. */
export interface FieldChange {
  readonly field: string;
  readonly before: string | null;
  readonly after: string | null;
  /** Of a list in an object that is edited: what goes, and what comes. */
  readonly removed?: readonly string[];
  readonly added?: readonly string[];
}

/** A NetworkManager connection that gets another zone; empty means the default zone. */
export interface ConnectionMove {
  readonly uuid: string;
  /** Its name, as nmcli shows it. */
  readonly connection: string;
  readonly before: string;
  readonly after: string;
}

/**
 * One difference between the observed and the desired configuration.
 *
 * `definition` changes need files and a reload (`inUse`: live traffic depends on the definition that is edited);
 * the others are made at runtime over D-Bus and then made permanent.
 */
export type Change =
  | {
      readonly kind: 'definition';
      readonly action: 'create' | 'edit' | 'delete';
      readonly object: ObjectKind;
      readonly name: string;
      readonly inUse: boolean;
      readonly fields: readonly FieldChange[];
      readonly reasons: readonly Reason[];
    }
  | {
      readonly kind: 'interface';
      readonly action: 'bind' | 'release';
      readonly interface: string;
      readonly zone: string;
      /** The interface classes that it serves; empty for a release. */
      readonly classes: readonly string[];
      /** The zone that has the interface at runtime now, or gets it after a release. */
      readonly otherZone: string;
      /** The foreign zone file that names the interface and loses that line, or `null`. */
      readonly editsZone: string | null;
      /** Set if NetworkManager manages the interface and its connection names another zone, which would win. */
      readonly networkManager?: ConnectionMove;
      /** What the old zone opens on this interface and the new one does not. */
      readonly closes: readonly string[];
      /** `everything` if the new zone accepts all traffic and the old one did not; else empty. */
      readonly opens: readonly string[];
      readonly layers: Layers;
      readonly reasons: readonly Reason[];
    }
  | {
      readonly kind: 'zone-service';
      readonly action: 'add' | 'remove';
      readonly zone: string;
      readonly service: string;
      readonly ports: readonly PortProtocol[];
      readonly layers: Layers;
      readonly reasons: readonly Reason[];
    }
  | {
      readonly kind: 'rich-rule';
      readonly action: 'add' | 'remove';
      readonly zone: string;
      readonly rule: string;
      readonly layers: Layers;
      readonly reasons: readonly Reason[];
    }
  | {
      /** A manual setting in a portfw zone that the matrix does not have: a port, a source, a masquerade. */
      readonly kind: 'stray';
      /** Set if a rollback brings it back; else it is removed. */
      readonly action?: 'add';
      readonly zone: string;
      readonly field: StrayField;
      readonly value: string;
      readonly layers: Layers;
    }
  | {
      readonly kind: 'ipset-entries';
      readonly ipset: string;
      readonly add: readonly string[];
      readonly remove: readonly string[];
      readonly layers: Layers;
      readonly reasons: readonly Reason[];
    }
  | { readonly kind: 'remember'; readonly before: string | null; readonly after: string }
  /** firewalld does not run: it is installed if missing, started with the new configuration, and enabled. */
  | { readonly kind: 'ensure-firewalld'; readonly action: 'start' | 'install' };

/** The disruption of live traffic. */
export type Disruption =
  | { readonly kind: 'none' }
  /** Nothing is filtered yet; after the start, only what zones open gets in. */
  | { readonly kind: 'firewalld-starts' }
  /** `holdMs`: about how long the first packets of new flows are dropped; established flows continue. */
  | { readonly kind: 'reload'; readonly because: string; readonly holdMs: number }
  /** `holdMs` is 0 without a reload. */
  | {
      readonly kind: 'interface-moves';
      readonly interfaces: readonly string[];
      readonly reload: boolean;
      readonly holdMs: number;
    };

/** portfw's objects on a host after the plan, by kind: the verification after an apply compares with them. Sorted by name. */
export type PlannedState = { readonly [F in OurFolder]: readonly Settings<F>[] };

/** The format version of plans; other versions are not read. */
export const PLAN_FORMAT = 1;

/** What a reviewer reads of any plan: what changes on one host, and what that does. */
export interface PlanBody {
  readonly host: string;
  readonly changes: readonly Change[];
  readonly disruption: Disruption;
  readonly impact: Impact;
  /** Who gets in where, before and after. */
  readonly access: HostAccess;
  readonly notes: readonly PolicyNote[];
  /** Why there is nothing to do; `null` if there are changes. */
  readonly nothingBecause: string | null;
  /** The files that change, if they were asked for (`--raw`). */
  readonly raw?: readonly RawFile[];
}

/** A file below /etc/firewalld, before and after a plan. */
export interface RawFile {
  /** Relative to /etc/firewalld. */
  readonly path: string;
  /** `null` if there is no such file. */
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * What a reviewer sees and all that apply gets: a JSON value, bound to the observed state by its hash. `changes` are shown,
 * `steps` are sent; each step names its changes.
 */
export interface HostPlan extends PlanBody {
  readonly kind: 'apply';
  readonly format: typeof PLAN_FORMAT;
  readonly matrix: string;
  readonly roles: readonly RoleAssignment[];
  /** The observed state that the plan was made from; apply stops if the host has changed since. */
  readonly observedHash: string;
  readonly steps: readonly Step[];
  readonly result: PlannedState;
}

/** The generation that a rollback returns to. */
export interface PlannedGeneration {
  readonly id: string;
  /** ISO 8601, UTC, by the host's clock. */
  readonly savedAt: string;
  /** `user@controller`. */
  readonly savedBy: string;
  /** What the run was to do before which it was saved. */
  readonly before: string;
  /** SHA-256 of its files below /etc/firewalld. */
  readonly permanentHash: string;
}

/** What a rollback of one host does. The host restores the generation itself: there are no steps. */
export interface RollbackPlan extends PlanBody {
  readonly kind: 'rollback';
  readonly format: typeof PLAN_FORMAT;
  /** The observed state that the plan was made from; the rollback stops if the host has changed since. */
  readonly observedHash: string;
  readonly generation: PlannedGeneration;
}

/** Any plan that people review. */
export type ReviewedPlan = HostPlan | RollbackPlan;
