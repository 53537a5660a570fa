import { counted } from '../../core/lists.ts';
import type { Matrix, MatrixRow } from '../../matrix/matrix.ts';
import { type FullRow, fullRows, type MatrixComparison } from '../../matrix/rows.ts';
import type { RoleCluster } from '../../settings/clusters.ts';
import { oneLine } from '../clean.ts';
import { type Cell, columnLines } from './layout.ts';
import type { Style } from './style.ts';

/** A matrix as a table, role by role, with the features and peer sets that its rows refer to. */
export function matrixText(matrix: Matrix, style: Style): string {
  const print = `${matrix.print.document}, ${matrix.print.edition}`;
  const lines = [
    `${style.bold(oneLine(matrix.name))}: ${oneLine(matrix.title)}`,
    `  follows ${oneLine(print)}${matrix.extends === null ? '' : `; extends ${oneLine(matrix.extends)}`}`,
  ];
  const rows = fullRows(matrix);
  for (const role of matrix.roles.values()) {
    const kind = role.appliance ? ' (an appliance: portfw cannot log in to it)' : role.everyHost ? ' (every host)' : '';
    lines.push('', `${style.cyan(oneLine(role.name))}: ${oneLine(role.title)}${kind}`);
    const own = rows.filter((row) => row.role === role.name);
    const shown = columnLines(own.map(rowCells));
    own.forEach((row, index) => {
      lines.push(shown[index]!);
      // Consecutive rows with the same note show it once, after the last of them.
      const again = row.note === own[index + 1]?.note;
      if (row.note !== null && !again) lines.push(style.dim(`      note: ${oneLine(row.note)}`));
    });
  }
  lines.push(...legend('features (off until portfw_features or the playbook turns them on)', matrix.features.values()));
  lines.push(...legend('peer sets', matrix.peers.values()));
  lines.push(
    ...legend('clusters (of one site, never changed at the same time)', [...matrix.clusters.values()].map(inWords)),
  );
  lines.push('', `${counted(rows.length, 'row')} in ${counted(matrix.roles.size, 'role')}`);
  return `${lines.join('\n')}\n`;
}

function rowCells(row: FullRow): Cell[] {
  const feature = row.feature === null ? '' : `feature ${row.feature}`;
  return [
    { text: `  ${row.interface}` },
    { text: oneLine(`${row.protocol}/${row.port}`) },
    { text: oneLine(senderText(row)) },
    { text: oneLine(feature) },
    { text: oneLine(row.purpose) },
  ];
}

/** Which senders a row allows; empty for any. */
function senderText({ from, from_public: onPublic, administration }: FullRow): string {
  const always = from === 'any' ? '' : `from ${from}`;
  if (onPublic !== null) return `${always === '' ? 'from anyone' : always}, on public from ${onPublic}`;
  return administration && from === 'any' ? 'from portfw_management, if set' : always;
}

function legend(
  title: string,
  entries: Iterable<{ readonly name: string; readonly description: string }>,
): readonly string[] {
  const rows = [...entries].map(({ name, description }) => [
    { text: `  ${oneLine(name)}` },
    { text: oneLine(description) },
  ]);
  return rows.length === 0 ? [] : ['', title, ...columnLines(rows)];
}

function inWords({ name, description, roles, feature, filtered }: RoleCluster): { name: string; description: string } {
  const where = feature === null ? '' : `, with the feature ${feature}`;
  const traffic = filtered ? '' : '; never filtered from each other';
  return { name, description: `${description}: ${roles.join(', ')}${where}${traffic}` };
}

/** How two matrices differ, row by row: `-` only in the first, `+` only in the second, `~` changed. */
export function comparisonText(left: string, right: string, comparison: MatrixComparison, style: Style): string {
  const { onlyLeft, onlyRight, different, same } = comparison;
  const lines = [
    `${style.bold(oneLine(left))} → ${style.bold(oneLine(right))}`,
    ...onlyLeft.map((row) => `  ${style.red('-')} ${rowText(row)}`),
    ...onlyRight.map((row) => `  ${style.green('+')} ${rowText(row)}`),
  ];
  for (const difference of different) {
    lines.push(`  ${style.yellow('~')} ${rowText(difference.left)}`);
    for (const column of difference.columns) {
      const before = difference.left[column] ?? 'none';
      lines.push(`      ${oneLine(`${column}: ${before} → ${difference.right[column] ?? 'none'}`)}`);
    }
  }
  const counts = `${onlyRight.length} added, ${onlyLeft.length} removed, ${different.length} different, ${same} the same`;
  return `${[...lines, '', counts].join('\n')}\n`;
}

function rowText(row: MatrixRow): string {
  const from = row.from === 'any' ? '' : ` from ${row.from}`;
  const feature = row.feature === null ? '' : ` (feature ${row.feature})`;
  return oneLine(`${row.role}/${row.interface}/${row.protocol}/${row.port}${from}${feature} — ${row.purpose}`);
}
