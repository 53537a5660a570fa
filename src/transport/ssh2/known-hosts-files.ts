import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Fault } from '../../core/failure.ts';
import {
  decideHostKey,
  type HostKeyDecision,
  type HostKeyNames,
  type KnownHosts,
  knownHostsLine,
  parseKnownHosts,
} from './known-hosts.ts';

/** OpenSSH's default files; new keys are recorded in the first. */
export function defaultKnownHostsFiles(home: string = homedir()): string[] {
  return [...defaultUserKnownHostsFiles(home), ...defaultGlobalKnownHostsFiles()];
}

/** The user's default files (UserKnownHostsFile). */
export function defaultUserKnownHostsFiles(home: string): string[] {
  return [join(home, '.ssh', 'known_hosts'), join(home, '.ssh', 'known_hosts2')];
}

/** The system's default files (GlobalKnownHostsFile). */
export function defaultGlobalKnownHostsFiles(): string[] {
  return ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'];
}

/** Reading or writing failed; `what` names the file and the system's reason. */
export interface KnownHostsFileFailure extends Fault {
  readonly kind: 'failed';
}

/**
 * Reads known_hosts files for many hosts at once: a file is parsed again only if it has changed. Additions are
 * made one after the other, each after reading again, so two connections can never record two keys for one host.
 */
export class KnownHostsStore {
  readonly #parsed = new Map<string, { readonly version: string; readonly known: KnownHosts }>();
  #additions: Promise<unknown> = Promise.resolve();

  /** The contents of all files; a missing file is empty. */
  async read(
    files: readonly string[],
  ): Promise<{ readonly kind: 'read'; readonly known: KnownHosts } | KnownHostsFileFailure> {
    const parts: KnownHosts[] = [];
    for (const file of files) {
      try {
        parts.push(await this.#readFile(file));
      } catch (error) {
        if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') continue;
        return {
          kind: 'failed',
          what: `Cannot read the known hosts file ${file}: ${errorCode(error)}`,
          solve: 'Make the file readable: without it no host key can be checked',
        };
      }
    }
    return {
      kind: 'read',
      known: { entries: parts.flatMap((part) => part.entries), ignored: parts.flatMap((part) => part.ignored) },
    };
  }

  async #readFile(file: string): Promise<KnownHosts> {
    const info = await stat(file);
    const version = `${info.ino}:${info.size}:${info.mtimeMs}`;
    const cached = this.#parsed.get(file);
    if (cached?.version === version) return cached.known;
    const known = parseKnownHosts(await readFile(file, 'utf8'), file);
    this.#parsed.set(file, { version, known });
    return known;
  }

  /**
   * Records a key that no file knows, in the first file.
   *
   * @param hashed whether the name is hidden behind a hash
   * @returns the decision after reading again: `unknown` if the key was recorded now, anything else if another process
   *   recorded a key for the host meanwhile.
   */
  add(
    files: readonly string[],
    names: HostKeyNames,
    key: Buffer,
    hashed = false,
  ): Promise<HostKeyDecision | KnownHostsFileFailure> {
    const addition = this.#additions.then(() => this.#add(files, names, key, hashed));
    this.#additions = addition.catch(() => undefined);
    return addition;
  }

  async #add(
    files: readonly string[],
    names: HostKeyNames,
    key: Buffer,
    hashed: boolean,
  ): Promise<HostKeyDecision | KnownHostsFileFailure> {
    const current = await this.read(files);
    if (current.kind === 'failed') return current;
    const decision = decideHostKey(current.known, names, key);
    if (decision.kind !== 'unknown') return decision;
    const file = files[0];
    try {
      if (file === undefined) throw new Error('no file is configured');
      await appendLine(file, knownHostsLine(names, key, hashed));
      return decision;
    } catch (error) {
      return {
        kind: 'failed',
        what: `Cannot record the new host key in ${file ?? 'a known hosts file'}: ${errorCode(error)}`,
        solve: 'Make the file writable, or add the key yourself',
      };
    }
  }
}

/** One write in append mode, so that it is atomic for other processes. Creates file (0600) and folder (0700). */
async function appendLine(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    // The last line may have no line feed.
    const separator = size > 0 && last[0] !== 0x0a ? '\n' : '';
    const bytes = Buffer.from(separator + line, 'utf8');
    const { bytesWritten } = await handle.write(bytes);
    if (bytesWritten !== bytes.length) throw new Error('the file system is full');
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function errorCode(error: unknown): string {
  if (error instanceof Error) return (error as NodeJS.ErrnoException).code ?? error.message;
  return String(error);
}
