import { BrokenInventory, type Inventory, loadInventory } from '../ansible/inventory.ts';
import { resolveInventory } from '../ansible/templates/resolve.ts';
import { Vault } from '../ansible/vault/vault.ts';
import { withoutSecrets } from '../core/environment.ts';
import { InputError, type Problem } from '../core/problem.ts';
import { assignPlays } from '../matrix/assign.ts';
import type { Play } from '../matrix/matrix.ts';
import { type LoginDefaults, type LoginFlags, loginDefaults } from '../settings/login-defaults.ts';
import { readSettings } from '../settings/read-settings.ts';
import { VARIABLES } from '../settings/schema.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { ansibleConfig } from './ansible-config.ts';
import { inventoryOptions } from './inventory-options.ts';

/** An inventory with everything that it leads to: variables, playbooks, matrices. */
export interface ReadFiles {
  /** `null` when the inventory itself cannot be read. */
  readonly inventory: Inventory | null;
  readonly settings: ReadonlyMap<string, HostSettings>;
  /** The settings of hosts with an error, without what is wrong: for finding further problems, never for a run. */
  readonly partial: ReadonlyMap<string, HostSettings>;
  /** Every managed host's play. */
  readonly plays: ReadonlyMap<string, Play>;
  /** Everything wrong or doubtful in any of the files. */
  readonly problems: readonly Problem[];
}

/** Problems that only mean "no matrix for this host": nothing to commands that need none. */
const WITHOUT_MATRIX: ReadonlySet<string> = new Set(['no-playbook', 'no-play']);

/**
 * Reads and validates an inventory and all that it refers to. Never throws for what is in the files: every problem of
 * every file comes back at once.
 *
 * @param playbook `--playbook`, or `null`
 * @param matrix whether a host without a matrix is a problem
 * @param vault decrypts values and files; none, and those are problems where they are needed
 * @param flags what the command line says about logins where the inventory says nothing
 */
export async function readFiles(
  sources: string | readonly string[],
  playbook: string | null,
  matrix: 'required' | 'optional',
  vault: Vault = new Vault([]),
  flags: LoginFlags = {},
): Promise<ReadFiles> {
  const config = ansibleConfig();
  const defaults = loginDefaults(config.settings, flags);
  let inventory: Inventory;
  try {
    const options = { ...inventoryOptions(), decrypt: vault.decryptFile.bind(vault) };
    inventory = await resolveInventory(await loadInventory(sources, options), {
      vault,
      variables: VARIABLES,
      environment: withoutSecrets(process.env),
    });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return {
      inventory: null,
      settings: new Map(),
      partial: new Map(),
      plays: new Map(),
      problems: [...config.problems, ...error.problems, ...(await further(error, vault, playbook, defaults))],
    };
  }
  const { settings, partial, problems } = readSettings(inventory, defaults);
  // A host with a broken variable is still held against its matrix, so that one look finds everything.
  const alsoBroken = [...partial].filter(([, host]) => playbook !== null || host.playbook !== null);
  const assignment = assignPlays(inventory, new Map([...settings, ...alsoBroken]), playbook);
  const ofPlays = assignment.problems.filter((problem) => matrix === 'required' || !WITHOUT_MATRIX.has(problem.code));
  const all = [...config.problems, ...inventory.warnings, ...problems, ...ofPlays];
  return { inventory, settings, partial, plays: assignment.plays, problems: all };
}

/** What may be wrong only because a part of the inventory could not be read. */
const CONSEQUENCES: ReadonlySet<string> = new Set([
  ...['unknown-name', 'unknown-group', 'unknown-address', 'no-address', 'not-a-member'],
  ...['no-playbook', 'no-play', 'idle-play', 'bad-pattern', 'no-hosts', 'peer-not-managed', 'template-undefined'],
]);

/** What is wrong with the variables, the playbooks and the matrices of an inventory that has errors of its own. */
async function further(
  error: InputError,
  vault: Vault,
  playbook: string | null,
  defaults: LoginDefaults,
): Promise<readonly Problem[]> {
  if (!(error instanceof BrokenInventory)) return [];
  try {
    const resolved = await resolveInventory(error.readable, {
      vault,
      variables: VARIABLES,
      environment: withoutSecrets(process.env),
    });
    const { settings, partial, problems } = readSettings(resolved, defaults);
    const assignment = assignPlays(resolved, new Map([...partial, ...settings]), playbook);
    return [...problems, ...assignment.problems].filter((problem) => !CONSEQUENCES.has(problem.code));
  } catch (other) {
    if (!(other instanceof InputError)) throw other;
    return [];
  }
}
