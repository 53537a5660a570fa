import type { Matrix } from '../matrix/matrix.ts';

/** What fits on one line of the probe's input and cannot be read as an option. */
const PACKAGE = /^[A-Za-z0-9][A-Za-z0-9.+_-]*$/;
const FILE = /^\/[^\p{Cc}]*$/u;

/**
 * The probe's standard input: the packages and files that the matrices' detectors look for, one request a line, sorted.
 * An invalid name is left out; the validation of the matrix reports it.
 */
export function probeInput(matrices: Iterable<Matrix>): string {
  const requests = new Set<string>();
  for (const matrix of matrices) {
    for (const role of matrix.roles.values()) {
      for (const detector of role.detectors) {
        if (detector.kind === 'package' && PACKAGE.test(detector.package)) requests.add(`package ${detector.package}`);
        if (detector.kind === 'file' && FILE.test(detector.path)) requests.add(`file ${detector.path}`);
      }
    }
  }
  return [...requests]
    .sort()
    .map((request) => `${request}\n`)
    .join('');
}
