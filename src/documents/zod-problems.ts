import type { z } from 'zod';
import type { CodedFault } from '../core/failure.ts';
import { isMapping } from '../core/mapping.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { safeText, shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import { valueAt, type YamlPath } from './yaml-view.ts';

/** What `zodProblems` needs of a document: its data and the place of each part (a `YamlFile` has both). */
export interface Located {
  readonly value: unknown;
  locate(path: YamlPath, at?: 'key' | 'value'): SourceLocation | null;
}

/** How `zodProblems` words things. */
export interface ZodProblemOptions {
  /** The schema that was violated: known keys for "did you mean" are found in it. */
  readonly schema?: z.ZodType;
  /** Put before each of the error's paths, e.g. when a part of the document was validated. */
  readonly prefix?: YamlPath;
}

type Issue = z.core.$ZodIssue;

/**
 * Turns a failed validation into problems with exact places: an unknown key points at that key, a missing one at the
 * mapping that lacks it, anything else at the value.
 *
 * A message that a schema gives (in `refine`, `regex`, …) may have two lines: what is wrong, and how to solve it. A custom
 * issue's `params.code` becomes the problem's code.
 */
export function zodProblems(error: z.core.$ZodError, document: Located, options: ZodProblemOptions = {}): Problem[] {
  const prefix = options.prefix ?? [];
  return flatten(error.issues, []).flatMap(({ issue, path }) =>
    problemsOf(issue, [...prefix, ...path], path, document, options),
  );
}

interface Placed {
  readonly issue: Issue;
  readonly path: YamlPath;
}

/** Replaces a union's failure by the failures of the branch that fits best, and a key's failure by its reasons. */
function flatten(issues: readonly Issue[], base: YamlPath): Placed[] {
  return issues.flatMap((issue): Placed[] => {
    const path = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branches = issue.errors.map((branch) => flatten(branch, path));
      const deep = branches.filter((branch) =>
        branch.every((placed) => placed.path.length > path.length || !isTypeMismatch(placed.issue)),
      );
      const candidates = deep.length > 0 ? deep : [];
      const best = candidates.sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
      if (best !== undefined) return best;
    }
    return [{ issue, path }];
  });
}

function isTypeMismatch(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union';
}

function depth(branch: readonly Placed[]): number {
  return Math.max(0, ...branch.map((placed) => placed.path.length));
}

function problemsOf(
  issue: Issue,
  path: YamlPath,
  schemaPath: YamlPath,
  document: Located,
  options: ZodProblemOptions,
): Problem[] {
  const problem = (fault: CodedFault, location: SourceLocation | null): Problem =>
    new Problem({ severity: 'error', ...fault, location });
  const value = valueAt(document.value, path);
  if (issue.code === 'unrecognized_keys') {
    const known = options.schema === undefined ? [] : keysOf(options.schema, schemaPath);
    const present = isMapping(value) ? Object.keys(value) : [];
    const free = known.filter((name) => !present.includes(name));
    const inside = path.length === 0 ? '' : ` in ${describePath(path)}`;
    return issue.keys.map((key) => {
      const what = `unknown key ${shown(key)}${inside}`;
      return problem(
        { code: 'unknown-key', what, solve: suggestion(key, free, 'keys') },
        document.locate([...path, key], 'key'),
      );
    });
  }
  if (value === undefined && isTypeMismatch(issue)) {
    return [problem(missingKey(path), document.locate(path.slice(0, -1), 'key'))];
  }
  const at = issue.code === 'invalid_key' ? 'key' : 'value';
  return [problem(faultOf(issue, path, value), document.locate(path, at))];
}

function missingKey(path: YamlPath): CodedFault {
  const key = path.at(-1);
  const parent = path.slice(0, -1);
  const inside = parent.length === 0 ? '' : ` in ${describePath(parent)}`;
  return {
    code: 'missing-key',
    what: `the key ${shown(key)} is missing${inside}`,
    solve: `Add ${safeText(String(key))}: …`,
  };
}

/** What is wrong with a value or key that is there. */
function faultOf(issue: Exclude<Issue, { code: 'unrecognized_keys' }>, path: YamlPath, value: unknown): CodedFault {
  const [given, givenSolve] = issue.message.split('\n', 2) as [string, string | undefined];
  const wrong = `${describePath(path)} cannot be ${shown(value)}`;
  switch (issue.code) {
    case 'invalid_type': {
      if (givenSolve !== undefined) return asGiven('wrong-type', given, givenSolve);
      const what = `${describePath(path)} must be ${kindName(issue.expected)}, not ${shown(value)}`;
      return { code: 'wrong-type', what, solve: `Write ${kindExample(issue.expected)}` };
    }
    case 'invalid_value': {
      const values = issue.values.map(String);
      const solve =
        typeof value === 'string' ? suggestion(value, values, 'values') : `Use one of: ${values.join(', ')}`;
      return { code: 'bad-value', what: wrong, solve };
    }
    case 'invalid_key': {
      const [why = given, solve = 'Rename the key'] = issue.issues[0]?.message.split('\n', 2) ?? [];
      const what = `${shown(path.at(-1))} cannot be a key of ${describePath(path.slice(0, -1))}: ${safeText(why)}`;
      return { code: 'bad-key', what, solve: safeText(solve) };
    }
    case 'custom': {
      const code = typeof issue.params?.['code'] === 'string' ? issue.params['code'] : 'bad-value';
      return asGiven(code, given, givenSolve ?? 'Correct the value');
    }
    case 'invalid_union': {
      if (givenSolve !== undefined) return asGiven('bad-value', given, givenSolve);
      const inner = issue.errors.flat();
      const kinds = inner.flatMap((one) => (one.code === 'invalid_type' ? [kindName(one.expected)] : []));
      const solve = kinds.length === 0 ? given : `It can be ${[...new Set(kinds)].join(' or ')}`;
      return { code: 'bad-value', what: wrong, solve: safeText(solve) };
    }
    case 'invalid_format':
    case 'too_small':
    case 'too_big':
    case 'not_multiple_of':
    case 'invalid_element':
      if (givenSolve !== undefined) return asGiven('bad-value', given, givenSolve);
      return { code: 'bad-value', what: wrong, solve: safeText(given) };
  }
}

/** A fault in the words of the schema. */
function asGiven(code: string, what: string, solve: string): CodedFault {
  return { code, what: safeText(what), solve: safeText(solve) };
}

/** `roles.web-admin.rules[3].port`, or `the document` for the empty path. */
function describePath(path: YamlPath): string {
  if (path.length === 0) return 'the document';
  let text = '';
  for (const step of path)
    text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${safeText(step)}`;
  return text;
}

function kindName(expected: string): string {
  switch (expected) {
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'int':
      return 'a whole number';
    case 'boolean':
      return 'true or false';
    case 'array':
    case 'tuple':
      return 'a list';
    case 'object':
    case 'record':
      return 'a mapping';
    case 'null':
      return 'empty';
    default:
      return `of type ${expected}`;
  }
}

function kindExample(expected: string): string {
  switch (expected) {
    case 'string':
      return 'text here; put it in quotes if it looks like a number, a date or yes/no';
    case 'number':
    case 'int':
      return 'digits here, without quotes';
    case 'boolean':
      return 'true or false, without quotes';
    case 'array':
    case 'tuple':
      return 'a list: one "- item" a line, or [a, b]';
    case 'object':
    case 'record':
      return 'a mapping: one "key: value" a line';
    default:
      return 'a value of that type';
  }
}

/** What the walk below reads of a schema's definition; each kind has some of it. */
interface SchemaDefinition {
  readonly type: string;
  readonly shape?: Record<string, z.core.$ZodType>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly out?: z.core.$ZodType;
  readonly left?: z.core.$ZodType;
  readonly right?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly items?: readonly z.core.$ZodType[];
  readonly getter?: () => z.core.$ZodType;
}

/** The keys that the objects of a schema allow at a path; of a union, those of every branch. */
function keysOf(schema: z.core.$ZodType, path: YamlPath): string[] {
  const definition = schema._zod.def as unknown as SchemaDefinition;
  const through = (next: z.core.$ZodType | undefined, rest: YamlPath): string[] =>
    next === undefined ? [] : keysOf(next, rest);
  switch (definition.type) {
    case 'object': {
      const shape = definition.shape ?? {};
      const [step, ...rest] = path;
      return step === undefined ? Object.keys(shape) : through(shape[String(step)], rest);
    }
    case 'array':
      return path.length === 0 ? [] : through(definition.element, path.slice(1));
    case 'tuple':
      return path.length === 0 ? [] : through(definition.items?.[Number(path[0])], path.slice(1));
    case 'record':
      return path.length === 0 ? [] : through(definition.valueType, path.slice(1));
    case 'union':
      return [...new Set((definition.options ?? []).flatMap((option) => keysOf(option, path)))];
    case 'intersection':
      return [...through(definition.left, path), ...through(definition.right, path)];
    case 'lazy':
      return through(definition.getter?.(), path);
    case 'pipe':
      return [...new Set([...through(definition.in, path), ...through(definition.out, path)])];
    default:
      return through(definition.innerType, path);
  }
}
