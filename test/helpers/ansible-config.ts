import { spawnSync } from 'node:child_process';
import { requireAnsible } from './ansible.ts';
import { ansibleEnvironment } from './ansible-inventory.ts';

/** Where Ansible's configuration is read: a folder, and the environment, which is the whole one. */
export interface ConfigCall {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** What Ansible says of one setting. */
export type SettingAnswer =
  | { readonly value: unknown; readonly origin: string }
  /** What is wrong with its text. */
  | { readonly error: string };

/** What Ansible says of all of them; `refused` when it does not take the file. */
export type ConfigAnswer =
  | { readonly refused: string }
  | {
      readonly file: string | null;
      readonly warnings: readonly string[];
      readonly settings: Readonly<Record<string, SettingAnswer>>;
    };

/** Our names, and where Ansible has the setting: among its own, or those of a plugin. */
export const SETTING_NAMES: Readonly<Record<string, readonly string[]>> = {
  inventory: ['DEFAULT_HOST_LIST'],
  remoteUser: ['DEFAULT_REMOTE_USER'],
  remotePort: ['DEFAULT_REMOTE_PORT'],
  privateKeyFile: ['DEFAULT_PRIVATE_KEY_FILE'],
  timeoutSeconds: ['DEFAULT_TIMEOUT'],
  forks: ['DEFAULT_FORKS'],
  askPass: ['DEFAULT_ASK_PASS'],
  become: ['DEFAULT_BECOME'],
  becomeUser: ['become_user', 'become', 'sudo'],
  becomeMethod: ['DEFAULT_BECOME_METHOD'],
  becomeAskPass: ['DEFAULT_BECOME_ASK_PASS'],
  sshArgs: ['ssh_args', 'connection', 'ssh'],
  sshCommonArgs: ['ssh_common_args', 'connection', 'ssh'],
  sshExtraArgs: ['ssh_extra_args', 'connection', 'ssh'],
  hostKeyChecking: ['host_key_checking', 'connection', 'ssh'],
  hashBehaviour: ['DEFAULT_HASH_BEHAVIOUR'],
  vaultPasswordFile: ['DEFAULT_VAULT_PASSWORD_FILE'],
  vaultIdentityList: ['DEFAULT_VAULT_IDENTITY_LIST'],
  askVaultPass: ['DEFAULT_ASK_VAULT_PASS'],
};

/** The very code of `ansible-config dump`, in one process. */
const PROGRAM = `
import json, os, sys
from ansible import constants, context
from ansible.config.manager import ConfigManager
from ansible.plugins.loader import become_loader, connection_loader

connection_loader.get('ssh', class_only=True)
become_loader.get('sudo', class_only=True)
plugins = constants.config._plugins
# Which settings there are is read once.
definitions = constants.config._base_defs
ConfigManager._read_config_yaml_file = lambda self, file: definitions

def ask(call, names):
    os.chdir(call['cwd'])
    os.environ.clear()
    os.environ.update(call['environment'])
    ConfigManager.WARNINGS = set()
    try:
        manager = ConfigManager()
    except Exception as error:
        return {'refused': str(error)}
    manager._plugins = plugins
    settings = {}
    for name, (own, *plugin) in names.items():
        kind, which = plugin or (None, None)
        try:
            value, origin = manager.get_config_value_and_origin(own, plugin_type=kind, plugin_name=which)
            settings[name] = {'value': value, 'origin': origin}
        except Exception as error:
            settings[name] = {'error': str(error)}
    return {'file': manager._config_file, 'warnings': sorted(manager.WARNINGS), 'settings': settings}

given = json.load(sys.stdin)
json.dump([ask(call, given['names']) for call in given['calls']], sys.stdout)
`;

/** Asks Ansible for its settings in all of these places. */
export function askConfig(calls: readonly ConfigCall[]): readonly ConfigAnswer[] {
  const options = {
    input: JSON.stringify({ calls, names: SETTING_NAMES }),
    encoding: 'utf8',
    env: ansibleEnvironment(),
    timeout: 240_000,
    maxBuffer: 256 * 1024 * 1024,
  } as const;
  const { status, stdout, stderr } = spawnSync(requireAnsible(), ['-c', PROGRAM], options);
  if (status !== 0) throw new Error(`Ansible could not be asked: ${stderr}`);
  return JSON.parse(stdout) as readonly ConfigAnswer[];
}
