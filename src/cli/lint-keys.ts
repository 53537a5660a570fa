import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { threeShown } from '../core/lists.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { shellWord } from '../core/shell-word.ts';
import { shown } from '../core/shown.ts';
import { terminalLine } from '../core/terminal-text.ts';

/** The private keys that an inventory names: each is looked at once, however many hosts use it. */
export class NamedKeys {
  readonly #keys = new Map<string, { readonly location: SourceLocation | null; readonly hosts: string[] }>();

  add(file: string, location: SourceLocation | null, host: string): void {
    const key = this.#keys.get(file) ?? { location, hosts: [] };
    if (!key.hosts.includes(host)) key.hosts.push(host);
    this.#keys.set(file, key);
  }

  /** The keys that do not exist or cannot be read here, and those that `ssh` would refuse. Warnings: the keys may be elsewhere. */
  problems(): readonly Problem[] {
    return [...this.#keys].flatMap(([file, { location, hosts }]) => {
      const doubt = keyDoubt(file, threeShown(hosts));
      return doubt === null ? [] : [new Problem({ severity: 'warning', location, ...doubt })];
    });
  }
}

function keyDoubt(file: string, hosts: string): Pick<Problem, 'code' | 'what' | 'solve'> | null {
  const info = lookAt(file);
  const missing = (why: string, solve: string) => ({
    code: 'missing-key',
    what: `the private key ${shown(file)} of ${hosts} ${why}`,
    solve,
  });
  switch (info.kind) {
    case 'absent':
      // For a key in an agent the public half is enough.
      if (lookAt(`${file}.pub`).kind === 'file') return null;
      return missing(
        'does not exist',
        'Correct the path, copy the key there, or leave it out to use the agent and the default keys; a relative path begins in the folder where portfw runs',
      );
    case 'unreadable':
      return missing(`cannot be read: ${info.why}`, 'Make the file readable for your account only');
    case 'file': {
      const { mode, uid } = info.stats;
      // As OpenSSH decides: the keys of other accounts are not its business.
      if ((mode & 0o077) === 0 || uid !== process.getuid?.()) return null;
      return {
        code: 'open-key',
        what: `other accounts may use the private key ${shown(file)} of ${hosts} (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): ssh refuses it`,
        solve: `Make it readable for your account only: chmod 600 ${terminalLine(shellWord(file))}`,
      };
    }
  }
}

type Looked =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly why: string }
  | { readonly kind: 'file'; readonly stats: Stats };

function lookAt(file: string): Looked {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) return { kind: 'unreadable', why: 'it is not a file' };
    accessSync(file, constants.R_OK);
    return { kind: 'file', stats };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'absent' } : { kind: 'unreadable', why: code };
  }
}
