import type { FleetEvent } from '../../fleet/events.ts';
import type { Output, Report } from '../report.ts';
import { SharedFailures } from '../shared-failures.ts';
import { eventText } from './event-text.ts';
import { FailuresSaid } from './failure-text.ts';
import { sharedFailureLines } from './shared-failure-text.ts';
import { PLAIN_STYLE } from './style.ts';

/** For logs and pipes: one line per event (with `-v` also per phase), without escape sequences. */
export class PlainReport implements Report {
  readonly #output: Output;
  readonly #verbosity: number;
  readonly #failures: FailuresSaid;
  readonly #shared = new SharedFailures();

  constructor(output: Output, verbosity: number) {
    this.#output = output;
    this.#verbosity = verbosity;
    this.#failures = new FailuresSaid(PLAIN_STYLE, verbosity);
  }

  event(event: FleetEvent): void {
    if (event.kind === 'batch-started' || event.kind === 'run-finished') this.#sayShared();
    if (!this.#shared.hold(event)) this.#sayEvent(event);
  }

  #sayEvent(event: FleetEvent): void {
    const text = eventText(event, PLAIN_STYLE, (failed) => this.#failures.alone(failed));
    if (text === null || (text.weight === 'detail' && this.#verbosity < 1)) return;
    // One line per event, so that a log can be searched by host.
    this.say(text.lines.map((line, index) => (index === 0 ? line : line.trim())).join('; '));
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  #sayShared(): void {
    const { single, shared } = this.#shared.release();
    for (const event of single) this.#sayEvent(event);
    for (const failure of shared) this.say(sharedFailureLines(failure, PLAIN_STYLE, this.#verbosity).join('\n'));
  }

  async rest(): Promise<void> {
    this.#sayShared();
  }
}
