import { resolve } from 'node:path';
import { configName } from '../ansible/config/config-name.ts';
import type { AnsibleSettings } from '../ansible/config/config-types.ts';
import type { SettingOrigin, Sourced } from './settings-types.ts';

/** What says how hosts are reached where the inventory does not; `null` where nothing says it. */
export interface LoginDefaults {
  readonly user: Sourced<string> | null;
  readonly port: Sourced<number> | null;
  readonly privateKeyFile: Sourced<string> | null;
  readonly timeoutSeconds: Sourced<number> | null;
  readonly sshArgs: Sourced<string> | null;
  readonly commonArgs: Sourced<string> | null;
  readonly extraArgs: Sourced<string> | null;
  readonly become: Sourced<boolean> | null;
  readonly becomeUser: Sourced<string> | null;
  readonly becomeMethod: Sourced<string> | null;
}

/** The flags that are such defaults: as with Ansible the inventory wins over them, and they win over `ansible.cfg`. */
export interface LoginFlags {
  readonly user?: string | undefined;
  readonly privateKey?: string | undefined;
  readonly become?: boolean | undefined;
}

/** No flags and no `ansible.cfg`. */
export const NO_DEFAULTS: LoginDefaults = {
  user: null,
  port: null,
  privateKeyFile: null,
  timeoutSeconds: null,
  sshArgs: null,
  commonArgs: null,
  extraArgs: null,
  become: null,
  becomeUser: null,
  becomeMethod: null,
};

/** The longest time limit that a variable of the inventory may set. */
const MOST_SECONDS = 3600;

/** The defaults of a command line: its flags, then Ansible's configuration. */
export function loginDefaults(settings: AnsibleSettings, flags: LoginFlags): LoginDefaults {
  const { user, privateKey, become } = flags;
  const timeout = settings.timeoutSeconds;
  return {
    user: user === undefined ? settings.remoteUser : fromFlag(user, '--user'),
    port: settings.remotePort,
    privateKeyFile: privateKey === undefined ? settings.privateKeyFile : fromFlag(resolve(privateKey), '--private-key'),
    // No limit, which is what 0 asks OpenSSH for, is not to be had.
    timeoutSeconds:
      timeout === null || timeout.value < 1 ? null : { ...timeout, value: Math.min(timeout.value, MOST_SECONDS) },
    sshArgs: onOneLine(settings.sshArgs),
    commonArgs: onOneLine(settings.sshCommonArgs),
    extraArgs: onOneLine(settings.sshExtraArgs),
    become: become === true ? fromFlag(true, '--become') : settings.become,
    becomeUser: settings.becomeUser,
    becomeMethod: settings.becomeMethod,
  };
}

/** The name of what set a value, as messages have it. */
export function originName(origin: SettingOrigin): string {
  switch (origin.kind) {
    case 'variable':
    case 'flag':
      return origin.name;
    case 'environment':
    case 'file':
      return configName(origin);
  }
}

function fromFlag<T>(value: T, name: string): Sourced<T> {
  return { value, origin: { kind: 'flag', name } };
}

/** Arguments that go on in the next line of `ansible.cfg`. */
function onOneLine(text: Sourced<string> | null): Sourced<string> | null {
  return text === null ? null : { ...text, value: text.value.replaceAll('\n', ' ') };
}
