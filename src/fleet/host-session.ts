import type { Failure } from '../core/failure.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { HostFacts } from '../facts/facts.ts';
import { parseFacts } from '../facts/parse-facts.ts';
import { type Answer, parseAnswer } from '../host/answers.ts';
import { firewalldProgram, probeProgram } from '../host/programs.ts';
import { parseRehearsal, parseRollbackRehearsal } from '../host/rehearsal-answer.ts';
import { type RehearseRequest, type RehearseRollbackRequest, type Request, rehearsedNames } from '../host/requests.ts';
import type { Rehearsal } from '../plan/rehearsal.ts';
import type { CommandFailure, CommandOutcome, ConnectFailure, Connection, Target } from '../transport/connection.ts';
import type { HostOutcome, Phase } from './events.ts';
import type { HostJob, RunContext } from './operations.ts';
import { STALE, strangeHost } from './saved-check.ts';

const PROBE_DEADLINE_MS = 60_000;
/** More than a host's files (24 MiB, host/files.py) and runtime as JSON. */
const PROBE_LIMIT_BYTES = 48 * 1024 * 1024;
/** A request that times out is undone on the host, so its deadline is longer than a measured reload. */
const REQUEST_DEADLINE_MS = 240_000;
/** As on the host (daemon.py): a reload counts as hanging after this multiple of its measured time. */
const RELOAD_FACTOR = 3;
const REQUEST_LIMIT_BYTES = PROBE_LIMIT_BYTES;

/**
 * The failure of a connection attempt.
 *
 * @param looked where the settings of logins were looked for: of use where a login was refused
 */
export function connectFailure(outcome: ConnectFailure, looked: readonly string[] = []): Failure {
  const { kind: code, what, solve, shared } = outcome;
  const details = [...(outcome.details ?? []), ...(code === 'auth-failed' ? looked : [])];
  return { code, what, details, solve, ...(shared === undefined ? {} : { shared }) };
}

/** The failure of a program that did not run to its end. */
export function commandFailure(outcome: CommandFailure): Failure {
  const code = outcome.kind === 'become-failed' ? `become-${outcome.reason}` : `command-${outcome.kind}`;
  const { what, solve } = outcome;
  return {
    code,
    what,
    details: [],
    solve,
    ...(outcome.kind === 'become-failed' ? { shared: { what, own: '', solve } } : {}),
  };
}

export type Connected =
  | { readonly kind: 'connected'; readonly connection: Connection }
  | { readonly kind: 'failed'; readonly failure: Failure };

/**
 * A new TCP connection and a new authentication, every time.
 *
 * @param reloadSeconds how long a reload over it may take: with iptables, no packet passes meanwhile
 */
export async function connect(
  job: HostJob,
  context: RunContext,
  signal?: AbortSignal,
  reloadSeconds = 0,
): Promise<Connected> {
  const outcome = await job.transport.connect(patient(job.target, reloadSeconds), signal);
  if (outcome.kind !== 'connected') return { kind: 'failed', failure: connectFailure(outcome, context.looked) };
  const { connection } = outcome;
  for (const note of connection.notes) context.note(job.host, 'info', note);
  const strange = strangeHost(job, connection, context);
  if (strange === null) return { kind: 'connected', connection };
  await connection.close();
  return { kind: 'failed', failure: strange };
}

/** A target whose connection may be silent for as long as a reload may take. */
export function patient(target: Target, reloadSeconds: number): Target {
  if (reloadSeconds <= 0) return target;
  const { intervalMs, countMax } = target.keepalive;
  if (intervalMs <= 0) return target;
  const least = Math.ceil((RELOAD_FACTOR * reloadSeconds * 1000) / intervalMs);
  return { ...target, keepalive: { intervalMs, countMax: Math.max(countMax, least) } };
}

/** Opens a connection, uses it once, and always closes it. */
export async function withConnection<T>(
  job: HostJob,
  context: RunContext,
  use: (connection: Connection) => Promise<T>,
  reloadSeconds = 0,
): Promise<T | Extract<HostOutcome, { kind: 'unreachable' }>> {
  context.phase(job.host, 'connecting');
  const connected = await connect(job, context, context.signal, reloadSeconds);
  if (connected.kind === 'failed') return { kind: 'unreachable', failure: connected.failure };
  try {
    return await use(connected.connection);
  } finally {
    await connected.connection.close();
  }
}

/** A host that is connected and whose facts are there, or how it ended before. */
export type Seen =
  | { readonly kind: 'ended'; readonly outcome: HostOutcome }
  | {
      readonly kind: 'seen';
      readonly connection: Connection;
      readonly facts: HostFacts;
      /** Ends the planning: closes the connection. */
      readonly finish: (outcome: HostOutcome) => Promise<{ readonly kind: 'finished'; readonly outcome: HostOutcome }>;
    };

/**
 * Where every plan begins: a connection, which stays open for the change that follows, and the facts.
 *
 * @param wanted see {@link probe}
 * @param reloadSeconds see {@link connect}
 */
export async function see(job: HostJob, context: RunContext, wanted: string, reloadSeconds = 0): Promise<Seen> {
  context.phase(job.host, 'connecting');
  const connected = await connect(job, context, context.signal, reloadSeconds);
  if (connected.kind === 'failed') {
    const kind = connected.failure.code === STALE ? 'refused' : 'unreachable';
    return { kind: 'ended', outcome: { kind, failure: connected.failure } };
  }
  const { connection } = connected;
  context.phase(job.host, 'gathering facts');
  const probed = await probe(connection, wanted, job, context, context.signal);
  if (probed.kind === 'failed') {
    await connection.close();
    return { kind: 'ended', outcome: notLearned(probed.failure, probed.lost, 'gathering facts') };
  }
  const finish = async (outcome: HostOutcome) => {
    await connection.close();
    return { kind: 'finished', outcome } as const;
  };
  return { kind: 'seen', connection, facts: probed.facts, finish };
}

/** How a host ends that did not say what a plan needs; nothing was changed on it. */
export function notLearned(failure: Failure, lost: boolean, phase: Phase): HostOutcome {
  return lost ? { kind: 'unreachable', failure } : { kind: 'failed', phase, failure, aftermath: { kind: 'untouched' } };
}

export type Probed =
  | { readonly kind: 'facts'; readonly facts: HostFacts }
  /** `lost`: the connection was lost; else the host gave a bad answer. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly lost: boolean };

/** Gathers facts with one remote command. */
export async function probe(
  connection: Connection,
  wanted: string,
  job: HostJob,
  context: RunContext,
  signal?: AbortSignal,
): Promise<Probed> {
  const outcome = await connection.run({
    program: probeProgram(),
    data: wanted,
    deadlineMs: PROBE_DEADLINE_MS,
    outputLimitBytes: PROBE_LIMIT_BYTES,
    ...(signal === undefined ? {} : { signal }),
  });
  if (outcome.kind !== 'exited')
    return { kind: 'failed', failure: commandFailure(outcome), lost: outcome.kind === 'lost' };
  const parsed = parseFacts(outcome.stdout.toString('utf8'));
  if (parsed.kind === 'unreadable') {
    return {
      kind: 'failed',
      lost: false,
      failure: {
        code: 'facts-unreadable',
        what: `the host's answer about its ${parsed.section} cannot be understood: ${parsed.why}`,
        details: [],
        solve: 'look at it with `portfw facts -vv`; nothing was changed',
      },
    };
  }
  for (const note of parsed.notes) context.note(job.host, 'warning', note);
  return { kind: 'facts', facts: parsed.facts };
}

/** More than any rehearsal takes: each of its loads has its own limit on the host. */
const REHEARSAL_DEADLINE_MS = 540_000;
const REHEARSAL_LIMIT_BYTES = 256 * 1024 * 1024;

interface NoRehearsal {
  readonly kind: 'failed';
  readonly failure: Failure;
  readonly lost: boolean;
}

/** Lets the host rehearse a plan. If it cannot, that is a kind of rehearsal; a lost connection is a failure. */
export async function rehearse(
  connection: Connection,
  request: RehearseRequest,
  signal?: AbortSignal,
): Promise<Rehearsal | NoRehearsal> {
  const said = await rehearsalOf(connection, request, signal);
  return said.kind === 'said' ? parseRehearsal(said.text, request.ways, rehearsedNames(request)) : said;
}

/** The same for a rollback; see {@link parseRollbackRehearsal}. */
export async function rehearseRollback(
  connection: Connection,
  request: RehearseRollbackRequest,
  signal?: AbortSignal,
): Promise<{ readonly kind: 'asked'; readonly found: ReturnType<typeof parseRollbackRehearsal> } | NoRehearsal> {
  const said = await rehearsalOf(connection, request, signal);
  if (said.kind === 'failed') return said;
  const found =
    said.kind === 'said' ? parseRollbackRehearsal(said.text, request.ways) : { generation: null, rehearsal: said };
  return { kind: 'asked', found };
}

async function rehearsalOf(
  connection: Connection,
  request: RehearseRequest | RehearseRollbackRequest,
  signal: AbortSignal | undefined,
): Promise<
  { readonly kind: 'said'; readonly text: string } | Extract<Rehearsal, { kind: 'not-rehearsed' }> | NoRehearsal
> {
  const outcome = await connection.run({
    program: firewalldProgram(),
    data: JSON.stringify(request),
    deadlineMs: REHEARSAL_DEADLINE_MS,
    outputLimitBytes: REHEARSAL_LIMIT_BYTES,
    ...(signal === undefined ? {} : { signal }),
  });
  if (outcome.kind !== 'exited')
    return { kind: 'failed', failure: commandFailure(outcome), lost: outcome.kind === 'lost' };
  if (outcome.exitCode === 0) return { kind: 'said', text: outcome.stdout.toString('utf8') };
  const last = terminalLine(outcome.stderr.toString('utf8').trim().split('\n').at(-1) ?? '', 600);
  return { kind: 'not-rehearsed', why: `the host's program ended with exit code ${outcome.exitCode}: ${last}` };
}

/** The measured time of a request's reload; 0 without a reload or a measurement. */
export function reloadSecondsOf(request: Request): number {
  if (request.operation === 'rollback') return request.reloadSeconds;
  return request.operation === 'begin' && request.reload ? request.reloadSeconds : 0;
}

export type Asked =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** `mayHaveRun` is false only if it is certain that nothing began. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly mayHaveRun: boolean };

/** Sends one request to the program on the host. It is never aborted: a begun request must end on the host. */
export async function ask(connection: Connection, request: Request): Promise<Asked> {
  const outcome: CommandOutcome = await connection.run({
    program: firewalldProgram(),
    data: JSON.stringify(request),
    deadlineMs: Math.max(REQUEST_DEADLINE_MS, 60_000 + RELOAD_FACTOR * 1000 * reloadSecondsOf(request)),
    outputLimitBytes: REQUEST_LIMIT_BYTES,
  });
  if (outcome.kind !== 'exited')
    return { kind: 'failed', failure: commandFailure(outcome), mayHaveRun: outcome.mayHaveRun };
  const answer = parseAnswer(outcome.stdout.toString('utf8'));
  if (answer.kind === 'unreadable' || outcome.exitCode !== 0) {
    const last = terminalLine(outcome.stderr.toString('utf8').trim().split('\n').at(-1) ?? '', 600);
    return {
      kind: 'failed',
      mayHaveRun: true,
      failure: {
        code: 'answer-unreadable',
        what: `the request "${request.operation}" failed on the host (exit code ${outcome.exitCode})`,
        details: [answer.kind === 'unreadable' ? answer.why : '', last].filter((line) => line !== ''),
        solve: 'this is a bug of portfw or a broken Python on the host: run again with -vv and report it',
      },
    };
  }
  if (answer.kind === 'refused')
    return {
      kind: 'failed',
      mayHaveRun: false,
      failure: {
        code: 'request-refused',
        what: `the host's program refuses the request "${request.operation}"`,
        details: [answer.why],
        solve: 'check the names and texts that it quotes; if they are right, report this as a bug of portfw',
      },
    };
  if (answer.kind === 'plan-only')
    return {
      kind: 'failed',
      mayHaveRun: false,
      failure: {
        code: 'plan-only',
        what: 'this account may only plan on this host',
        details: ['its sudo is limited by "portfw sudoers" with --planner'],
        solve: 'log in as the account that may change the host (ansible_user, or -u)',
      },
    };
  return { kind: 'answer', answer };
}
