import { matchLimit } from '../ansible/patterns/patterns.ts';
import { counted, threeShown } from '../core/lists.ts';
import { shellWord } from '../core/shell-word.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { FleetContext } from '../fleet/books.ts';
import { inputDrift } from '../saved/drift.ts';
import type { SavedHost } from '../saved/saved-plan.ts';
import { type ApplyFlags, apply } from './commands/apply.ts';
import { rollback } from './commands/rollback.ts';
import type { RunSurface } from './fleet-command.ts';
import type { PreparedRun } from './prepare-run.ts';
import { savedInputs } from './save-plans.ts';
import { isSavedPlan, readSavedFile, type SavedFile } from './saved-files.ts';
import { UsageError } from './usage-error.ts';

/** The flags of `apply` that are for saved plans. */
export interface SavedFlags {
  readonly onlyCurrent?: boolean;
  /** An allowed_signers file of OpenSSH. */
  readonly requireSignature?: string;
  /** How many people must have signed. */
  readonly signatures?: number;
}

/**
 * The saved plan among the arguments of `apply`, or `null` when all of them are inventories.
 *
 * @throws UsageError when it is not the only argument, or when flags for saved plans have none
 */
export function savedPlanAmong(files: readonly string[], flags: SavedFlags): string | null {
  const [saved] = files.filter(isSavedPlan);
  if (saved !== undefined && files.length > 1)
    throw new UsageError(
      `${terminalLine(saved)} is a saved plan, which is applied by itself`,
      'Name other inventories than those that it was made from with -i',
    );
  if (saved !== undefined) return saved;
  const given = [
    ...(flags.onlyCurrent === true ? ['--only-current'] : []),
    ...(flags.requireSignature === undefined ? [] : ['--require-signature']),
    ...(flags.signatures === undefined ? [] : ['--signatures']),
  ];
  if (given.length > 0)
    throw new UsageError(
      `${given[0]!} is for a saved plan, and none is named`,
      'Save one with "portfw plan INVENTORY --out FILE", and name the file',
    );
  return null;
}

/**
 * `portfw apply FILE`: applies a saved plan. Each host gets exactly what was saved for it, or nothing.
 *
 * @throws InputError when the file is no saved plan, or is not signed as it must be; UsageError when flags contradict it
 */
export async function applySaved(path: string, flags: ApplyFlags & SavedFlags, version: string): Promise<number> {
  const file = await readSavedFile(path);
  const { saved } = file;
  refuseFlags(file, flags);
  const signers = await signersOf(file, flags);
  const hosts = new Map(saved.hosts.map((one) => [one.host, one]));
  if (saved.hosts.every(({ kind }) => kind === 'without'))
    throw new UsageError(
      `no host of ${terminalLine(path)} has a plan`,
      'See why with "portfw show", and save the plan again when that is solved',
    );
  const { options } = saved;
  const moved = flags.inventory !== undefined;
  const sources = flags.inventory ?? options.inventory;
  const context: Partial<FleetContext> = {
    acceptLockout: new Set(options.acceptLockout),
    acceptForwardingStop: new Set(options.acceptForwardingStop),
    saved: hosts,
    onlyCurrent: flags.onlyCurrent === true,
    plannedBy: { digest: saved.digest, signers },
  };
  const run = {
    ...flags,
    hosts: new Set(hosts.keys()),
    ...(options.playbook === null ? {} : { playbook: options.playbook }),
  };
  const command = saved.kind === 'apply' ? apply : rollback;
  return command(sources, run, version, {
    shownBy: `portfw show ${shellWord(terminalLine(path))}`,
    plannedAt: Date.parse(saved.today),
    context,
    prepared: (prepared, surface) => {
      if (signers.length > 0) surface.report.say(`Signed by ${signers.join(', ')}`);
      tellMissing([...hosts.values()], prepared, run, surface);
      return { changedInputs: inputDrift(saved.inputs, savedInputs(prepared.files), moved) };
    },
  });
}

/** What belongs to the plan was decided when it was saved. */
function refuseFlags({ path, saved }: SavedFile, flags: ApplyFlags & SavedFlags): void {
  if (saved.kind === 'rollback' && (flags.confirm !== undefined || flags.cutRevoked === true))
    throw new UsageError(
      `${terminalLine(path)} is the plan of a rollback, which takes neither --confirm nor --cut-revoked`,
      'Leave them out',
    );
  if (saved.kind === 'rollback' && flags.metrics !== undefined)
    throw new UsageError(
      `${terminalLine(path)} is the plan of a rollback, which writes no metrics`,
      'Leave out --metrics',
    );
  const given = [
    ...(flags.playbook === undefined ? [] : ['--playbook']),
    ...(flags.acceptLockout === undefined ? [] : ['--accept-lockout']),
    ...(flags.acceptForwardingStop === undefined ? [] : ['--accept-forwarding-stop']),
  ];
  if (given.length > 0)
    throw new UsageError(
      `${given[0]!} is part of a plan, and ${terminalLine(path)} is saved`,
      `Save the plan again with ${given[0]!}, and have it reviewed`,
    );
  if (flags.signatures !== undefined && flags.requireSignature === undefined)
    throw new UsageError('--signatures counts those of --require-signature', 'Add --require-signature FILE');
}

async function signersOf(file: SavedFile, flags: SavedFlags): Promise<readonly string[]> {
  if (flags.requireSignature === undefined) return [];
  const { requireSigners } = await import('./signatures.ts');
  return requireSigners(file, flags.requireSignature, flags.signatures ?? 1);
}

/**
 * Says which hosts of the saved plan the inventory does not have any more.
 *
 * @throws UsageError when the plan of one of them should be applied, unless with `--only-current`
 */
function tellMissing(
  hosts: readonly SavedHost[],
  { context: { inventory, jobs } }: PreparedRun,
  { limit, onlyCurrent }: ApplyFlags & SavedFlags,
  { report }: RunSurface,
): void {
  const limited = limit === undefined ? null : new Set(matchLimit(inventory, limit).hosts);
  const meant = (one: SavedHost): boolean =>
    limited === null || (inventory.hosts.has(one.host) ? limited.has(one.host) : mayBeMeant(one, limit ?? ''));
  const missing = hosts.filter((one) => !jobs.has(one.host) && meant(one));
  if (missing.length === 0) return;
  const text = `${threeShown(missing.map(({ host }) => host))}: in the saved plan, but the inventory has no such host to manage any more`;
  const rest = hosts.filter(({ kind, host }) => kind === 'plan' && jobs.has(host)).length;
  if (onlyCurrent !== true && missing.some(({ kind }) => kind === 'plan'))
    throw new UsageError(
      text,
      `Save the plan again; or apply it to the other ${counted(rest, 'host')} with --only-current`,
    );
  report.say(text);
}

/**
 * Whether `--limit` may mean a host that the inventory does not have any more. Only names can be told: a pattern, such as
 * `web*` or `~^web`, is taken to mean it.
 */
function mayBeMeant({ host, groups }: SavedHost, limit: string): boolean {
  const names = limit.split(/[:,]/).map((part) => part.trim());
  const own = new Set([host, ...groups, 'all', '*']);
  if (names.some((name) => name.startsWith('!') && own.has(name.slice(1)))) return false;
  const wanted = names.filter((name) => name !== '' && !/^[!&]/.test(name));
  return wanted.length === 0 || wanted.some((name) => own.has(name) || !/^[\w.-]+$/.test(name));
}
