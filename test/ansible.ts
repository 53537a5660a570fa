import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Ansible, whose behaviour tests compare with, as the distribution ships it. Where it is missing and the machine is a
 * Debian one with root, it is installed first.
 */

/**
 * Finds or installs Ansible.
 *
 * @returns the Python interpreter that Ansible runs on: programs for it can import Ansible's modules
 * @throws Error when it is missing and cannot be installed
 */
export function requireAnsible(): string {
  const program = findProgram('ansible') ?? install();
  const interpreter = /^#! ?(\S+)/.exec(readFileSync(program, 'utf8'))?.[1];
  if (interpreter === undefined) throw new Error(`${program} does not say which Python it runs on`);
  return interpreter;
}

function install(): string {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version'))
    throw new Error('Ansible is not installed. Install it (package "ansible-core") and run this again.');
  const aptGet = (...args: string[]): boolean =>
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  const options = ['install', '-y', '--no-install-recommends'];
  // The package is called "ansible-core" from bookworm on, and "ansible" before.
  const installed = aptGet('update') && (aptGet(...options, 'ansible-core') || aptGet(...options, 'ansible'));
  const program = installed ? findProgram('ansible') : null;
  if (program === null) throw new Error('apt-get could not install Ansible; its messages are above.');
  return program;
}

function findProgram(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
