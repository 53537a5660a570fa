import { terminalLine } from '../../core/terminal-text.ts';
import { EXIT } from '../exit-codes.ts';
import { readSavedFile } from '../saved-files.ts';
import { signFile } from '../signatures.ts';
import { openTerminal, toWidth } from '../terminal.ts';

interface SignFlags {
  readonly key: string;
  readonly name?: string;
}

/** `portfw sign FILE --key KEY [--name NAME]`: signs a saved plan, which must be one. */
export async function sign(path: string, flags: SignFlags): Promise<number> {
  const terminal = openTerminal(false);
  const file = await readSavedFile(path);
  const signed = await signFile(file, { key: flags.key, name: flags.name ?? null });
  const text = `${terminalLine(path)}: digest ${file.saved.digest}\n${signed}`;
  terminal.out(await toWidth(text, terminal.width));
  return EXIT.done;
}
