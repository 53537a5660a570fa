import { counted } from '../../core/lists.ts';
import { shellWord } from '../../core/shell-word.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { reviewOfSaved } from '../../report/review-of-saved.ts';
import { EXIT } from '../exit-codes.ts';
import { readSavedFile, type SavedFile } from '../saved-files.ts';
import { type ReviewFlags, showReview } from '../show-review.ts';
import { signatureFiles, signerOf } from '../signatures.ts';
import { openTerminal, toWidth } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface ShowFlags extends ReviewFlags {
  readonly color: boolean;
}

/** `portfw show FILE`: shows a saved plan. It reads this file and its signatures only, and contacts no host. */
export async function show(path: string, flags: ShowFlags): Promise<number> {
  const terminal = openTerminal(flags.color);
  const file = await readSavedFile(path);
  if (flags.raw === true && !reviewOfSaved(file.saved).plans.some(({ raw }) => raw !== undefined))
    throw new UsageError(
      '--raw has nothing to show: this plan was saved without the differences of the files',
      'Save it again, with --raw beside --out',
    );
  await showReview(reviewOfSaved(file.saved), flags, terminal, `portfw show ${shellWord(terminalLine(path))}`);
  const { saved } = file;
  const lines = [
    '',
    `${terminalLine(path)}: saved on ${saved.today} by portfw ${terminalLine(saved.portfw)} from ${saved.options.inventory.map((one) => terminalLine(one)).join(', ')} (${counted(saved.inputs.length, 'file')})`,
    `Digest: ${saved.digest}`,
    ...(await signatureLines(file)),
  ];
  // A document stands alone.
  if (flags.format !== undefined) terminal.error(await toWidth(`${lines.slice(1).join('\n')}\n`, terminal.errorWidth));
  else terminal.out(await toWidth(`${lines.join('\n')}\n`, terminal.width));
  return EXIT.done;
}

async function signatureLines(file: SavedFile): Promise<readonly string[]> {
  const signatures = signatureFiles(file.path);
  if (signatures.length === 0) return ['Not signed'];
  const lines: string[] = [];
  for (const signature of signatures) {
    const name = terminalLine(signature);
    try {
      const state = await signerOf(file, signature);
      lines.push(
        state.kind === 'signed'
          ? `Signed by ${state.key} (${name}); --require-signature of apply checks whose key that is`
          : `${name} is no signature of this file: ${state.why}`,
      );
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      lines.push(`${name} was not checked: ${error.what}`);
    }
  }
  return lines;
}
