import { shown } from '../core/shown.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { LOCKED } from '../decide/other-runs.ts';
import { clusterText } from '../settings/clusters.ts';
import { exceedsFailures } from './batches.ts';
import { messageOf, type RunBooks } from './books.ts';
import type { Cluster } from './clusters.ts';
import type { Aftermath, HostOutcome } from './events.ts';
import type { HostJob, HostOperations, PlannedHost, Proved } from './operations.ts';
import { runLimited } from './pool.ts';
import { blame, type InForce, isInForce, revertHost, wentWrong } from './revert-host.ts';
import { type Batch, planRollout } from './rollout.ts';

/** A host with a plan that waits for its turn. */
export type Pending = Extract<PlannedHost, { kind: 'pending' }>;

/** Why a host was not begun after an interruption. */
export const INTERRUPTED = 'the run was interrupted before its turn';
const INTERRUPTED_BATCH = 'the run was interrupted before its batch was kept';
const UNKNOWN: Aftermath = { kind: 'unknown', why: 'portfw failed while it was working on the host' };
const NEVER = new AbortController().signal;

/**
 * Applies the plans of all hosts: playbook by playbook, play by play, batch by batch, as `serial`,
 * `max_fail_percentage` and `on_failure` say. Every host in `pending` has an outcome afterwards.
 *
 * A host that failed, was refused or could not be reached counts as failed; one that failed while it was planned counts in
 * its batch. `max_fail_percentage` and `revert-run` apply within their playbook.
 *
 * No two hosts of a cluster are changed, or rolled back, at the same time. If it is not certain that one of them works as
 * before, the others are not changed.
 */
export class ApplyRollout {
  readonly #jobs: ReadonlyMap<string, HostJob>;
  readonly #pending: Map<string, Pending>;
  readonly #books: RunBooks;
  readonly #operations: HostOperations;
  readonly #forks: number;
  readonly #clusters: readonly Cluster[];
  /** The clusters of each host that is in one. */
  readonly #clustersOf = new Map<string, readonly Cluster[]>();

  constructor(
    pending: Map<string, Pending>,
    clusters: readonly Cluster[],
    books: RunBooks,
    operations: HostOperations,
    forks: number,
  ) {
    this.#clusters = clusters;
    for (const cluster of clusters) {
      for (const host of cluster.hosts) this.#clustersOf.set(host, [...(this.#clustersOf.get(host) ?? []), cluster]);
    }
    this.#jobs = books.context.jobs;
    this.#pending = pending;
    this.#books = books;
    this.#operations = operations;
    this.#forks = forks;
  }

  async run(): Promise<void> {
    for (const batches of planRollout(this.#jobs.values(), this.#clusters).playbooks) await this.#playbook(batches);
  }

  /** Skips every host that still waits. */
  async skipAll(because: string): Promise<void> {
    await this.#skip([...this.#jobs.keys()], because);
  }

  async #playbook(batches: readonly Batch[]): Promise<void> {
    const { signal } = this.#books.context;
    const hosts = batches.flatMap((batch) => batch.hosts);
    const begun: Batch[] = [];
    let stop = this.#wholeRunLost(batches);
    for (const batch of batches) {
      if (stop !== null || signal.aborted) break;
      stop = await this.#batch(batch, begun);
      begun.push(batch);
    }
    await this.#skip(hosts, stop === null || signal.aborted ? INTERRUPTED : stop);
  }

  /** Why a playbook is not begun: one of its hosts is lost, and with `revert-run` it would be rolled back at once. */
  #wholeRunLost(batches: readonly Batch[]): string | null {
    const hosts = batches.filter(({ onFailure }) => onFailure === 'revert-run').flatMap((batch) => batch.hosts);
    const lost = this.#firstFailed(hosts) ?? this.#firstHeld(hosts);
    return lost === null
      ? null
      : `${lost}, and with on_failure: revert-run either all hosts of a playbook are changed or none`;
  }

  /** @returns why no further batch of the playbook is begun, or `null` */
  async #batch(batch: Batch, earlier: readonly Batch[]): Promise<string | null> {
    const { play, batch: number, batches, hosts, onFailure } = batch;
    this.#books.emit({ kind: 'batch-started', play, batch: number, batches, hosts, at: this.#books.at() });
    // Hosts lost while planning count before the batch begins, as in Ansible: then none of the batch is applied.
    let stop = this.#tooManyFailed(batch);
    if (stop === null) {
      if (onFailure === 'keep-good') await this.#eachForItself(hosts);
      else {
        const because = await this.#together(batch);
        if (because !== null && onFailure === 'revert-run') stop = await this.#putRunBack(because, earlier);
      }
      stop ??= this.#tooManyFailed(batch);
    }
    const failed = this.#failedOf(hosts);
    this.#books.emit({ kind: 'batch-finished', play, batch: number, failed, stop, at: this.#books.at() });
    return stop;
  }

  /** `keep-good`: each host is kept as soon as it is verified. */
  async #eachForItself(hosts: readonly string[]): Promise<void> {
    for (const host of hosts) {
      const held = this.#heldBack(host);
      if (held !== null) await this.#skip([host], held);
    }
    const pending = hosts.filter((host) => this.#pending.has(host));
    await runLimited(pending, this.#forks, this.#books.context.signal, async (host) => {
      const { apply } = this.#take(host);
      const outcome = await this.#books.step(
        host,
        async () => {
          const applied = await apply();
          return applied.kind === 'proved' ? applied.keep() : applied;
        },
        UNKNOWN,
      );
      this.#books.finish(host, outcome);
    });
  }

  /**
   * Changes a batch as a whole: applies to and verifies all its hosts, and then keeps all or rolls all back.
   *
   * @returns why the batch was not changed or was rolled back, or `null` (also for an interruption)
   */
  async #together({ hosts }: Batch): Promise<string | null> {
    const { signal } = this.#books.context;
    const lost = this.#firstFailed(hosts) ?? this.#firstHeld(hosts);
    if (lost !== null) {
      await this.#skip(hosts, `${lost}, and on_failure changes a batch as a whole or not at all`);
      return lost;
    }
    const proved = new Map<string, Proved>();
    const kept = new Map<string, InForce>();
    // After the first failure no further host is begun: it would only be rolled back.
    const halt = new AbortController();
    const settle = (host: string, outcome: HostOutcome): void => {
      if (isInForce(outcome)) {
        kept.set(host, outcome);
        return;
      }
      this.#books.finish(host, outcome);
      if (wentWrong(outcome)) halt.abort();
    };

    const pending = hosts.filter((host) => this.#pending.has(host));
    await runLimited(pending, this.#forks, AbortSignal.any([signal, halt.signal]), async (host) => {
      const applied = await this.#books.step(host, this.#take(host).apply, UNKNOWN);
      if (applied.kind !== 'proved') {
        settle(host, applied);
        return;
      }
      proved.set(host, applied);
      this.#books.context.phase(host, 'waiting for its batch');
    });

    if (!halt.signal.aborted && !signal.aborted) {
      await runLimited([...proved], this.#forks, halt.signal, async ([host, way]) => {
        proved.delete(host);
        settle(host, await this.#books.step(host, () => way.keep(), UNKNOWN));
      });
      if (!halt.signal.aborted) {
        for (const [host, outcome] of kept) this.#books.finish(host, outcome);
        return null;
      }
    }
    const culprit = this.#firstFailed(hosts);
    const because = culprit ?? INTERRUPTED_BATCH;
    await runLimited([...proved], this.#forks, NEVER, async ([host, way]) => {
      this.#books.finish(host, await this.#books.step(host, () => way.revert(because), UNKNOWN));
    });
    await runLimited([...kept], this.#forks, NEVER, async ([host, was]) => {
      this.#books.finish(host, await this.#revert(host, was, because));
    });
    await this.#skip(hosts, culprit === null ? INTERRUPTED : `${culprit}, and its batch was rolled back`);
    return culprit;
  }

  /** `revert-run`: rolls the playbook's earlier batches back as well, the last one first. */
  async #putRunBack(because: string, earlier: readonly Batch[]): Promise<string> {
    // Batch by batch, so that hosts of a cluster are not rolled back at the same time either.
    for (const { hosts } of [...earlier].reverse()) {
      const changed = hosts.flatMap((host) => {
        const was = this.#books.outcomes.get(host);
        return was !== undefined && isInForce(was) ? [{ host, was }] : [];
      });
      await runLimited(changed, this.#forks, NEVER, async ({ host, was }) => {
        this.#books.reopen(host);
        this.#books.reverted(host, await this.#revert(host, was, because));
      });
    }
    return `${because}, and the run was rolled back`;
  }

  #revert(host: string, was: InForce, because: string): Promise<HostOutcome> {
    // An interruption does not stop a rollback half way.
    const context = { ...this.#books.context, signal: NEVER };
    const job = this.#jobs.get(host)!;
    return this.#books.step(host, () => revertHost(job, was, because, context, this.#operations), UNKNOWN);
  }

  #tooManyFailed({ play, batch, hosts, maxFailPercentage }: Batch): string | null {
    const failed = this.#failedOf(hosts);
    if (!exceedsFailures(failed, hosts.length, maxFailPercentage)) return null;
    const where = `batch ${batch}${play === '' ? '' : ` of play ${shown(play)}`}`;
    return `${failed} of ${hosts.length} hosts failed in ${where}, more than max_fail_percentage ${maxFailPercentage} allows`;
  }

  #failedOf(hosts: readonly string[]): number {
    return hosts.filter((host) => this.#hasFailed(host)).length;
  }

  #hasFailed(host: string): boolean {
    const outcome = this.#books.outcomes.get(host);
    return outcome !== undefined && wentWrong(outcome);
  }

  /** `sip2 failed`, for the first failed host of the list; `null` if none failed. */
  #firstFailed(hosts: readonly string[]): string | null {
    const host = hosts.find((one) => this.#hasFailed(one));
    return host === undefined ? null : blame(host, this.#books.outcomes.get(host)!);
  }

  /** Why a host must not be changed: another one of its cluster may be down, and both could be down at the same time. */
  #heldBack(host: string): string | null {
    for (const { bond, hosts } of this.#clustersOf.get(host) ?? []) {
      for (const mate of hosts) {
        const outcome = mate === host ? undefined : this.#books.outcomes.get(mate);
        if (outcome === undefined || !mayBeDown(outcome)) continue;
        return `${blame(mate, outcome)}, and ${terminalLine(host)} belongs to ${clusterText(bond)} too`;
      }
    }
    return null;
  }

  /** As `#heldBack`, for the first waiting host of the list that is held back. */
  #firstHeld(hosts: readonly string[]): string | null {
    for (const host of hosts) {
      const held = this.#pending.has(host) ? this.#heldBack(host) : null;
      if (held !== null) return held;
    }
    return null;
  }

  #take(host: string): Pending {
    const pending = this.#pending.get(host)!;
    this.#pending.delete(host);
    return pending;
  }

  async #skip(hosts: readonly string[], because: string): Promise<void> {
    const waiting = hosts.filter((host) => this.#pending.has(host));
    await runLimited(waiting, this.#forks, NEVER, async (host) => {
      await discard(host, this.#take(host), this.#books);
      this.#books.finish(host, { kind: 'skipped', because });
    });
  }
}

/**
 * Whether a host possibly does not work as before the run: its change failed, it could not be reached, or another run is
 * changing it.
 */
function mayBeDown(outcome: HostOutcome): boolean {
  if (outcome.kind === 'refused') return outcome.failure.code === LOCKED;
  return outcome.kind === 'unreachable' || (outcome.kind === 'failed' && outcome.aftermath.kind !== 'untouched');
}

/** Closes an unused session. A failure has no effect on the host, so it is only a note. */
export async function discard(host: string, pending: Pending, books: RunBooks): Promise<void> {
  try {
    await pending.discard();
  } catch (error) {
    books.context.note(host, 'warning', `closing the session failed: ${messageOf(error)}`);
  }
}
