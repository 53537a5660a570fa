import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AnsibleConfig, Configured, LookedFile } from '../ansible/config/config-types.ts';
import { SECRET_VARIABLES, secretFromEnvironment } from '../core/environment.ts';
import { setByText } from '../core/set-by.ts';
import type { SettingRow } from '../report/settings-view.ts';
import { setByOf } from '../settings/set-by.ts';
import { inventoryOptions } from './inventory-options.ts';
import type { InventoryFlag } from './inventory-sources.ts';
import { forksOf } from './run-flags.ts';
import type { VaultFlags } from './vault-flags.ts';

/** What a row says comes from nothing that somebody wrote. */
export const DEFAULT = 'default';

/** A password or passphrase that is given: never its value. */
export const NOT_SHOWN = '(set, not shown)';

/**
 * The settings of the run as a whole: inventories, Ansible's configuration, forks, passwords of vaults, questions.
 *
 * @param args the inventories among the arguments
 */
export function runRows(
  args: readonly string[],
  flags: InventoryFlag & VaultFlags,
  config: AnsibleConfig,
): readonly SettingRow[] {
  const { settings } = config;
  return [
    ...inventoryRows(args, flags, config),
    ...configRows(config),
    { name: 'forks', value: String(forksOf({}, settings)), from: fromOf(settings.forks) },
    { name: 'hash_behaviour', value: settings.hashBehaviour?.value ?? 'replace', from: fromOf(settings.hashBehaviour) },
    ...programRows(),
    ...vaultRows(flags, config),
    ...questionRows(config),
    hostKeyRow(config),
    ...sshConfigRows(),
  ];
}

function fromOf(set: Configured<unknown> | null): string {
  return set === null ? DEFAULT : setByText(setByOf(set.origin));
}

function inventoryRows(
  args: readonly string[],
  flags: InventoryFlag,
  { settings }: AnsibleConfig,
): readonly SettingRow[] {
  const row = (value: string, from: string): SettingRow => ({ name: 'inventory', value, from });
  const given = [
    ...args.map((source) => row(source, 'argument')),
    ...(flags.inventory ?? []).map((source) => row(source, '-i')),
  ];
  if (given.length > 0) return given;
  return (settings.inventory?.value ?? []).map((source) => row(source, fromOf(settings.inventory)));
}

function configRows({ file, looked }: AnsibleConfig): readonly SettingRow[] {
  const name = 'ansible.cfg';
  const passedOver = looked
    .filter(({ outcome }) => outcome !== 'read')
    .map((one) => ({
      name,
      value: 'none',
      from: lookedText(one),
    }));
  const read = looked.find(({ outcome }) => outcome === 'read');
  return [...passedOver, ...(file === null || read === undefined ? [] : [{ name, value: file, from: read.place }])];
}

function lookedText({ path, place, outcome }: LookedFile): string {
  switch (outcome) {
    case 'read':
    case 'absent':
      return `${place}: ${path} does not exist`;
    case 'unreadable':
      return `${place}: ${path} cannot be read`;
    case 'world-writable':
      return `${place}: ${path} is not read, as everybody may write into its folder`;
  }
}

function programRows(): readonly SettingRow[] {
  const milliseconds = inventoryOptions().programTimeoutMs;
  if (milliseconds === undefined) return [];
  return [{ name: 'inventory timeout', value: `${milliseconds / 1000} s`, from: 'PORTFW_INVENTORY_TIMEOUT' }];
}

/** In the order in which they are tried; see `openVault`. */
function vaultRows(flags: VaultFlags, { settings }: AnsibleConfig): readonly SettingRow[] {
  const row = (value: string, from: string): SettingRow => ({ name: 'vault password', value, from });
  const { vaultIdentityList, vaultPasswordFile, askVaultPass } = settings;
  const files = [...(flags.vaultPasswordFile ?? []), ...(flags.vaultPassFile ?? [])];
  const asks = flags.askVaultPass === true || flags.askVaultPassword === true;
  const rows = [
    ...(vaultIdentityList?.value ?? []).map((identity) => row(identity, fromOf(vaultIdentityList))),
    ...(flags.vaultId ?? []).map((identity) => row(identity, '--vault-id')),
    ...files.map((file) => row(file, '--vault-password-file')),
    ...(vaultPasswordFile === null ? [] : [row(vaultPasswordFile.value, fromOf(vaultPasswordFile))]),
    ...(asks ? [row('prompt', '--ask-vault-pass')] : []),
    ...(!asks && askVaultPass?.value === true ? [row('prompt', fromOf(askVaultPass))] : []),
    ...(secretFromEnvironment('vaultPassword') === null ? [] : [row(NOT_SHOWN, SECRET_VARIABLES.vaultPassword)]),
  ];
  return rows.length > 0 ? rows : [row('none', DEFAULT)];
}

/** What is asked for before a run, and the passphrase for keys. */
function questionRows({ settings: { askPass, becomeAskPass } }: AnsibleConfig): readonly SettingRow[] {
  const asked = (name: string, set: Configured<boolean> | null): readonly SettingRow[] =>
    set?.value === true ? [{ name, value: 'prompt', from: fromOf(set) }] : [];
  const passphrase = secretFromEnvironment('keyPassphrase');
  return [
    ...asked('SSH password', askPass),
    ...asked('sudo password', becomeAskPass),
    ...(passphrase === null
      ? []
      : [{ name: 'key passphrase', value: NOT_SHOWN, from: SECRET_VARIABLES.keyPassphrase }]),
  ];
}

function hostKeyRow({ settings: { hostKeyChecking } }: AnsibleConfig): SettingRow {
  const off = hostKeyChecking?.value === false;
  const from = off ? `always; ${fromOf(hostKeyChecking)} is not followed` : 'always';
  return { name: 'host keys', value: 'checked', from };
}

function sshConfigRows(): readonly SettingRow[] {
  const files = [join(homedir(), '.ssh', 'config'), '/etc/ssh/ssh_config'];
  return files.map((file) => ({
    name: 'ssh_config',
    value: file,
    from: existsSync(file) ? DEFAULT : `${DEFAULT}; it does not exist`,
  }));
}
