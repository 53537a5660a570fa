import type { InventoryOptions } from '../ansible/inventory.ts';
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

/**
 * How inventories are read: `PORTFW_INVENTORY_TIMEOUT` says how many seconds a program may take.
 *
 * @throws UsageError when it is no number of seconds
 */
export function inventoryOptions(environment: NodeJS.ProcessEnv = process.env): InventoryOptions {
  const value = environment['PORTFW_INVENTORY_TIMEOUT'] ?? '';
  if (value === '') return {};
  const seconds = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (seconds >= 1 && seconds <= 3600) return { programTimeoutMs: seconds * 1000 };
  throw new UsageError('PORTFW_INVENTORY_TIMEOUT is a number of seconds from 1 to 3600', 'Correct it, or unset it');
}
