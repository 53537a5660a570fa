import { counted } from '../../core/lists.ts';
import { oneLine } from '../clean.ts';
import type { CheckedJournal, JournalRow } from '../journal-view.ts';
import { columnLines } from './layout.ts';
import type { Style } from './style.ts';

/** The runs in a journal, one per line, in its order. */
export function journalText(rows: readonly JournalRow[], style: Style): string {
  const head = ['when', 'who', 'command', 'host', 'plan', 'approved by', 'outcome'];
  const cells = rows.map((row) => [
    { text: row.at },
    { text: row.who },
    { text: row.command },
    { text: row.host },
    { text: row.plan },
    { text: row.approvedBy === '' ? '-' : row.approvedBy },
    { text: row.outcome, paint: row.bad ? style.red : style.green },
  ]);
  return `${columnLines([head.map((text) => ({ text, paint: style.dim })), ...cells]).join('\n')}\n`;
}

/** What a check of the journals found: a line for each, then what is wrong with it. */
export function checkText(journals: readonly CheckedJournal[], style: Style): string {
  const lines = journals.flatMap(({ host, file, lines: count, problems, notes }) => {
    const name = host === null ? `the journal of this machine (${oneLine(file ?? '')})` : oneLine(host);
    const state = problems.length === 0 ? style.green('complete') : style.red(counted(problems.length, 'problem'));
    return [
      `${style.bold(name)}: ${counted(count, 'line')}, ${state}`,
      ...problems.map(({ what }) => `  ${style.red(oneLine(what))}`),
      ...notes.map((note) => `  ${style.dim(oneLine(note))}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}
