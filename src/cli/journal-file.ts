import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { expandHome } from '../core/home.ts';
import type { JournalPlace } from '../host/requests.ts';
import { isTorn, type Link, LONGEST_LINE, lineDigest, nextLink, readHead } from '../journal/chain.ts';
import { withJournalLock } from './journal-lock.ts';

/** `--journal`, or the file in the user's state folder (`XDG_STATE_HOME`). */
export function journalPath(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  if (given !== undefined) return resolve(expandHome(given));
  const state = environment['XDG_STATE_HOME'] ?? '';
  // A relative one is to be ignored (XDG Base Directory Specification).
  return join(isAbsolute(state) ? state : join(homedir(), '.local/state'), 'portfw', 'journal.jsonl');
}

/** The file beside a journal that remembers its last line. */
export function headPath(path: string): string {
  return `${path.replace(/\.jsonl$/, '')}.head`;
}

/** A journal's bytes and the text of its head; `null` for what does not exist. */
export interface JournalFiles {
  readonly bytes: Buffer | null;
  readonly head: string | null;
}

/**
 * Reads a journal, while nobody adds to it.
 *
 * @throws Error as of the file system, if it exists and cannot be read
 */
export function readJournal(path: string): JournalFiles {
  const read = (): JournalFiles => ({ bytes: bytesOf(path), head: bytesOf(headPath(path))?.toString('utf8') ?? null });
  // Without the file there may be no folder for a lock either.
  return bytesOf(path) === null ? read() : withJournalLock(path, read);
}

/**
 * Adds one line to a journal, on the disk when this returns, and remembers it in the head. It makes the folder and the file
 * (mode 0600) if they do not exist. Other programs may add lines to the same journal at the same time.
 *
 * @param lineText makes the text of the line
 * @returns where the line is
 * @throws Error as of the file system; the journal is then as before
 */
export function appendToJournal(path: string, lineText: (link: Link) => string): JournalPlace {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return withJournalLock(path, () => {
    const handle = openRegular(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND);
    try {
      const { size } = fstatSync(handle);
      const from = Math.max(0, size - LONGEST_LINE - 1);
      const end = bytesAt(handle, from, size - from);
      const head = bytesOf(headPath(path));
      const link = nextLink(end, head === null ? null : readHead(head.toString('utf8')));
      const line = lineText(link);
      const place = { seq: link.seq, digest: lineDigest(line) };
      try {
        writeWhole(handle, Buffer.from(`${isTorn(end) ? '\n' : ''}${line}\n`));
        rememberHead(path, JSON.stringify(place));
      } catch (error) {
        // Nobody else writes meanwhile. A part of a line, or one that the head does not know, would look like damage.
        ftruncateSync(handle, size);
        throw error;
      }
      const start = bytesAt(handle, 0, LONGEST_LINE);
      const first = start.subarray(0, Math.max(0, start.indexOf('\n')));
      return { id: lineDigest(first), ...place };
    } finally {
      closeSync(handle);
    }
  });
}

/** Opens a regular file; does not wait for the other end of a FIFO. */
function openRegular(path: string, flags: number): number {
  const handle = openSync(path, flags | constants.O_NONBLOCK | constants.O_NOCTTY, 0o600);
  if (fstatSync(handle).isFile()) return handle;
  closeSync(handle);
  throw new Error('it is not a regular file');
}

function writeWhole(handle: number, bytes: Buffer): void {
  if (writeSync(handle, bytes) !== bytes.length) throw new Error('no space left on device');
  fsyncSync(handle);
}

function rememberHead(path: string, text: string): void {
  const temporary = `${headPath(path)}.new`;
  writeFileSync(temporary, `${text}\n`, { mode: 0o600 });
  renameSync(temporary, headPath(path));
}

function bytesAt(handle: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.min(length, fstatSync(handle).size - from));
  let read = 0;
  while (read < bytes.length) {
    const count = readSync(handle, bytes, read, bytes.length - read, from + read);
    if (count === 0) break;
    read += count;
  }
  return bytes.subarray(0, read);
}

function bytesOf(path: string): Buffer | null {
  let handle: number;
  try {
    handle = openRegular(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return readFileSync(handle);
  } finally {
    closeSync(handle);
  }
}
