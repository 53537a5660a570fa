import stringWidth from 'string-width';
import { cleaned } from '../clean.ts';
import type { SettingGroup, SettingRow } from '../settings-view.ts';
import { padToWidth, wrapToWidth } from './layout.ts';
import type { Style } from './style.ts';

const HEAD: SettingRow = { name: 'setting', value: 'value', from: 'from' };
/** Columns are never narrower than this, however narrow the terminal. */
const LEAST_COLUMN = 10;
const INDENT = 2;
const GAP = 2;

/**
 * Settings as a table for each group: name, value, and what set it.
 *
 * @param width columns of the terminal, to which cells are wrapped; `null` never wraps
 */
export function settingsText(groups: readonly SettingGroup[], style: Style, width: number | null): string {
  const safe = cleaned(groups);
  const widths = columnWidths(
    safe.flatMap(({ rows }) => rows),
    width,
  );
  const tables = safe.map(({ title, rows }) => {
    const titleLines = wrapToWidth(title, width ?? Number.POSITIVE_INFINITY).map((line) => style.bold(line));
    return [...titleLines, ...rows.flatMap((row) => rowLines(row, widths))].join('\n');
  });
  const head = rowLines(HEAD, widths).map((line) => style.dim(line));
  return `${head.join('\n')}\n\n${tables.join('\n\n')}\n`;
}

/** As wide as the widest cell; on a terminal that is too narrow, the names keep at most a third, and values and origins share the rest. */
function columnWidths(rows: readonly SettingRow[], width: number | null): readonly [number, number, number] {
  const widest = (of: (row: SettingRow) => string): number =>
    rows.reduce((most, row) => Math.max(most, stringWidth(of(row))), stringWidth(of(HEAD)));
  const names = widest(({ name }) => name);
  const values = widest(({ value }) => value);
  const origins = widest(({ from }) => from);
  if (width === null) return [names, values, origins];
  const room = width - INDENT - 2 * GAP;
  const forNames = Math.max(LEAST_COLUMN, Math.min(names, Math.floor(room / 3)));
  const rest = room - forNames;
  if (values + origins <= rest) return [forNames, values, origins];
  const half = Math.floor(rest / 2);
  const forValues = Math.max(LEAST_COLUMN, values <= half ? values : Math.max(half, rest - origins));
  return [forNames, forValues, Math.max(LEAST_COLUMN, rest - forValues)];
}

function rowLines({ name, value, from }: SettingRow, widths: readonly [number, number, number]): readonly string[] {
  const cells = [name, value, from].map((text, index) => wrapToWidth(text, widths[index]!));
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) => {
    const parts = cells.map((lines, index) => padToWidth(lines[line] ?? '', widths[index]!));
    return `${' '.repeat(INDENT)}${parts.join(' '.repeat(GAP))}`.trimEnd();
  });
}
