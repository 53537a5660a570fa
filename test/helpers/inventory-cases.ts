import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAnsibleList, toAnsibleList } from '../../src/ansible/ansible-list.ts';
import { loadInventory } from '../../src/ansible/inventory.ts';

/** An inventory on disk that is held against Ansible: its folder, and what `-i` names. */
export interface InventoryCase {
  readonly name: string;
  /** Where both run, so that `group_vars/` beside it are those of the playbook folder. */
  readonly folder: string;
  readonly sources: readonly string[];
}

/** The cases in a folder of folders. A file `sources` lists what `-i` names (`#` begins a comment); without it there is one inventory. */
export function inventoryCases(root: string): readonly InventoryCase[] {
  return readdirSync(root).map((name) => {
    const folder = join(root, name);
    const listed = join(folder, 'sources');
    const names = existsSync(listed)
      ? readFileSync(listed, 'utf8')
          .trimEnd()
          .split('\n')
          .filter((line) => !line.startsWith('#'))
      : [['hosts.yaml', 'hosts.json', 'inv'].find((one) => existsSync(join(folder, one)))!];
    return { name, folder, sources: names.map((one) => (one.includes(',') ? one : join(folder, one))) };
  });
}

/** What `portfw inventory --list` prints for a case. */
export async function listOf({ folder, sources }: InventoryCase): Promise<string> {
  return `${formatAnsibleList(toAnsibleList(await loadInventory(sources, { playbookFolder: folder })))}\n`;
}
