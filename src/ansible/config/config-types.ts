import type { Problem, SourceLocation } from '../../core/problem.ts';

/** Where Ansible looks for its configuration, in this order; the first file that is there is read, and no other. */
export type ConfigPlace = 'ANSIBLE_CONFIG' | 'current folder' | 'home folder' | 'system';

/** A file that was looked for, and what became of it. `world-writable`: everybody may write into its folder, so it is not read. */
export interface LookedFile {
  readonly path: string;
  readonly place: ConfigPlace;
  readonly outcome: 'read' | 'absent' | 'unreadable' | 'world-writable';
}

/** What set a value: a line of `ansible.cfg`, or a variable of the environment. */
export type ConfigOrigin =
  | { readonly kind: 'file'; readonly location: SourceLocation; readonly section: string; readonly key: string }
  | { readonly kind: 'environment'; readonly name: string };

/** A value that is set, with what set it. */
export interface Configured<T> {
  readonly value: T;
  readonly origin: ConfigOrigin;
}

/**
 * The types of the settings that are read. A setting that nothing sets is `null`, and so is one that is set to nothing: an
 * empty text or path (Ansible makes the current folder of an empty path).
 */
export interface SettingTypes {
  /** `[defaults] inventory`, as absolute paths. Ansible has no lists of hosts here: `a,b` are two files. */
  readonly inventory: readonly string[];
  readonly remoteUser: string;
  readonly remotePort: number;
  /** Absolute. */
  readonly privateKeyFile: string;
  /** Any number: 0 is no limit to OpenSSH. */
  readonly timeoutSeconds: number;
  /** At least 1. */
  readonly forks: number;
  readonly askPass: boolean;
  readonly become: boolean;
  readonly becomeUser: string;
  readonly becomeMethod: string;
  readonly becomeAskPass: boolean;
  readonly sshArgs: string;
  readonly sshCommonArgs: string;
  readonly sshExtraArgs: string;
  readonly hostKeyChecking: boolean;
  readonly hashBehaviour: 'replace' | 'merge';
  /** Absolute. */
  readonly vaultPasswordFile: string;
  /** `[ID@]FILE` or `[ID@]prompt`; the files as written. */
  readonly vaultIdentityList: readonly string[];
  readonly askVaultPass: boolean;
}

/** Every setting that is read, with its value. */
export type AnsibleSettings = { readonly [K in keyof SettingTypes]: Configured<SettingTypes[K]> | null };

/** `ansible.cfg` and the variables of the environment that stand for its settings, as Ansible reads them. */
export interface AnsibleConfig {
  /** The file that was read, absolute; `null` when there is none. */
  readonly file: string | null;
  /** Every file that was looked for, up to the one that was read. */
  readonly looked: readonly LookedFile[];
  readonly settings: AnsibleSettings;
  /** What is wrong or doubtful. With an error no run may use the settings; one that could not be read is `null` there. */
  readonly problems: readonly Problem[];
}
