import type { HeldRollback, LockFacts, PendingRun, RememberedState, RunEnd, UnfinishedRuns } from './facts.ts';
import { JsonObject } from './json-shape.ts';
import { shortName, Unreadable } from './unreadable.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * What an earlier run wrote to `/var/lib/portfw/state.json`; `null` if there is no such file. A broken file throws
 * `Unreadable`: treated as "nothing remembered", it would close the ports of every role whose service is down.
 */
export function parseRemembered(lines: readonly string[]): RememberedState | null {
  if (lines.length === 0) return null;
  const json = JsonObject.parse('state', lines);
  if (!isFormatOne(lines)) throw new Unreadable('state', 'format is not 1: a newer portfw wrote it');
  const roles = json.texts('roles', 1000, 128);
  if (!roles.every((role) => NAME.test(role)))
    throw new Unreadable('state', 'roles holds something that is not a name');
  return {
    format: 1,
    matrix: json.matching('matrix', NAME, 'a name'),
    roles,
    generation: json.matching('generation', NAME, 'the id of a generation'),
    appliedAt: shortName(json.text('appliedAt', 64)),
  };
}

function isFormatOne(lines: readonly string[]): boolean {
  return (JSON.parse(lines.join('\n')) as { format?: unknown }).format === 1;
}

/**
 * The holder of the host's lock: `held`, then the holder's JSON. `null` if it is free. The lock is taken before its holder is
 * written, so missing or unfinished fields become `unknown`.
 */
export function parseLock(lines: readonly string[]): LockFacts | null {
  if (lines[0] !== 'held') return null;
  let value: unknown = null;
  try {
    value = JSON.parse(lines.slice(1).join('\n'));
  } catch {
    // Being written at this moment.
  }
  const field = (key: string): string => {
    const found: unknown = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : null;
    return typeof found === 'string' && found !== '' ? shortName(found) : 'unknown';
  };
  return { holder: field('holder'), since: field('since'), id: field('id') };
}

const MOST_RUNS = 1000;

/** The runs that have not ended, as the collector reports them; none if it does not. Throws `Unreadable`. */
export function parseUnfinished(collected: JsonObject | null): UnfinishedRuns {
  if (collected === null || !collected.has('unfinished')) return { runs: [], busy: false };
  const given = collected.object('unfinished');
  return { runs: given.objects('runs', MOST_RUNS).map(readPendingRun), busy: given.flag('busy') };
}

/** Reads a run that has not ended; throws `Unreadable`. */
export function readPendingRun(given: JsonObject): PendingRun {
  const name = (key: string): string => shortName(given.text(key, 20_000));
  const decision = given.text('decision');
  return {
    id: name('id'),
    holder: name('holder'),
    what: name('what'),
    since: name('since'),
    confirm: given.text('confirm') === 'manual' ? 'manual' : 'auto',
    proved: given.flag('proved'),
    decision: decision === 'keep' || decision === 'revert' ? decision : 'open',
    secondsLeft: given.integer('secondsLeft', 0, 1_000_000_000),
    step: name('step'),
    alive: given.flag('alive'),
    ...(given.has('held') ? { held: heldRollback(given.object('held')) } : {}),
  };
}

function heldRollback(given: JsonObject): HeldRollback {
  return {
    why: shortName(given.text('why', 20_000), 600),
    since: shortName(given.text('since')),
    inForce: given.flag('inForce'),
  };
}

/** How the last run ended, from `/var/lib/portfw/last.json`; `null` if there was none, or if the file is invalid. */
export function parseLastRun(lines: readonly string[]): RunEnd | null {
  if (lines.length === 0) return null;
  try {
    return readRunEnd(JsonObject.parse('last-run', lines));
  } catch (error) {
    // It is only shown: nothing depends on it.
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** Reads how a run ended; throws `Unreadable`. */
export function readRunEnd(given: JsonObject): RunEnd {
  const name = (key: string): string => (given.has(key) ? shortName(given.text(key, 20_000), 600) : '');
  return {
    id: name('id'),
    outcome: given.text('outcome') === 'kept' ? 'kept' : 'reverted',
    by: name('by'),
    why: name('why'),
    at: name('at'),
    what: name('what'),
    holder: name('holder'),
  };
}
