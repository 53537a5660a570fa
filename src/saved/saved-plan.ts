import { createHash } from 'node:crypto';
import { canonical } from '../core/canonical.ts';
import type { Failure } from '../core/failure.ts';
import type { ReviewedPlan } from '../plan/plan.ts';

/** The format version of saved plans; other versions are not read. */
export const SAVED_FORMAT = 1;

/** By what a host is recognised: the key that it showed on the connection over which its plan was made. */
export interface HostIdentity {
  /** `ssh-ed25519`. */
  readonly type: string;
  /** `SHA256:…`, as OpenSSH prints it. */
  readonly fingerprint: string;
}

/** What a plan was made of, as far as it is compared again before the plan is applied. */
export interface HostLook {
  /** `null` for the machine that portfw runs on. */
  readonly identity: HostIdentity | null;
  /** `null` where firewalld is not installed, or does not tell its version. */
  readonly firewalld: string | null;
  /** The observed firewalld configuration in sorted lines (see `seen.ts`). */
  readonly seen: readonly string[];
}

/** A host with its plan; a plan that changes nothing is one too. */
export interface SavedHostPlan extends HostLook {
  readonly kind: 'plan';
  readonly host: string;
  /** The groups of the inventory that it is in. */
  readonly groups: readonly string[];
  readonly plan: ReviewedPlan;
}

/** A host that had no plan when the others were saved. */
export interface SavedWithoutPlan {
  readonly kind: 'without';
  readonly host: string;
  readonly groups: readonly string[];
  readonly without: { readonly kind: 'refused' | 'unreachable' | 'failed' | 'skipped' } & Pick<
    Failure,
    'code' | 'what' | 'details' | 'solve'
  >;
}

export type SavedHost = SavedHostPlan | SavedWithoutPlan;

/** A file that was read for the plans. */
export interface SavedInput {
  /** Relative to the folder in which portfw ran; `portfw:…` for a file that ships with portfw. */
  readonly path: string;
  /** SHA-256 of its bytes; of an encrypted file, of the encrypted bytes. */
  readonly sha256: string;
}

/** What the command line said that changes the plans. */
export interface SavedOptions {
  /** The inventories: paths relative to the folder in which portfw ran, or lists of names. */
  readonly inventory: readonly string[];
  readonly playbook: string | null;
  readonly limit: string | null;
  readonly acceptLockout: readonly string[];
  readonly acceptForwardingStop: readonly string[];
}

/** Everything in a saved plan but its digest. There is no time of day in it: equal inputs give equal bytes. */
export interface SavedContents {
  readonly format: typeof SAVED_FORMAT;
  readonly kind: 'apply' | 'rollback';
  /** The version of portfw that made it. */
  readonly portfw: string;
  /** The day on which it was made, `YYYY-MM-DD` in UTC: exceptions expire. */
  readonly today: string;
  readonly options: SavedOptions;
  /** Sorted by path. */
  readonly inputs: readonly SavedInput[];
  /** In the order of the inventory. */
  readonly hosts: readonly SavedHost[];
}

/** A saved plan: the plans of a run, and all that they are bound to. */
export interface SavedPlan extends SavedContents {
  /** See {@link digestOf}. */
  readonly digest: string;
}

/**
 * The digest of a saved plan: SHA-256, in hexadecimal, of its contents as JSON without white space, with the keys of every
 * object sorted by their UTF-16 code units. It recognises a file that was edited; only a signature says by whom it was made.
 */
export function digestOf(contents: SavedContents): string {
  return createHash('sha256').update(canonical(contents), 'utf8').digest('hex');
}

/** The text of the file, with the digest as its last key. */
export function savedText(contents: SavedContents): string {
  return `${JSON.stringify({ ...contents, digest: digestOf(contents) }, null, 1)}\n`;
}
