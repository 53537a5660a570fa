import { terminalLine } from '../core/terminal-text.ts';
import type { LockFacts, PendingRun, RunEnd, RunningFirewalld } from '../facts/facts.ts';
import { parseFirewalld } from '../facts/firewalld-facts.ts';
import { JsonObject } from '../facts/json-shape.ts';
import { parseRemembered, readPendingRun, readRunEnd } from '../facts/state.ts';
import { Unreadable } from '../facts/unreadable.ts';
import type { GenerationLook } from '../plan/generation-look.ts';
import { GENERATION_ID } from './rehearsal-answer.ts';

/** The state of a host after a failed request, as it reports it. */
export type HostAftermath =
  /** No write had begun. */
  | { readonly kind: 'untouched' }
  /**
   * The saved generation was restored and its hash was checked; `by` says who did it (the timer, boot, the host, …), `differs`
   * what differs at runtime from the saved state.
   */
  | {
      readonly kind: 'restored';
      readonly generation: string;
      readonly by: string;
      readonly differs?: readonly string[];
    }
  /** The rollback has failed so far; the host tries again. */
  | { readonly kind: 'restore-failed'; readonly generation: string; readonly why: string }
  /** The run had already been kept. */
  | { readonly kind: 'kept'; readonly generation: string };

/** One saved firewalld configuration of a host. */
export interface Generation {
  readonly id: string;
  readonly savedAt: string;
  readonly savedBy: string;
  /** What the run did after saving it: `apply portaswitch`, `rollback to …`. */
  readonly before: string;
  readonly permanentHash: string;
  /** Whether this is the host's current permanent configuration. */
  readonly current: boolean;
}

/** A host's journal as it is there: unchecked, a character for each byte. */
export interface HostJournal {
  /** Its files, the newest last. */
  readonly texts: readonly string[];
  readonly head: string | null;
  /** What cannot be read of it, a line each. */
  readonly trouble: readonly string[];
}

/** What the host answers to a request. */
export type Answer =
  | { readonly kind: 'begun'; readonly generation: string; readonly reloads: number }
  | { readonly kind: 'permanent'; readonly firewalld: RunningFirewalld }
  | {
      readonly kind: 'kept';
      readonly generation: string | null;
      readonly drifted: boolean;
      /** Why the run is not in the host's journal; `null` if it is. */
      readonly unwritten: string | null;
    }
  | { readonly kind: 'held'; readonly pending: PendingRun }
  | { readonly kind: 'nothing-pending'; readonly last: RunEnd | null }
  | {
      readonly kind: 'status';
      readonly lock: LockFacts | null;
      readonly pending: readonly PendingRun[];
      readonly last: RunEnd | null;
    }
  | { readonly kind: 'settled'; readonly aftermath: HostAftermath }
  | {
      readonly kind: 'history';
      readonly generations: readonly Generation[];
      readonly pending: readonly PendingRun[];
    }
  | {
      readonly kind: 'rolled-back';
      readonly generation: string;
      readonly hash: string;
      readonly whole: boolean;
      readonly runtime: boolean;
    }
  | { readonly kind: 'same'; readonly generation: string; readonly hash: string }
  | { readonly kind: 'generation'; readonly look: GenerationLook }
  | { readonly kind: 'no-generation'; readonly why: string; readonly known: readonly string[] }
  | { readonly kind: 'locked'; readonly lock: LockFacts; readonly pending: PendingRun | null }
  /** `left`: sockets of these kinds that are still open; `tracked`: whether the kernel's table could be read. */
  | { readonly kind: 'flows-cut'; readonly ended: number; readonly left: number; readonly tracked: boolean }
  | { readonly kind: 'journal'; readonly journal: HostJournal }
  | { readonly kind: 'drifted' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'stopped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly step: string; readonly why: string; readonly aftermath: HostAftermath }
  /** The host's program refuses the request (door.py); nothing was done. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The account may only plan (`portfw sudoers --planner`); nothing was done. */
  | { readonly kind: 'plan-only' }
  | { readonly kind: 'unreadable'; readonly why: string };

const SECTION = 'answer';
const MOST_JOURNALS = 1000;
const JOURNAL_LIMIT = 32 * 1024 * 1024;
const MOST_GENERATIONS = 1000;
const MOST_DIFFERENCES = 100;
const MOST_FLOWS = 100_000_000;
const MOST_FILES = 20_000;
const MOST_PATH = 4096;
const MOST_TEXT = 32 * 1024 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/** Reads an answer; the result is always a value. Texts in it are safe to show. */
export function parseAnswer(text: string): Answer {
  try {
    return read(JsonObject.parse(SECTION, [text]));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'unreadable', why: error.message };
  }
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one case a kind of answer, each with its fields; a table of functions would hide that all kinds are there
function read(answer: JsonObject): Answer {
  const kind = answer.text('kind');
  const line = (key: string) => terminalLine(answer.text(key, 20_000), 600);
  switch (kind) {
    case 'begun':
      return { kind, generation: line('generation'), reloads: answer.flag('reloaded') ? 1 : 0 };
    case 'permanent': {
      const observed = parseFirewalld('', answer.object('observed'), true);
      return observed.kind === 'running'
        ? { kind, firewalld: observed }
        : { kind: 'unreadable', why: 'firewalld is not running' };
    }
    case 'kept':
      return {
        kind,
        generation: answer.has('generation') ? line('generation') : null,
        drifted: answer.has('drifted') && answer.flag('drifted'),
        unwritten: answer.has('unwritten') ? line('unwritten') : null,
      };
    case 'journal':
      return {
        kind,
        journal: {
          texts: answer.texts('texts', MOST_JOURNALS, JOURNAL_LIMIT),
          head: answer.has('head') ? answer.text('head') : null,
          trouble: answer.texts('trouble', MOST_JOURNALS).map((text) => terminalLine(text)),
        },
      };
    case 'held':
      return { kind, pending: readPendingRun(answer.object('pending')) };
    case 'nothing-pending':
      return { kind, last: answer.has('last') ? readRunEnd(answer.object('last')) : null };
    case 'status':
      return {
        kind,
        lock: answer.has('lock') ? lockOf(answer.object('lock')) : null,
        pending: answer.objects('pending', MOST_GENERATIONS).map(readPendingRun),
        last: answer.has('last') ? readRunEnd(answer.object('last')) : null,
      };
    case 'flows-cut':
      return {
        kind,
        ended: answer.integer('ended', 0, MOST_FLOWS),
        left: answer.integer('left', 0, MOST_FLOWS),
        tracked: answer.flag('tracked'),
      };
    case 'drifted':
    case 'absent':
      return { kind };
    case 'settled':
      return { kind, aftermath: aftermath(answer.object('aftermath')) };
    case 'history':
      return {
        kind,
        generations: answer.objects('generations', MOST_GENERATIONS).map((item) => ({
          id: terminalLine(item.text('id')),
          savedAt: terminalLine(item.text('savedAt')),
          savedBy: terminalLine(item.text('savedBy')),
          before: terminalLine(item.text('before')),
          permanentHash: terminalLine(item.text('permanentHash')),
          current: item.flag('current'),
        })),
        pending: answer.objects('pending', MOST_GENERATIONS).map(readPendingRun),
      };
    case 'rolled-back':
      return {
        kind,
        generation: line('generation'),
        hash: line('hash'),
        whole: answer.flag('whole'),
        runtime: answer.flag('runtime'),
      };
    case 'same':
      return { kind, generation: line('generation'), hash: line('hash') };
    case 'generation':
      return { kind, look: readLook(answer) };
    case 'no-generation':
      return { kind, why: line('why'), known: answer.texts('known', MOST_GENERATIONS).map((id) => terminalLine(id)) };
    case 'locked':
      return {
        kind,
        lock: lockOf(answer.object('lock')),
        pending: answer.has('pending') ? readPendingRun(answer.object('pending')) : null,
      };
    case 'stopped':
      return { kind, reason: line('reason') };
    case 'refused':
      return { kind, why: line('why') };
    case 'plan-only':
      return { kind };
    case 'failed':
      return { kind, step: line('step'), why: line('why'), aftermath: aftermath(answer.object('aftermath')) };
    default:
      return { kind: 'unreadable', why: `unknown answer ${terminalLine(kind)}` };
  }
}

/** What a rollback would restore. The texts of files are not changed, because plans are made from them. */
function readLook(answer: JsonObject): GenerationLook {
  const meta = answer.object('generation');
  const line = (key: string) => terminalLine(meta.text(key));
  const pairs = (key: string) => new Map(answer.rows(key, MOST_FILES, 2, 256) as [string, string][]);
  return {
    generation: {
      id: meta.matching('id', GENERATION_ID, 'a generation', 64),
      savedAt: line('savedAt'),
      savedBy: line('savedBy'),
      before: line('before'),
      permanentHash: meta.matching('permanentHash', SHA256, 'a SHA-256 hash'),
    },
    same: answer.flag('same'),
    whole: answer.flag('whole'),
    files: answer.objects('files', MOST_FILES).map((file) => ({
      path: terminalLine(file.text('path', MOST_PATH), MOST_PATH),
      text: file.text('text', MOST_TEXT),
    })),
    foreign: answer.texts('foreign', MOST_FILES, MOST_PATH),
    bindings: pairs('bindings'),
    connections: pairs('connections'),
    remembered: answer.has('state') ? rememberedIn(answer.text('state', MOST_TEXT)) : null,
  };
}

/** The matrix and roles that a generation's state remembers; `null` if a newer portfw wrote it, or it is broken. */
function rememberedIn(state: string): GenerationLook['remembered'] {
  try {
    return parseRemembered([state]);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

function lockOf(lock: JsonObject): LockFacts {
  return {
    holder: terminalLine(lock.text('holder')),
    since: terminalLine(lock.text('since')),
    id: terminalLine(lock.text('id')),
  };
}

function aftermath(given: JsonObject): HostAftermath {
  const kind = given.text('kind');
  switch (kind) {
    case 'restored':
      return {
        kind,
        generation: terminalLine(given.text('generation')),
        by: terminalLine(given.text('by')),
        ...(given.has('differs')
          ? { differs: given.texts('differs', MOST_DIFFERENCES).map((line) => terminalLine(line, 300)) }
          : {}),
      };
    case 'kept':
      return { kind, generation: terminalLine(given.text('generation')) };
    case 'restore-failed':
      return {
        kind,
        generation: terminalLine(given.text('generation')),
        why: terminalLine(given.text('why', 20_000), 600),
      };
    default:
      return { kind: 'untouched' };
  }
}
