import type { z } from 'zod';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import { VaultValue } from '../documents/yaml-scalars.ts';
import { zodProblems } from '../documents/zod-problems.ts';
import { connectionKind } from './connection-kinds.ts';
import { ANSIBLE_SCHEMAS, PORTFW_SCHEMAS } from './schema.ts';

const SCHEMAS: Readonly<Record<string, z.ZodType>> = { ...ANSIBLE_SCHEMAS, ...PORTFW_SCHEMAS };

/**
 * Checks a file of variables by itself, without the inventory that it belongs to: names and forms of what portfw uses.
 * What a template or a vault decides is left to a look at the whole inventory.
 */
export function checkVarsFile(yaml: YamlFile): Problem[] {
  if (yaml.value === null) return [];
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    const what = `a file of variables is a mapping, not ${shown(yaml.value)}`;
    return [
      new Problem({
        severity: 'error',
        code: 'wrong-type',
        what,
        solve: 'Write "name: value" lines',
        location: yaml.locate([]),
      }),
    ];
  }
  const variables = yaml.value as Readonly<Record<string, unknown>>;
  const connection = variables['ansible_connection'];
  // Of hosts with another connection portfw reads none of Ansible's variables.
  const isOurs = (name: string): boolean => !name.startsWith('ansible_') || name === 'ansible_connection';
  const foreign = typeof connection === 'string' && connectionKind(connection) === 'other';
  const names = yaml.keys([]).filter((name) => !foreign || isOurs(name));
  return names.flatMap((name) => checkVariable(name, variables[name], yaml));
}

function checkVariable(name: string, value: unknown, yaml: YamlFile): Problem[] {
  if (name.startsWith('portfw_') && !Object.hasOwn(PORTFW_SCHEMAS, name)) {
    return [
      new Problem({
        severity: 'error',
        code: 'unknown-variable',
        what: `unknown variable ${shown(name)}`,
        solve: suggestion(name, Object.keys(PORTFW_SCHEMAS), 'variables'),
        location: yaml.locate([name], 'key'),
      }),
    ];
  }
  const schema = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined;
  if (schema === undefined || value === null || decidedLater(value)) return [];
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  const located = { value: { [name]: value }, locate: (path: YamlPath, at?: 'key' | 'value') => yaml.locate(path, at) };
  return zodProblems(parsed.error, located, { schema, prefix: [name] });
}

/** Whether a value, or a part of it, is a template or encrypted. */
function decidedLater(value: unknown): boolean {
  if (value instanceof VaultValue) return true;
  if (typeof value === 'string') return /\{[{%#]/.test(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(decidedLater);
}
