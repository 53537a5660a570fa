import { Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import type { Matrix } from '../matrix/matrix.ts';

/** The names of the checks for doubts about a matrix; docs/reference/lint.md has a section on each. */
export const MATRIX_CHECKS = ['unused-peer-set', 'unused-matrix-feature', 'empty-role', 'unused-detectors'] as const;

/**
 * What is doubtful about a matrix that is in order: warnings about what its own file writes, not what it extends. Pure.
 *
 * @param yaml the matrix's own file
 */
export function matrixDoubts(matrix: Matrix, yaml: YamlFile): Problem[] {
  const problems: Problem[] = [];
  const warn = (code: (typeof MATRIX_CHECKS)[number], what: string, solve: string, location: SourceLocation): void => {
    problems.push(new Problem({ severity: 'warning', code, what, solve, location }));
  };
  const roles = [...matrix.roles.values()];
  const rules = roles.flatMap((role) => role.rules);
  const own = (path: YamlPath): readonly string[] => (yaml.keys([]).includes(String(path[0])) ? yaml.keys(path) : []);

  for (const name of own(['peers'])) {
    if (rules.some((rule) => rule.from === name || rule.fromPublic === name)) continue;
    warn(
      'unused-peer-set',
      `no rule opens towards the peer set ${shown(name)}`,
      'Write "from" in the rows that are meant for it, or leave it out',
      yaml.locate(['peers', name], 'key'),
    );
  }
  for (const name of own(['features'])) {
    if (rules.some((rule) => rule.feature === name)) continue;
    warn(
      'unused-matrix-feature',
      `no rule belongs to the feature ${shown(name)}: turning it on opens nothing`,
      'Write "feature" in the rows that are meant for it, or leave it out',
      yaml.locate(['features', name], 'key'),
    );
  }
  for (const name of own(['roles'])) {
    const role = matrix.roles.get(name);
    if (role === undefined) continue;
    const at = yaml.locate(['roles', name], 'key');
    const isPeer = [...matrix.peers.values()].some((peer) => peer.roles.includes(name));
    if (role.rules.length === 0 && !isPeer) {
      warn('empty-role', `the role ${shown(name)} opens nothing`, 'Give it rules, or leave it out', at);
    }
    if (role.detectors.length > 0 && (role.everyHost || role.appliance)) {
      warn(
        'unused-detectors',
        `the role ${shown(name)} has detectors, and ${role.everyHost ? 'every host plays it' : 'portfw cannot log in to an appliance'}`,
        'Remove the detectors: they are never used',
        at,
      );
    }
  }
  return problems;
}
