import { shown } from '../../core/shown.ts';
import { sudoersSetup } from '../../host/sudo-helper.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

/** What useradd and adduser accept; in sudoers `%`, `#`, `+`, `!` and names in capitals mean something else. */
const ACCOUNT = /^[a-z_][a-z0-9_-]{0,31}$/;

/** `portfw sudoers ACCOUNT`: prints the script that lets the account run portfw's programs with sudo, and nothing else. */
export function sudoers(account: string, flags: { readonly password?: boolean }, version: string): number {
  if (!ACCOUNT.test(account)) {
    throw new UsageError(
      `${shown(account)} is not the name of an account`,
      'Write the account that portfw logs in as: lower-case letters, digits, hyphens and underscores, up to 32',
    );
  }
  process.stdout.write(sudoersSetup(account, flags.password === true, version));
  return EXIT.done;
}
