import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter();

/** Cuts a text without escape sequences to so many columns of a terminal; an ellipsis shows the cut. */
export function cutToWidth(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  if (columns < 1) return '';
  let width = 0;
  let kept = '';
  // What a terminal draws as one character is not cut in two.
  for (const { segment } of graphemes.segment(text)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Fills a text up with spaces to so many columns. */
export function padToWidth(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - stringWidth(text)));
}

/** One cell of a table: its text, and how to paint it once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/**
 * Lays rows out in columns two spaces apart, each as wide as its widest cell; the last column is not filled up, and one
 * that is empty in every row is left out. Rows may be shorter than others.
 */
export function columnLines(rows: readonly (readonly Cell[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, stringWidth(cell.text));
    });
  }
  return rows.map((row) => {
    const cells = row.flatMap((cell, index) => {
      if (widths[index] === 0) return [];
      const text = index === row.length - 1 ? cell.text : padToWidth(cell.text, widths[index]!);
      return cell.paint === undefined ? text : cell.paint(text);
    });
    return cells.join('  ').trimEnd();
  });
}
