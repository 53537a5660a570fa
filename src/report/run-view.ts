import type { HostOutcome, RunSummary } from '../fleet/events.ts';
import { unsettledBy } from '../fleet/unsettled.ts';
import { cleaned } from './clean.ts';
import { failureKey } from './failure-groups.ts';
import { type OutcomeView, outcomeView, type Tone } from './outcome-view.ts';

/** How a run ended: one row per host, and counts. */
export interface RunView {
  readonly rows: readonly RunRow[];
  readonly hosts: number;
  /** Hosts per label, in the order of first appearance. */
  readonly counts: readonly { readonly label: string; readonly tone: Tone; readonly hosts: number }[];
  readonly durationMs: number;
  readonly interrupted: boolean;
}

export type RunRow =
  /** `durationMs` is `null` when portfw did not work on the host. */
  | {
      readonly kind: 'host';
      readonly host: string;
      readonly outcome: OutcomeView;
      readonly durationMs: number | null;
      /** A host above that failed in the same way. */
      readonly alike: string | null;
    }
  /** Several hosts with the same label and without news. */
  | { readonly kind: 'folded'; readonly hosts: number; readonly outcome: OutcomeView; readonly note: string };

const UNEVENTFUL: ReadonlySet<HostOutcome['kind']> = new Set(['unchanged', 'skipped', 'facts', 'roles', 'history']);

/**
 * How a run ended. In a fleet of more than `mostRows` hosts, hosts without news share one row per label. Hosts that changed
 * or failed always have their own row.
 *
 * @param durations milliseconds spent on each host
 */
export function runView(summary: RunSummary, durations: ReadonlyMap<string, number>, mostRows: number): RunView {
  const fold = summary.outcomes.size > mostRows;
  const rows: RunRow[] = [];
  const folded = new Map<string, { outcome: OutcomeView; hosts: number }>();
  const failed = new Map<string, string>();
  const counts = new Map<string, { label: string; tone: Tone; hosts: number }>();
  for (const [host, outcome] of summary.outcomes) {
    const view = outcomeView(outcome);
    const { label, tone } = view;
    const count = counts.get(label);
    if (count === undefined) counts.set(label, { label, tone, hosts: 1 });
    else count.hosts += 1;
    if (fold && UNEVENTFUL.has(outcome.kind) && unsettledBy(outcome) === null) {
      const same = folded.get(label);
      if (same === undefined) folded.set(label, { outcome: view, hosts: 1 });
      else same.hosts += 1;
      continue;
    }
    const durationMs = outcome.kind === 'skipped' ? null : (durations.get(host) ?? null);
    const name = cleaned(host);
    const key = view.failure === null ? null : failureKey({ host: name, outcome: view, durationMs: 0 });
    const alike = key === null ? null : (failed.get(key) ?? null);
    if (key !== null && alike === null) failed.set(key, name);
    rows.push({ kind: 'host', host: name, outcome: view, durationMs, alike });
  }
  for (const { outcome, hosts } of folded.values())
    rows.push({ kind: 'folded', hosts, outcome, note: outcome.kind === 'skipped' ? outcome.note : '' });
  return {
    rows: shortlySaid(rows),
    hosts: summary.outcomes.size,
    counts: [...counts.values()],
    durationMs: summary.durationMs,
    interrupted: summary.interrupted,
  };
}

/** A failure that several hosts share was said in words for all of them: so it is here. */
function shortlySaid(rows: readonly RunRow[]): readonly RunRow[] {
  const shared = new Set(rows.flatMap((row) => (row.kind === 'host' && row.alike !== null ? [row.alike] : [])));
  return rows.map((row) => {
    const words = row.outcome.failure?.shared;
    if (row.kind !== 'host' || words == null || !shared.has(row.host)) return row;
    return { ...row, outcome: { ...row.outcome, note: words.what } };
  });
}
