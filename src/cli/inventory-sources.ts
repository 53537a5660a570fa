import { UsageError } from './usage-error.ts';

/** The flag that names inventories in Ansible's way. */
export interface InventoryFlag {
  readonly inventory?: readonly string[];
}

const EXAMPLE =
  'Name a file, a folder or an executable: "portfw COMMAND hosts.yaml", or "-i hosts.yaml" as with Ansible';

/**
 * The inventories of a command line: its arguments, then those of `-i`.
 *
 * @throws UsageError when there is none, or an empty one
 */
export function inventorySources(args: readonly string[], flags: InventoryFlag): readonly string[] {
  const sources = [...args, ...(flags.inventory ?? [])];
  if (sources.length === 0) throw new UsageError('no inventory is named', EXAMPLE);
  // An unset variable in a script must not be read as another inventory.
  if (sources.some((source) => source.trim() === ''))
    throw new UsageError('the name of an inventory is empty', EXAMPLE);
  return sources;
}
