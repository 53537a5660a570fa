import type { Fault } from '../../core/failure.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { BecomeFailure } from '../connection.ts';

/** Messages in the C locale of sudo and sudo-rs, the most specific first. */
const MESSAGES: readonly (readonly [RegExp, BecomeFailure])[] = [
  [/must have a tty|no tty present/, 'tty-required'],
  [
    /is not in the sudoers file|is not allowed to (?:execute|run)|may not run sudo|I'm sorry .* I'm afraid I can't do that/,
    'not-allowed',
  ],
  [/incorrect (?:password|authentication) attempt|Sorry, try again|Authentication fail(?:ed|ure)/, 'password-wrong'],
  [
    /a password is required|no password was provided|a terminal is required|interactive authentication is required/,
    'password-required',
  ],
];

/**
 * Why sudo refused, from its standard error and the exit code.
 *
 * 127 means that `env` found no sudo: its message is in the user's language and is not parsed.
 */
export function becomeFailureReason(stderr: string, exitCode: number | null): BecomeFailure {
  if (exitCode === 127) return 'no-sudo';
  return MESSAGES.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'other';
}

/**
 * The message for the user.
 *
 * @param user the account that sudo was called from.
 * @param stderr sudo's standard error; quoted safely if nothing better is known.
 */
export function becomeFailureText(reason: BecomeFailure, user: string, stderr: string): Fault {
  switch (reason) {
    case 'password-required':
      return {
        what: `sudo asks for a password of ${user}, and none was given`,
        solve: 'Set PORTFW_BECOME_PASSWORD or use --ask-become-pass, or give the account NOPASSWD in sudoers',
      };
    case 'password-wrong':
      return {
        what: `sudo refused the password of ${user}`,
        solve:
          'Check PORTFW_BECOME_PASSWORD; it was sent once and will not be tried again, so that the account is not locked',
      };
    case 'not-allowed':
      return {
        what: `sudo does not allow ${user} to become root`,
        solve: `Run the output of "portfw sudoers ${user}" as root on the host, or log in with another account (ansible_user)`,
      };
    case 'no-sudo':
      return {
        what: 'sudo is not installed on the host',
        solve: 'Install sudo there, or log in as root with ansible_become: false',
      };
    case 'tty-required':
      return {
        what: 'sudo on the host requires a terminal (requiretty)',
        solve: `It was given one and still refuses: add "Defaults:${user} !requiretty" to sudoers on the host`,
      };
    case 'other': {
      const words = terminalLine(stderr);
      return {
        what: words === '' ? 'sudo gave no root rights and no reason' : `sudo gave no root rights: ${words}`,
        solve: `Log in as ${user} and try "sudo -v"`,
      };
    }
    default: {
      const unreachable: never = reason;
      return unreachable;
    }
  }
}
