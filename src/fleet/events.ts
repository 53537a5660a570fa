import type { Failure } from '../core/failure.ts';
import type { OtherRun } from '../decide/other-runs.ts';
import type { HostFacts, LockFacts, PendingRun, RunEnd } from '../facts/facts.ts';
import type { Generation, HostAftermath, HostJournal } from '../host/answers.ts';
import type { HostPlan, ReviewedPlan } from '../plan/plan.ts';
import type { RoleFindings } from '../roles/findings.ts';
import type { LeftOut } from '../settings/left-out.ts';

/** What the runner is doing on a host now. */
export type Phase =
  | 'connecting'
  | 'gathering facts'
  | 'planning'
  | 'rehearsing'
  | 'installing firewalld'
  | 'saving the generation'
  | 'writing'
  | 'verifying'
  | 'probing'
  | 'making permanent'
  | 'waiting for its batch'
  | 'restoring'
  | 'reading history'
  | 'reading status'
  | 'confirming';

/** The state of a host after a failure. */
export type Aftermath =
  | Exclude<HostAftermath, { kind: 'kept' }>
  /** The new configuration is in force, although it should have been rolled back; `generation` is the previous one. */
  | { readonly kind: 'still-changed'; readonly generation: string }
  /** The connection is lost and the host could not be asked. */
  | { readonly kind: 'unknown'; readonly why: string };

/** How many revoked flows were ended, and how many are still open; or why none was ended. */
export type CutFlows =
  | { readonly kind: 'cut'; readonly ended: number; readonly left: number }
  | { readonly kind: 'failed'; readonly why: string };

/** The outcome of one host. A host's failure is a value. */
export type HostOutcome =
  | { readonly kind: 'facts'; readonly facts: HostFacts }
  | { readonly kind: 'roles'; readonly facts: HostFacts; readonly findings: RoleFindings }
  /** `unsettled`: another run had not ended when the plan was made, so the observed state may change. */
  | { readonly kind: 'unchanged'; readonly plan: ReviewedPlan; readonly unsettled?: OtherRun }
  | { readonly kind: 'planned'; readonly plan: ReviewedPlan; readonly unsettled?: OtherRun }
  | {
      readonly kind: 'changed';
      readonly plan: HostPlan;
      readonly generation: string;
      readonly reloads: number;
      /** The result of `--cut-revoked`; missing if there was nothing to end. */
      readonly cut?: CutFlows;
    }
  /** Proved and permanent; it waits for `portfw confirm`, and the rollback stays armed until then. */
  | {
      readonly kind: 'awaiting';
      readonly plan: HostPlan;
      readonly generation: string;
      readonly pending: PendingRun;
      readonly reloads: number;
    }
  /** `drifted`: others changed firewalld between the proof and the confirmation. */
  | { readonly kind: 'confirmed'; readonly generation: string; readonly drifted: boolean }
  | { readonly kind: 'nothing-pending'; readonly last: RunEnd | null }
  | {
      readonly kind: 'status';
      readonly lock: LockFacts | null;
      readonly pending: readonly PendingRun[];
      readonly last: RunEnd | null;
    }
  | {
      readonly kind: 'history';
      readonly generations: readonly Generation[];
      readonly pending: readonly PendingRun[];
      /** Absent if it was not asked for. */
      readonly journal?: HostJournal;
    }
  | {
      readonly kind: 'rolled-back';
      readonly generation: string;
      readonly hash: string;
      readonly changed: boolean;
      /** The generation of the state before; missing if the rollback saved none. */
      readonly saved?: string;
    }
  /** The host itself was fine; it was rolled back because of another host, named in `because`. */
  | { readonly kind: 'reverted'; readonly because: string; readonly generation: string }
  /** The host cannot be configured in its state (no firewalld, ambiguous roles, a lockout): nothing was changed. */
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'unreachable'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly phase: Phase; readonly failure: Failure; readonly aftermath: Aftermath }
  /** Never begun: the run stopped before its turn. */
  | { readonly kind: 'skipped'; readonly because: string };

/** What the core reports; outputs consume only these events. Times are milliseconds since the run began. */
export type FleetEvent =
  | {
      readonly kind: 'run-started';
      readonly command: string;
      readonly hosts: readonly string[];
      /** Hosts that the run would be for, but for their connection: nothing is done on them. Absent without any. */
      readonly leftOut?: readonly LeftOut[];
      readonly at: number;
    }
  /**
   * Plans are made, and a play with changes has other batches than `serial` alone would give (`serial`: how many), because
   * no two hosts of a cluster are changed at the same time.
   */
  | {
      readonly kind: 'batches-split';
      readonly play: string;
      readonly batches: number;
      readonly serial: number;
      readonly clusters: readonly { readonly what: string; readonly hosts: readonly string[] }[];
      readonly at: number;
    }
  | {
      readonly kind: 'batch-started';
      readonly play: string;
      readonly batch: number;
      readonly batches: number;
      readonly hosts: readonly string[];
      readonly at: number;
    }
  | { readonly kind: 'host-phase'; readonly host: string; readonly phase: Phase; readonly at: number }
  | {
      readonly kind: 'host-note';
      readonly host: string;
      readonly severity: 'info' | 'warning';
      readonly text: string;
      readonly at: number;
    }
  /** The host's plan is ready and waits for the review and for its batch (apply and rollback); it has not finished. */
  | { readonly kind: 'host-planned'; readonly host: string; readonly plan: ReviewedPlan; readonly at: number }
  | {
      readonly kind: 'host-finished';
      readonly host: string;
      readonly outcome: HostOutcome;
      readonly durationMs: number;
      readonly at: number;
    }
  /** A host that had finished as `changed` was rolled back with the run (`on_failure: revert-run`): this outcome counts. */
  | {
      readonly kind: 'host-reverted';
      readonly host: string;
      readonly outcome: HostOutcome;
      readonly durationMs: number;
      readonly at: number;
    }
  | {
      readonly kind: 'batch-finished';
      readonly play: string;
      readonly batch: number;
      readonly failed: number;
      /** Why no further batch of the playbook is begun. */
      readonly stop: string | null;
      readonly at: number;
    }
  | { readonly kind: 'interrupted'; readonly at: number }
  | { readonly kind: 'run-finished'; readonly summary: RunSummary; readonly at: number };

export interface RunSummary {
  readonly command: string;
  readonly outcomes: ReadonlyMap<string, HostOutcome>;
  readonly durationMs: number;
  readonly interrupted: boolean;
}
