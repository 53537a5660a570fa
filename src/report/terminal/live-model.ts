import stringWidth from 'string-width';
import { durationText } from '../../core/duration.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { FleetEvent, HostOutcome, Phase } from '../../fleet/events.ts';
import { failureOf } from '../outcome-view.ts';
import { cutToWidth, padToWidth } from './layout.ts';

interface ActiveHost {
  phase: Phase;
  readonly since: number;
}

/** At most this many rows of active hosts, on any terminal. */
const MAX_ACTIVE_ROWS = 20;

/** The state of the live view. Each event costs constant time; nothing is written here. */
export class LiveModel {
  #command = '';
  #total = 0;
  #done = 0;
  readonly #changed = new Set<string>();
  #failed = 0;
  #skipped = 0;
  #reverted = 0;
  #interrupted = false;
  #batch: string | null = null;
  readonly #active = new Map<string, ActiveHost>();
  readonly #waiting = new Set<string>();

  event(event: FleetEvent): void {
    switch (event.kind) {
      case 'run-started':
        this.#command = event.command;
        this.#total = event.hosts.length;
        break;
      case 'batch-started':
        this.#batch = event.batches === 1 ? null : `batch ${event.batch}/${event.batches}`;
        break;
      case 'host-phase': {
        this.#waiting.delete(event.host);
        const active = this.#active.get(event.host);
        if (active === undefined) this.#active.set(event.host, { phase: event.phase, since: event.at });
        else active.phase = event.phase;
        break;
      }
      case 'host-planned':
        this.#active.delete(event.host);
        this.#waiting.add(event.host);
        break;
      case 'host-finished':
        this.#active.delete(event.host);
        this.#waiting.delete(event.host);
        this.#done += 1;
        this.#count(event.host, event.outcome);
        break;
      case 'host-reverted':
        this.#active.delete(event.host);
        this.#changed.delete(event.host);
        this.#count(event.host, event.outcome);
        break;
      case 'interrupted':
        this.#interrupted = true;
        break;
      case 'host-note':
      case 'batches-split':
      case 'batch-finished':
      case 'run-finished':
        break;
    }
  }

  #count(host: string, outcome: HostOutcome): void {
    if (outcome.kind === 'changed') this.#changed.add(host);
    if (outcome.kind === 'skipped') this.#skipped += 1;
    if (outcome.kind === 'reverted') this.#reverted += 1;
    if (failureOf(outcome) !== null) this.#failed += 1;
  }

  /**
   * The view at one moment: a line of counters, and below it the active hosts, those that began first on top. At most
   * `rows - 1` lines of at most `columns - 1` columns, so that the terminal does not scroll or wrap.
   *
   * @param at milliseconds since the run began
   */
  lines(columns: number, rows: number, at: number): readonly string[] {
    const width = Math.max(1, columns - 1);
    const room = Math.max(1, rows - 1);
    const lines = [this.#counters(at)];
    const space = Math.min(room - 1, MAX_ACTIVE_ROWS);
    // Without room for at least one host, "and … more" is left out.
    const hidden = this.#active.size > space;
    const shown = hidden ? Math.max(0, space - 1) : this.#active.size;
    const names = [...this.#active.keys()].slice(0, shown).map((host) => cutToWidth(terminalLine(host), 40));
    const nameWidth = names.reduce((most, name) => Math.max(most, stringWidth(name)), 0);
    let index = 0;
    for (const { phase, since } of this.#active.values()) {
      if (index >= shown) break;
      lines.push(`  ${padToWidth(names[index]!, nameWidth)}  ${phase}  ${durationText((at - since) / 1000, 1)}`);
      index += 1;
    }
    if (hidden && space > 0) lines.push(`  … and ${this.#active.size - shown} more`);
    return lines.map((line) => cutToWidth(line, width));
  }

  #counters(at: number): string {
    const parts = [`${this.#command} ${this.#done}/${this.#total} done`];
    if (this.#batch !== null) parts.push(this.#batch);
    if (this.#changed.size > 0) parts.push(`${this.#changed.size} changed`);
    if (this.#failed > 0) parts.push(`${this.#failed} failed`);
    if (this.#reverted > 0) parts.push(`${this.#reverted} rolled back`);
    if (this.#skipped > 0) parts.push(`${this.#skipped} skipped`);
    if (this.#waiting.size > 0) parts.push(`${this.#waiting.size} planned`);
    if (this.#active.size > 0) parts.push(`${this.#active.size} active`);
    if (this.#interrupted) parts.push('interrupted: finishing');
    parts.push(durationText(at / 1000, 1));
    return parts.join(' · ');
  }
}
