import type { Problem } from '../../core/problem.ts';
import { displayPath } from '../../matrix/shipped.ts';
import { oneLine } from '../clean.ts';
import { sarifLog } from './sarif-log.ts';

/** What lint found as SARIF: a result for each problem, at its place in the file. */
export function sarifLint(problems: readonly Problem[]): string {
  return sarifLog(
    problems.map(({ severity, code, what, details, solve, location }) => ({
      rule: code,
      level: severity,
      message: oneLine(`${[what, ...details].join('; ')}. Solve: ${solve}`),
      about: [],
      place: location === null ? null : { ...location, file: displayPath(location.file) },
      identity: [location?.file ?? '', what],
    })),
    (code) => `lint: ${code.replaceAll('-', ' ')}`,
  );
}
