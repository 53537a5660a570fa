import { z } from 'zod';
import type { CodedFault } from '../core/failure.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import { valueAt, type YamlFile, type YamlPath } from '../documents/yaml-view.ts';

/** The result of checking a document against a schema: its problems, and which of its parts can still be used. */
export interface Checked {
  readonly problems: readonly Problem[];
  /** Whether the part at `path`, everything in it and everything around it has no problem. */
  sound(path: YamlPath): boolean;
  /** Whether the part at `path` itself has the right form; its contents may have problems. */
  usable(path: YamlPath): boolean;
}

type Issue = z.core.$ZodIssue;
type SchemaNode = z.core.JSONSchema.BaseSchema;

/**
 * Checks YAML documents against a schema and turns every issue into a problem with its place and how to solve it.
 * An unknown key is a problem, but the mapping with it can still be used.
 */
export class SchemaChecker {
  readonly #schema: z.ZodType;
  /** The JSON Schema, for its descriptions and key names; made for the first document with a problem. */
  #described: SchemaNode | null = null;

  constructor(schema: z.ZodType) {
    this.#schema = schema;
  }

  check(yaml: YamlFile): Checked {
    const result = this.#schema.safeParse(yaml.value);
    if (result.success) return { problems: [], sound: () => true, usable: () => true };
    this.#described ??= z.toJSONSchema(this.#schema, { io: 'input' });
    const described = this.#described;
    const problems = result.error.issues.flatMap((issue) => toProblems(issue, yaml, described));
    // Sets of names: a file with many broken entries needs many look-ups.
    const broken = new Set<string>();
    const above = new Set<string>();
    for (const issue of result.error.issues) {
      if (issue.code === 'unrecognized_keys') continue;
      const names = prefixes(pathOf(issue));
      broken.add(names.at(-1)!);
      for (const name of names) above.add(name);
    }
    const usable = (path: YamlPath): boolean => !prefixes(path).some((name) => broken.has(name));
    return { problems, sound: (path) => usable(path) && !above.has(prefixes(path).at(-1)!), usable };
  }
}

function pathOf(issue: Issue): YamlPath {
  return issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
}

/** A name for each part of the document that a path leads through, from the whole to the path's end. */
function prefixes(path: YamlPath): readonly string[] {
  return Array.from({ length: path.length + 1 }, (_, length) => JSON.stringify(path.slice(0, length)));
}

function toProblems(issue: Issue, yaml: YamlFile, described: SchemaNode): Problem[] {
  const path = pathOf(issue);
  const node = nodeAt(described, path);
  if (issue.code === 'unrecognized_keys') {
    const inside = path.length === 0 ? '' : ` in ${nameOf(path)}`;
    const known = Object.keys(node?.properties ?? {});
    return issue.keys.map((key) => {
      const fault = { code: 'unknown-key', what: `unknown key ${shown(key)}${inside}` };
      const location = yaml.locate([...path, key], 'key');
      return new Problem({ severity: 'error', ...fault, solve: suggestion(key, known, 'keys here'), location });
    });
  }
  const meaning = node?.description === undefined ? 'Correct the value' : `Expected here: ${node.description}`;
  const value = valueAt(yaml.value, path);
  const isMissing = value === undefined && path.length > 0;
  const fault = isMissing ? { code: 'missing-key', what: `${nameOf(path)} is missing` } : faultOf(issue, path, value);
  const location = yaml.locate(path, issue.code === 'invalid_key' && !isMissing ? 'key' : 'value');
  return [new Problem({ severity: 'error', solve: meaning, ...fault, location })];
}

/** What is wrong with a value that is there; how to solve it where the schema's description does not say it. */
function faultOf(
  issue: Exclude<Issue, { code: 'unrecognized_keys' }>,
  path: YamlPath,
  value: unknown,
): Omit<CodedFault, 'solve'> & { readonly solve?: string } {
  const name = nameOf(path);
  switch (issue.code) {
    case 'invalid_key':
      return {
        code: 'bad-name',
        what: `${shown(path.at(-1))} cannot be a name`,
        solve: 'A name has lower-case letters, digits and single hyphens, starts with a letter and is short',
      };
    case 'invalid_format':
      return { code: 'bad-name', what: `${name} cannot be ${shown(value)}` };
    case 'invalid_value': {
      const solve = suggestion(String(value), issue.values.map(String), 'values');
      return { code: 'unknown-value', what: `${name} cannot be ${shown(value)}`, solve };
    }
    case 'too_big':
    case 'too_small':
      return outOfRange(issue, name);
    case 'custom':
      return { code: 'bad-text', what: `${name} ${issue.message}` };
    case 'invalid_type':
      return { code: 'wrong-type', what: `${name} must be ${kindName(issue.expected)}, not ${shown(value)}` };
    default:
      return { code: 'wrong-type', what: `${name} cannot be ${shown(value)}` };
  }
}

function outOfRange(issue: Extract<Issue, { code: 'too_big' | 'too_small' }>, name: string) {
  const counted = issue.origin === 'string' ? 'characters' : issue.origin === 'array' ? 'entries' : null;
  if (issue.code === 'too_small' && counted !== null && issue.minimum === 1) {
    return { code: 'empty-value', what: `${name} cannot be empty` };
  }
  const limit =
    issue.code === 'too_big'
      ? `at most ${issue.maximum}`
      : `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
  return {
    code: 'out-of-range',
    what: `${name} must ${counted === null ? `be ${limit}` : `have ${limit} ${counted}`}`,
  };
}

function kindName(expected: string): string {
  switch (expected) {
    case 'object':
    case 'record':
      return 'a mapping';
    case 'array':
      return 'a list';
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'int':
    case 'number':
      return 'a number';
    default:
      return `a value of kind ${expected}`;
  }
}

/** The name of the part at `path` in messages: its key, or its place in a list. */
function nameOf(path: YamlPath): string {
  const last = path.at(-1);
  if (last === undefined) return 'the document';
  if (typeof last === 'string') return shown(last);
  const list = path.findLast((step) => typeof step === 'string');
  return list === undefined ? `entry ${last + 1}` : `entry ${last + 1} of ${shown(list)}`;
}

/** The part of a JSON Schema that describes the value at `path`; the first branch that fits where there are several. */
function nodeAt(schema: SchemaNode, path: YamlPath): SchemaNode | null {
  const [step, ...rest] = path;
  if (step === undefined) return schema;
  for (const branch of [schema, ...(schema.anyOf ?? [])]) {
    const next = typeof step === 'number' ? branch.items : (branch.properties?.[step] ?? branch.additionalProperties);
    if (next !== undefined && typeof next === 'object' && !Array.isArray(next)) return nodeAt(next as SchemaNode, rest);
  }
  return null;
}
