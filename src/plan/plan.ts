import type { ObjectKind, OurFolder, Settings } from '../firewalld/kinds/kinds.ts';
import type { PortProtocol } from '../firewalld/model.ts';
import type { PolicyNote, Reason } from '../policy/desired.ts';
import type { RoleAssignment } from '../roles/findings.ts';
import type { Impact } from './impact-types.ts';
import type { Step, StrayField } from './steps.ts';

/** Which of firewalld's two layers a change is needed in. */
export interface Layers {
  readonly permanent: boolean;
  readonly runtime: boolean;
}

/** One field of a definition that changes; `null` stands for "not there". */
export interface FieldChange {
  readonly field: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** A connection of NetworkManager's that names another zone from now on; empty stands for the default zone. */
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
      /** The zone that holds the interface at runtime now, or that takes it after a release. */
      readonly otherZone: string;
      /** The zone file of somebody else that names the interface and loses that line, or `null`. */
      readonly editsZone: string | null;
      /** Where NetworkManager manages the interface and its connection names another zone, which would win. */
      readonly networkManager?: ConnectionMove;
      /** What the other zone had open on this interface and the new one has not. */
      readonly closes: readonly string[];
      /** `everything` where the new zone lets in whatever comes, and the other one did not; else empty. */
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
      /** Something by hand in a zone of ours that the matrix does not want: a port, a source, a masquerade. */
      readonly kind: 'stray';
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
  /** firewalld does not run: it is started with the new configuration, and enabled; where it is missing, installed first. */
  | { readonly kind: 'ensure-firewalld'; readonly action: 'start' | 'install' };

/** What live traffic will notice. */
export type Disruption =
  | { readonly kind: 'none' }
  /** Nothing is filtered yet, and from the start on only what zones open gets in. */
  | { readonly kind: 'firewalld-starts' }
  /** `holdMs`: for about how long the first packets of new flows are dropped; established ones go on. */
  | { readonly kind: 'reload'; readonly because: string; readonly holdMs: number }
  /** `holdMs` is 0 without a reload. */
  | {
      readonly kind: 'interface-moves';
      readonly interfaces: readonly string[];
      readonly reload: boolean;
      readonly holdMs: number;
    };

/** Our objects on a host once the plan is carried out, by kind. The proof after an apply compares with them. Sorted by name. */
export type PlannedState = { readonly [F in OurFolder]: readonly Settings<F>[] };

/** The version of a plan's form; a plan of another one is not read. */
export const PLAN_FORMAT = 1;

/**
 * What a reviewer sees and all that apply gets: a value that JSON holds, bound to the observed state by its hash. `changes` are
 * what is shown, `steps` what is sent; each step names the changes that it is for.
 */
export interface HostPlan {
  readonly format: typeof PLAN_FORMAT;
  readonly host: string;
  readonly matrix: string;
  readonly roles: readonly RoleAssignment[];
  /** The observed state that the plan was made from; apply stops when the host has another one. */
  readonly observedHash: string;
  readonly changes: readonly Change[];
  readonly steps: readonly Step[];
  readonly result: PlannedState;
  readonly disruption: Disruption;
  readonly impact: Impact;
  readonly notes: readonly PolicyNote[];
  /** Why nothing is to be done; `null` when something is. */
  readonly nothingBecause: string | null;
}
