import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { loadInventory } from '../../../../src/ansible/inventory.ts';
import { Resolver } from '../../../../src/ansible/templates/resolve.ts';
import { evaluateInThread } from '../../../../src/ansible/templates/thread.ts';
import type { Outcome } from '../../../../src/ansible/templates/world.ts';
import { Vault } from '../../../../src/ansible/vault/vault.ts';
import { VARIABLES } from '../../../../src/settings/schema.ts';

export const TEMPLATES = path.join(import.meta.dirname, '../../../fixtures/inventory/templates');
export const INVENTORY = path.join(TEMPLATES, 'inventory.yaml');
export const HOST = 'web1.example.net';
/** What lookups see. */
export const ENVIRONMENT = { PORTFW_TEST_NAME: 'from-env' } as const;

/** An expression with what Ansible makes of it. */
export interface ExpressionCase {
  readonly expression: string;
  readonly value?: unknown;
  readonly error?: true;
}

/** The recorded expressions. */
export function expressionCases(): readonly ExpressionCase[] {
  return parse(readFileSync(path.join(TEMPLATES, 'expressions.yaml'), 'utf8')) as readonly ExpressionCase[];
}

/** What portfw makes of expressions as variables of {@link HOST}, in one thread. */
export async function evaluateExpressions(
  expressions: readonly string[],
  timeLimitMs?: number,
): Promise<Awaited<ReturnType<typeof evaluateInThread>>> {
  const vault = new Vault([]);
  const options = { vault, variables: VARIABLES, environment: ENVIRONMENT };
  const world = new Resolver(await loadInventory(INVENTORY), options).world();
  const own = expressions.map((value, index) => [`case_${index}`, { value, secret: false }] as const);
  const hosts = new Map([...world.hosts, [HOST, new Map([...world.hosts.get(HOST)!, ...own])]]);
  const wanted = own.map(([name]) => [HOST, name] as const);
  return evaluateInThread({ ...world, hosts }, vault, wanted, timeLimitMs);
}

/** An outcome as JSON has it. */
export function plain(outcome: Outcome): unknown {
  return outcome.kind === 'value' ? JSON.parse(JSON.stringify(outcome.value, asObject)) : outcome.failure;
}

function asObject(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
