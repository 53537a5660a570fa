import type { Vault } from '../ansible/vault/vault.ts';
import { SECRET_VARIABLES, secretFromEnvironment } from '../core/environment.ts';
import type { Secret } from '../core/secret.ts';
import { ansibleConfig } from './ansible-config.ts';
import { promptSecret } from './prompt-secret.ts';
import { UsageError } from './usage-error.ts';

/** The flags that say where the passwords of vaults come from, as Ansible has them. */
export interface VaultFlags {
  /** `[ID@]FILE` or `[ID@]prompt`. */
  readonly vaultId?: readonly string[];
  readonly vaultPasswordFile?: readonly string[];
  readonly vaultPassFile?: readonly string[];
  readonly askVaultPass?: boolean;
  readonly askVaultPassword?: boolean;
}

/**
 * The vault of a command line, with the passwords from its flags, Ansible's configuration and the environment. Nothing is decrypted yet.
 *
 * @throws InputError with every password that cannot be had; UsageError when nobody can be asked for one
 */
export async function vaultFrom(flags: VaultFlags, environment: NodeJS.ProcessEnv = process.env): Promise<Vault> {
  const { openVault } = await import('../ansible/vault/vault-passwords.ts');
  return openVault({
    ids: flags.vaultId ?? [],
    passwordFiles: [...(flags.vaultPasswordFile ?? []), ...(flags.vaultPassFile ?? [])],
    ask: flags.askVaultPass === true || flags.askVaultPassword === true,
    password: secretFromEnvironment('vaultPassword', environment),
    configured: ansibleConfig().settings,
    prompt: ask,
  });
}

async function ask(question: string): Promise<Secret> {
  const outcome = await promptSecret(question);
  switch (outcome.kind) {
    case 'entered':
      return outcome.secret;
    case 'no-terminal':
      throw new UsageError(
        "there is no terminal to ask for a vault's password on",
        `Give --vault-password-file FILE, or set ${SECRET_VARIABLES.vaultPassword}`,
      );
    case 'cancelled':
      throw new UsageError('no password was entered', 'Run again, or leave -J and "@prompt" out');
  }
}
