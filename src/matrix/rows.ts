import type { Matrix, MatrixRow, MatrixRule } from './matrix.ts';
import { formatRulePort } from './rules.ts';

/**
 * The rows of a matrix, one protocol and one port or range each: roles in the order of the matrix, and within a role
 * the order of the print. A row inherited from a base has this matrix's name; its `source` names the vendor's
 * print.
 */
export function matrixRows(matrix: Matrix): MatrixRow[] {
  return [...matrix.roles.values()].flatMap((role) => role.rules.map((rule) => toRow(rule, matrix.name)));
}

function toRow(rule: MatrixRule, matrix: string): MatrixRow {
  return {
    matrix,
    role: rule.role,
    interface: rule.interface,
    protocol: rule.protocol,
    port: formatRulePort(rule.port),
    from: rule.from,
    feature: rule.feature,
    purpose: rule.purpose,
    source: rule.source,
    note: rule.note,
  };
}

/** A row with what may change its sender. */
export interface FullRow extends MatrixRow {
  /** The sender on the public side; `null` for the same. */
  readonly from_public: string | null;
  /** Whether `portfw_management` narrows it. */
  readonly administration: boolean;
}

/** The rows of {@link matrixRows} for people and for comparing. */
export function fullRows(matrix: Matrix): FullRow[] {
  return [...matrix.roles.values()].flatMap((role) =>
    role.rules.map((rule) => ({
      ...toRow(rule, matrix.name),
      from_public: rule.fromPublic,
      administration: rule.administration,
    })),
  );
}

/** The columns of a row that `compareMatrices` compares; where the row was printed does not change what it opens. */
const COMPARED_COLUMNS = [
  'from',
  'from_public',
  'administration',
  'feature',
  'purpose',
  'note',
] as const satisfies readonly (keyof FullRow)[];

/** A row that both matrices have, with differences. */
export interface RowDifference {
  readonly left: FullRow;
  readonly right: FullRow;
  readonly columns: readonly (typeof COMPARED_COLUMNS)[number][];
}

/** How two matrices differ; all lists in the order of the matrix that they come from. */
export interface MatrixComparison {
  readonly onlyLeft: readonly MatrixRow[];
  readonly onlyRight: readonly MatrixRow[];
  readonly different: readonly RowDifference[];
  /** How many rows are the same in both. */
  readonly same: number;
}

/**
 * Compares two matrices row by row. Rows belong together when role, interface, protocol and port are the same, and the
 * sender too where several rows share a port.
 */
export function compareMatrices(left: Matrix, right: Matrix): MatrixComparison {
  const lefts = groupRows(fullRows(left));
  const rights = groupRows(fullRows(right));
  const onlyLeft: MatrixRow[] = [];
  const onlyRight: MatrixRow[] = [];
  const different: RowDifference[] = [];
  let same = 0;
  const compare = (row: FullRow, other: FullRow): void => {
    const columns = COMPARED_COLUMNS.filter((column) => row[column] !== other[column]);
    if (columns.length === 0) same += 1;
    else different.push({ left: row, right: other, columns });
  };
  for (const [key, rows] of lefts) {
    const others = rights.get(key) ?? [];
    const alone = rows.filter((row) => !others.some((other) => other.from === row.from));
    const othersAlone = others.filter((other) => !rows.some((row) => row.from === other.from));
    for (const row of rows) {
      const other = others.find((candidate) => candidate.from === row.from);
      if (other !== undefined) compare(row, other);
    }
    const [row] = alone;
    const [other] = othersAlone;
    if (alone.length === 1 && othersAlone.length === 1 && row !== undefined && other !== undefined) compare(row, other);
    else {
      onlyLeft.push(...alone);
      onlyRight.push(...othersAlone);
    }
  }
  for (const [key, rows] of rights) if (!lefts.has(key)) onlyRight.push(...rows);
  return { onlyLeft, onlyRight, different, same };
}

function rowKey(row: MatrixRow): string {
  return `${row.role}/${row.interface}/${row.protocol}/${row.port}`;
}

function groupRows(rows: readonly FullRow[]): Map<string, FullRow[]> {
  const groups = new Map<string, FullRow[]>();
  for (const row of rows) groups.set(rowKey(row), [...(groups.get(rowKey(row)) ?? []), row]);
  return groups;
}
