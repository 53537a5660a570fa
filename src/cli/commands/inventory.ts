import { formatAnsibleList, toAnsibleList } from '../../ansible/ansible-list.ts';
import { type Inventory, loadInventory } from '../../ansible/inventory.ts';
import type { Vault } from '../../ansible/vault/vault.ts';
import { withoutSecrets } from '../../core/environment.ts';
import { suggestion } from '../../core/suggest.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { usableConfig } from '../ansible-config.ts';
import { EXIT } from '../exit-codes.ts';
import { inventoryOptions } from '../inventory-options.ts';
import { openTerminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { type VaultFlags, vaultFrom } from '../vault-flags.ts';

interface InventoryFlags extends VaultFlags {
  readonly list?: boolean;
  readonly graph?: boolean;
  readonly host?: string;
}

/** `portfw inventory SOURCE… [--list | --graph | --host NAME]`. */
export async function showInventory(sources: readonly string[], flags: InventoryFlags): Promise<number> {
  const terminal = openTerminal(true);
  const config = usableConfig();
  const vault = await vaultFrom(flags);
  const inventory = await load(sources, vault);
  const warnings = [...config.problems, ...inventory.warnings];
  if (warnings.length > 0) terminal.error(problemsText(warnings, terminal.errorStyle));
  if (flags.list === true) terminal.out(`${formatAnsibleList(toAnsibleList(inventory))}\n`);
  else if (flags.host !== undefined) terminal.out(`${hostDocument(inventory, flags.host)}\n`);
  else {
    terminal.out(`${graphLines(inventory, 'all', 0).join('\n')}\n`);
    // `--graph` is Ansible's form and nothing else.
    if (flags.graph !== true) terminal.out(await leftOutLine(inventory, vault));
  }
  return EXIT.done;
}

/** As written: values that are encrypted stay so, as `ansible-inventory` has it; files that are encrypted as a whole cannot. */
function load(sources: readonly string[], vault: Vault): Promise<Inventory> {
  return loadInventory(sources, { ...inventoryOptions(), decrypt: vault.decryptFile.bind(vault) });
}

/** Which hosts no run is for because of their connection, below an empty line; nothing where there is none. */
async function leftOutLine(inventory: Inventory, vault: Vault): Promise<string> {
  // Ansible's own forms, which programs ask for, do without all this.
  const [{ resolveInventory }, { leftOut, leftOutText }, { readSettings }, { VARIABLES }] = await Promise.all([
    import('../../ansible/templates/resolve.ts'),
    import('../../settings/left-out.ts'),
    import('../../settings/read-settings.ts'),
    import('../../settings/schema.ts'),
  ]);
  const variables = { used: ['ansible_connection', 'portfw_managed'], vocabulary: VARIABLES.vocabulary };
  const environment = withoutSecrets(process.env);
  const { settings, partial } = readSettings(await resolveInventory(inventory, { vault, variables, environment }));
  const hosts = leftOut([...inventory.hosts.keys()].flatMap((name) => settings.get(name) ?? partial.get(name) ?? []));
  return hosts.length === 0 ? '' : `\nnot managed, so every run leaves them out: ${leftOutText(hosts)}\n`;
}

function hostDocument(inventory: Inventory, name: string): string {
  if (!inventory.hosts.has(name)) {
    throw new UsageError(
      `the inventory has no host "${terminalLine(name)}"`,
      suggestion(name, inventory.hosts.keys(), 'hosts'),
    );
  }
  const meta = toAnsibleList(inventory).get('_meta') as ReadonlyMap<
    string,
    ReadonlyMap<string, ReadonlyMap<string, unknown>>
  >;
  return formatAnsibleList(meta.get('hostvars')?.get(name) ?? new Map());
}

/** Groups and hosts in the form of `ansible-inventory --graph`. */
function graphLines(inventory: Inventory, groupName: string, depth: number): readonly string[] {
  const group = inventory.groups.get(groupName);
  if (group === undefined) return [];
  const line = (name: string, level: number): string => (level === 0 ? name : `${'  |'.repeat(level)}--${name}`);
  return [
    line(`@${terminalLine(groupName)}:`, depth),
    ...group.children.flatMap((child) => graphLines(inventory, child, depth + 1)),
    // Hosts in no group at all are listed under "ungrouped".
    ...(groupName === 'all' ? [] : group.hosts.map((host) => line(terminalLine(host), depth + 1))),
  ];
}
