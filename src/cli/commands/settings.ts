import { existsSync } from 'node:fs';
import type { Inventory } from '../../ansible/inventory.ts';
import { matchLimit, requireHosts } from '../../ansible/patterns/patterns.ts';
import { Vault } from '../../ansible/vault/vault.ts';
import { InputError, type Problem } from '../../core/problem.ts';
import { type HostRows, hostGroups } from '../../report/settings-view.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { settingsText } from '../../report/terminal/settings-text.ts';
import { createTarget, sshConfigFiles, type TargetOptions } from '../../transport/target.ts';
import { ansibleConfig } from '../ansible-config.ts';
import { EXIT } from '../exit-codes.ts';
import { hostKeyWarnings } from '../host-key-checking.ts';
import { type InventoryFlag, inventorySources } from '../inventory-sources.ts';
import { localUser } from '../local-user.ts';
import { type ReadFiles, readFiles } from '../read-files.ts';
import { hostRows } from '../settings-of-host.ts';
import { runRows } from '../settings-of-run.ts';
import { openTerminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { type VaultFlags, vaultFrom } from '../vault-flags.ts';

export interface SettingsFlags extends InventoryFlag, VaultFlags {
  /** A host or pattern; `true` for all hosts. */
  readonly settings: string | true;
}

/**
 * `portfw inventory [SOURCE…] --settings [HOST]`: every setting that counts, with its value and where it comes from. What is
 * wrong goes to standard error, and what can be read is shown all the same.
 */
export async function showSettings(args: readonly string[], flags: SettingsFlags): Promise<number> {
  const terminal = openTerminal(true);
  const { files, pattern } = takeApart(args, flags);
  const sources = await inventorySources(files, flags);
  const { vault, problems: ofVault } = await vaultOrNone(flags);
  const read = await readFiles(sources, null, 'optional', vault);
  if (read.inventory === null) throw new InputError([...ofVault, ...read.problems]);
  const { hosts, problems } = rowsOf(read, read.inventory, pattern);
  const config = ansibleConfig();
  const all = [...hostKeyWarnings(config.settings), ...ofVault, ...read.problems, ...problems];
  if (all.length > 0) terminal.error(problemsText(all, terminal.errorStyle));
  const groups = [{ title: 'the run', rows: runRows(files, flags, config) }, ...hostGroups(hosts)];
  terminal.out(settingsText(groups, terminal.style, terminal.width));
  return all.some(({ severity }) => severity === 'error') ? EXIT.usage : EXIT.done;
}

/** The settings can be shown without the passwords of vaults. */
async function vaultOrNone(
  flags: VaultFlags,
): Promise<{ readonly vault: Vault; readonly problems: readonly Problem[] }> {
  try {
    return { vault: await vaultFrom(flags), problems: [] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { vault: new Vault([]), problems: error.problems };
  }
}

/** The value of a flag that may have one swallows an inventory that follows it: a file that exists is one, if no other is named. */
function takeApart(
  args: readonly string[],
  { settings, inventory = [] }: SettingsFlags,
): { readonly files: readonly string[]; readonly pattern: string | null } {
  if (settings === true) return { files: args, pattern: null };
  if (settings.trim() === '')
    throw new UsageError('the host of --settings is empty', 'Name a host or a pattern, or leave it out to mean all');
  const isFile = args.length === 0 && inventory.length === 0 && existsSync(settings);
  return isFile ? { files: [settings], pattern: null } : { files: args, pattern: settings };
}

function rowsOf(
  { settings, partial }: ReadFiles,
  inventory: Inventory,
  pattern: string | null,
): { readonly hosts: readonly HostRows[]; readonly problems: readonly Problem[] } {
  const options: TargetOptions = {
    acceptNewHostKeys: false,
    becomePassword: null,
    sshPassword: null,
    agentSocket: process.env['SSH_AUTH_SOCK'] || null,
    localUser: localUser(),
    sshConfig: sshConfigFiles(null),
  };
  const names = pattern === null ? [...inventory.hosts.keys()] : requireHosts(matchLimit(inventory, pattern));
  const problems: Problem[] = [];
  const hosts = names.flatMap((name): HostRows[] => {
    const host = inventory.hosts.get(name);
    const own = settings.get(name) ?? partial.get(name);
    if (host === undefined || own === undefined) return [];
    const created = own.managed ? createTarget(own, options) : { target: null, problems: [] };
    problems.push(...created.problems);
    return [hostRows(host, own, created.target)];
  });
  return { hosts, problems };
}
