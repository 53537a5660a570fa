import { requireProgram } from '../set-up/provide.ts';

/**
 * Makes sure that OpenSSH's client is there: tests compare with what it does.
 *
 * @throws Error when it is missing: the set-up installs it, before any test
 */
export function requireOpenSsh(): void {
  requireProgram('ssh', 'openssh');
}
