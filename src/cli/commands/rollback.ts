import { counted, three } from '../../core/lists.ts';
import { shellWord } from '../../core/shell-word.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { undoesRollback } from '../../plan/build-rollback.ts';
import type { PlannedGeneration, ReviewedPlan } from '../../plan/plan.ts';
import { totalsLines } from '../../report/terminal/summary-text.ts';
import { confirm } from '../confirm.ts';
import { requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import { reviewOfRun } from '../review-of-run.ts';
import type { RunFlags } from '../run-flags.ts';
import { planCommand, type ReviewFlags, showReview, wantsDetails } from '../show-review.ts';

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
  const hint = rollbackCommand(sources, flags);
  let reviewed = false;
  return runOverFleet(sources, flags, {
    matrix: 'optional',
    detailedExitCode: only && flags.detailedExitcode === true,
    context: { guard: guardSettings(flags) },
    // With --dry-run, or where no host has anything to return to, nothing was reviewed.
    show: ({ summary, context }, { terminal }) => {
      const input = reviewOfRun('rollback', { plans: [], ended: summary.outcomes }, context);
      if (!reviewed && input.plans.length > 0) showReview(input, flags, terminal, hint);
    },
    command: ({ terminal, report, interruption }, context) => ({
      kind: 'rollback',
      generation,
      review: only
        ? null
        : async (planned) => {
            reviewed = true;
            if (flags.json === true) return true;
            await report.rest();
            const { summary } = showReview(reviewOfRun('rollback', planned, context), flags, terminal, hint);
            terminal.out('\n');
            if (flags.yes === true) return true;
            if (wantsDetails(flags)) terminal.out(totalsLines(summary, terminal));
            return confirm(rollbackQuestion(planned.plans), interruption);
          },
    }),
  });
}

/** The command that shows the same rollback without making it. */
function rollbackCommand(sources: readonly string[], flags: RollbackFlags): string {
  const to = flags.to === undefined ? '' : ` --to ${shellWord(terminalLine(flags.to))}`;
  return `${planCommand(sources, flags).replace(/^portfw plan/, 'portfw rollback')}${to} --dry-run`;
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

/** The question before a rollback. */
export function rollbackQuestion(plans: readonly ReviewedPlan[]): string {
  const [first, ...more] = destinations(plans);
  const to =
    more.length === 0 && first !== undefined
      ? `${three(first.hosts.map((host) => terminalLine(host)))} to ${generationText(first.generation)}`
      : `${counted(plans.length, 'host')} to the generations that the summary names`;
  return `Return ${to}? Type "yes" to continue: `;
}
