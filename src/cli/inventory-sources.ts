import { existsSync } from 'node:fs';
import { configName } from '../ansible/config/config-name.ts';
import type { AnsibleConfig } from '../ansible/config/config-types.ts';
import { InputError, Problem } from '../core/problem.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { UsageError } from './usage-error.ts';

/** The flag that names inventories in Ansible's way. */
export interface InventoryFlag {
  readonly inventory?: readonly string[];
}

const EXAMPLE =
  'Name a file, a folder or an executable: "portfw COMMAND hosts.yaml", or "-i hosts.yaml" as with Ansible';

/** Where inventories often are. portfw takes none of them by itself: it must be said which hosts a run is for. */
const USUAL = [
  ...['inventory', 'inventories', 'hosts', 'hosts.ini', 'hosts.yml', 'hosts.yaml'],
  ...['inventory.ini', 'inventory.yml', 'inventory.yaml', '/etc/ansible/hosts'],
];

/** What `portfw init --from` writes beside an inventory. */
export const ADDITIONS = 'portfw.yaml';

/** What {@link inventorySources} looks at besides its arguments. */
interface Surroundings {
  readonly config: () => AnsibleConfig | Promise<AnsibleConfig>;
  readonly exists: (path: string) => boolean;
}

const HERE: Surroundings = {
  config: async () => (await import('./ansible-config.ts')).usableConfig(),
  exists: existsSync,
};

/**
 * The inventories of a command line: its arguments, then those of `-i`; without any, those of `ansible.cfg` or of
 * `ANSIBLE_INVENTORY`.
 *
 * @throws UsageError when there is none, or an empty one; InputError when one of `ansible.cfg` is not there
 */
export async function inventorySources(
  args: readonly string[],
  flags: InventoryFlag,
  here: Surroundings = HERE,
): Promise<readonly string[]> {
  const sources = [...args, ...(flags.inventory ?? [])];
  // An unset variable in a script must not be read as another inventory.
  if (sources.some((source) => source.trim() === ''))
    throw new UsageError('the name of an inventory is empty', EXAMPLE);
  return sources.length > 0 ? sources : configured(await here.config(), here.exists);
}

function configured(config: AnsibleConfig, exists: (path: string) => boolean): readonly string[] {
  const { inventory } = config.settings;
  if (inventory === null) throw new UsageError(noInventory(config), whichOne(exists));
  const { value: paths, origin } = inventory;
  const missing = paths.filter((path) => !exists(path));
  if (missing.length === 0) return paths;
  throw new InputError(
    missing.map(
      (path) =>
        new Problem({
          severity: 'error',
          code: 'file-not-found',
          what: `${configName(origin)}: there is no ${terminalLine(path)}`,
          solve: 'Correct the path, or name an inventory: "-i hosts.yaml"',
          location: origin.kind === 'file' ? origin.location : null,
        }),
    ),
  );
}

function noInventory({ file, looked }: AnsibleConfig): string {
  const open = looked.find(({ outcome }) => outcome === 'world-writable');
  const config = file === null ? 'there is no ansible.cfg that names one' : `${terminalLine(file)} names none`;
  const why =
    open === undefined ? '' : ` (${terminalLine(open.path)} is not read, as everybody may write into its folder)`;
  return `no inventory is named, and ${config}${why}`;
}

function whichOne(exists: (path: string) => boolean): string {
  const found = USUAL.filter(exists);
  const [first] = found;
  if (first === undefined) return EXAMPLE;
  // What `portfw init --from` writes belongs to the inventory beside it.
  const together = exists(ADDITIONS) ? [first, ADDITIONS] : [first];
  const flags = together.map((one) => `-i ${one}`).join(' ');
  const which = found.length === 1 ? `There is "${first}"` : `There are ${found.map((one) => `"${one}"`).join(', ')}`;
  return `${which}: add "${flags}" to the command, or write "inventory = ${together.join(',')}" under [defaults] in ansible.cfg`;
}
