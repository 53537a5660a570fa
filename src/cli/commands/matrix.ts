import { loadMatrix } from '../../matrix/load-matrix.ts';
import type { MatrixRow } from '../../matrix/matrix.ts';
import { compareMatrices, matrixRows } from '../../matrix/rows.ts';
import { shippedNames } from '../../matrix/shipped.ts';
import { columnLines, counted } from '../../report/layout.ts';
import { comparisonText, matrixText } from '../../report/matrix-text.ts';
import { jsonLine } from '../../report/ndjson.ts';
import { EXIT } from '../exit-codes.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface MatrixFlags {
  readonly json?: boolean;
  readonly compare?: string;
  readonly color: boolean;
}

/** `portfw matrix [NAME] [--json] [--compare OTHER]`. */
export function showMatrix(name: string | null, flags: MatrixFlags): number {
  const terminal = openTerminal(flags.color);
  if (name === null) {
    if (flags.compare !== undefined) {
      throw new UsageError(
        '--compare needs two matrices',
        'Name the first one too: portfw matrix NAME --compare OTHER',
      );
    }
    listMatrices(terminal, flags.json === true);
  } else if (flags.compare !== undefined) {
    compare(name, flags.compare, terminal, flags.json === true);
  } else {
    const matrix = loadMatrix(name);
    if (flags.json === true) terminal.out(rowsDocument(matrixRows(matrix)));
    else terminal.out(matrixText(matrix, terminal.style));
  }
  return EXIT.done;
}

/** A JSON array with one row a line: a whole document for `JSON.parse` and jq, and still a good diff. */
function rowsDocument(rows: readonly MatrixRow[]): string {
  return `[\n${rows.map((row) => jsonLine(row)).join(',\n')}\n]\n`;
}

/** Without a name: all rows of all matrices as JSON, or a line for each matrix. */
function listMatrices(terminal: Terminal, json: boolean): void {
  const matrices = shippedNames('matrix').map((name) => loadMatrix(name));
  if (json) {
    terminal.out(rowsDocument(matrices.flatMap(matrixRows)));
    return;
  }
  const rows = matrices.map((matrix) => [
    { text: matrix.name, paint: terminal.style.bold },
    { text: `${counted(matrixRows(matrix).length, 'row')}, ${counted(matrix.roles.size, 'role')}` },
    { text: matrix.title },
  ]);
  terminal.out(`${columnLines(rows).join('\n')}\n`);
}

function compare(left: string, right: string, terminal: Terminal, json: boolean): void {
  const matrices = [loadMatrix(left), loadMatrix(right)] as const;
  const comparison = compareMatrices(...matrices);
  if (json) terminal.out(`${jsonLine(comparison)}\n`);
  else terminal.out(comparisonText(matrices[0].name, matrices[1].name, comparison, terminal.style));
}
