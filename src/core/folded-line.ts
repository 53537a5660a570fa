/**
 * Breaks a line of plain text at blanks, to lines of at most so many characters; a longer word has a line of its own.
 *
 * @param further what the lines after the first begin with
 */
export function foldedLine(line: string, columns: number, further: string): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    let cut = rest.lastIndexOf(' ', columns);
    if (cut <= further.length) cut = rest.indexOf(' ', Math.max(columns, further.length + 1));
    if (cut === -1) break;
    lines.push(rest.slice(0, cut));
    rest = further + rest.slice(cut + 1);
  }
  return [...lines, rest];
}
