import { shown } from '../../core/shown.ts';
import { sudoersSetup } from '../../host/sudo-helper.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

/** What useradd and adduser accept; in sudoers `%`, `#`, `+`, `!` and names in capitals mean something else. */
const ACCOUNT = /^[a-z_][a-z0-9_-]{0,31}$/;

interface SudoersFlags {
  readonly password?: boolean;
  readonly planner?: string;
}

/** `portfw sudoers ACCOUNT [--planner ACCOUNT]`: prints the script that limits accounts to portfw's programs with sudo. */
export function sudoers(account: string, flags: SudoersFlags, version: string): number {
  const planner = flags.planner ?? null;
  for (const name of [account, ...(planner === null ? [] : [planner])]) {
    if (ACCOUNT.test(name)) continue;
    throw new UsageError(
      `${shown(name)} is not the name of an account`,
      'Write the account that portfw logs in as: lower-case letters, digits, hyphens and underscores, up to 32',
    );
  }
  if (planner === account)
    throw new UsageError(
      `${shown(account)} cannot be both`,
      '--planner names another account, which may plan and never change a host',
    );
  process.stdout.write(sudoersSetup({ user: account, planner, password: flags.password === true }, version));
  return EXIT.done;
}
