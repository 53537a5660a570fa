/** One line of a comparison: in both texts, only before, or only after. */
interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
  /** False for the last line of a text that does not end with a line end. */
  readonly ended: boolean;
}

/** Lines around a change that `diff -u` shows. */
const CONTEXT = 3;

/** With more differences than this the rest is shown as one block that goes and one that comes: finding fewer would take too long. */
const MOST_DIFFERENCES = 1000;

/**
 * The difference between two texts as `diff -u` and git write it: `patch` makes the second text of the first with it.
 *
 * @param path the file's name in the head; `null` texts are files that do not exist
 * @returns lines; none if the texts are equal
 */
export function unifiedDiff(path: string, before: string | null, after: string | null): readonly string[] {
  if (before === after) return [];
  const edits = editsOf(linesOf(before ?? ''), linesOf(after ?? ''));
  return [
    `--- ${before === null ? '/dev/null' : `a/${path}`}`,
    `+++ ${after === null ? '/dev/null' : `b/${path}`}`,
    ...hunks(edits),
  ];
}

/** The lines of a text, each with its line end; the last one may have none. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function editsOf(before: readonly string[], after: readonly string[]): readonly Edit[] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < least - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  return [
    ...before.slice(0, start).map((line) => editOf(' ', line)),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map((line) => editOf(' ', line)),
  ];
}

function editOf(sign: Edit['sign'], text: string): Edit {
  const ended = text.endsWith('\n');
  return { sign, line: ended ? text.slice(0, -1) : text, ended };
}

/** The shortest way from one list to the other (E. W. Myers, "An O(ND) difference algorithm", 1986). */
function middle(before: readonly string[], after: readonly string[]): readonly Edit[] {
  const rows = before.length === 0 || after.length === 0 ? null : rowsReached(before, after);
  if (rows === null) return [...before.map((line) => editOf('-', line)), ...after.map((line) => editOf('+', line))];
  const edits: Edit[] = [];
  let x = before.length;
  let y = after.length;
  for (let distance = rows.length - 1; distance > 0; distance -= 1) {
    const reached = rows[distance - 1]!;
    const down = comesFromAbove(reached, x - y, distance);
    const diagonal = down ? x - y + 1 : x - y - 1;
    const fromX = reached.get(diagonal)!;
    const fromY = fromX - diagonal;
    for (; x > fromX && y > fromY; x -= 1, y -= 1) edits.push(editOf(' ', before[x - 1]!));
    if (down) edits.push(editOf('+', after[fromY]!));
    else edits.push(editOf('-', before[fromX]!));
    x = fromX;
    y = fromY;
  }
  for (; x > 0; x -= 1) edits.push(editOf(' ', before[x - 1]!));
  return edits.reverse();
}

/** How far one gets on each diagonal with 0, 1, 2 … differences; `null` if there are too many. */
function rowsReached(before: readonly string[], after: readonly string[]): readonly Map<number, number>[] | null {
  const rows: Map<number, number>[] = [];
  let last = new Map<number, number>([[1, 0]]);
  for (let distance = 0; distance <= MOST_DIFFERENCES; distance += 1) {
    const row = new Map<number, number>();
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      const down = comesFromAbove(last, diagonal, distance);
      let x = down ? (last.get(diagonal + 1) ?? 0) : last.get(diagonal - 1)! + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      row.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return [...rows, row];
    }
    rows.push(row);
    last = row;
  }
  return null;
}

/** Whether the farthest way to a diagonal ends with a line that comes. */
function comesFromAbove(reached: ReadonlyMap<number, number>, diagonal: number, distance: number): boolean {
  return (
    diagonal === -distance ||
    (diagonal !== distance && (reached.get(diagonal - 1) ?? -1) < (reached.get(diagonal + 1) ?? -1))
  );
}

function hunks(edits: readonly Edit[]): readonly string[] {
  const changed = edits.flatMap(({ sign }, at) => (sign === ' ' ? [] : [at]));
  const lines: string[] = [];
  let beforeLine = 0;
  let afterLine = 0;
  let done = 0;
  for (let first = 0; first < changed.length; ) {
    let last = first;
    while (last + 1 < changed.length && changed[last + 1]! - changed[last]! <= 2 * CONTEXT + 1) last += 1;
    const from = Math.max(0, changed[first]! - CONTEXT);
    const to = Math.min(edits.length, changed[last]! + CONTEXT + 1);
    // Only lines of both texts stand between two hunks.
    beforeLine += from - done;
    afterLine += from - done;
    const part = edits.slice(from, to);
    const count = (other: Edit['sign']): number => part.filter(({ sign }) => sign !== other).length;
    const old = count('+');
    const now = count('-');
    lines.push(`@@ -${rangeText(beforeLine, old)} +${rangeText(afterLine, now)} @@`);
    for (const { sign, line, ended } of part)
      lines.push(`${sign}${line}`, ...(ended ? [] : ['\\ No newline at end of file']));
    beforeLine += old;
    afterLine += now;
    done = to;
    first = last + 1;
  }
  return lines;
}

/** The first line and how many; of no lines, the line before. @param before lines before the range */
function rangeText(before: number, count: number): string {
  if (count === 0) return `${before},0`;
  return count === 1 ? `${before + 1}` : `${before + 1},${count}`;
}
