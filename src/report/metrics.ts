import type { HostOutcome, RunSummary } from '../fleet/events.ts';
import { unsettledBy } from '../fleet/unsettled.ts';
import type { Change } from '../plan/plan.ts';
import { oneLine } from './clean.ts';
import { changesOf } from './outcome-view.ts';

/** What the metrics of a run are made of. Times are seconds since 1970. */
export interface MeasuredRun {
  readonly version: string;
  readonly summary: Pick<RunSummary, 'command' | 'outcomes' | 'durationMs' | 'interrupted'>;
  readonly finishedAt: number;
  /** When the plan was made: at the end of this run, or the day of a saved plan. */
  readonly plannedAt: number;
  /** What the file said before this run. */
  readonly before: LastSuccesses;
}

/** When all went well last: in the run as a whole (`null`: never), and on each host. */
export interface LastSuccesses {
  readonly run: number | null;
  readonly hosts: ReadonlyMap<string, number>;
}

/** Of a file that is not there yet. */
export const NO_SUCCESS: LastSuccesses = { run: null, hosts: new Map() };

const RUN_SUCCESS = 'portfw_last_success_timestamp_seconds';
const HOST_SUCCESS = 'portfw_host_last_success_timestamp_seconds';

const CHANGE_KINDS: { readonly [K in Change['kind']]: true } = {
  definition: true,
  interface: true,
  'zone-service': true,
  'rich-rule': true,
  stray: true,
  'ipset-entries': true,
  remember: true,
  'ensure-firewalld': true,
};

/** What a host's outcome counts as in `portfw_hosts`. */
type State =
  | 'unchanged'
  | 'pending'
  | 'changed'
  | 'waiting'
  | 'reverted'
  | 'refused'
  | 'unreachable'
  | 'failed'
  | 'skipped';

const STATES: readonly State[] = [
  'unchanged',
  'pending',
  'changed',
  'waiting',
  'reverted',
  'refused',
  'unreachable',
  'failed',
  'skipped',
];

/**
 * The metrics of a run in Prometheus' text format, for the textfile collector of the node exporter. All series of all hosts of
 * the run are in it, and no others: a host that is not in the inventory any more is not in the file.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function metricsText(measured: MeasuredRun): string {
  return [...runFamilies(measured), ...hostFamilies([...measured.summary.outcomes])].join('');
}

/** What is said of the run as a whole, and when all went well last. */
function runFamilies({ version, summary, finishedAt, plannedAt, before }: MeasuredRun): readonly string[] {
  const outcomes = [...summary.outcomes];
  const states = outcomes.map(([, outcome]) => stateOf(outcome));
  const well = !summary.interrupted && states.every(isWell);
  const lastRun = well ? finishedAt : before.run;
  const lastHosts = outcomes.flatMap(([host, outcome]) => {
    const last = isWell(stateOf(outcome)) ? finishedAt : (before.hosts.get(oneLine(host)) ?? null);
    return last === null ? [] : [{ labels: hostLabel(host), value: last }];
  });
  return [
    family('portfw_build_info', 'The version of portfw that wrote this file.', [{ labels: { version }, value: 1 }]),
    family('portfw_run_timestamp_seconds', 'When the run ended, in seconds since 1970.', [
      { labels: { command: summary.command }, value: finishedAt },
    ]),
    family('portfw_run_duration_seconds', 'How long the run took.', [
      { labels: {}, value: Math.round(summary.durationMs) / 1000 },
    ]),
    family('portfw_plan_timestamp_seconds', 'When the plan was made, in seconds since 1970.', [
      { labels: {}, value: plannedAt },
    ]),
    family(
      RUN_SUCCESS,
      'When a run last ended without a host that failed, was refused or could not be reached, in seconds since 1970.',
      lastRun === null ? [] : [{ labels: {}, value: lastRun }],
    ),
    family(HOST_SUCCESS, 'When the host was last checked without a failure, in seconds since 1970.', lastHosts),
    family(
      'portfw_hosts',
      'Hosts of the run by how they ended.',
      STATES.map((state) => ({ labels: { state }, value: states.filter((one) => one === state).length })),
    ),
  ];
}

/** What is said of the hosts. */
function hostFamilies(outcomes: readonly (readonly [string, HostOutcome])[]): readonly string[] {
  const each = (value: (outcome: HostOutcome) => number | null): readonly Sample[] =>
    outcomes.flatMap(([host, outcome]) => {
      const found = value(outcome);
      return found === null ? [] : [{ labels: hostLabel(host), value: found }];
    });
  const pending = outcomes.map(([host, outcome]) => ({ host, kinds: pendingKinds(outcome) }));
  return [
    family(
      'portfw_pending_changes',
      'Changes that the hosts need to be as the matrix says, by kind.',
      Object.keys(CHANGE_KINDS).map((kind) => ({
        labels: { kind },
        value: pending.reduce((sum, { kinds }) => sum + (kinds?.get(kind) ?? 0), 0),
      })),
    ),
    family(
      'portfw_host_pending_changes',
      'Changes that the host needs to be as the matrix says; absent if it has no plan.',
      pending.flatMap(({ host, kinds }) =>
        kinds === null
          ? []
          : [{ labels: hostLabel(host), value: [...kinds.values()].reduce((sum, one) => sum + one, 0) }],
      ),
    ),
    family(
      'portfw_host_drift_changes',
      'The same changes of the host by kind; absent if there are none of a kind.',
      pending.flatMap(({ host, kinds }) =>
        [...(kinds ?? [])].map(([kind, value]) => ({ labels: { ...hostLabel(host), kind }, value })),
      ),
    ),
    family(
      'portfw_host_reachable',
      'Whether the host was reached (1) or not (0).',
      each((outcome) => (outcome.kind === 'skipped' ? null : outcome.kind === 'unreachable' ? 0 : 1)),
    ),
    family(
      'portfw_host_pending_rollbacks',
      'Runs on the host that are not confirmed, or were left unfinished: the host may roll back.',
      each(pendingRollbacks),
    ),
    family('portfw_host_warnings', 'Warnings of the plan; absent if the host has no plan.', each(warningsOf)),
  ];
}

function hostLabel(host: string): Labels {
  return { host: oneLine(host) };
}

function stateOf(outcome: HostOutcome): State {
  switch (outcome.kind) {
    case 'planned':
      return 'pending';
    case 'changed':
    case 'rolled-back':
      return 'changed';
    case 'awaiting':
      return 'waiting';
    case 'reverted':
    case 'refused':
    case 'unreachable':
    case 'failed':
    case 'skipped':
      return outcome.kind;
    case 'unchanged':
    case 'facts':
    case 'roles':
    case 'confirmed':
    case 'nothing-pending':
    case 'status':
    case 'history':
      return 'unchanged';
  }
}

function isWell(state: State): boolean {
  return state === 'unchanged' || state === 'pending' || state === 'changed' || state === 'waiting';
}

/** What is left to do on a host, by kind; `null` without a plan. After an apply that is nothing. */
function pendingKinds(outcome: HostOutcome): ReadonlyMap<string, number> | null {
  if (!('plan' in outcome)) return null;
  const kinds = new Map<string, number>();
  if (outcome.kind !== 'planned') return kinds;
  for (const { kind } of outcome.plan.changes) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  return kinds;
}

function pendingRollbacks(outcome: HostOutcome): number | null {
  if (outcome.kind === 'awaiting') return 1;
  const other = unsettledBy(outcome);
  if (other !== null) return other.kind === 'alive' ? 1 : other.runs.length;
  return changesOf(outcome) === null ? null : 0;
}

function warningsOf(outcome: HostOutcome): number | null {
  if (!('plan' in outcome)) return null;
  return outcome.plan.notes.filter(({ severity }) => severity === 'warning').length;
}

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** A gauge with its samples; nothing without any, since a family without samples says nothing. */
function family(name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`));
}

/**
 * When all went well last, as an earlier file of {@link metricsText} says. A run that fails must not forget it. Lines that are
 * not understood are passed over: the file may be anybody's.
 */
export function readLastSuccesses(text: string): LastSuccesses {
  let run: number | null = null;
  const hosts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const whole = new RegExp(`^${RUN_SUCCESS} (\\d{1,12})$`).exec(line);
    if (whole !== null) run = Number(whole[1]);
    const one = new RegExp(`^${HOST_SUCCESS}\\{host="((?:[^"\\\\]|\\\\.)*)"\\} (\\d{1,12})$`).exec(line);
    if (one !== null) hosts.set(one[1]!.replace(/\\(.)/g, '$1'), Number(one[2]));
  }
  return { run, hosts };
}
