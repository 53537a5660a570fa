import { suggestion } from '../../core/suggest.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { readTextFile } from '../../documents/read-file.ts';
import { shippedSchemaFile, shippedSchemaNames } from '../../matrix/shipped.ts';
import { columnLines } from '../../report/terminal/layout.ts';
import { EXIT } from '../exit-codes.ts';
import { openTerminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** `portfw schema [NAME]`: prints a JSON Schema, or lists those that ship with the files that they are in. */
export function showSchema(name: string | null): number {
  const terminal = openTerminal(false);
  const names = shippedSchemaNames();
  if (name === null) {
    const rows = names.map((one) => [{ text: one }, { text: shippedSchemaFile(one) }]);
    terminal.out(`${columnLines(rows).join('\n')}\n`);
  } else if (names.includes(name)) terminal.out(readTextFile(shippedSchemaFile(name)));
  else throw new UsageError(`there is no schema "${terminalLine(name)}"`, suggestion(name, names, 'schemas'));
  return EXIT.done;
}
