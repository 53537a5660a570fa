import type { z } from 'zod';
import type { Variable } from '../ansible/graph/variables.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import type { YamlPath } from '../documents/yaml-document.ts';
import { VaultValue } from '../documents/yaml-scalars.ts';
import { zodProblems } from '../documents/zod-problems.ts';

/** A variable's value when it is usable, and what is wrong with it when it is not. */
export interface CheckedVariable {
  readonly value: unknown;
  readonly problems: readonly Problem[];
}

/**
 * A further check, such as that the groups which a value names exist. It sees the value even when its shape is wrong, so
 * that everything is said at once, and must pass over what it does not understand.
 */
export type FurtherCheck = (value: unknown, report: Report) => void;

/** Reports a problem at a place within the variable. */
export type Report = (path: YamlPath, code: string, what: string, solve: string, at?: 'key' | 'value') => void;

/**
 * Checks variables against their schemas. Hosts of one group share its variables, so each value is judged once, and its
 * problems are the same objects for every host.
 */
export class VariableChecker {
  private readonly checked = new Map<Variable, CheckedVariable>();
  private readonly said = new Set<string>();

  /** Whether something is said for the first time: what holds for a whole inventory is said once. */
  first(what: string): boolean {
    return this.said.size < this.said.add(what).size;
  }

  check(name: string, variable: Variable, schema: z.ZodType, further: FurtherCheck | undefined): CheckedVariable {
    let checked = this.checked.get(variable);
    if (checked === undefined) {
      checked = checkVariable(name, variable, schema, further);
      this.checked.set(variable, checked);
    }
    return checked;
  }
}

function checkVariable(
  name: string,
  variable: Variable,
  schema: z.ZodType,
  further: FurtherCheck | undefined,
): CheckedVariable {
  const unusable = variable.evaluation?.problems ?? findUnevaluated(name, variable);
  if (unusable.length > 0) return { value: undefined, problems: unusable };
  const parsed = schema.safeParse(variable.plain);
  const problems: Problem[] = [];
  if (!parsed.success) {
    const located = {
      value: { [name]: variable.plain },
      locate: (path: YamlPath, at?: 'key' | 'value'): SourceLocation | null => variable.locate(path.slice(1), at),
    };
    problems.push(...zodProblems(parsed.error, located, { schema, prefix: [name] }));
  }
  further?.(variable.plain, (path, code, what, solve, at) => {
    problems.push(new Problem({ severity: 'error', code, what, solve, location: variable.locate(path, at) }));
  });
  return { value: parsed.data, problems: problems.map((one) => withCause(one, variable)) };
}

/** A problem with an empty text that a template gave says which variable was empty. */
function withCause(one: Problem, variable: Variable): Problem {
  const empty = variable.evaluation?.empty?.find(({ path }) => isSamePlace(variable.locate(path), one.location));
  if (empty === undefined) return one;
  return new Problem({ ...one, what: `${one.what}: ${empty.why()}`, solve: empty.solve ?? one.solve });
}

function isSamePlace(a: SourceLocation | null, b: SourceLocation | null): boolean {
  return a !== null && b !== null && a.file === b.file && a.line === b.line && a.column === b.column;
}

/** Templates and secrets within a value that we need, in an inventory that was read but never evaluated. */
function findUnevaluated(name: string, variable: Variable): Problem[] {
  const problems: Problem[] = [];
  const visit = (value: unknown, path: YamlPath): void => {
    const error = (code: string, what: string, solve: string): void => {
      problems.push(new Problem({ severity: 'error', code, what, solve, location: variable.locate(path) }));
    };
    if (value instanceof VaultValue) {
      error(
        'vault-value',
        `${name} is encrypted with ansible-vault, and was not decrypted`,
        'Write the value in plain text, or leave it out',
      );
    } else if (typeof value === 'string' && /\{[{%#]/.test(value)) {
      error(
        'template',
        // A password may hold braces by chance, and is not to be shown.
        `${name} holds ${/pass(?:word)?$/.test(name) ? 'a template' : `the template ${shown(value)}`}, which was not evaluated`,
        'Write the value itself',
      );
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index]);
    } else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      for (const [key, item] of Object.entries(value)) visit(item, [...path, key]);
    }
  };
  visit(variable.exact, []);
  return problems;
}
