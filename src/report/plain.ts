import type { FleetEvent } from '../fleet/events.ts';
import { eventText } from './event-text.ts';
import type { Output, Report } from './report.ts';
import { PLAIN_STYLE } from './style.ts';

/** For logs and pipes: a line per host that ends (`-v`: per phase as well), without a single escape sequence. */
export class PlainReport implements Report {
  readonly #output: Output;
  readonly #verbosity: number;

  constructor(output: Output, verbosity: number) {
    this.#output = output;
    this.#verbosity = verbosity;
  }

  event(event: FleetEvent): void {
    const text = eventText(event, PLAIN_STYLE, this.#verbosity);
    if (text === null || (text.weight === 'detail' && this.#verbosity < 1)) return;
    this.say(text.lines.join('\n'));
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  async rest(): Promise<void> {}
}
