import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Makes sure that OpenSSH's client and its tools are there: tests compare with what they do. Where they are missing and the
 * machine is a Debian one with root, they are installed first.
 *
 * @throws Error when they are missing and cannot be installed
 */
export function requireOpenSsh(): void {
  if (isThere()) return;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version'))
    throw new Error('The OpenSSH client is not installed. Install it (package "openssh-client") and run this again.');
  const aptGet = (...args: string[]): boolean =>
    spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  if (!aptGet('update') || !aptGet('install', '-y', '--no-install-recommends', 'openssh-client') || !isThere())
    throw new Error('apt-get could not install the OpenSSH client; its messages are above.');
}

function isThere(): boolean {
  return spawnSync('ssh', ['-V'], { stdio: 'ignore' }).error === undefined;
}
