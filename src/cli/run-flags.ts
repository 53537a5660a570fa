import type { AnsibleSettings } from '../ansible/config/config-types.ts';
import type { Vault } from '../ansible/vault/vault.ts';
import type { SecretName } from '../core/environment.ts';
import type { Secret } from '../core/secret.ts';
import type { InventoryFlag } from './inventory-sources.ts';
import type { ReviewFormat } from './review-formats.ts';
import type { VaultFlags } from './vault-flags.ts';

/** The flags that every command over hosts shares, as commander hands them on. */
export interface RunFlags extends InventoryFlag, VaultFlags {
  readonly limit?: string;
  readonly playbook?: string;
  readonly forks?: number;
  readonly json?: boolean;
  /** Of commands that show a review: what is printed instead of text. */
  readonly format?: ReviewFormat;
  /** How many times `-v` was given. */
  readonly verbose: number;
  readonly acceptNewHostKeys?: boolean;
  readonly knownHosts?: string;
  /** The ssh_config file to read instead of the user's and the system's, or `none`. */
  readonly sshConfig?: string;
  readonly privateKey?: string;
  readonly user?: string;
  readonly become?: boolean;
  readonly askBecomePass?: boolean;
  readonly askPass?: boolean;
  /** Seconds. */
  readonly connectTimeout?: number;
  /** Of a command that runs twice over the hosts: the vault that is open already, and the passwords that were asked for. */
  readonly vault?: Vault;
  readonly asked?: Map<SecretName, Secret>;
  /** Of a saved plan that is applied: its hosts, and the run is for no other. */
  readonly hosts?: ReadonlySet<string>;
  /** Of `plan`, `apply` and `rollback`: hosts whose change may fail the lockout proof. */
  readonly acceptLockout?: readonly string[];
  /** Of `plan` and `apply`: hosts that may stop forwarding what others have set up. */
  readonly acceptForwardingStop?: readonly string[];
  /** `--journal FILE`, or `false` for `--no-journal`: of commands that change hosts, and of `history`. */
  readonly journal?: string | false;
  /** `false` for `--no-color`. */
  readonly color: boolean;
}

/** Enough to hide the network's round trips, and no load for this machine. */
const DEFAULT_FORKS = 20;

/** What `--forks` may say at most. */
export const MOST_FORKS = 1000;

/** How many hosts a run works on at once. */
export function forksOf(flags: Pick<RunFlags, 'forks'>, configured: Pick<AnsibleSettings, 'forks'>): number {
  return flags.forks ?? Math.min(configured.forks?.value ?? DEFAULT_FORKS, MOST_FORKS);
}
/** Those of them that `portfw init --look` takes: how to log in, how many at once, and how to show it. */
export const LOOK_FLAGS = [
  ...(['forks', 'verbose', 'privateKey', 'askPass', 'askBecomePass', 'acceptNewHostKeys'] as const),
  ...(['knownHosts', 'sshConfig', 'connectTimeout', 'color'] as const),
] as const satisfies readonly (keyof RunFlags)[];
