import type { FleetEvent } from '../../fleet/events.ts';
import { HeldFailures } from '../held-failures.ts';
import type { Output, Report } from '../report.ts';
import { eventText } from './event-text.ts';
import { FailuresSaid } from './failure-text.ts';
import { PLAIN_STYLE } from './style.ts';

/** For logs and pipes: one line per event (with `-v` also per phase), without escape sequences. */
export class PlainReport implements Report {
  readonly #output: Output;
  readonly #verbosity: number;
  readonly #failures: FailuresSaid;
  readonly #held = new HeldFailures();

  constructor(output: Output, verbosity: number) {
    this.#output = output;
    this.#verbosity = verbosity;
    this.#failures = new FailuresSaid(PLAIN_STYLE, verbosity);
  }

  event(event: FleetEvent): void {
    if (event.kind === 'run-started') this.#held.begin(event.hosts);
    if (event.kind === 'batch-started' || event.kind === 'run-finished') this.#sayHeld();
    const text = eventText(event, PLAIN_STYLE, (failed) =>
      this.#held.hold(failed) ? [] : this.#failures.alone(failed),
    );
    if (text === null || (text.weight === 'detail' && this.#verbosity < 1)) return;
    this.#sayLine(text.lines);
  }

  /** One line per event, so that a log can be searched by host. */
  #sayLine(lines: readonly string[]): void {
    if (lines.length > 0) this.say(lines.map((line, index) => (index === 0 ? line : line.trim())).join('; '));
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  #sayHeld(): void {
    for (const group of this.#held.release()) {
      const [only] = group;
      if (group.length === 1 && only !== undefined) this.#sayLine(this.#failures.alone(only));
      else this.say(this.#failures.together(group).join('\n'));
    }
  }

  async rest(): Promise<void> {
    this.#sayHeld();
  }
}
