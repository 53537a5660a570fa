import { terminalLine } from '../core/terminal-text.ts';
import { JsonObject } from '../facts/json-shape.ts';
import { Unreadable } from '../facts/unreadable.ts';
import type { JournalPlace } from '../host/requests.ts';

/** A line of a host's journal: how a run ended there (`src/host/remote/journal.py`). The host may have ended it by itself. */
export interface HostLine {
  readonly at: string;
  /** The generation that the run saved. */
  readonly id: string;
  readonly outcome: 'kept' | 'reverted';
  /** Who decided: the controller, timer, boot, the host, the next run. */
  readonly by: string;
  readonly why: string;
  /** `user@controller` of who began it; empty if the run's record was damaged. */
  readonly who: string;
  readonly what: string;
  /** The run of the controller; `null` for a run without a journal. */
  readonly run: string | null;
  readonly plan: string | null;
  readonly file: string | null;
  readonly signers: readonly string[];
  readonly journal: JournalPlace | null;
}

const FORMAT = 1;
const MOST_SIGNERS = 100;

/** Reads a line that a host sent; the texts in it are safe to show. `null` if it is no line of this format. */
export function readHostLine(text: string): HostLine | null {
  try {
    const line = JsonObject.parse('journal', [text]);
    line.integer('format', FORMAT, FORMAT);
    const outcome = line.text('outcome');
    if (outcome !== 'kept' && outcome !== 'reverted') return null;
    return {
      at: clean(line, 'at'),
      id: clean(line, 'id'),
      outcome,
      by: clean(line, 'by'),
      why: clean(line, 'why'),
      who: optional(line, 'who') ?? '',
      what: optional(line, 'what') ?? '',
      run: optional(line, 'run'),
      plan: optional(line, 'plan'),
      file: optional(line, 'file'),
      signers: line.has('signers') ? line.texts('signers', MOST_SIGNERS).map((name) => terminalLine(name)) : [],
      journal: line.has('journal') ? placeOf(line.object('journal')) : null,
    };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

function placeOf(place: JsonObject): JournalPlace {
  return { id: place.text('id'), seq: place.integer('seq', 1, Number.MAX_SAFE_INTEGER), digest: place.text('digest') };
}

function clean(line: JsonObject, key: string): string {
  return terminalLine(line.text(key, 4096), 600);
}

function optional(line: JsonObject, key: string): string | null {
  return line.has(key) ? clean(line, key) : null;
}
