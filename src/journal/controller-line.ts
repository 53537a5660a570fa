import { terminalLine } from '../core/terminal-text.ts';
import { JsonObject } from '../facts/json-shape.ts';
import { Unreadable } from '../facts/unreadable.ts';
import type { Link } from './chain.ts';

/** What led to a run: the file that the plans were read from, and whose keys have signed it. */
export interface Origin {
  /** The SHA-256 of the saved plan; `null` if the run made its plans itself. */
  readonly file: string | null;
  /** The signers, by the names that their keys have; empty without signatures. */
  readonly signers: readonly string[];
}

/** What every line about one run says. */
export interface OfRun extends Origin {
  readonly run: string;
  /** `user@controller`. */
  readonly who: string;
  readonly command: string;
}

/** How one host ended. */
export interface JournaledHost {
  readonly event: 'host';
  readonly host: string;
  readonly matrix: string | null;
  readonly roles: readonly string[];
  /** The generation that was saved before the change, and the one that a rollback went to. */
  readonly generation: string | null;
  /** The SHA-256 of the host's plan; `null` without one. */
  readonly plan: string | null;
  /** How many changes were planned, by kind. */
  readonly changes: Readonly<Record<string, number>>;
  /** As in the events of `--json`, with the code of a failure and the state that it left. */
  readonly outcome: { readonly kind: string; readonly code: string | null; readonly aftermath: string | null };
}

/** What happened: a run began, a host ended, the run ended. A run without an end was killed. */
export type JournalEntry =
  | { readonly event: 'started'; readonly hosts: readonly string[] }
  | JournaledHost
  | {
      readonly event: 'ended';
      /** How many hosts ended in each way. */
      readonly outcomes: Readonly<Record<string, number>>;
      readonly interrupted: boolean;
    };

/** A line of the controller's journal. */
export type ControllerLine = Link & { readonly at: string } & OfRun & JournalEntry;

const FORMAT = 1;
const MOST_HOSTS = 100_000;
const MOST_KINDS = 100;
const LONG = 256;

/** The text of a line, without its end: JSON, its keys in one fixed order. */
export function controllerLineText(of: OfRun, entry: JournalEntry, at: Date, { seq, previous }: Link): string {
  const { run, who, command, file, signers } = of;
  return JSON.stringify({
    format: FORMAT,
    seq,
    at: at.toISOString(),
    run,
    who,
    command,
    ...entry,
    file,
    signers,
    previous,
  });
}

/** Reads a line; the texts in it are safe to show. `null` if it is no line of this format. */
export function readControllerLine(text: string): ControllerLine | null {
  try {
    const line = JsonObject.parse('journal', [text]);
    line.integer('format', FORMAT, FORMAT);
    return {
      seq: line.integer('seq', 1, Number.MAX_SAFE_INTEGER),
      previous: optional(line, 'previous'),
      at: clean(line, 'at'),
      run: clean(line, 'run'),
      who: clean(line, 'who', 600),
      command: clean(line, 'command'),
      file: optional(line, 'file'),
      signers: line.texts('signers', MOST_KINDS).map((name) => terminalLine(name, LONG)),
      ...entryOf(line),
    };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

function entryOf(line: JsonObject): JournalEntry {
  const event = line.text('event');
  switch (event) {
    case 'started':
      return { event, hosts: line.texts('hosts', MOST_HOSTS).map((host) => terminalLine(host, LONG)) };
    case 'host': {
      const outcome = line.object('outcome');
      return {
        event,
        host: clean(line, 'host'),
        matrix: optional(line, 'matrix'),
        roles: line.texts('roles', MOST_KINDS).map((role) => terminalLine(role, LONG)),
        generation: optional(line, 'generation'),
        plan: optional(line, 'plan'),
        changes: counts(line, 'changes'),
        outcome: {
          kind: clean(outcome, 'kind'),
          code: optional(outcome, 'code'),
          aftermath: optional(outcome, 'aftermath'),
        },
      };
    }
    case 'ended':
      return { event, outcomes: counts(line, 'outcomes'), interrupted: line.flag('interrupted') };
    default:
      throw new Unreadable('journal', 'event is not known');
  }
}

function clean(line: JsonObject, key: string, most = LONG): string {
  return terminalLine(line.text(key, 2048), most);
}

function optional(line: JsonObject, key: string): string | null {
  return line.has(key) ? clean(line, key) : null;
}

function counts(line: JsonObject, key: string): Readonly<Record<string, number>> {
  const given: unknown = JSON.parse(line.json(key));
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Unreadable('journal', `${key} is not an object`);
  const entries = Object.entries(given).slice(0, MOST_KINDS);
  if (!entries.every(([, count]) => Number.isSafeInteger(count) && count >= 0))
    throw new Unreadable('journal', `${key} are not counts`);
  return Object.fromEntries(entries.map(([kind, count]) => [terminalLine(kind, LONG), count as number]));
}
