import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatAnsibleList, toAnsibleList } from '../../../src/inventory/ansible-list.ts';
import { loadInventory } from '../../../src/inventory/inventory.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/list');

/** The sources of a case, as `-i` names them; without a file that lists them it is the one inventory that is there. */
function sourcesOf(folder: string): readonly string[] {
  const listed = join(folder, 'sources');
  const names = existsSync(listed)
    ? readFileSync(listed, 'utf8').trimEnd().split('\n')
    : [['hosts.yaml', 'hosts.json', 'inv'].find((name) => existsSync(join(folder, name)))!];
  return names.map((name) => (name.includes(',') ? name : join(folder, name)));
}

/** Each folder holds an inventory and, in `expected.json`, what `ansible-inventory --list` printed for it. */
describe('the list is the very text that ansible-inventory prints', () => {
  it.each(readdirSync(FIXTURES))('%s', async (name) => {
    const folder = join(FIXTURES, name);
    const inventory = await loadInventory(sourcesOf(folder), { playbookFolder: folder });
    const expected = readFileSync(join(folder, 'expected.json'), 'utf8');
    expect(`${formatAnsibleList(toAnsibleList(inventory))}\n`).toBe(expected);
  });
});
