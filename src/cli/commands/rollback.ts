import { counted, threeShown } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { HostOutcome } from '../../fleet/events.ts';
import type { ToReview } from '../../fleet/run.ts';
import { undoesRollback } from '../../plan/build-rollback.ts';
import type { PlannedGeneration, ReviewedPlan } from '../../plan/plan.ts';
import { failureOf } from '../../report/outcome-view.ts';
import type { HostWithoutPlan, ReviewInput } from '../../report/review-input.ts';
import { confirm } from '../confirm.ts';
import { requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import type { RunFlags } from '../run-flags.ts';
import { type ReviewFlags, showReview } from '../show-review.ts';

interface RollbackFlags extends RunFlags, ReviewFlags, Pick<GuardFlags, 'revertAfter'> {
  readonly to?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly detailedExitcode?: boolean;
}

/** `portfw rollback INVENTORY [--to GENERATION] [--yes | --dry-run]`. */
export function rollback(sources: readonly string[], flags: RollbackFlags): Promise<number> {
  const only = flags.dryRun === true;
  if (!only) requireConsent(flags, 'rollback');
  const generation = flags.to ?? null;
  const guard = guardSettings(flags);
  return runOverFleet(sources, flags, {
    matrix: 'optional',
    detailedExitCode: only && flags.detailedExitcode === true,
    context: { guard },
    command: ({ terminal, report, interruption }) => ({
      kind: 'rollback',
      generation,
      review: only
        ? null
        : async (given) => {
            if (flags.json === true) return true;
            await report.rest();
            showReview(reviewInput(given), flags, terminal);
            for (const line of generationLines(given.plans)) terminal.out(`${line}\n`);
            terminal.out('\n');
            if (flags.yes === true) return true;
            return confirm(rollbackQuestion(given.plans), interruption);
          },
    }),
  });
}

function reviewInput({ plans, ended }: ToReview): ReviewInput {
  return { action: 'rollback', plans, without: [...ended].flatMap(withoutPlan), groups: new Map(), digest: null };
}

function withoutPlan([host, outcome]: readonly [string, HostOutcome]): readonly HostWithoutPlan[] {
  const failure = failureOf(outcome);
  if (failure === null) return [];
  const kind = outcome.kind === 'refused' || outcome.kind === 'unreachable' ? outcome.kind : 'failed';
  return [{ host, kind, failure }];
}

interface Destination {
  readonly generation: PlannedGeneration;
  readonly hosts: readonly string[];
}

/** The generations that hosts return to, in the order of their first host. */
function destinations(plans: readonly ReviewedPlan[]): readonly Destination[] {
  const found = new Map<string, { generation: PlannedGeneration; hosts: string[] }>();
  for (const plan of plans) {
    if (plan.kind !== 'rollback') continue;
    const held = found.get(plan.generation.id);
    if (held === undefined) found.set(plan.generation.id, { generation: plan.generation, hosts: [plan.host] });
    else held.hosts.push(plan.host);
  }
  return [...found.values()];
}

/** A generation for a person: its id, when, by whom and before what it was saved. */
function generationText({ id, savedAt, savedBy, before }: PlannedGeneration): string {
  const at = savedAt.replace(/^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}).*$/, '$1 $2');
  const undoes = undoesRollback(before) ? '; this undoes that rollback' : '';
  return `generation ${terminalLine(id)} (saved ${terminalLine(at)} by ${terminalLine(savedBy)} before "${terminalLine(before)}"${undoes})`;
}

/** Where each host goes, a line for each generation, if there are several; a single one is in the question. */
export function generationLines(plans: readonly ReviewedPlan[]): readonly string[] {
  const all = destinations(plans);
  if (all.length < 2) return [];
  return all.map(({ generation, hosts }) => `${threeShown(hosts)}: ${generationText(generation)}`);
}

/** The question before a rollback. */
export function rollbackQuestion(plans: readonly ReviewedPlan[]): string {
  const [first, ...more] = destinations(plans);
  const to =
    more.length === 0 && first !== undefined
      ? `${threeShown(first.hosts)} to ${generationText(first.generation)}`
      : `${counted(plans.length, 'host')} to the generations above`;
  return `Return ${to}? Type "yes" to continue: `;
}
