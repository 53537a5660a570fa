import { formatProblem, InputError } from '../../../../src/core/problem.ts';
import { parseYaml } from '../../../../src/documents/yaml-document.ts';

/** What is wrong with a text, a line each with its place; nothing when it can be read. */
export function problemsOf(text: string): string[] {
  try {
    parseYaml(text, 'f');
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.map((problem) => formatProblem(problem).split('\n')[0]!);
  }
}
