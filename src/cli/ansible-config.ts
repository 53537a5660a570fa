import type { AnsibleConfig } from '../ansible/config/config-types.ts';
import { thisMachine } from '../ansible/config/config-world.ts';
import { readAnsibleConfig } from '../ansible/config/read-config.ts';
import { InputError } from '../core/problem.ts';

let known: AnsibleConfig | null = null;

/** Ansible's configuration, read once: what it was when portfw started counts for the whole run. */
export function ansibleConfig(): AnsibleConfig {
  known ??= readAnsibleConfig(thisMachine());
  return known;
}

/**
 * The same for a command that cannot go on with what is wrong.
 *
 * @throws InputError with everything that is wrong with it
 */
export function usableConfig(): AnsibleConfig {
  const config = ansibleConfig();
  if (config.problems.some(({ severity }) => severity === 'error')) throw new InputError(config.problems);
  return config;
}
