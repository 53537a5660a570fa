import type { SettingTypes } from './config-types.ts';
import { flag, list, oneOf, path, pathList, type ReadType, wholeNumber, words } from './value-types.ts';

/** Where one setting may stand. Of several places of a kind the last that is set counts; a variable wins over the file. */
export interface Setting<T> {
  readonly read: ReadType<T>;
  readonly variables: readonly string[];
  /** Section and key. */
  readonly entries: readonly (readonly [section: string, key: string])[];
}

function setting<T>(
  read: ReadType<T>,
  variables: readonly string[],
  ...entries: readonly (readonly [section: string, key: string])[]
): Setting<T> {
  return { read, variables, entries };
}

/**
 * The settings of `ansible.cfg` that portfw has the like of, from Ansible's own lists: its base settings and the options of
 * the plugins `ssh` and `sudo`. Everything else in the file is passed over.
 *
 * The plugin `ssh` has a timeout of its own (`[ssh_connection] timeout`, `ANSIBLE_SSH_TIMEOUT`) that never counts: Ansible
 * gives it the one of `[defaults]` as if a play had set it.
 */
export const SETTINGS: { readonly [K in keyof SettingTypes]: Setting<SettingTypes[K]> } = {
  inventory: setting(pathList, ['ANSIBLE_INVENTORY'], ['defaults', 'inventory']),
  remoteUser: setting(words, ['ANSIBLE_REMOTE_USER'], ['defaults', 'remote_user']),
  remotePort: setting(wholeNumber(1, 65_535), ['ANSIBLE_REMOTE_PORT'], ['defaults', 'remote_port']),
  privateKeyFile: setting(path, ['ANSIBLE_PRIVATE_KEY_FILE'], ['defaults', 'private_key_file']),
  timeoutSeconds: setting(
    wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    ['ANSIBLE_TIMEOUT'],
    ['defaults', 'timeout'],
  ),
  forks: setting(wholeNumber(1, Number.MAX_SAFE_INTEGER), ['ANSIBLE_FORKS'], ['defaults', 'forks']),
  askPass: setting(flag, ['ANSIBLE_ASK_PASS'], ['defaults', 'ask_pass']),
  become: setting(flag, ['ANSIBLE_BECOME'], ['privilege_escalation', 'become']),
  becomeUser: setting(
    words,
    ['ANSIBLE_BECOME_USER', 'ANSIBLE_SUDO_USER'],
    ['privilege_escalation', 'become_user'],
    ['sudo_become_plugin', 'user'],
  ),
  becomeMethod: setting(words, ['ANSIBLE_BECOME_METHOD'], ['privilege_escalation', 'become_method']),
  becomeAskPass: setting(flag, ['ANSIBLE_BECOME_ASK_PASS'], ['privilege_escalation', 'become_ask_pass']),
  sshArgs: setting(words, ['ANSIBLE_SSH_ARGS'], ['ssh_connection', 'ssh_args']),
  sshCommonArgs: setting(words, ['ANSIBLE_SSH_COMMON_ARGS'], ['ssh_connection', 'ssh_common_args']),
  sshExtraArgs: setting(words, ['ANSIBLE_SSH_EXTRA_ARGS'], ['ssh_connection', 'ssh_extra_args']),
  hostKeyChecking: setting(
    flag,
    ['ANSIBLE_HOST_KEY_CHECKING', 'ANSIBLE_SSH_HOST_KEY_CHECKING'],
    ['defaults', 'host_key_checking'],
    ['ssh_connection', 'host_key_checking'],
  ),
  hashBehaviour: setting(oneOf('replace', 'merge'), ['ANSIBLE_HASH_BEHAVIOUR'], ['defaults', 'hash_behaviour']),
  vaultPasswordFile: setting(path, ['ANSIBLE_VAULT_PASSWORD_FILE'], ['defaults', 'vault_password_file']),
  vaultIdentityList: setting(list, ['ANSIBLE_VAULT_IDENTITY_LIST'], ['defaults', 'vault_identity_list']),
  askVaultPass: setting(flag, ['ANSIBLE_ASK_VAULT_PASS'], ['defaults', 'ask_vault_pass']),
};
