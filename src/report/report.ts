import type { FleetEvent } from '../fleet/events.ts';

/** Follows a run while it goes on. It sees events and nothing else of the run. */
export interface Report {
  event(event: FleetEvent): void;
  /** Shows a line (or several) that is not part of the run's events. */
  say(text: string): void;
  /** Leaves the terminal alone (before a question, say) until the next event, and at the end. */
  rest(): Promise<void>;
}

/** Where a report writes; `process.stdout` is one. `columns` and `rows` are those of a terminal. */
export interface Output {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}
