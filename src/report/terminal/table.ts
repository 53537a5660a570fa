import stringWidth from 'string-width';
import { durationText } from '../../core/duration.ts';
import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { HostOutcome, RunSummary } from '../../fleet/events.ts';
import { unsettledBy } from '../../fleet/unsettled.ts';
import { type Cell, columnLines, cutToWidth } from './layout.ts';
import { changesOf, failureOf, outcomeLabel, outcomeNote, outcomePaint } from './outcome-text.ts';
import type { Style } from './style.ts';

export interface TableOptions {
  readonly style: Style;
  /** Columns of the terminal: notes are cut there. `null` never cuts. */
  readonly width: number | null;
}

/** A fleet larger than this has its uneventful hosts folded into one row a kind. */
const MAX_ROWS = 40;
const FOLDED: ReadonlySet<HostOutcome['kind']> = new Set(['unchanged', 'skipped', 'facts', 'roles', 'history']);

/**
 * The table that closes a run: host, outcome, changes, time and a note, then one line of counts. Of large fleets every
 * host that changed or failed has its row, and the uneventful ones share one.
 *
 * @param durations milliseconds spent on each host
 */
export function closingTable(
  summary: RunSummary,
  durations: ReadonlyMap<string, number>,
  { style, width }: TableOptions,
): string {
  const fold = summary.outcomes.size > MAX_ROWS;
  const rows: Row[] = [];
  const folded = new Map<string, HostOutcome[]>();
  for (const [host, outcome] of summary.outcomes) {
    if (fold && FOLDED.has(outcome.kind) && unsettledBy(outcome) === null) {
      const label = outcomeLabel(outcome);
      folded.set(label, [...(folded.get(label) ?? []), outcome]);
      continue;
    }
    const changes = changesOf(outcome);
    rows.push({
      host: terminalLine(host),
      outcome,
      changes: changes === null ? '' : String(changes),
      time: durations.has(host) && outcome.kind !== 'skipped' ? durationText(durations.get(host)! / 1000, 1) : '',
      note: noteOf(outcome),
    });
  }
  for (const outcomes of folded.values()) {
    const first = outcomes[0]!;
    const note = first.kind === 'skipped' ? outcomeNote(first) : '';
    rows.push({ host: counted(outcomes.length, 'host'), outcome: first, changes: '', time: '', note });
  }
  return `${[...tableLines(rows, style, width), '', countsLine(summary, style)].join('\n')}\n`;
}

/** The note, with the failure's code first: it is what one searches the documentation for. */
function noteOf(outcome: HostOutcome): string {
  const failure = failureOf(outcome);
  const note = outcomeNote(outcome);
  return failure === null || failure.code === outcome.kind ? note : `${failure.code}: ${note}`;
}

interface Row {
  readonly host: string;
  readonly outcome: HostOutcome;
  readonly changes: string;
  readonly time: string;
  readonly note: string;
}

const HEAD = ['host', 'outcome', 'changes', 'time', 'note'] as const;

function tableLines(rows: readonly Row[], style: Style, width: number | null): readonly string[] {
  const left = (note: string): string[][] =>
    rows.map((row) => [row.host, outcomeLabel(row.outcome), row.changes, row.time, note]);
  const others = HEAD.slice(0, 4).map((head, index) =>
    left('').reduce((most, cells) => Math.max(most, stringWidth(cells[index]!)), head.length),
  );
  const room = width === null ? Number.POSITIVE_INFINITY : width - others.reduce((sum, one) => sum + one + 2, 0);
  const note = (text: string): string =>
    room === Number.POSITIVE_INFINITY ? text : cutToWidth(text, Math.max(20, room));
  const lines: Cell[][] = rows.map((row) => [
    { text: row.host },
    { text: outcomeLabel(row.outcome), paint: outcomePaint(row.outcome, style) },
    { text: row.changes },
    { text: row.time },
    { text: note(row.note) },
  ]);
  return columnLines([HEAD.map((text) => ({ text, paint: style.bold })), ...lines]);
}

/** `3 hosts in 4.2 s: 1 changed, 1 unchanged, 1 failed`. */
export function countsLine(summary: RunSummary, style: Style): string {
  const counts = new Map<string, { count: number; outcome: HostOutcome }>();
  for (const outcome of summary.outcomes.values()) {
    const label = outcomeLabel(outcome);
    const known = counts.get(label);
    if (known === undefined) counts.set(label, { count: 1, outcome });
    else known.count += 1;
  }
  const parts = [...counts].map(([label, { count, outcome }]) => outcomePaint(outcome, style)(`${count} ${label}`));
  const interrupted = summary.interrupted ? `; ${style.yellow('interrupted')}` : '';
  const hosts = counted(summary.outcomes.size, 'host');
  return `${hosts} in ${durationText(summary.durationMs / 1000, 1)}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}${interrupted}`;
}
