import { existsSync, readFileSync } from 'node:fs';
import { counted } from '../core/lists.ts';
import { shellWord } from '../core/shell-word.ts';
import type { FleetContext } from '../fleet/books.ts';
import { digestOf, type HostLook, type SavedContents, savedText } from '../saved/saved-plan.ts';
import type { FleetCommandOptions, RunSurface, TakenRun } from './fleet-command.ts';
import type { RunFlags } from './run-flags.ts';
import { contentsToSave, requireNoSecrets } from './save-plans.ts';
import { notToOverwrite, writeWhole } from './saved-files.ts';
import { UsageError } from './usage-error.ts';

/** The flags of commands that save what they planned. */
export interface SaveFlags {
  /** The file. */
  readonly out?: string;
  /** The key to sign it with. */
  readonly sign?: string;
}

/** Only the account that planned may read it: it says which ports are open where. */
const MODE = 0o600;

/**
 * What a run that plans does beyond planning for its plans to be saved; nothing without `--out`.
 *
 * @param version of portfw
 * @throws UsageError when the flags have no sense, or the file must not be overwritten
 */
export function savingOptions(
  kind: SavedContents['kind'],
  sources: readonly string[],
  flags: RunFlags & SaveFlags,
  version: string,
): Pick<FleetCommandOptions, 'context' | 'after'> {
  const { out, sign } = flags;
  if (out === undefined) {
    if (sign !== undefined)
      throw new UsageError('--sign signs a saved plan', 'Add --out FILE; or sign a file with "portfw sign"');
    return {};
  }
  if (out.trim() === '') throw new UsageError('--out names no file', 'Write --out change.plan.json');
  const kept = notToOverwrite(out);
  if (kept !== null) throw new UsageError(kept, 'Name another file, or remove it');
  const looks = new Map<string, HostLook>();
  const context: Partial<FleetContext> = { look: (host, look) => void looks.set(host, look) };
  const after = async ({ summary, context: made, files }: TakenRun, surface: RunSurface): Promise<void> => {
    const say = saying(flags, surface);
    if (summary.interrupted) {
      say('The plan was not saved: the run was interrupted\n');
      return;
    }
    const { inventory, today } = made;
    const contents = contentsToSave({ kind, version, today, sources, flags, files, inventory, summary, looks });
    requireNoSecrets(contents, inventory);
    const bytes = Buffer.from(savedText(contents), 'utf8');
    const { signatureFiles, signFile } = await import('./signatures.ts');
    const earlier = existsSync(out) && !readFileSync(out).equals(bytes) ? signatureFiles(out) : [];
    writeWhole(out, bytes, MODE);
    const planned = contents.hosts.filter((one) => one.kind === 'plan').length;
    say(`\nSaved the plan of ${counted(planned, 'host')} in ${shellWord(out)}; digest ${digestOf(contents)}\n`);
    for (const one of earlier)
      say(`warning: ${shellWord(one)} signs the file that was here before, and does not fit this one\n`);
    if (sign !== undefined) say(await signFile({ path: out, bytes }, { key: sign, name: null }));
    if (planned > 0) say(`Apply it with: portfw apply ${shellWord(out)}\n`);
  };
  return { context, after };
}

/** Where to say something below the results: beside a document or events, it goes to the error output. */
function saying(flags: RunFlags, { terminal }: RunSurface): (text: string) => void {
  const out = flags.json !== true && flags.format === undefined;
  return (text) => (out ? terminal.out(text) : terminal.error(text));
}
