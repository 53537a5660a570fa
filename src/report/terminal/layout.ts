import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter();

/** Cuts a text without escape sequences to this many columns of a terminal; a cut text ends with an ellipsis. */
export function cutToWidth(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  if (columns < 1) return '';
  let width = 0;
  let kept = '';
  // By grapheme, so that a character made of several code points is not cut in two.
  for (const { segment } of graphemes.segment(text)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Pads a text with spaces to this many columns. */
export function padToWidth(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - stringWidth(text)));
}

/** One cell of a table: its text, and a function that colours it after padding. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/**
 * Lays out rows in columns with two spaces between them, each as wide as its widest cell. The last column is not padded, and a
 * column that is empty in all rows is left out. Rows may have different lengths.
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

/** Breaks a text without escape sequences into lines of at most this many columns: at blanks, or within a word that is longer. */
export function wrapToWidth(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (stringWidth(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = '';
    for (const { segment } of graphemes.segment(word)) {
      if (line !== '' && stringWidth(line + segment) > columns) {
        lines.push(line);
        line = '';
      }
      line += segment;
    }
  }
  return [...lines, line];
}
