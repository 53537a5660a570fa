import stringWidth from 'string-width';
import { durationText } from '../../core/duration.ts';
import { counted } from '../../core/lists.ts';
import type { RunSummary } from '../../fleet/events.ts';
import type { OutcomeView } from '../outcome-view.ts';
import { type RunRow, type RunView, runView } from '../run-view.ts';
import { type Cell, columnLines, cutToWidth } from './layout.ts';
import { paintOf, type Style } from './style.ts';
import { wrapped } from './wrap.ts';

export interface TableOptions {
  readonly style: Style;
  /** Columns of the terminal: notes are wrapped there. `null` never wraps. */
  readonly width: number | null;
}

/** In larger fleets, hosts without news share one row per outcome. */
const MAX_ROWS = 40;

/**
 * The table that closes a run: host, outcome, changes, time and a note, then one line of counts.
 *
 * @param durations milliseconds spent on each host
 */
export function closingTable(
  summary: RunSummary,
  durations: ReadonlyMap<string, number>,
  { style, width }: TableOptions,
): string {
  const view = runView(summary, durations, MAX_ROWS);
  return `${[...tableLines(view.rows, style, width), '', wrapped(countsLine(view, style), width)].join('\n')}\n`;
}

/** The note. A failure's code comes first, because it can be looked up in the documentation. */
function noteOf({ kind, failure, note }: OutcomeView): string {
  return failure === null || failure.code === kind ? note : `${failure.code}: ${note}`;
}

/**
 * The lines of a note. A refusal was shown above in full, so one line of it is enough. Everything else is wrapped: it may hold
 * a generation, which people copy.
 */
function noteLines(row: RunRow, room: number | null): readonly string[] {
  if (row.kind === 'folded') return wrapped(row.note, room).split('\n');
  if (row.alike !== null) return [`as ${row.alike}`];
  const note = noteOf(row.outcome);
  if (room === null) return [note];
  const { kind } = row.outcome;
  const short = (kind === 'refused' || kind === 'unreachable') && !GENERATION.test(note);
  return short
    ? [cutToWidth(note, room)]
    : wrapped(note, room)
        .split('\n')
        .map((line) => line.trim());
}

const GENERATION = /\d{8}T\d{6}Z-/;

/** The cells of a row except the note. */
function cellsOf(row: RunRow): readonly string[] {
  if (row.kind === 'folded') return [counted(row.hosts, 'host'), row.outcome.label, '', ''];
  const { host, outcome, durationMs } = row;
  const changes = outcome.changes === null ? '' : String(outcome.changes);
  return [host, outcome.label, changes, durationMs === null ? '' : durationText(durationMs / 1000, 1)];
}

const HEAD = ['host', 'outcome', 'changes', 'time', 'note'] as const;
const LEAST_NOTE = 20;

function tableLines(rows: readonly RunRow[], style: Style, width: number | null): readonly string[] {
  const cells = rows.map(cellsOf);
  const taken = HEAD.slice(0, -1).map((head, index) =>
    cells.reduce((most, row) => Math.max(most, stringWidth(row[index]!)), head.length),
  );
  const room = width === null ? null : Math.max(LEAST_NOTE, width - taken.reduce((sum, one) => sum + one + 2, 0));
  const lines = rows.flatMap((row, index): Cell[][] => {
    const [host, label, changes, time] = cells[index]!.map((text) => ({ text }));
    const [note = '', ...further] = noteLines(row, room);
    return [
      [host!, { ...label!, paint: paintOf(row.outcome.tone, style) }, changes!, time!, { text: note }],
      ...further.map((text) => [...HEAD.slice(1).map(() => ({ text: '' })), { text }]),
    ];
  });
  return columnLines([HEAD.map((text) => ({ text, paint: style.bold })), ...lines]);
}

/** `3 hosts in 4.2 s: 1 changed, 1 unchanged, 1 failed`. */
function countsLine({ hosts, counts, durationMs, interrupted }: RunView, style: Style): string {
  const parts = counts.map(({ label, tone, hosts: count }) => paintOf(tone, style)(`${count} ${label}`));
  const said = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  return `${counted(hosts, 'host')} in ${durationText(durationMs / 1000, 1)}${said}${interrupted ? `; ${style.yellow('interrupted')}` : ''}`;
}
