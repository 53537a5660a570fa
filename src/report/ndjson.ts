import { UNSAFE_CHARACTERS } from '../core/unsafe-characters.ts';
import type { FleetEvent, HostOutcome, RunSummary } from '../fleet/events.ts';
import { unsettledBy } from '../fleet/unsettled.ts';
import type { Output, Report } from './report.ts';
import { changesOf, failureOf } from './terminal/outcome-text.ts';

/**
 * `--json`: one JSON object a line for every event, in the shape of `FleetEvent` (src/fleet/events.ts): `kind`, `at` in
 * milliseconds since the run began, and the event's own fields. Maps become objects, secrets never occur.
 *
 * The last line is the `run-finished` event. Its `summary` holds `command`, `durationMs`, `interrupted`, `counts` (hosts
 * by outcome kind) and `outcomes`, by host: `kind`, and where they apply `changes` (a number), `code` and `what` of the
 * failure, `aftermath`, `because`, `unsettled`. Facts and plans are not repeated there: the host's `host-finished` line has them.
 */
export class NdjsonReport implements Report {
  readonly #output: Output;
  readonly #diagnostics: Output;

  /** @param diagnostics where text that is no event goes: standard error */
  constructor(output: Output, diagnostics: Output) {
    this.#output = output;
    this.#diagnostics = diagnostics;
  }

  event(event: FleetEvent): void {
    const value = event.kind === 'run-finished' ? { ...event, summary: summaryValue(event.summary) } : event;
    this.#output.write(`${jsonLine(value)}\n`);
  }

  say(text: string): void {
    this.#diagnostics.write(`${text}\n`);
  }

  async rest(): Promise<void> {}
}

/** One value as one line of JSON; Maps become objects, and every control character is an escape. */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) => (part instanceof Map ? Object.fromEntries(part) : part));
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(UNSAFE_CHARACTERS, (character) => character.split('').map(escaped).join(''));
}

function summaryValue(summary: RunSummary): unknown {
  const counts: Record<string, number> = {};
  for (const outcome of summary.outcomes.values()) counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1;
  return {
    command: summary.command,
    durationMs: summary.durationMs,
    interrupted: summary.interrupted,
    counts,
    outcomes: new Map([...summary.outcomes].map(([host, outcome]) => [host, outcomeValue(outcome)])),
  };
}

function outcomeValue(outcome: HostOutcome): unknown {
  const changes = changesOf(outcome);
  const failure = failureOf(outcome);
  return {
    kind: outcome.kind,
    ...(changes === null ? {} : { changes }),
    ...(failure === null ? {} : { code: failure.code, what: failure.what }),
    ...(outcome.kind === 'failed' ? { aftermath: outcome.aftermath } : {}),
    ...(outcome.kind === 'skipped' || outcome.kind === 'reverted' ? { because: outcome.because } : {}),
    ...(unsettledBy(outcome) === null ? {} : { unsettled: unsettledBy(outcome) }),
    ...('generation' in outcome ? { generation: outcome.generation } : {}),
    ...(outcome.kind === 'changed' && outcome.cut !== undefined ? { cut: outcome.cut } : {}),
  };
}
