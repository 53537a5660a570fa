import type { DecideContext, DecidedHost } from '../decide/decide.ts';
import type { OtherRun } from '../decide/other-runs.ts';
import type { JournalPlace } from '../host/requests.ts';
import type { Matrix, Play } from '../matrix/matrix.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import type { HostLook, SavedHost } from '../saved/saved-plan.ts';
import type { Target, Transport } from '../transport/connection.ts';
import type { HostOutcome, Phase } from './events.ts';
import type { Gates } from './pool.ts';

/** Everything that is known about one host before it is contacted. */
export interface HostJob extends DecidedHost {
  /** `null` for commands that need no matrix (facts, history, rollback) on a host that no play covers. */
  readonly play: Play | null;
  readonly target: Target;
  readonly transport: Transport;
}

/** What the operations of one run share. */
export interface RunContext extends DecideContext {
  readonly jobs: ReadonlyMap<string, HostJob>;
  /** Where the settings of logins were looked for, a line each. */
  readonly looked?: readonly string[];
  /** `user@controller`, for locks and generations. */
  readonly holder: string;
  /** How to reach hosts that probes connect from and that are not in `jobs` (`--limit`). */
  readonly peers?: ReadonlyMap<string, Pick<HostJob, 'target' | 'transport'>>;
  /** The saved plan that this run applies: its SHA-256, and whose keys have signed it. */
  readonly plannedBy?: { readonly digest: string; readonly signers: readonly string[] };
  /** The run in the controller's journal, and its first line there; absent if none is kept. */
  readonly journal?: { readonly run: string; readonly at: JournalPlace };
  /** The logins under way on hosts that probes connect from, for the run as a whole. */
  readonly peerLogins: Gates;
  /** `--cut-revoked`: once a change is kept, flows that it revoked are ended. */
  readonly cutRevoked?: boolean;
  /** Matrices whose packages and files the facts are to tell of, besides that of the host's play. */
  readonly lookFor?: readonly Matrix[];
  /** Takes what a host's plan was made of, where plans are saved. */
  readonly look?: (host: string, look: HostLook) => void;
  /** The saved plans that are applied, by host; every host of the run is among them. */
  readonly saved?: ReadonlyMap<string, SavedHost>;
  /** What became of the files that the saved plans were made from, a line each. */
  readonly changedInputs?: readonly string[];
  /** Whether hosts whose saved plan is still right are changed although that of another host is not. */
  readonly onlyCurrent?: boolean;
  /** Aborted on SIGINT: no new host is begun; hosts in progress are finished. */
  readonly signal: AbortSignal;
  readonly phase: (host: string, phase: Phase) => void;
  readonly note: (host: string, severity: 'info' | 'warning', text: string) => void;
}

/**
 * An apply that is verified and permanent, with its rollback still armed: it waits for the decision. The first call of
 * `keep` or `revert` decides; each returns the host's outcome, also if the host has rolled back by itself in the
 * meantime.
 */
export interface Proved {
  readonly kind: 'proved';
  keep(): Promise<HostOutcome>;
  /** Rolls the host back; `because` is the reason in words, for the host's outcome. */
  revert(because: string): Promise<HostOutcome>;
}

/** A host with a plan; the session may still be open for the apply that follows. */
export type PlannedHost =
  | { readonly kind: 'finished'; readonly outcome: HostOutcome }
  | {
      readonly kind: 'pending';
      readonly plan: ReviewedPlan;
      /** The roles that the host plays: they say which cluster it belongs to. */
      readonly roles: readonly string[];
      /** Another run that has not ended: the observed state may still change. */
      readonly unsettled?: OtherRun;
      /** Returns `proved`, or the outcome of a host that ended before: failed, refused, unreachable. */
      readonly apply: () => Promise<HostOutcome | Proved>;
      readonly discard: () => Promise<void>;
    };

/** The operations on one host. Each resolves to an outcome and never rejects for the host's own failures. */
export interface HostOperations {
  facts(job: HostJob, context: RunContext): Promise<HostOutcome>;
  detect(job: HostJob, context: RunContext): Promise<HostOutcome>;
  plan(job: HostJob, context: RunContext): Promise<PlannedHost>;
  /** @param journal whether to read the host's journal as well */
  history(job: HostJob, context: RunContext, journal?: boolean): Promise<HostOutcome>;
  /** What is pending on the host, and how its last run ended. */
  status(job: HostJob, context: RunContext): Promise<HostOutcome>;
  /**
   * Confirms a waiting run, or rolls it back.
   * @param id the run to roll back; by default the pending one
   */
  confirm(job: HostJob, context: RunContext, verdict: 'keep' | 'revert', id?: string): Promise<HostOutcome>;
  /** `generation` is an id, or `null` for the newest one that differs from the current state. */
  planRollback(job: HostJob, context: RunContext, generation: string | null): Promise<PlannedHost>;
  /** Rolls a host back to the generation that a run of this process saved. */
  rollback(job: HostJob, context: RunContext, generation: string): Promise<HostOutcome>;
}
