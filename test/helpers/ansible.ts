import { readFileSync } from 'node:fs';
import { requireProgram } from '../set-up/provide.ts';

/**
 * Finds Ansible, whose behaviour tests compare with, as the distribution ships it.
 *
 * @returns the Python interpreter that Ansible runs on: programs for it can import Ansible's modules
 * @throws Error when it is missing: the set-up installs it, before any test
 */
export function requireAnsible(): string {
  const program = requireProgram('ansible', 'ansible');
  const interpreter = /^#! ?(\S+)/.exec(readFileSync(program, 'utf8'))?.[1];
  if (interpreter === undefined) throw new Error(`${program} does not say which Python it runs on`);
  return interpreter;
}
