import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { resolveInventory } from '../../../src/ansible/templates/resolve.ts';
import { Vault } from '../../../src/ansible/vault/vault.ts';
import { formatProblem, InputError, type Problem } from '../../../src/core/problem.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { VARIABLES } from '../../../src/settings/schema.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/bad');

async function problemsOf(file: string): Promise<readonly Problem[]> {
  try {
    const options = { vault: new Vault([]), variables: VARIABLES, environment: {} };
    return readSettings(await resolveInventory(await loadInventory(file), options)).problems;
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
}

/** Beside each broken inventory stands what is said about it: every problem, with place and hint. */
describe('everything that is wrong with an inventory is said at once, with its place', () => {
  const cases = readdirSync(FIXTURES).filter((file) => /\.(?:yaml|ini)$/.test(file));
  it.each(cases)('%s', async (file) => {
    const problems = await problemsOf(join(FIXTURES, file));
    const text = problems.map(formatProblem).join('\n').replaceAll(`${FIXTURES}/`, '');
    expect(`${text}\n`).toBe(readFileSync(join(FIXTURES, file.replace(/\.\w+$/, '.expected')), 'utf8'));
  });
});
