import { describe, expect, it } from 'vitest';
import { inventoryOptions } from '../../../src/cli/inventory-options.ts';
import { inventorySources } from '../../../src/cli/inventory-sources.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
import { configOf } from '../ansible/helpers/config-world.ts';

/** What is said of a command line without an inventory. */
async function refusal(cfg: string | null, there: readonly string[] = []): Promise<string> {
  const config = () => configOf({ cfg });
  const exists = (path: string) => there.includes(path);
  try {
    return JSON.stringify(await inventorySources([], {}, { config, exists }));
  } catch (error) {
    return error instanceof UsageError ? `${error.message}; ${error.solve}` : (error as Error).message;
  }
}

describe('inventories on the command line', () => {
  it('are the arguments and then those of -i', async () => {
    const both = await inventorySources(['a.yaml', 'b'], { inventory: ['c.ini', 'd,e'] });
    expect(both).toEqual(['a.yaml', 'b', 'c.ini', 'd,e']);
    expect(await inventorySources([], { inventory: ['c.ini'] })).toEqual(['c.ini']);
  });

  it('have to have names', async () => {
    await expect(inventorySources(['a', ' '], {})).rejects.toThrow('the name of an inventory is empty');
  });

  it('win over those of ansible.cfg, which is not even read', async () => {
    const config = () => {
      throw new Error('it was read');
    };
    expect(await inventorySources(['a'], {}, { config, exists: () => true })).toEqual(['a']);
  });

  it('may take a number of seconds', () => {
    const none = { hashBehaviour: null };
    expect(inventoryOptions({}, none)).toEqual({ hashBehaviour: 'replace' });
    expect(inventoryOptions({ PORTFW_INVENTORY_TIMEOUT: '90' }, none)).toEqual({
      hashBehaviour: 'replace',
      programTimeoutMs: 90_000,
    });
    for (const wrong of ['0', '-1', '1.5', 'long', '3601'])
      expect(() => inventoryOptions({ PORTFW_INVENTORY_TIMEOUT: wrong }, none)).toThrow(UsageError);
  });

  it('merge mappings where ansible.cfg says so', () => {
    const { settings } = configOf({ cfg: '[defaults]\nhash_behaviour = merge\n' });
    expect(inventoryOptions({}, settings)).toEqual({ hashBehaviour: 'merge' });
  });
});

describe('a command line without an inventory', () => {
  it('takes those of ansible.cfg', async () => {
    const cfg = '[defaults]\ninventory = hosts, ../other\n';
    expect(await refusal(cfg, ['/work/hosts', '/other'])).toBe('["/work/hosts","/other"]');
  });

  it('names the line of ansible.cfg whose inventory is not there', async () => {
    const cfg = '[defaults]\ninventory = hosts, other\n';
    expect(await refusal(cfg, ['/work/hosts'])).toBe(
      '/work/ansible.cfg:2:13: error: [defaults] inventory: there is no /work/other\n' +
        '    Correct the path, or name an inventory: "-i hosts.yaml"',
    );
  });

  it('is told of an ansible.cfg that is there and not read', async () => {
    const config = () => configOf({ cfg: '[defaults]\ninventory = hosts\n', worldWritable: ['/work'] });
    await expect(inventorySources([], {}, { config, exists: () => false })).rejects.toThrow(
      'no inventory is named, and there is no ansible.cfg that names one (/work/ansible.cfg is not read, as everybody may write into its folder)',
    );
  });

  it('is refused with what there is', async () => {
    expect(await refusal(null)).toBe(
      'no inventory is named, and there is no ansible.cfg that names one; ' +
        'Name a file, a folder or an executable: "portfw COMMAND hosts.yaml", or "-i hosts.yaml" as with Ansible',
    );
    expect(await refusal('[defaults]\n', ['hosts.ini', '/etc/ansible/hosts'])).toBe(
      'no inventory is named, and /work/ansible.cfg names none; There are "hosts.ini", "/etc/ansible/hosts": ' +
        'add "-i hosts.ini" to the command, or write "inventory = hosts.ini" under [defaults] in ansible.cfg',
    );
    // What init wrote beside it is named too.
    expect(await refusal('[defaults]\n', ['hosts.ini', 'portfw.yaml'])).toContain(
      'There is "hosts.ini": add "-i hosts.ini -i portfw.yaml" to the command, or write "inventory = hosts.ini,portfw.yaml" under',
    );
  });
});
