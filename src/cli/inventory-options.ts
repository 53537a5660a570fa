import type { AnsibleSettings } from '../ansible/config/config-types.ts';
import type { InventoryOptions } from '../ansible/inventory.ts';
import { ansibleConfig } from './ansible-config.ts';
import { UsageError } from './usage-error.ts';

/**
 * How inventories are read: `PORTFW_INVENTORY_TIMEOUT` says how many seconds a program may take, Ansible's configuration what
 * becomes of mappings that are set more than once.
 *
 * @throws UsageError when it is no number of seconds
 */
export function inventoryOptions(
  environment: NodeJS.ProcessEnv = process.env,
  configured: Pick<AnsibleSettings, 'hashBehaviour'> = ansibleConfig().settings,
): InventoryOptions {
  const hashBehaviour = configured.hashBehaviour?.value ?? 'replace';
  const value = environment['PORTFW_INVENTORY_TIMEOUT'] ?? '';
  if (value === '') return { hashBehaviour };
  const seconds = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (seconds >= 1 && seconds <= 3600) return { hashBehaviour, programTimeoutMs: seconds * 1000 };
  throw new UsageError('PORTFW_INVENTORY_TIMEOUT is a number of seconds from 1 to 3600', 'Correct it, or unset it');
}
