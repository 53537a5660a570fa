import type { Problem, SourceLocation } from '../../core/problem.ts';
import { valueAt, type YamlFile, type YamlPath } from '../../documents/yaml-view.ts';

/** The value of a variable together with the place that it comes from. */
export interface Variable {
  /** Plain data; see `YamlFile.value`. */
  readonly plain: unknown;
  /** With nothing lost; see `YamlFile.exact`. */
  readonly exact: unknown;
  /** What decrypting it and evaluating its templates led to; absent from a value as it is written. */
  readonly evaluation?: Evaluation;
  /** The place of a part of the value, or of the variable itself; `null` for what Ansible sets by itself. */
  locate(path?: YamlPath, at?: 'key' | 'value'): SourceLocation | null;
}

/** The result for a variable that has templates or comes from a vault. */
export interface Evaluation {
  /** Whether a vault's contents are in it: then no message may quote it. */
  readonly secret: boolean;
  /** Why it has no value; empty when it has one. */
  readonly problems: readonly Problem[];
  /** Where a template gave an empty text, and why; not for secrets. */
  readonly empty?: readonly EmptyResult[];
}

/** A template within a value that gave an empty text. */
export interface EmptyResult {
  readonly path: YamlPath;
  /** A part of a sentence that names the variables that were empty, and the hosts. */
  why(): string;
  /** `null` when no single variable is to blame. */
  readonly solve: string | null;
}

/** Variables by name. */
export type Variables = ReadonlyMap<string, Variable>;

/** The variable at `path` in a file. */
export function fileVariable(yaml: YamlFile, path: YamlPath): Variable {
  return {
    plain: valueAt(yaml.value, path),
    exact: valueAt(yaml.exact, path),
    locate: (inner = [], at = 'value') => yaml.locate([...path, ...inner], at),
  };
}

/** A variable that no file sets, such as `inventory_hostname`; `at` is the place that a problem with it names. */
export function givenVariable(value: unknown, at: SourceLocation | null = null): Variable {
  return { plain: value, exact: value, locate: () => at };
}

/** The mapping at `path` of a file as variables. */
export function fileVariables(yaml: YamlFile, path: YamlPath): Map<string, Variable> {
  return new Map(yaml.keys(path).map((name) => [name, fileVariable(yaml, [...path, name])]));
}
