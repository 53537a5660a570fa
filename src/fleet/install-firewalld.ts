import { canonical } from '../core/canonical.ts';
import type { Failure } from '../core/failure.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { Decision } from '../decide/decide.ts';
import { installProgram } from '../host/programs.ts';
import type { Play } from '../matrix/matrix.ts';
import type { Change, HostPlan } from '../plan/plan.ts';
import { probeInput } from '../roles/wanted.ts';
import type { Connection } from '../transport/connection.ts';
import { decideWithHost } from './decide-with-host.ts';
import { commandFailure, probe } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

const INSTALL_DEADLINE_MS = 300_000;
const INSTALL_LIMIT_BYTES = 4 * 1024 * 1024;
/** The host has no supported package manager (install.sh). */
const NO_PACKAGE_MANAGER = 69;

/**
 * If the plan says so, installs the package firewalld, which neither runs nor is enabled afterwards. Then the facts are
 * gathered and the plan is made again: it must be the one that was shown.
 *
 * @returns the decision to continue with, or why nothing was started; the package then stays installed
 */
export async function withFirewalldInstalled(
  job: HostJob,
  play: Play,
  plan: HostPlan,
  connection: Connection,
  context: RunContext,
): Promise<Decision> {
  const installs = plan.changes.some((change) => change.kind === 'ensure-firewalld' && change.action === 'install');
  if (!installs) return { kind: 'planned', plan };
  context.phase(job.host, 'installing firewalld');
  const outcome = await connection.run({
    program: installProgram(),
    data: '',
    deadlineMs: INSTALL_DEADLINE_MS,
    outputLimitBytes: INSTALL_LIMIT_BYTES,
  });
  if (outcome.kind !== 'exited') return { kind: 'refused', failure: commandFailure(outcome) };
  if (outcome.exitCode !== 0)
    return { kind: 'refused', failure: notInstalled(outcome.exitCode, outcome.stderr.toString('utf8')) };
  context.phase(job.host, 'planning');
  const seen = await probe(connection, probeInput([play.matrix]), job, context);
  if (seen.kind === 'failed') return { kind: 'refused', failure: seen.failure };
  const again = await decideWithHost(job, play, seen.facts, connection, context);
  if (again.kind === 'failed') return { kind: 'refused', failure: again.failure };
  if (again.kind === 'refused') return again;
  const alike = gist(again.plan) === gist(plan) && (context.saved === undefined || sent(again.plan) === sent(plan));
  if (!alike)
    return {
      kind: 'refused',
      failure: {
        code: 'not-as-shown',
        what: 'firewalld is now installed but not started: the new plan differs from the one that was shown',
        details: [],
        solve: 'run again, and review the new plan',
      },
    };
  return again;
}

function notInstalled(exitCode: number, stderr: string): Failure {
  if (exitCode === NO_PACKAGE_MANAGER)
    return {
      code: 'no-package-manager',
      what: 'the host has none of apt-get, dnf, yum and zypper',
      details: [],
      solve: 'install the package firewalld by hand',
    };
  return {
    code: 'install-failed',
    what: `the package firewalld could not be installed (exit code ${exitCode})`,
    details: stderr
      .trim()
      .split('\n')
      .slice(-5)
      .map((line) => terminalLine(line)),
    solve: 'fix what the package manager reports, and run again; firewalld was not started',
  };
}

/** The changes of a plan, without what depends on the distribution's stock zone. */
function gist(plan: HostPlan): string {
  const bare = (change: Change) => {
    if (change.kind === 'ensure-firewalld') return { kind: change.kind };
    if (change.kind === 'interface') return { ...change, closes: [], otherZone: '' };
    return change;
  };
  return JSON.stringify(plan.changes.map(bare));
}

/** All that is sent of a plan. Of a saved one nothing may differ, but that the package is there now. */
function sent({ steps, result }: HostPlan): string {
  return canonical([steps.map((step) => (step.kind === 'start-firewalld' ? step.kind : step)), result]);
}
