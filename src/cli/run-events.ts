import type { FleetEvent } from '../fleet/events.ts';
import type { Report } from '../report/report.ts';

/** Hands the events of a run to its report, and keeps how long each host was worked on. */
export class RunEvents {
  /** Milliseconds, by host. */
  readonly durations = new Map<string, number>();
  readonly #report: Report;
  /** Events that come while a server's question waits for its answer; any of them would paint over it. */
  #held: FleetEvent[] | null = null;

  constructor(report: Report) {
    this.#report = report;
  }

  readonly emit = (event: FleetEvent): void => {
    if (this.#held !== null) {
      this.#held.push(event);
      return;
    }
    if (event.kind === 'host-finished' || event.kind === 'host-reverted')
      this.durations.set(event.host, event.durationMs);
    this.#report.event(event);
  };

  /** Asks something on the terminal while the report rests. */
  readonly rest = async <T>(ask: () => Promise<T>): Promise<T> => {
    this.#held = [];
    try {
      await this.#report.rest();
      return await ask();
    } finally {
      const late = this.#held ?? [];
      this.#held = null;
      for (const event of late) this.emit(event);
    }
  };
}
