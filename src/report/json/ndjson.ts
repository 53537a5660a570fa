import type { FleetEvent } from '../../fleet/events.ts';
import type { Output, Report } from '../report.ts';
import { jsonLine } from './json-line.ts';
import { Publisher } from './publish.ts';

/** `--json`: one JSON object a line, in the published form (docs/reference/events.md). */
export class NdjsonReport implements Report {
  readonly #output: Output;
  readonly #diagnostics: Output;
  readonly #publisher = new Publisher();

  /** @param diagnostics where text that is no event goes: standard error */
  constructor(output: Output, diagnostics: Output) {
    this.#output = output;
    this.#diagnostics = diagnostics;
  }

  event(event: FleetEvent): void {
    for (const published of this.#publisher.publish(event)) this.#output.write(`${jsonLine(published)}\n`);
  }

  say(text: string): void {
    this.#diagnostics.write(`${text}\n`);
  }

  async rest(): Promise<void> {}
}
