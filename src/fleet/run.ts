import { lockedBy } from '../decide/other-runs.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import { clusterText } from '../settings/clusters.ts';
import type { LeftOut } from '../settings/left-out.ts';
import { ApplyRollout, discard, INTERRUPTED, type Pending } from './apply-rollout.ts';
import { serialBatches } from './batches.ts';
import { type FleetContext, RunBooks } from './books.ts';
import { type Cluster, clustersAmong } from './clusters.ts';
import type { Aftermath, FleetEvent, HostOutcome, RunSummary } from './events.ts';
import type { HostJob, HostOperations, PlannedHost } from './operations.ts';
import { runLimited } from './pool.ts';
import { planRollout } from './rollout.ts';
import { stopsSavedRun } from './saved-check.ts';
import { unsettledBy } from './unsettled.ts';

export type { FleetContext } from './books.ts';

/** What a review shows: the plans that wait, and how the other hosts ended. */
export interface ToReview {
  /** Of the hosts that have something to do, in the order of the inventory. */
  readonly plans: readonly ReviewedPlan[];
  /** Of the hosts that have ended already: unchanged, refused, not reached. */
  readonly ended: ReadonlyMap<string, HostOutcome>;
}

/** Shows the plans of all hosts that have changes and says whether they may be applied. */
export type Review = (given: ToReview) => Promise<boolean>;

/** What to do on every host of a run. */
export type FleetCommand =
  | { readonly kind: 'facts' }
  | { readonly kind: 'detect' }
  | { readonly kind: 'plan' }
  | { readonly kind: 'apply'; readonly review: Review }
  | { readonly kind: 'history'; readonly journal?: boolean }
  | { readonly kind: 'status' }
  | { readonly kind: 'confirm'; readonly verdict: 'keep' | 'revert' }
  /** Without `review`, the rollback is only planned. */
  | { readonly kind: 'rollback'; readonly generation: string | null; readonly review: Review | null };

export interface FleetOptions {
  /** How many hosts are processed at once. */
  readonly forks: number;
  /** The hosts of the inventory that the run is not for, because of their connection; each run says it once. */
  readonly leftOut?: readonly LeftOut[];
  /** Receives every event, in order. */
  readonly emit: (event: FleetEvent) => void;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Runs one command over all hosts of `context.jobs`, at most `forks` at once.
 *
 * Every host ends with exactly one outcome and one `host-finished` event, whatever happens to the others; an unexpected
 * exception in one host's operation becomes its `failed` outcome. `apply` and `rollback` plan all hosts first, call `review`
 * with the plans, and then carry them out play by play and batch by batch (see `ApplyRollout`).
 *
 * After an abort of `context.signal`, hosts in progress finish; the others end as `skipped`. A batch that is changed as a
 * whole and is not decided yet is rolled back.
 *
 * @throws what `emit` or `review` threw, when no host is in progress any more
 */
export async function runFleet(
  command: FleetCommand,
  context: FleetContext,
  operations: HostOperations,
  options: FleetOptions,
): Promise<RunSummary> {
  return new FleetRun(command, context, operations, options).run();
}

class FleetRun {
  readonly #command: FleetCommand;
  readonly #operations: HostOperations;
  readonly #forks: number;
  readonly #leftOut: readonly LeftOut[];
  readonly #books: RunBooks;
  readonly #jobs: readonly HostJob[];
  readonly #pending = new Map<string, Pending>();

  constructor(command: FleetCommand, context: FleetContext, operations: HostOperations, options: FleetOptions) {
    this.#command = command;
    this.#operations = operations;
    this.#forks = options.forks;
    this.#leftOut = options.leftOut ?? [];
    this.#books = new RunBooks(context, options.emit, options.now ?? (() => performance.now()));
    this.#jobs = [...context.jobs.values()];
  }

  async run(): Promise<RunSummary> {
    const books = this.#books;
    const { signal } = books.context;
    const command = this.#command;
    const onAbort = (): void => books.emit({ kind: 'interrupted', at: books.at() });
    signal.addEventListener('abort', onAbort, { once: true });
    books.emit({
      kind: 'run-started',
      command: command.kind,
      hosts: this.#jobs.map((job) => job.host),
      ...(this.#leftOut.length === 0 ? {} : { leftOut: this.#leftOut }),
      at: books.at(),
    });
    if (signal.aborted) onAbort();
    try {
      for (const jobs of this.#firstPass()) {
        const left = await runLimited(jobs, this.#forks, signal, (job) => this.#begin(job));
        for (const job of left) books.finish(job.host, { kind: 'skipped', because: INTERRUPTED });
      }
      if (command.kind === 'plan' || 'review' in command) this.#tellSplits();
      if ('review' in command && command.review !== null) await this.#applyPending(command.review);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    const summary: RunSummary = {
      command: command.kind,
      outcomes: new Map(this.#jobs.map((job) => [job.host, books.outcomes.get(job.host)!])),
      durationMs: books.at(),
      interrupted: signal.aborted,
    };
    books.emit({ kind: 'run-finished', summary, at: books.at() });
    books.throwReportError();
    return summary;
  }

  /** All hosts at once; if the first pass already changes them, never two of one cluster at the same time. */
  #firstPass(): readonly (readonly HostJob[])[] {
    const command = this.#command;
    const changes = command.kind === 'confirm' && command.verdict === 'revert';
    if (!changes) return [this.#jobs];
    const clusters = this.#clusters().map(({ hosts }) => hosts.map((host) => this.#books.context.jobs.get(host)!));
    return serialBatches(this.#jobs, [], clusters);
  }

  /** The clusters among the hosts. Roles are those of the plans; for a host without a plan, the declared ones. */
  #clusters(): readonly Cluster[] {
    return clustersAmong(this.#jobs, this.#books.context.inventory, ({ host, settings }) => {
      const outcome = this.#books.outcomes.get(host);
      const ended = outcome !== undefined && 'plan' in outcome && outcome.plan.kind === 'apply' ? outcome.plan : null;
      const saved = this.#books.context.saved?.get(host);
      const then = saved?.kind === 'plan' && saved.plan.kind === 'apply' ? saved.plan : null;
      const found = (ended ?? then)?.roles.map(({ role }) => role);
      return this.#pending.get(host)?.roles ?? found ?? settings.roles ?? [];
    });
  }

  /** Reports plays with changes for which `serial` alone would change several hosts of a cluster at once. */
  #tellSplits(): void {
    const books = this.#books;
    const changes = ({ host }: HostJob): boolean =>
      this.#pending.has(host) || books.outcomes.get(host)?.kind === 'planned';
    const plays = new Set(this.#jobs.filter(changes).map(({ play }) => play?.name ?? ''));
    for (const split of planRollout(this.#jobs, this.#clusters()).splits) {
      if (!plays.has(split.play)) continue;
      const clusters = split.clusters.map(({ bond, hosts }) => ({ what: clusterText(bond), hosts }));
      books.emit({ kind: 'batches-split', ...split, clusters, at: books.at() });
    }
  }

  /** The first pass over one host: the whole command, or for apply its plan. */
  async #begin(job: HostJob): Promise<void> {
    const command = this.#command;
    const operations = this.#operations;
    const { context } = this.#books;
    switch (command.kind) {
      case 'facts':
        return this.#attempt(job, () => operations.facts(job, context), UNTOUCHED);
      case 'detect':
        return this.#attempt(job, () => operations.detect(job, context), UNTOUCHED);
      case 'history':
        return this.#attempt(job, () => operations.history(job, context, command.journal), UNTOUCHED);
      case 'status':
        return this.#attempt(job, () => operations.status(job, context), UNTOUCHED);
      case 'confirm':
        return this.#attempt(job, () => operations.confirm(job, context, command.verdict), UNKNOWN);
      case 'rollback': {
        const plan = (): Promise<PlannedHost> => operations.planRollback(job, context, command.generation);
        const only = command.review === null;
        return this.#attempt(job, () => (only ? this.#planOnly(job, plan) : this.#planToApply(job, plan)), UNTOUCHED);
      }
      case 'plan':
        return this.#attempt(job, () => this.#planOnly(job, () => operations.plan(job, context)), UNTOUCHED);
      case 'apply':
        return this.#attempt(job, () => this.#planToApply(job, () => operations.plan(job, context)), UNTOUCHED);
    }
  }

  async #planOnly(job: HostJob, make: () => Promise<PlannedHost>): Promise<HostOutcome> {
    const planned = await make();
    if (planned.kind === 'finished') return planned.outcome;
    await discard(job.host, planned, this.#books);
    const { plan, unsettled } = planned;
    // A host without changes may be pending because it must first end what another run has left.
    const kind = plan.changes.length === 0 && unsettled !== undefined ? 'unchanged' : 'planned';
    return { kind, plan, ...(unsettled === undefined ? {} : { unsettled }) };
  }

  async #planToApply(job: HostJob, make: () => Promise<PlannedHost>): Promise<HostOutcome | null> {
    const planned = await make();
    const other = planned.kind === 'finished' ? unsettledBy(planned.outcome) : (planned.unsettled ?? null);
    if (other?.kind === 'alive') {
      // Also if there is nothing to do: the current state may change at any time.
      if (planned.kind === 'pending') await discard(job.host, planned, this.#books);
      return { kind: 'refused', failure: lockedBy(other.lock, other.run) };
    }
    if (planned.kind === 'finished') return planned.outcome;
    this.#pending.set(job.host, planned);
    this.#books.emit({ kind: 'host-planned', host: job.host, plan: planned.plan, at: this.#books.at() });
    return null;
  }

  async #applyPending(review: Review): Promise<void> {
    if (this.#pending.size === 0) return;
    const { signal } = this.#books.context;
    const rollout = new ApplyRollout(this.#pending, this.#clusters(), this.#books, this.#operations, this.#forks);
    const stopped = stopsSavedRun(this.#books.context, this.#books.outcomes);
    if (stopped !== null && !signal.aborted) return rollout.skipAll(stopped);
    const plans = this.#jobs.flatMap(({ host }) => this.#pending.get(host)?.plan ?? []);
    let approved = false;
    try {
      if (!signal.aborted) approved = await review({ plans, ended: this.#books.outcomes });
    } catch (error) {
      this.#books.failReport(error);
    }
    if (approved && !signal.aborted) await rollout.run();
    await rollout.skipAll(signal.aborted ? INTERRUPTED : 'the plan was not confirmed');
  }

  /** Runs one step of one host; `null` leaves the host open for a later step. Never rejects. */
  async #attempt({ host }: HostJob, step: () => Promise<HostOutcome | null>, aftermath: Aftermath): Promise<void> {
    const outcome = await this.#books.step(host, step, aftermath);
    if (outcome !== null) this.#books.finish(host, outcome);
  }
}

const UNTOUCHED: Aftermath = { kind: 'untouched' };
const UNKNOWN: Aftermath = { kind: 'unknown', why: 'portfw failed while it was working on the host' };
