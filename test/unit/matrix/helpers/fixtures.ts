import { readdirSync } from 'node:fs';
import path from 'node:path';
import { formatProblem, type Problem } from '../../../../src/core/problem.ts';

const FIXTURES = path.resolve('test/fixtures/matrix');

/** The path of a fixture. */
export function fixture(...names: string[]): string {
  return path.join(FIXTURES, ...names);
}

/** The YAML fixtures of a folder, without their ending. */
export function fixtureNames(folder: string): string[] {
  return readdirSync(fixture(folder))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'))
    .sort();
}

/** Problems as people see them, with paths relative to the fixtures. */
export function problemText(problems: readonly Problem[]): string {
  return problems.map((problem) => `${formatProblem(problem).replaceAll('test/fixtures/matrix/', '')}\n`).join('');
}
