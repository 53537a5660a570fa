import { terminalLine } from '../core/terminal-text.ts';
import type { HostPlan } from '../plan/plan.ts';
import { exceedsFailures } from './batches.ts';
import type { Aftermath, FleetEvent, HostOutcome, Phase, RunSummary } from './events.ts';
import type { HostJob, HostOperations, PlannedHost, RunContext } from './operations.ts';
import { runLimited } from './pool.ts';
import { type Batch, rolloutBatches } from './rollout.ts';

/** Shows the plans of all hosts that have changes and says whether they may be applied. */
export type Review = (plans: readonly HostPlan[]) => Promise<boolean>;

/** What to do on every host of a run. */
export type FleetCommand =
  | { readonly kind: 'facts' }
  | { readonly kind: 'detect' }
  | { readonly kind: 'plan' }
  | { readonly kind: 'apply'; readonly review: Review }
  | { readonly kind: 'history' }
  | { readonly kind: 'rollback'; readonly generation: string | null };

/** What the caller decides about a run; the runner adds the two callbacks that operations report through. */
export type FleetContext = Omit<RunContext, 'phase' | 'note'>;

export interface FleetOptions {
  /** How many hosts are worked on at once. */
  readonly forks: number;
  /** Receives every event, in order. */
  readonly emit: (event: FleetEvent) => void;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Runs one command over all hosts of `context.jobs`, at most `forks` at once.
 *
 * Every host ends with exactly one outcome and one `host-finished` event, whatever happens to the others; an unexpected
 * exception in one host's operation becomes its `failed` outcome. `apply` plans all hosts first, lets `review` look at
 * the plans, and then goes through the pending hosts play by play and batch by batch; it stops after a batch that exceeds
 * `max_fail_percentage`. Hosts that failed, were refused or could not be reached all count, and those that did so while
 * planning count in their batch.
 *
 * Aborting `context.signal` lets hosts under way finish; those not begun end as `skipped`.
 *
 * @throws what `emit` or `review` threw, once no host is under way any more
 */
export async function runFleet(
  command: FleetCommand,
  context: FleetContext,
  operations: HostOperations,
  options: FleetOptions,
): Promise<RunSummary> {
  return new FleetRun(command, context, operations, options).run();
}

type Pending = Extract<PlannedHost, { kind: 'pending' }>;

const INTERRUPTED = 'the run was interrupted before its turn';

class FleetRun {
  readonly #command: FleetCommand;
  readonly #context: RunContext;
  readonly #operations: HostOperations;
  readonly #forks: number;
  readonly #emitRaw: (event: FleetEvent) => void;
  readonly #now: () => number;
  readonly #began: number;
  readonly #jobs: readonly HostJob[];
  readonly #outcomes = new Map<string, HostOutcome>();
  readonly #pending = new Map<string, Pending>();
  readonly #phases = new Map<string, Phase>();
  /** Time that was spent on each host, without waiting for the review or for its batch. */
  readonly #busyMs = new Map<string, number>();
  #reportError: { readonly error: unknown } | null = null;

  constructor(command: FleetCommand, context: FleetContext, operations: HostOperations, options: FleetOptions) {
    this.#command = command;
    this.#operations = operations;
    this.#forks = options.forks;
    this.#emitRaw = options.emit;
    this.#now = options.now ?? (() => performance.now());
    this.#began = this.#now();
    this.#jobs = [...context.jobs.values()];
    this.#context = {
      ...context,
      phase: (host, phase) => {
        if (this.#outcomes.has(host)) return;
        this.#phases.set(host, phase);
        this.#emit({ kind: 'host-phase', host, phase, at: this.#at() });
      },
      note: (host, severity, text) => this.#emit({ kind: 'host-note', host, severity, text, at: this.#at() }),
    };
  }

  async run(): Promise<RunSummary> {
    const { signal } = this.#context;
    const command = this.#command;
    const onAbort = (): void => this.#emit({ kind: 'interrupted', at: this.#at() });
    signal.addEventListener('abort', onAbort, { once: true });
    this.#emit({
      kind: 'run-started',
      command: command.kind,
      hosts: this.#jobs.map((job) => job.host),
      at: this.#at(),
    });
    if (signal.aborted) onAbort();
    try {
      const left = await runLimited(this.#jobs, this.#forks, signal, (job) => this.#begin(job));
      for (const job of left) this.#finish(job.host, { kind: 'skipped', because: INTERRUPTED });
      if (command.kind === 'apply') await this.#applyPending(command.review);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    const summary: RunSummary = {
      command: command.kind,
      outcomes: new Map(this.#jobs.map((job) => [job.host, this.#outcomes.get(job.host)!])),
      durationMs: this.#at(),
      interrupted: signal.aborted,
    };
    this.#emit({ kind: 'run-finished', summary, at: this.#at() });
    if (this.#reportError !== null) throw this.#reportError.error;
    return summary;
  }

  /** The first pass over one host: everything there is to do, or for apply its plan. */
  async #begin(job: HostJob): Promise<void> {
    const { host } = job;
    const command = this.#command;
    const operations = this.#operations;
    const context = this.#context;
    switch (command.kind) {
      case 'facts':
        return this.#attempt(host, () => operations.facts(job, context), UNTOUCHED);
      case 'detect':
        return this.#attempt(host, () => operations.detect(job, context), UNTOUCHED);
      case 'history':
        return this.#attempt(host, () => operations.history(job, context), UNTOUCHED);
      case 'rollback':
        return this.#attempt(host, () => operations.rollback(job, context, command.generation), UNKNOWN);
      case 'plan':
        return this.#attempt(host, () => this.#planOnly(job), UNTOUCHED);
      case 'apply':
        return this.#attempt(host, () => this.#planToApply(job), UNTOUCHED);
    }
  }

  async #planOnly(job: HostJob): Promise<HostOutcome> {
    const planned = await this.#operations.plan(job, this.#context);
    if (planned.kind === 'finished') return planned.outcome;
    await this.#discard(job.host, planned);
    return { kind: 'planned', plan: planned.plan };
  }

  async #planToApply(job: HostJob): Promise<HostOutcome | null> {
    const planned = await this.#operations.plan(job, this.#context);
    if (planned.kind === 'finished') return planned.outcome;
    this.#pending.set(job.host, planned);
    this.#emit({ kind: 'host-planned', host: job.host, plan: planned.plan, at: this.#at() });
    return null;
  }

  async #applyPending(review: Review): Promise<void> {
    if (this.#pending.size === 0) return;
    let approved = false;
    try {
      if (!this.#context.signal.aborted) {
        approved = await review(this.#inHostOrder(this.#pending.keys()).map((host) => this.#pending.get(host)!.plan));
      }
    } catch (error) {
      this.#reportError ??= { error };
    }
    let stop: string | null = approved ? null : 'the plan was not confirmed';
    if (stop === null) {
      for (const batch of rolloutBatches(this.#jobs)) {
        stop = await this.#applyBatch(batch);
        if (stop !== null || this.#context.signal.aborted) break;
      }
    }
    const because = this.#context.signal.aborted ? INTERRUPTED : (stop ?? INTERRUPTED);
    await runLimited(this.#inHostOrder(this.#pending.keys()), this.#forks, NEVER, (host) => this.#skip(host, because));
  }

  /** @returns why the run stops after this batch, or `null` */
  async #applyBatch(batch: Batch): Promise<string | null> {
    const { play, batch: number, batches, hosts } = batch;
    this.#emit({ kind: 'batch-started', play, batch: number, batches, hosts, at: this.#at() });
    // Hosts lost while planning count before the batch begins: then nothing of it is applied, as in Ansible.
    let stop = this.#tooManyFailed(batch);
    if (stop === null) {
      const pending = hosts.filter((host) => this.#pending.has(host));
      await runLimited(pending, this.#forks, this.#context.signal, async (host) => {
        const { apply } = this.#pending.get(host)!;
        this.#pending.delete(host);
        await this.#attempt(host, apply, UNKNOWN);
      });
      stop = this.#tooManyFailed(batch);
    }
    const failed = this.#failedOf(hosts);
    this.#emit({ kind: 'batch-finished', play, batch: number, failed, stop, at: this.#at() });
    return stop;
  }

  #tooManyFailed({ play, batch, hosts, maxFailPercentage }: Batch): string | null {
    const failed = this.#failedOf(hosts);
    if (!exceedsFailures(failed, hosts.length, maxFailPercentage)) return null;
    const where = `batch ${batch}${play === '' ? '' : ` of play "${play}"`}`;
    return `${failed} of ${hosts.length} hosts failed in ${where}, more than max_fail_percentage ${maxFailPercentage} allows`;
  }

  #failedOf(hosts: readonly string[]): number {
    return hosts.filter((host) => {
      const kind = this.#outcomes.get(host)?.kind;
      return kind === 'failed' || kind === 'refused' || kind === 'unreachable';
    }).length;
  }

  /** Runs one step of one host; `null` leaves the host open for a later step. Never rejects. */
  async #attempt(host: string, step: () => Promise<HostOutcome | null>, aftermath: Aftermath): Promise<void> {
    const began = this.#now();
    let outcome: HostOutcome | null;
    try {
      outcome = await step();
    } catch (error) {
      outcome = internalError(error, this.#phases.get(host) ?? 'connecting', aftermath);
    }
    this.#busyMs.set(host, (this.#busyMs.get(host) ?? 0) + this.#now() - began);
    if (outcome !== null) this.#finish(host, outcome);
  }

  async #skip(host: string, because: string): Promise<void> {
    const pending = this.#pending.get(host)!;
    this.#pending.delete(host);
    await this.#discard(host, pending);
    this.#finish(host, { kind: 'skipped', because });
  }

  /** Closing an unused session cannot change what becomes of the host, so a failure of it is a note. */
  async #discard(host: string, pending: Pending): Promise<void> {
    try {
      await pending.discard();
    } catch (error) {
      this.#context.note(host, 'warning', `closing the session failed: ${messageOf(error)}`);
    }
  }

  #finish(host: string, outcome: HostOutcome): void {
    if (this.#outcomes.has(host)) return;
    this.#outcomes.set(host, outcome);
    this.#emit({
      kind: 'host-finished',
      host,
      outcome,
      durationMs: Math.round(this.#busyMs.get(host) ?? 0),
      at: this.#at(),
    });
  }

  #inHostOrder(hosts: Iterable<string>): readonly string[] {
    const wanted = new Set(hosts);
    return this.#jobs.map((job) => job.host).filter((host) => wanted.has(host));
  }

  #at(): number {
    return Math.round(this.#now() - this.#began);
  }

  /** A report that breaks must not stop a host half way: the error waits until the run is over. */
  #emit(event: FleetEvent): void {
    try {
      this.#emitRaw(event);
    } catch (error) {
      this.#reportError ??= { error };
    }
  }
}

const UNTOUCHED: Aftermath = { kind: 'untouched' };
const UNKNOWN: Aftermath = { kind: 'unknown', why: 'portfw failed while it was working on the host' };
const NEVER = new AbortController().signal;

function messageOf(error: unknown): string {
  return terminalLine(error instanceof Error ? error.message : String(error));
}

function internalError(error: unknown, phase: Phase, aftermath: Aftermath): HostOutcome {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    kind: 'failed',
    phase,
    failure: {
      code: 'internal-error',
      what: `portfw itself failed: ${messageOf(error)}`,
      details: stack.split('\n').map((line) => terminalLine(line)),
      solve: 'Run again with -vv and report what it prints; this is a fault of portfw, not of the host',
    },
    aftermath,
  };
}
