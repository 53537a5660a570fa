/** The flags that every command over hosts shares, as commander hands them on. */
export interface RunFlags {
  readonly limit?: string;
  readonly playbook?: string;
  readonly forks: number;
  readonly json?: boolean;
  /** How many times `-v` was given. */
  readonly verbose: number;
  readonly acceptNewHostKeys?: boolean;
  readonly knownHosts?: string;
  readonly privateKey?: string;
  readonly user?: string;
  readonly become?: boolean;
  readonly askBecomePass?: boolean;
  readonly askPass?: boolean;
  /** Seconds. */
  readonly connectTimeout?: number;
  /** Of `plan` and `apply`: hosts whose plan may fail the lockout proof. */
  readonly acceptLockout?: readonly string[];
  /** `false` for `--no-color`. */
  readonly color: boolean;
}
