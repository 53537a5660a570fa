import { fileItself, InputError, Problem } from '../../core/problem.ts';
import { readTextFile } from '../../documents/read-file.ts';
import type { SourceText } from '../../documents/source-text.ts';

/**
 * Turns the text of a file that `ansible-vault` encrypted as a whole into what was encrypted.
 *
 * @throws InputError when it cannot be decrypted
 */
export type Decrypt = (text: string, file: string) => string;

/**
 * Reads a file of an inventory: of hosts or of variables.
 *
 * @param decrypt is given the text of files that begin with `$ANSIBLE_VAULT;`; without it they are refused
 * @throws InputError saying why the file cannot be read
 */
export function readSourceText(path: string, decrypt: Decrypt | null): SourceText {
  const text = readTextFile(path);
  if (!text.startsWith('$ANSIBLE_VAULT;')) return { file: path, text, secret: null };
  if (decrypt !== null) return { file: path, text: decrypt(text, path), secret: { variable: null } };
  throw new InputError([
    new Problem({
      severity: 'error',
      code: 'vault-file',
      what: 'the whole file is encrypted with ansible-vault',
      solve: 'Encrypt single values with "!vault" instead',
      location: fileItself(path),
    }),
  ]);
}
