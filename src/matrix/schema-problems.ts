import { z } from 'zod';
import type { Problem, SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';

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
 * Checks a YAML document against a schema and turns every issue into a problem with a place and a hint.
 * An unknown key is a problem, but the mapping with it can still be used.
 */
export function checkAgainst(schema: z.ZodType, yaml: YamlFile): Checked {
  const result = schema.safeParse(yaml.value);
  if (result.success) return { problems: [], sound: () => true, usable: () => true };
  const described = describedBy(schema);
  const problems = result.error.issues.flatMap((issue) => toProblems(issue, yaml, described));
  // Sets of names: a file with many broken entries needs many look-ups.
  const broken = new Set<string>();
  const above = new Set<string>();
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') continue;
    const names = prefixes(issue.path.map((step) => (typeof step === 'number' ? step : String(step))));
    broken.add(names.at(-1)!);
    for (const name of names) above.add(name);
  }
  const usable = (path: YamlPath): boolean => !prefixes(path).some((name) => broken.has(name));
  return { problems, sound: (path) => usable(path) && !above.has(prefixes(path).at(-1)!), usable };
}

/** A name for each part of the document that a path leads through, from the whole to the path's end. */
function prefixes(path: YamlPath): readonly string[] {
  return Array.from({ length: path.length + 1 }, (_, length) => JSON.stringify(path.slice(0, length)));
}

const descriptions = new WeakMap<z.ZodType, SchemaNode>();

/** The JSON Schema of a schema, for its descriptions and key names; made once. */
function describedBy(schema: z.ZodType): SchemaNode {
  const known = descriptions.get(schema) ?? z.toJSONSchema(schema, { io: 'input' });
  descriptions.set(schema, known);
  return known;
}

function toProblems(issue: Issue, yaml: YamlFile, described: SchemaNode): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const problem = (code: string, message: string, hint: string, location: SourceLocation): Problem => ({
    severity: 'error',
    code,
    message,
    hint,
    location,
  });
  const node = nodeAt(described, path);
  const name = nameOf(path);
  const value = valueAt(yaml.value, path);
  const meaning = node?.description === undefined ? 'Correct the value' : `Expected here: ${node.description}`;
  if (value === undefined && issue.code !== 'unrecognized_keys' && path.length > 0) {
    return [problem('missing-key', `${name} is missing`, meaning, yaml.locate(path))];
  }
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) =>
        problem(
          'unknown-key',
          `unknown key ${shown(key)}${path.length === 0 ? '' : ` in ${name}`}`,
          suggestion(key, Object.keys(node?.properties ?? {}), 'keys here'),
          yaml.locate([...path, key], 'key'),
        ),
      );
    case 'invalid_key':
      return [
        problem(
          'bad-name',
          `${shown(path.at(-1))} cannot be a name`,
          'A name has lower-case letters, digits and single hyphens, starts with a letter and is short',
          yaml.locate(path, 'key'),
        ),
      ];
    case 'invalid_format':
      return [problem('bad-name', `${name} cannot be ${shown(value)}`, meaning, yaml.locate(path))];
    case 'invalid_value':
      return [
        problem(
          'unknown-value',
          `${name} cannot be ${shown(value)}`,
          suggestion(String(value), issue.values.map(String), 'values'),
          yaml.locate(path),
        ),
      ];
    case 'too_big':
    case 'too_small': {
      const counted = issue.origin === 'string' ? 'characters' : issue.origin === 'array' ? 'entries' : null;
      if (issue.code === 'too_small' && counted !== null && issue.minimum === 1) {
        return [problem('empty-value', `${name} cannot be empty`, meaning, yaml.locate(path))];
      }
      const limit =
        issue.code === 'too_big'
          ? `at most ${issue.maximum}`
          : `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
      const must = counted === null ? `be ${limit}` : `have ${limit} ${counted}`;
      return [problem('out-of-range', `${name} must ${must}`, meaning, yaml.locate(path))];
    }
    case 'custom':
      return [problem('bad-text', `${name} ${issue.message}`, meaning, yaml.locate(path))];
    case 'invalid_type':
      return [
        problem(
          'wrong-type',
          `${name} must be ${kindName(issue.expected)}, not ${shown(value)}`,
          meaning,
          yaml.locate(path),
        ),
      ];
    case 'invalid_union':
      return [problem('wrong-type', `${name} cannot be ${shown(value)}`, meaning, yaml.locate(path))];
    default:
      return [problem('wrong-type', `${name} cannot be ${shown(value)}`, meaning, yaml.locate(path))];
  }
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

function valueAt(value: unknown, path: YamlPath): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
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
