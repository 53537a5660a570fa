import { counted, three } from '../../core/lists.ts';
import { shellWord } from '../../core/shell-word.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { undoesRollback } from '../../plan/build-rollback.ts';
import type { PlannedGeneration, ReviewedPlan } from '../../plan/plan.ts';
import { totalsLines } from '../../report/terminal/summary-text.ts';
import { confirm } from '../confirm.ts';
import { requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import { requireOneFormat } from '../review-formats.ts';
import { reviewOfRun } from '../review-of-run.ts';
import type { RunFlags } from '../run-flags.ts';
import { type SaveFlags, savingOptions } from '../saving.ts';
import { planCommand, type ReviewFlags, showReview, wantsDetails } from '../show-review.ts';
import { UsageError } from '../usage-error.ts';
import type { OfSavedPlan } from './plan.ts';

interface RollbackFlags extends RunFlags, ReviewFlags, SaveFlags, Pick<GuardFlags, 'revertAfter'> {
  readonly to?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly detailedExitcode?: boolean;
}

/**
 * `portfw rollback INVENTORY [--to GENERATION] [--yes | --dry-run [--out FILE]]`.
 *
 * @param saved the saved plan of a rollback, for `apply FILE`
 */
export async function rollback(
  sources: readonly string[],
  flags: RollbackFlags,
  version: string,
  saved: OfSavedPlan | null = null,
): Promise<number> {
  const only = flags.dryRun === true;
  requireOneFormat(flags);
  if (!only) requirePlanningAlone(flags);
  if (!only) requireConsent(flags, 'rollback');
  const generation = flags.to ?? null;
  const hint = saved?.shownBy ?? rollbackCommand(sources, flags);
  const digest = saved?.context.plannedBy?.digest ?? null;
  const saving = saved === null ? savingOptions('rollback', sources, flags, version) : { context: saved.context };
  let reviewed = false;
  return runOverFleet(sources, flags, {
    ...saving,
    ...(saved === null ? {} : { prepared: saved.prepared }),
    matrix: 'optional',
    detailedExitCode: only && flags.detailedExitcode === true,
    ...(only ? {} : { journaledAs: 'rollback' as const }),
    context: { ...saving.context, guard: guardSettings(flags), raw: flags.raw === true },
    // With --dry-run, or where no host has anything to return to, nothing was reviewed.
    show: async ({ summary, context }, { terminal }) => {
      const input = reviewOfRun('rollback', { plans: [], ended: summary.outcomes }, context);
      const shown = input.plans.length > 0 || flags.format !== undefined;
      if (!reviewed && shown) await showReview({ ...input, digest }, flags, terminal, hint);
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
            const review = { ...reviewOfRun('rollback', planned, context), digest };
            const { summary } = await showReview(review, flags, terminal, hint);
            terminal.out('\n');
            if (flags.yes === true) return true;
            if (wantsDetails(flags)) terminal.out(totalsLines(summary, terminal));
            return confirm(rollbackQuestion(planned.plans), interruption);
          },
    }),
  });
}

/** @throws UsageError when a flag is for planning alone */
function requirePlanningAlone({ format, out, sign }: RollbackFlags): void {
  const given = [
    ...(format === undefined ? [] : ['--format']),
    ...(out === undefined ? [] : ['--out']),
    ...(sign === undefined ? [] : ['--sign']),
  ];
  if (given.length > 0) throw new UsageError(`${given[0]!} is for plans, and rollback makes changes`, 'Add --dry-run');
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
