import type { Problem } from './problem.ts';

/** Problems in reading order: by file, line and column; those without a place are first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => {
    const left = a.location;
    const right = b.location;
    if (left === null || right === null) return Number(left !== null) - Number(right !== null);
    if (left.file !== right.file) return left.file < right.file ? -1 : 1;
    return left.line - right.line || left.column - right.column;
  });
}
