import type { ConfigOrigin } from '../ansible/config/config-types.ts';
import type { PortRange, Protocol } from '../core/ports.ts';
import type { Problem, SourceLocation } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';

/** The kinds of address a rule can be bound to; the inventory or the facts map each to real interfaces or addresses. */
export const INTERFACE_CLASSES = ['public', 'private', 'vip', 'control'] as const;

/** One of `INTERFACE_CLASSES`. */
export type InterfaceClass = (typeof INTERFACE_CLASSES)[number];

/** How the private interface is treated: everything trusted, only the site's peers, or only what the matrix says. */
export type PrivateMode = 'trusted' | 'peers' | 'matrix';

/** What happens to a flow that no rule accepts: refused as firewalld does by itself, dropped, or refused along with pings. */
export type ZoneTarget = 'default' | 'drop' | 'reject';

/** What may be done about a firewalld that does not run: start it, or install it first where it is missing. */
export type EnsureFirewalld = 'running' | 'installed';

/** What set a value: a variable of the inventory, a flag, `ansible.cfg`, or a variable of the environment. */
export type SettingOrigin =
  | { readonly kind: 'variable'; readonly name: string; readonly location: SourceLocation | null }
  | { readonly kind: 'flag'; readonly name: string }
  | ConfigOrigin;

/** A value with what set it. */
export interface Sourced<T> {
  readonly value: T;
  readonly origin: SettingOrigin;
}

/** The settings of a connection that may come from outside the inventory; `null` where nothing sets one. */
export interface ConnectionSources {
  readonly port: Sourced<number> | null;
  readonly user: Sourced<string> | null;
  readonly privateKeyFile: Sourced<string> | null;
  readonly timeoutSeconds: Sourced<number> | null;
  readonly sshArgs: Sourced<string> | null;
  readonly commonArgs: Sourced<string> | null;
  readonly extraArgs: Sourced<string> | null;
}

/** What set how root's rights are gained; `null` where nothing did. */
export interface BecomeSources {
  readonly enabled: Sourced<boolean> | null;
  readonly user: Sourced<string> | null;
  readonly method: Sourced<string> | null;
}

/** How a host is reached (`ansible_host`, `ansible_port`, `ansible_user`, …). */
export interface ConnectionSettings {
  readonly kind: 'ssh' | 'local';
  /** `ansible_host`, or the inventory name when there is none. */
  readonly address: string;
  /** `ansible_port`, else from `ansible.cfg`; `null` leaves it to the SSH configuration (22 when that is silent too). */
  readonly port: number | null;
  /** `ansible_user`, else `--user`, else from `ansible.cfg`; `null` leaves it to the SSH configuration and then to the local user. */
  readonly user: string | null;
  /** `ansible_ssh_private_key_file`, else `--private-key`, else from `ansible.cfg`; absolute, with `~` expanded. */
  readonly privateKeyFile: string | null;
  /** `ansible_ssh_args`, which come before all other options, as on Ansible's command line of OpenSSH: the first one counts. */
  readonly sshArgs?: string | null;
  /** `ansible_ssh_common_args` and `ansible_ssh_extra_args`, one after the other, which come last. */
  readonly commonArgs: string | null;
  /** `ansible_timeout`, else from `ansible.cfg`; in seconds. */
  readonly timeoutSeconds: number | null;
  /** `ansible_password`, absent when the inventory has none; the environment and the prompt win over it. */
  readonly password?: Secret;
  /** What set these values; absent when no inventory did. */
  readonly sources?: Partial<ConnectionSources>;
}

/** How root's rights are gained on a host (`ansible_become…`). */
export interface BecomeSettings {
  readonly enabled: boolean;
  /** Always `root`: nothing less can change a firewall. */
  readonly user: string;
  readonly method: 'sudo';
  /** `ansible_become_password`, when the inventory has it. */
  readonly password: Secret | null;
  /** What set these values; absent when no inventory did. */
  readonly sources?: BecomeSources;
}

/** One rule that the inventory adds to the matrix (`portfw_extra_rules`). */
export interface ExtraRule {
  readonly name: string;
  readonly interface: InterfaceClass;
  readonly protocol: Protocol;
  readonly ports: readonly PortRange[];
  /** Addresses, CIDRs, group or host names that may connect; `null` means anyone; with `any` in the list this is intended. */
  readonly from: readonly string[] | null;
  readonly owner: string;
  readonly reason: string;
  /** The last day on which the rule is applied, `YYYY-MM-DD`; `null` means no end. */
  readonly expires: string | null;
  readonly location: SourceLocation;
}

/** Why portfw does not manage a host, which is in the inventory as a peer of others only. */
export type Unmanaged =
  /** `portfw_managed: false`: an appliance, an office's gateway. */
  | { readonly kind: 'declared' }
  /** `ansible_connection` is one that portfw does not speak, such as `winrm`. */
  | { readonly kind: 'connection'; readonly connection: string; readonly location: SourceLocation | null }
  /** The machine that portfw runs on, in an inventory of other machines, and without `portfw_managed: true`. */
  | { readonly kind: 'local-among-remote'; readonly connection: string; readonly location: SourceLocation | null };

/** The validated view of one host's inventory variables. */
export interface HostSettings {
  /** The inventory name. */
  readonly name: string;
  readonly connection: ConnectionSettings;
  readonly become: BecomeSettings;
  /** Why portfw never logs in to the host, which has addresses and roles for its peers all the same; `null` for a managed host. */
  readonly unmanaged: Unmanaged | null;
  /** Whether `unmanaged` is `null`. */
  readonly managed: boolean;
  /** `portfw_playbook`: a shipped playbook's name, or an absolute path (resolved against the file that sets it). */
  readonly playbook: string | null;
  /** `portfw_roles`: the declared roles; `null` means detect them. */
  readonly roles: readonly string[] | null;
  /** `portfw_interfaces`: interface names, addresses or networks of each class; a class that is not mapped has an empty list. */
  readonly interfaces: Readonly<Record<InterfaceClass, readonly string[]>>;
  /** `portfw_vips`: virtual addresses that may float to this host. */
  readonly vips: readonly string[];
  /** `portfw_features`: names of the matrix's features to turn on. */
  readonly features: readonly string[];
  /** `portfw_private`; `null` leaves it to the playbook. */
  readonly private: PrivateMode | null;
  /** `portfw_sides_checked`: public and private are as written, although the facts look as if they were mixed up. */
  readonly sidesChecked: boolean;
  /** `portfw_zone_target`, by class; a class that is missing has `default`. */
  readonly zoneTargets: Readonly<Partial<Record<InterfaceClass, ZoneTarget>>>;
  /** `portfw_cluster`: the inventory group whose members are never filtered from each other. */
  readonly cluster: string | null;
  /** `portfw_site`: the inventory group that is the site; `null` means all managed hosts under the same playbook. */
  readonly site: string | null;
  /** `portfw_role_interfaces`: role → the class that its rules apply to. */
  readonly roleInterfaces: Readonly<Record<string, InterfaceClass>>;
  /** `portfw_peers`: peer set name → group or host names, addresses, CIDRs. */
  readonly peers: Readonly<Record<string, readonly string[]>>;
  /**
   * `portfw_allow_from`: rule selector → group or host names, addresses, CIDRs; `any` among them leaves the rule as the
   * matrix has it, knowingly. A selector is `role`, `role/port`, `role/protocol/port` or `role/interface/protocol/port`.
   */
  readonly allowFrom: Readonly<Record<string, readonly string[]>>;
  readonly extraRules: readonly ExtraRule[];
  /** `portfw_management`: addresses, CIDRs, group or host names from which SSH must always be possible; on the public side, only from these. */
  readonly management: readonly string[];
  /** `portfw_ensure_firewalld`: start a firewalld that does not run, or install one as well; `null` refuses such a host. */
  readonly ensureFirewalld: EnsureFirewalld | null;
  /** `portfw_addresses`: this host's addresses as its peers see them. */
  readonly addresses: Readonly<Partial<Record<InterfaceClass, readonly string[]>>>;
  /**
   * Where a value was written: the place of the innermost part of `path` that exists.
   * `path` is the variable's name and what lies within it, e.g. `['portfw_roles', 0]`.
   */
  locate(path: readonly (string | number)[], at?: 'key' | 'value'): SourceLocation | null;
}

/** Every host's settings with everything that is wrong with them. */
export interface SettingsResult {
  /** The hosts whose settings are usable; a host with an error is absent. */
  readonly settings: ReadonlyMap<string, HostSettings>;
  /** The other hosts' settings without the values that are wrong: for finding further problems, never for a run. */
  readonly partial: ReadonlyMap<string, HostSettings>;
  readonly problems: readonly Problem[];
}
