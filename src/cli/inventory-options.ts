import type { InventoryOptions } from '../ansible/inventory.ts';
import { UsageError } from './usage-error.ts';

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
