import type { Inventory } from '../inventory/inventory.ts';
import type { HostSettings } from '../inventory/settings-types.ts';
import type { Play } from '../matrix/matrix.ts';
import type { HostPlan } from '../plan/plan.ts';
import type { Target, Transport } from '../transport/connection.ts';
import type { HostOutcome, Phase } from './events.ts';

/** Everything that is decided about one host before it is contacted. */
export interface HostJob {
  readonly host: string;
  readonly settings: HostSettings;
  /** `null` for commands that need no matrix (facts, history, rollback) on a host that no play covers. */
  readonly play: Play | null;
  readonly target: Target;
  readonly transport: Transport;
}

/** What the operations of one run share. */
export interface RunContext {
  readonly inventory: Inventory;
  readonly settings: ReadonlyMap<string, HostSettings>;
  readonly jobs: ReadonlyMap<string, HostJob>;
  /** `user@controller`, for locks and generations. */
  readonly holder: string;
  /** The day of the run, `YYYY-MM-DD` in UTC, for exceptions that expire. */
  readonly today: string;
  /** Aborted on SIGINT: nothing new begins; what must not be half done is finished. */
  readonly signal: AbortSignal;
  readonly phase: (host: string, phase: Phase) => void;
  readonly note: (host: string, severity: 'info' | 'warning', text: string) => void;
}

/** A host that was observed and planned; the session may still be open for the apply that follows. */
export type PlannedHost =
  | { readonly kind: 'finished'; readonly outcome: HostOutcome }
  | {
      readonly kind: 'pending';
      readonly plan: HostPlan;
      readonly apply: () => Promise<HostOutcome>;
      readonly discard: () => Promise<void>;
    };

/** What can be done on one host. Each resolves to an outcome and never rejects for the host's own failures. */
export interface HostOperations {
  facts(job: HostJob, context: RunContext): Promise<HostOutcome>;
  detect(job: HostJob, context: RunContext): Promise<HostOutcome>;
  plan(job: HostJob, context: RunContext): Promise<PlannedHost>;
  history(job: HostJob, context: RunContext): Promise<HostOutcome>;
  /** `generation` is an id, or `null` for the newest one that differs from the present state. */
  rollback(job: HostJob, context: RunContext, generation: string | null): Promise<HostOutcome>;
}
