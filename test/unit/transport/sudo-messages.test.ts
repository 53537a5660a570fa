import { describe, expect, it } from 'vitest';
import { becomeFailureReason, becomeFailureText } from '../../../src/transport/program/sudo-messages.ts';

describe('becomeFailureReason', () => {
  it.each([
    ['env: »sudo«: Datei oder Verzeichnis nicht gefunden', 127, 'no-sudo'],
    ['sudo: a password is required', 1, 'password-required'],
    ['sudo: interactive authentication is required', 1, 'password-required'],
    ['sudo: no password was provided\nsudo: 1 incorrect password attempt', 1, 'password-wrong'],
    ['Sorry, try again.\n', null, 'password-wrong'],
    ['sudo: Authentication failed, try again.', null, 'password-wrong'],
    ['sudo: 1 incorrect password attempt', 1, 'password-wrong'],
    ['nosudo is not in the sudoers file.  This incident will be reported.', 1, 'not-allowed'],
    ['nosudo is not in the sudoers file.', 1, 'not-allowed'],
    [`Sorry, user web is not allowed to execute '/bin/sh -c x' as root on h.`, 1, 'not-allowed'],
    ['Sorry, user web may not run sudo on h.', 1, 'not-allowed'],
    [`sudo: I'm sorry web. I'm afraid I can't do that`, 1, 'not-allowed'],
    ['sudo: sorry, you must have a tty to run sudo', 1, 'tty-required'],
    ['sudo: unable to open audit system: Permission denied', 1, 'other'],
    ['', null, 'other'],
  ] as const)('%s', (stderr, exitCode, reason) => {
    expect(becomeFailureReason(stderr, exitCode)).toBe(reason);
  });
});

describe('becomeFailureText', () => {
  it('quotes sudo, made safe, when it knows no better', () => {
    const { what } = becomeFailureText('other', 'web', 'sudo: \u001b[31mstrange\n');
    expect(what).toContain('sudo: strange');
    expect(what).not.toContain('\u001b');
  });

  it.each(['password-required', 'password-wrong', 'not-allowed', 'no-sudo', 'tty-required', 'other'] as const)(
    'has a message and a hint for %s',
    (reason) => {
      const { what, solve } = becomeFailureText(reason, 'web', '');
      expect(what).toMatch(/\w[^.]$/);
      expect(solve).toMatch(/\w[^.]$/);
    },
  );
});
