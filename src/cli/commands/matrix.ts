import { counted } from '../../core/lists.ts';
import { suggestion } from '../../core/suggest.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { loadMatrix } from '../../matrix/load-matrix.ts';
import type { Matrix, MatrixRow } from '../../matrix/matrix.ts';
import { compareMatrices, matrixRows } from '../../matrix/rows.ts';
import { shippedNames } from '../../matrix/shipped.ts';
import { jsonLine } from '../../report/json/json-line.ts';
import { columnLines } from '../../report/terminal/layout.ts';
import { comparisonText, matrixText } from '../../report/terminal/matrix-text.ts';
import { EXIT } from '../exit-codes.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface MatrixFlags {
  readonly json?: boolean;
  readonly compare?: string;
  readonly role?: readonly string[];
  readonly color: boolean;
}

/** `portfw matrix [NAME] [--json] [--compare OTHER]`. */
export function showMatrix(name: string | null, flags: MatrixFlags): number {
  const terminal = openTerminal(flags.color);
  if (name === null) {
    if (flags.role !== undefined)
      throw new UsageError('--role needs a matrix', 'Name it: portfw matrix NAME --role ROLE');
    if (flags.compare !== undefined) {
      throw new UsageError(
        '--compare needs two matrices',
        'Name the first one too: portfw matrix NAME --compare OTHER',
      );
    }
    listMatrices(terminal, flags.json === true);
  } else if (flags.compare !== undefined) {
    const matrices = [loadMatrix(name), loadMatrix(flags.compare)];
    const [left, right] = withRoles(matrices, flags.role);
    compare(left!, right!, terminal, flags.json === true);
  } else {
    const matrix = withRoles([loadMatrix(name)], flags.role)[0]!;
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

/**
 * The matrices with only these roles, or with all of them when none is named.
 *
 * @throws UsageError for a role that no matrix has
 */
function withRoles(matrices: readonly Matrix[], wanted: readonly string[] | undefined): readonly Matrix[] {
  if (wanted === undefined) return matrices;
  const known = new Set(matrices.flatMap((matrix) => [...matrix.roles.keys()]));
  for (const role of wanted) {
    if (!known.has(role))
      throw new UsageError(`there is no role "${terminalLine(role)}"`, suggestion(role, known, 'roles'));
  }
  return matrices.map((matrix) => ({
    ...matrix,
    roles: new Map([...matrix.roles].filter(([name]) => wanted.includes(name))),
  }));
}

function compare(left: Matrix, right: Matrix, terminal: Terminal, json: boolean): void {
  const comparison = compareMatrices(left, right);
  if (json) terminal.out(`${jsonLine(comparison)}\n`);
  else terminal.out(comparisonText(left.name, right.name, comparison, terminal.style));
}
