import { counted } from '../../core/lists.ts';
import type { Problem } from '../../core/problem.ts';
import { junitXml, type TestCase } from './junit-xml.ts';

/**
 * What lint found as JUnit XML: a problem that makes lint fail is a test case that fails, any other one passes and says it in
 * `system-out`. One more case says how much was checked.
 *
 * @param strict whether warnings make lint fail
 */
export function junitLint(problems: readonly Problem[], checked: number, strict: boolean): string {
  const all: TestCase = {
    classname: 'portfw lint',
    name: `${counted(checked, 'file')} checked`,
    result: { kind: 'passed' },
    out: [],
  };
  return junitXml('portfw lint', [all, ...problems.map((problem) => problemCase(problem, strict))]);
}

function problemCase({ severity, code, what, details, solve, location }: Problem, strict: boolean): TestCase {
  const place = location === null ? '' : `${location.file}:${location.line}:${location.column}: `;
  const lines = [`${place}${severity}: ${what}`, ...details, solve];
  const fails = strict || severity === 'error';
  return {
    classname: location?.file ?? 'portfw lint',
    name: location === null ? code : `${code} at ${location.line}:${location.column}`,
    result: fails ? { kind: 'failure', type: code, message: what, lines } : { kind: 'passed' },
    out: fails ? [] : lines,
  };
}
