import { Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import type { Matrix, MatrixRole } from './matrix.ts';
import { ruleKey } from './rules.ts';
import { ruleSelectors } from './selectors.ts';

/** One host's settings beside the matrix of its play. */
interface Pair {
  readonly settings: HostSettings;
  readonly matrix: Matrix;
  readonly report: (code: string, message: string, hint: string, path: Path, at?: 'key') => void;
  /** Reports a name that the matrix does not have. */
  readonly unknown: (what: keyof typeof NAMES_OF, name: string, path: Path, at?: 'key') => void;
}

type Path = readonly (string | number)[];

const NAMES_OF = {
  role: (matrix: Matrix) => matrix.roles.keys(),
  feature: (matrix: Matrix) => matrix.features.keys(),
  'peer set': (matrix: Matrix) => matrix.peers.keys(),
};

/**
 * Checks one host's settings against the matrix of its play: roles, features, interface choices, peer sets and the
 * selectors of `portfw_allow_from`.
 *
 * @param fallback the place of problems whose value comes from no file
 * @param complete `false` for a matrix with errors, of which the names are known but not every rule
 */
export function checkSettings(
  settings: HostSettings,
  matrix: Matrix,
  fallback: SourceLocation | null,
  complete = true,
): Problem[] {
  const problems: Problem[] = [];
  const report: Pair['report'] = (code, what, solve, path, at) => {
    problems.push(
      new Problem({ severity: 'error', code, what, solve, location: settings.locate(path, at) ?? fallback }),
    );
  };
  const unknown: Pair['unknown'] = (what, name, path, at) => {
    const message = `the matrix ${shown(matrix.name)} has no ${what} ${shown(name)}`;
    const hint = suggestion(name, NAMES_OF[what](matrix), `${what}s`);
    report(`unknown-${what.replace(' ', '-')}`, message, hint, path, at);
  };
  const pair: Pair = { settings, matrix, report, unknown };
  checkRoles(pair);
  for (const [index, name] of settings.features.entries()) {
    if (!matrix.features.has(name)) unknown('feature', name, ['portfw_features', index]);
  }
  checkInterfaceChoices(pair, complete);
  for (const name of Object.keys(settings.peers)) {
    if (!matrix.peers.has(name)) unknown('peer set', name, ['portfw_peers', name], 'key');
  }
  checkSelectors(pair, complete);
  return problems;
}

function checkRoles({ settings, matrix, report, unknown }: Pair): void {
  for (const [index, name] of (settings.roles ?? []).entries()) {
    const role = matrix.roles.get(name);
    if (role === undefined) unknown('role', name, ['portfw_roles', index]);
    else if (role.appliance && settings.managed) {
      report(
        'appliance-role',
        `the role ${shown(name)} is for an appliance, but this host is managed`,
        'Set "portfw_managed: false", so that portfw does not log in',
        ['portfw_roles', index],
      );
    }
  }
}

function checkInterfaceChoices({ settings, matrix, report, unknown }: Pair, complete: boolean): void {
  for (const [name, interfaceClass] of Object.entries(settings.roleInterfaces)) {
    const path = ['portfw_role_interfaces', name];
    const role = matrix.roles.get(name);
    if (role === undefined) unknown('role', name, path, 'key');
    else if (complete && !role.interfaceChoices.includes(interfaceClass)) {
      const choices = role.interfaceChoices.join(' or ');
      report(
        'no-interface-choice',
        `the rules of ${shown(name)} cannot apply to ${interfaceClass}`,
        choices === ''
          ? `Only these roles have a choice: ${rolesWithChoice(matrix).join(', ') || 'none'}`
          : `Choose ${choices}`,
        path,
      );
    }
  }
}

function checkSelectors({ settings, matrix, report, unknown }: Pair, complete: boolean): void {
  for (const selector of Object.keys(settings.allowFrom)) {
    const path = ['portfw_allow_from', selector];
    const name = selector.split('/')[0] ?? '';
    const role = matrix.roles.get(name);
    if (role === undefined) unknown('role', name, path, 'key');
    else if (complete && !role.rules.some((rule) => ruleSelectors(rule).includes(selector))) {
      report(
        'unknown-rule',
        `${shown(selector)} selects no rule of the matrix ${shown(matrix.name)}`,
        selectorHint(selector, role),
        path,
        'key',
      );
    }
  }
}

function rolesWithChoice(matrix: Matrix): string[] {
  return [...matrix.roles.values()].filter((role) => role.interfaceChoices.length > 0).map((role) => role.name);
}

function selectorHint(selector: string, role: MatrixRole): string {
  const port = Number(selector.split('/').at(-1));
  const range = role.rules.find(
    (rule) => rule.port.kind === 'range' && rule.port.range.first <= port && port <= rule.port.range.last,
  );
  if (range !== undefined) return `Did you mean "${role.name}/${ruleKey(range)}"?`;
  return suggestion(
    selector,
    role.rules.map((rule) => `${role.name}/${ruleKey(rule)}`),
    'rules',
  );
}
