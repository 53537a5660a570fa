import { InputError } from '../../core/problem.ts';
import { readTextFile } from '../../documents/read-file.ts';

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
export function readSourceText(path: string, decrypt: Decrypt | null): string {
  const text = readTextFile(path);
  if (!text.startsWith('$ANSIBLE_VAULT;')) return text;
  if (decrypt !== null) return decrypt(text, path);
  throw new InputError([
    {
      severity: 'error',
      code: 'vault-file',
      message: 'the whole file is encrypted with ansible-vault',
      hint: 'Encrypt single values with "!vault" instead',
      location: { file: path, line: 1, column: 1 },
    },
  ]);
}
