import type { RunSummary } from '../../fleet/events.ts';
import type { ReviewedPlan } from '../../plan/plan.ts';
import { detectText } from './detect-text.ts';
import { factsText } from './facts-text.ts';
import { historyText } from './history-text.ts';
import { notesText, plansText } from './plan-text.ts';
import { statusText } from './status-text.ts';
import type { Style } from './style.ts';

export interface ResultsOptions {
  readonly style: Style;
  readonly verbosity: number;
}

/**
 * The results of a command: facts, roles, plans, generations or status of each host. Commands whose result is the closing
 * table have only the notes of unchanged hosts here (apply shows its plans before the review).
 */
export function resultsText(summary: RunSummary, options: ResultsOptions): string {
  const { style } = options;
  const texts: string[] = [];
  const plans: ReviewedPlan[] = [];
  /** Hosts without changes in an apply. Their plans were not reviewed, so their notes were not shown yet. */
  const noted: ReviewedPlan[] = [];
  const alike = undecided(summary, style);
  for (const [host, outcome] of summary.outcomes) {
    switch (outcome.kind) {
      case 'facts':
        texts.push(factsText(host, outcome.facts, style));
        break;
      case 'roles': {
        const hosts = alike.get(detectText([], outcome, style)) ?? [host];
        if (hosts[0] === host) texts.push(detectText(hosts, outcome, style));
        break;
      }
      case 'history':
        texts.push(historyText(host, outcome, style));
        break;
      case 'status':
        texts.push(statusText(host, outcome, style));
        break;
      case 'planned':
        plans.push(outcome.plan);
        break;
      case 'unchanged':
        if (summary.command === 'plan') plans.push(outcome.plan);
        else if (outcome.plan.notes.length > 0) noted.push(outcome.plan);
        break;
      case 'changed':
      case 'awaiting':
      case 'confirmed':
      case 'nothing-pending':
      case 'rolled-back':
      case 'reverted':
      case 'refused':
      case 'unreachable':
      case 'failed':
      case 'skipped':
        break;
    }
  }
  if (plans.length > 0) texts.push(plansText(plans, options));
  if (noted.length > 0) texts.push(notesText(noted, style));
  return texts.join('\n');
}

/** The hosts whose roles are not settled, by what is to be said of them: it is said once for all that have the same. */
function undecided(summary: RunSummary, style: Style): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const [host, outcome] of summary.outcomes) {
    if (outcome.kind !== 'roles' || outcome.findings.verdict.kind === 'settled') continue;
    const text = detectText([], outcome, style);
    const same = hosts.get(text);
    if (same === undefined) hosts.set(text, [host]);
    else same.push(host);
  }
  return hosts;
}
