import type { RunSummary } from '../fleet/events.ts';
import { unsettledBy } from '../fleet/unsettled.ts';

/** What portfw's exit code says. */
export const EXIT = {
  done: 0,
  /** A host failed or was refused, the plan was declined, or portfw itself failed. */
  failed: 1,
  /** `--detailed-exitcode`: changes are pending. */
  pending: 2,
  unreachable: 3,
  /** Bad input or usage: no host was contacted. */
  usage: 4,
  /** `--detailed-exitcode`: another run on a host has not ended, so that what was compared may not last. */
  unsettled: 5,
  interrupted: 130,
} as const;

/**
 * The exit code of a run over hosts. The more urgent code is used: interrupted (130), then a host that failed, was
 * refused, was rolled back or was skipped (1), then one that could not be reached (3); and only with
 * `--detailed-exitcode` a host with another run that has not ended (5), then pending changes (2).
 */
export function exitCodeOf(summary: RunSummary, detailed: boolean): number {
  if (summary.interrupted) return EXIT.interrupted;
  const kinds = new Set([...summary.outcomes.values()].map((outcome) => outcome.kind));
  if (kinds.has('failed') || kinds.has('refused')) return EXIT.failed;
  if (kinds.has('unreachable')) return EXIT.unreachable;
  if (kinds.has('skipped') || kinds.has('reverted')) return EXIT.failed;
  // Roles that are not settled need a decision by the user.
  for (const outcome of summary.outcomes.values()) {
    if (outcome.kind === 'roles' && outcome.findings.verdict.kind !== 'settled') return EXIT.failed;
  }
  if (!detailed) return EXIT.done;
  if ([...summary.outcomes.values()].some((outcome) => unsettledBy(outcome) !== null)) return EXIT.unsettled;
  return kinds.has('planned') ? EXIT.pending : EXIT.done;
}
