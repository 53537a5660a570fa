import type { z } from 'zod';
import { isMapping } from '../core/mapping.ts';
import type { Problem, SourceLocation } from '../core/problem.ts';
import { safeText, shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlPath } from './yaml-document.ts';
import { valueAt } from './yaml-view.ts';

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

/** Replaces a union's failure by the failures of the branch that came nearest, and a key's failure by its reasons. */
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
  const problem = (code: string, message: string, hint: string, location: SourceLocation | null): Problem => ({
    severity: 'error',
    code,
    message,
    hint,
    location,
  });
  const value = valueAt(document.value, path);
  const name = describePath(path);
  if (issue.code === 'unrecognized_keys') {
    const known = options.schema === undefined ? [] : keysOf(options.schema, schemaPath);
    const present = isMapping(value) ? Object.keys(value) : [];
    return issue.keys.map((key) =>
      problem(
        'unknown-key',
        `unknown key ${shown(key)}${path.length === 0 ? '' : ` in ${name}`}`,
        suggestion(
          key,
          known.filter((name) => !present.includes(name)),
          'keys',
        ),
        document.locate([...path, key], 'key'),
      ),
    );
  }
  const at = document.locate(path);
  const [given, givenHint] = issue.message.split('\n', 2) as [string, string | undefined];
  if (
    value === undefined &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union')
  ) {
    const key = path.at(-1);
    const parent = path.slice(0, -1);
    const where = parent.length === 0 ? '' : ` in ${describePath(parent)}`;
    return [
      problem(
        'missing-key',
        `the key ${shown(key)} is missing${where}`,
        `Add ${safeText(String(key))}: …`,
        document.locate(parent, 'key'),
      ),
    ];
  }
  switch (issue.code) {
    case 'invalid_type':
      if (givenHint !== undefined) return [problem('wrong-type', safeText(given), safeText(givenHint), at)];
      return [
        problem(
          'wrong-type',
          `${name} must be ${kindName(issue.expected)}, not ${shown(value)}`,
          `Write ${kindExample(issue.expected)}`,
          at,
        ),
      ];
    case 'invalid_value': {
      const values = issue.values.map(String);
      const hint = typeof value === 'string' ? suggestion(value, values, 'values') : `Use one of: ${values.join(', ')}`;
      return [problem('bad-value', `${name} cannot be ${shown(value)}`, hint, at)];
    }
    case 'invalid_key': {
      const inner = issue.issues[0]?.message.split('\n', 2) ?? [];
      const message = `${shown(path.at(-1))} cannot be a key of ${describePath(path.slice(0, -1))}: ${safeText(inner[0] ?? given)}`;
      return [problem('bad-key', message, safeText(inner[1] ?? 'Rename the key'), document.locate(path, 'key'))];
    }
    case 'custom': {
      const code = typeof issue.params?.['code'] === 'string' ? issue.params['code'] : 'bad-value';
      return [problem(code, safeText(given), safeText(givenHint ?? 'Correct the value'), at)];
    }
    case 'invalid_union': {
      const kinds = issue.errors
        .flat()
        .flatMap((inner) => (inner.code === 'invalid_type' ? [kindName(inner.expected)] : []));
      const hint = givenHint ?? (kinds.length === 0 ? given : `It can be ${[...new Set(kinds)].join(' or ')}`);
      return [
        problem(
          'bad-value',
          givenHint === undefined ? `${name} cannot be ${shown(value)}` : safeText(given),
          safeText(hint),
          at,
        ),
      ];
    }
    case 'invalid_format':
    case 'too_small':
    case 'too_big':
    case 'not_multiple_of':
    case 'invalid_element': {
      if (givenHint !== undefined) return [problem('bad-value', safeText(given), safeText(givenHint), at)];
      return [problem('bad-value', `${name} cannot be ${shown(value)}`, safeText(given), at)];
    }
  }
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
