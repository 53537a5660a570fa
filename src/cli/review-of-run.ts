import type { HostOutcome } from '../fleet/events.ts';
import type { FleetContext } from '../fleet/run.ts';
import { displayPath } from '../matrix/shipped.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import type { HostWithoutPlan, ReviewInput } from '../report/review-input.ts';

/** What a run has so far: plans that wait for a review, and how the other hosts ended. */
export interface PlannedRun {
  readonly plans: readonly ReviewedPlan[];
  readonly ended: ReadonlyMap<string, HostOutcome>;
}

/** What is reviewed of a run, with all of its hosts in the order of the inventory. */
export function reviewOfRun(
  action: ReviewInput['action'],
  { plans, ended }: PlannedRun,
  { jobs, inventory }: Pick<FleetContext, 'jobs' | 'inventory'>,
): ReviewInput {
  const waiting = new Map(plans.map((plan) => [plan.host, plan]));
  const hosts = [...jobs.keys()];
  return {
    action,
    plans: hosts.flatMap((host) => waiting.get(host) ?? planOf(ended.get(host)) ?? []),
    without: hosts.flatMap((host) => {
      const outcome = ended.get(host);
      return outcome === undefined || waiting.has(host) ? [] : withoutPlan(host, outcome);
    }),
    groups: groupsOf(hosts, inventory),
    digest: null,
    places: placesOf(hosts, inventory),
  };
}

function planOf(outcome: HostOutcome | undefined): ReviewedPlan | null {
  return outcome !== undefined && 'plan' in outcome ? outcome.plan : null;
}

function withoutPlan(host: string, outcome: HostOutcome): readonly HostWithoutPlan[] {
  const { kind } = outcome;
  if (kind === 'refused' || kind === 'unreachable' || kind === 'failed')
    return [{ host, kind, failure: outcome.failure }];
  if (kind !== 'skipped') return [];
  return [
    { host, kind, failure: { code: kind, what: outcome.because, details: [], solve: 'run it again for this host' } },
  ];
}

/** The groups of each host, without `all` and `ungrouped`, which say nothing. */
function groupsOf(hosts: readonly string[], { groups }: FleetContext['inventory']): ReviewInput['groups'] {
  const names = new Map<string, string[]>(hosts.map((host) => [host, []]));
  for (const [group, { allHosts }] of groups) {
    if (group === 'all' || group === 'ungrouped') continue;
    for (const host of allHosts) names.get(host)?.push(group);
  }
  return names;
}

/** Where the inventory names the hosts. */
function placesOf(hosts: readonly string[], inventory: FleetContext['inventory']): NonNullable<ReviewInput['places']> {
  return new Map(
    hosts.flatMap((host) => {
      const location = inventory.hosts.get(host)?.location;
      if (location === undefined) return [];
      return [[host, { file: displayPath(location.file), line: location.line, column: location.column }] as const];
    }),
  );
}
