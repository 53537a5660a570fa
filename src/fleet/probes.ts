import type { Failure } from '../core/failure.ts';
import { terminalLine, terminalText } from '../core/terminal-text.ts';
import { reachProgram } from '../host/programs.ts';
import type { Probe } from '../matrix/matrix.ts';
import { probePeers } from '../matrix/probe-peers.ts';
import type { Connection, Target } from '../transport/connection.ts';
import { commandFailure, connectFailure } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';
import { Gates, runLimited } from './pool.ts';

/** sshd allows ten sessions on a connection by default. */
const SESSIONS = 8;
/** Extra time for the shell and Python on a peer, on top of the probe's own limit. */
const PEER_GRACE_MS = 5_000;
const PEER_OUTPUT_BYTES = 16 * 1024;
const OUTPUT_LINES = 8;
/** Logins in progress on one peer: from ten on, sshd refuses some (MaxStartups), which would look like a failed probe. */
const LOGINS = 4;
const NEVER = new AbortController().signal;

type TcpProbe = Extract<Probe, { kind: 'tcp' }>;
type CommandProbe = Extract<Probe, { kind: 'command' }>;

/** Why a probe did not pass: one sentence without a full stop, and the output of a command. */
interface Miss {
  readonly what: string;
  readonly details: readonly string[];
}

interface FailedProbe extends Miss {
  readonly probe: Probe;
}

/** What the probes of one run share. */
export function peerLogins(): Gates {
  return new Gates(LOGINS);
}

/**
 * Runs the probes of a host's play, all at once, each within its limit. It is never aborted: the proof of a change must be
 * completed.
 *
 * @param when `before` any change: only probes that must pass then; `after`: all
 * @returns the failure of the first probe, in the order of the playbook, that does not pass, with the others in its
 *     details; `null` if all pass. Never rejects
 */
export async function runProbes(job: HostJob, context: RunContext, when: 'before' | 'after'): Promise<Failure | null> {
  const probes = (job.play?.probes ?? []).filter((probe) => when === 'after' || probe.passesBefore);
  if (probes.length === 0) return null;
  context.phase(job.host, 'probing');
  const failed: FailedProbe[] = [];
  const check = async (probe: Probe, look: () => Promise<Miss | null>): Promise<void> => {
    let miss: Miss | null;
    try {
      miss = await look();
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      miss = { what: `portfw itself failed: ${terminalLine(said)}`, details: [] };
    }
    if (miss !== null) failed.push({ probe, ...miss });
  };
  const ofPeers = new Map<string, TcpProbe[]>();
  const here: Promise<void>[] = [];
  for (const probe of probes) {
    if (probe.kind === 'command') here.push(check(probe, () => runCommand(probe, job)));
    else if (probe.from === null) here.push(check(probe, () => reachFromHere(probe, job, context)));
    else {
      const peers = probePeers(context.inventory, context.settings, probe, job.host);
      if (peers.length === 0 && when === 'after') {
        context.note(job.host, 'info', `the probe ${quoted(probe)} was skipped: its only peer is this host itself`);
      }
      for (const peer of peers) ofPeers.set(peer, [...(ofPeers.get(peer) ?? []), probe]);
    }
  }
  await Promise.all([...here, ...[...ofPeers].map(([peer, own]) => fromPeer(peer, own, job, context, check))]);
  const place = ({ probe }: FailedProbe): number => probes.indexOf(probe);
  failed.sort((a, b) => place(a) - place(b) || (a.what < b.what ? -1 : 1));
  return failed[0] === undefined ? null : failureOf(failed[0], failed.slice(1), when);
}

type Check = (probe: Probe, look: () => Promise<Miss | null>) => Promise<void>;

/** One login on a peer for all probes from there. A connection needs no root. */
async function fromPeer(
  peer: string,
  probes: readonly TcpProbe[],
  job: HostJob,
  context: RunContext,
  check: Check,
): Promise<void> {
  let connection: Connection | null = null;
  let why: string | null = null;
  try {
    const way = context.jobs.get(peer) ?? context.peers?.get(peer);
    if (way === undefined) throw new Error('it is not among the hosts of this run');
    const target: Target = { ...way.target, become: { kind: 'none' } };
    const connected = await context.peerLogins.of(peer).run(() => way.transport.connect(target));
    if (connected.kind === 'connected') connection = connected.connection;
    else why = connectFailure(connected).what;
  } catch (error) {
    why = terminalLine(error instanceof Error ? error.message : String(error));
  }
  await runLimited(probes, SESSIONS, NEVER, (probe) =>
    check(probe, async () =>
      connection === null
        ? { what: `the peer ${terminalLine(peer)} could not run the probe: ${why}`, details: [] }
        : reachFromPeer(peer, connection, probe, job, context),
    ),
  );
  await connection?.close().catch(() => undefined);
}

async function reachFromPeer(
  peer: string,
  connection: Connection,
  probe: TcpProbe,
  job: HostJob,
  context: RunContext,
): Promise<Miss | null> {
  const goal = goalOf(probe, job, context);
  const outcome = await connection.run({
    program: reachProgram(),
    data: `${goal}\n${probe.port}\n${probe.timeoutMs / 1000}\n`,
    deadlineMs: probe.timeoutMs + PEER_GRACE_MS,
    outputLimitBytes: PEER_OUTPUT_BYTES,
  });
  const name = terminalLine(peer);
  if (outcome.kind !== 'exited')
    return { what: `the peer ${name} could not run the probe: ${commandFailure(outcome).what}`, details: [] };
  if (outcome.exitCode === 0) return null;
  const said = terminalLine(outcome.stdout.toString('utf8')) || `exit code ${outcome.exitCode}`;
  const what =
    outcome.exitCode === 1
      ? `${name} cannot connect to ${goal} port ${probe.port}: ${said}`
      : `the peer ${name} could not run the probe: ${said}`;
  return { what, details: [] };
}

async function reachFromHere(probe: TcpProbe, job: HostJob, context: RunContext): Promise<Miss | null> {
  const { reachTcp } = await import('./tcp-reach.ts');
  const goal = goalOf(probe, job, context);
  const why = await reachTcp(goal, probe.port, probe.timeoutMs);
  if (why === null) return null;
  return { what: `the controller cannot connect to ${goal} port ${probe.port}: ${terminalLine(why)}`, details: [] };
}

/** Where a probe connects to: a host of the inventory by its `ansible_host`, anything else as it is written. */
function goalOf(probe: TcpProbe, job: HostJob, context: RunContext): string {
  if (probe.host === null) return job.target.address;
  return context.settings.get(probe.host)?.connection.address ?? probe.host;
}

async function runCommand(probe: CommandProbe, job: HostJob): Promise<Miss | null> {
  const { runProgram } = await import('../core/run-program.ts');
  const outcome = await runProgram({
    argv: probe.argv,
    directory: probe.directory,
    environment: { PORTFW_HOST: job.host, PORTFW_ADDRESS: job.target.address },
    timeoutMs: probe.timeoutMs,
    maxBytes: null,
    ownGroup: true,
  });
  const program = terminalLine(probe.argv[0], 80);
  switch (outcome.kind) {
    case 'exited':
      if (outcome.exitCode === 0) return null;
      return { what: `${program} ended with exit code ${outcome.exitCode}`, details: lastLines(outcome.said) };
    case 'killed':
      return { what: `${program} was ended by ${outcome.signal}`, details: lastLines(outcome.said) };
    case 'too-much':
      return { what: `${program} printed too much`, details: lastLines(outcome.said) };
    case 'timeout':
      return { what: `${program} did not end within ${probe.timeoutMs / 1000} s`, details: lastLines(outcome.said) };
    case 'not-started':
      return { what: `${program} cannot be started: ${startReason(outcome.errno, outcome.why)}`, details: [] };
  }
}

function startReason(errno: string, why: string): string {
  if (errno === 'ENOENT') return 'there is no such program';
  return errno === 'EACCES' ? 'it is not executable' : terminalLine(why);
}

/** The last lines of a program's output, safe for a terminal. */
function lastLines(output: string): readonly string[] {
  const lines = terminalText(output)
    .split('\n')
    .map((line) => terminalLine(line))
    .filter((line) => line !== '');
  return lines.slice(-OUTPUT_LINES);
}

function failureOf(first: FailedProbe, others: readonly FailedProbe[], when: 'before' | 'after'): Failure {
  const { file, line } = first.probe.location;
  const place = terminalLine(`${file}:${line}`);
  const details = [
    ...first.details,
    ...others.map(({ probe, what }) => `the probe ${quoted(probe)} also fails: ${what}`),
  ];
  return when === 'before'
    ? {
        code: 'probe-fails-already',
        what: `the probe ${quoted(first.probe)} fails already, before anything was changed: ${first.what}`,
        details,
        solve: `fix what it checks, or correct the probe (${place}); if this change is to open what it checks, set \`before: may-fail\``,
      }
    : {
        code: 'probe-failed',
        what: `the probe ${quoted(first.probe)} fails after the change: ${first.what}`,
        details,
        solve: `open what it needs in the matrix or the inventory, or correct the probe (${place})`,
      };
}

function quoted(probe: Probe): string {
  return `"${terminalLine(probe.name, 100)}"`;
}
