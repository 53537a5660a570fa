import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatAnsibleList, toAnsibleList } from '../../../src/inventory/ansible-list.ts';
import { loadInventory } from '../../../src/inventory/inventory.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/list');

/** Each folder holds an inventory and, in `expected.json`, what `ansible-inventory --list` printed for it. */
describe('the list is the very text that ansible-inventory prints', () => {
  it.each(readdirSync(FIXTURES))('%s', async (name) => {
    const folder = join(FIXTURES, name);
    const source = ['hosts.yaml', 'hosts.json', 'inv']
      .map((file) => join(folder, file))
      .find((path) => existsSync(path));
    const expected = readFileSync(join(folder, 'expected.json'), 'utf8');
    expect(`${formatAnsibleList(toAnsibleList(await loadInventory(source!)))}\n`).toBe(expected);
  });
});
