import { counted } from '../../core/lists.ts';
import type { Problem } from '../../core/problem.ts';
import { terminalText } from '../../core/terminal-text.ts';
import type { Style } from './style.ts';

/** At most this many are printed: a file of the wrong kind has a problem on every line. */
const MOST_SHOWN = 500;

/**
 * All problems, file by file and line by line as `file:line:column: severity: what is wrong`, each with its hint below,
 * and their number. A problem that was found twice is shown once.
 */
export function problemsText(problems: readonly Problem[], style: Style): string {
  const seen = new Set<string>();
  const lines: string[] = [];
  const counts = { error: 0, warning: 0 };
  for (const problem of [...problems].sort(byPlace)) {
    const text = problemText(problem, style);
    if (seen.has(text)) continue;
    seen.add(text);
    counts[problem.severity] += 1;
    if (lines.length < MOST_SHOWN) lines.push(text);
  }
  const more = counts.error + counts.warning - lines.length;
  if (more > 0) lines.push(`… and ${more} more, which are not shown`);
  const parts = [];
  if (counts.error > 0) parts.push(style.red(counted(counts.error, 'error')));
  if (counts.warning > 0) parts.push(style.yellow(counted(counts.warning, 'warning')));
  return `${[...lines, parts.join(', ')].join('\n')}\n`;
}

function problemText(problem: Problem, style: Style): string {
  const at = problem.location;
  const where = at === null ? '' : `${style.bold(oneLine(`${at.file}:${at.line}:${at.column}`))}: `;
  const paint = problem.severity === 'error' ? style.red : style.yellow;
  return `${where}${paint(problem.severity)}: ${oneLine(problem.what)}\n    ${oneLine(problem.solve)}`;
}

/** Safe for a terminal, and on one line: a file name may contain a line feed. */
function oneLine(text: string): string {
  return terminalText(text).replaceAll(/[\n\t]/g, ' ');
}

function byPlace(a: Problem, b: Problem): number {
  if (a.location === null || b.location === null) return Number(a.location !== null) - Number(b.location !== null);
  const { file, line, column } = a.location;
  return file < b.location.file
    ? -1
    : file > b.location.file
      ? 1
      : line - b.location.line || column - b.location.column;
}
