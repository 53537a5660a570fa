import { terminalLine } from '../core/terminal-text.ts';
import type { Aftermath, FleetEvent, HostOutcome, Phase } from './events.ts';
import type { RunContext } from './operations.ts';
import { peerLogins } from './probes.ts';

/** The caller's part of a run's context; the runner adds the callbacks for reports of operations, and what operations share. */
export type FleetContext = Omit<RunContext, 'phase' | 'note' | 'peerLogins'>;

/** What a run knows and reports about its hosts: outcomes, times, events. */
export class RunBooks {
  /** The caller's context with callbacks that write to these books, and what the operations share. */
  readonly context: RunContext;
  readonly outcomes = new Map<string, HostOutcome>();
  readonly #emitRaw: (event: FleetEvent) => void;
  readonly #now: () => number;
  readonly #began: number;
  readonly #phases = new Map<string, Phase>();
  /** Time spent on each host, without waiting for the review or for its batch. */
  readonly #busyMs = new Map<string, number>();
  /** Hosts that have finished and are being rolled back. */
  readonly #reopened = new Set<string>();
  #reportError: { readonly error: unknown } | null = null;

  /** @param now a monotonic clock in milliseconds */
  constructor(context: FleetContext, emit: (event: FleetEvent) => void, now: () => number) {
    this.#emitRaw = emit;
    this.#now = now;
    this.#began = now();
    this.context = {
      ...context,
      peerLogins: peerLogins(),
      phase: (host, phase) => {
        if (this.outcomes.has(host) && !this.#reopened.has(host)) return;
        this.#phases.set(host, phase);
        this.emit({ kind: 'host-phase', host, phase, at: this.at() });
      },
      note: (host, severity, text) => this.emit({ kind: 'host-note', host, severity, text, at: this.at() }),
    };
  }

  /** Milliseconds since the run began. */
  at(): number {
    return Math.round(this.#now() - this.#began);
  }

  /** An error of a report must not stop a host half way: it is thrown when the run is over. */
  emit(event: FleetEvent): void {
    try {
      this.#emitRaw(event);
    } catch (error) {
      this.failReport(error);
    }
  }

  /** Stores the first error of a report or a review for the end of the run. */
  failReport(error: unknown): void {
    this.#reportError ??= { error };
  }

  /** @throws the stored error, if there is one */
  throwReportError(): void {
    if (this.#reportError !== null) throw this.#reportError.error;
  }

  /**
   * Runs one step of one host and counts its time. Never rejects: an exception becomes a `failed` outcome.
   *
   * @param aftermath the state of the host if the step throws
   */
  async step<T>(
    host: string,
    step: () => Promise<T>,
    aftermath: Aftermath,
  ): Promise<T | Extract<HostOutcome, { kind: 'failed' }>> {
    const began = this.#now();
    try {
      return await step();
    } catch (error) {
      return internalError(error, this.#phases.get(host) ?? 'connecting', aftermath);
    } finally {
      this.#busyMs.set(host, (this.#busyMs.get(host) ?? 0) + this.#now() - began);
    }
  }

  /** Sets a host's outcome: only the first one counts. */
  finish(host: string, outcome: HostOutcome): void {
    if (this.outcomes.has(host)) return;
    this.outcomes.set(host, outcome);
    this.emit({ kind: 'host-finished', host, outcome, durationMs: this.#busy(host), at: this.at() });
  }

  /** Reopens a finished host to roll it back. */
  reopen(host: string): void {
    this.#reopened.add(host);
  }

  /** Replaces the outcome of a reopened host. */
  reverted(host: string, outcome: HostOutcome): void {
    this.#reopened.delete(host);
    this.outcomes.set(host, outcome);
    this.emit({ kind: 'host-reverted', host, outcome, durationMs: this.#busy(host), at: this.at() });
  }

  #busy(host: string): number {
    return Math.round(this.#busyMs.get(host) ?? 0);
  }
}

/** An error's message, safe to show. */
export function messageOf(error: unknown): string {
  return terminalLine(error instanceof Error ? error.message : String(error));
}

function internalError(error: unknown, phase: Phase, aftermath: Aftermath): Extract<HostOutcome, { kind: 'failed' }> {
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
