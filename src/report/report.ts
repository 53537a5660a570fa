import type { FleetEvent } from '../fleet/events.ts';

/** Shows a run while it is in progress. It gets events and nothing else. */
export interface Report {
  event(event: FleetEvent): void;
  /** Shows one or more lines that are not an event. */
  say(text: string): void;
  /** Stops drawing until the next event: before a question, and at the end. */
  rest(): Promise<void>;
}

/** Where a report writes, such as `process.stdout`. `columns` and `rows` exist on a terminal only. */
export interface Output {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}
