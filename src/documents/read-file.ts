import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { InputError, Problem } from '../core/problem.ts';
import { parseYaml, type YamlFile } from './yaml-document.ts';

/** The largest file that we read, in bytes. */
export const MAX_FILE_BYTES = 5 * 1024 * 1024;

/** The files that were read, by path as it was given, with the SHA-256 of their bytes in hexadecimal. */
export type FilesRead = ReadonlyMap<string, string>;

/** Where the files of this flow of calls are written down. */
const records = new AsyncLocalStorage<Map<string, string>>();

/**
 * Runs something and tells which files it has read, whether it made use of them or not.
 *
 * @throws what `use` throws
 */
export async function recordingFiles<T>(
  use: () => Promise<T>,
): Promise<{ readonly value: T; readonly files: FilesRead }> {
  const files = new Map<string, string>();
  const value = await records.run(files, use);
  return { value, files };
}

/** Writes a file down that is run and not read as text; it may be large. */
function recordProgram(path: string, descriptor: number): void {
  const files = records.getStore();
  if (files === undefined) return;
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(64 * 1024);
  for (let at = 0; ; ) {
    const count = readSync(descriptor, buffer, 0, buffer.length, at);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    at += count;
  }
  files.set(path, hash.digest('hex'));
}

/**
 * Reads a regular text file of at most `MAX_FILE_BYTES`: never a FIFO, a device or a folder (a FIFO would hang us).
 *
 * @returns the UTF-8 text, without a byte order mark
 * @throws InputError saying why the file cannot be read
 */
export function readTextFile(path: string): string {
  const bytes = readBytes(path);
  const encoding = otherEncoding(bytes);
  if (encoding !== null) throw fileError(path, 'not-utf8', `the file is ${encoding}, not UTF-8`, 'Save it as UTF-8');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { line, column, byte } = firstBadByte(bytes);
    if (bytes.includes(0)) throw binaryFile(path, 1, 1);
    const solve = 'Save the file as UTF-8; it may be Latin-1 or Windows-1252 now';
    throw fileError(path, 'not-utf8', `the byte ${byte} here is not valid UTF-8`, solve, { line, column });
  }
  const zero = bytes.indexOf(0);
  if (zero !== -1) {
    const { line, column } = placeOf(bytes, zero);
    throw binaryFile(path, line, column);
  }
  return text;
}

/** UTF-16 and UTF-32 by their marks, or by the zero that is every other byte of Western text. */
function otherEncoding(bytes: Buffer): 'UTF-16' | 'UTF-32' | null {
  const begins = (...mark: number[]): boolean => mark.every((byte, index) => bytes[index] === byte);
  if (begins(0xff, 0xfe, 0, 0) || begins(0, 0, 0xfe, 0xff)) return 'UTF-32';
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) return 'UTF-16';
  const start = bytes.subarray(0, 64);
  if (start.length < 4) return null;
  const zeros = (offset: number): boolean =>
    start.every((byte, index) => (index % 2 === offset ? byte === 0 : byte !== 0));
  return zeros(0) || zeros(1) ? 'UTF-16' : null;
}

function binaryFile(path: string, line: number, column: number): InputError {
  const solve = 'Check that it is the right file; a compressed or encrypted one has to be unpacked first';
  return fileError(path, 'binary-file', 'the file holds zero bytes: it is not text', solve, { line, column });
}

/**
 * The first bytes of a regular file, at most `count`.
 *
 * @throws InputError saying why the file cannot be read
 */
export function readFileHead(path: string, count: number): Buffer {
  return withFile(path, (descriptor) => {
    recordProgram(path, descriptor);
    const buffer = Buffer.alloc(count);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, count, 0));
  });
}

/**
 * Reads and parses a YAML file safely; see `readTextFile` and `parseYaml`.
 *
 * @throws InputError with every problem found
 */
export function readYamlFile(path: string): YamlFile {
  return parseYaml(readTextFile(path), path);
}

/**
 * The bytes of a regular file, with the bounds of `readTextFile`.
 *
 * @param most how many bytes it may have
 * @throws InputError saying why the file cannot be read
 */
export function readBytes(path: string, most = MAX_FILE_BYTES): Buffer {
  return withFile(path, (descriptor, size, written) => {
    // One byte more than allowed, so that a file that grows while it is read is noticed too.
    const buffer = Buffer.alloc(Math.min(size, most) + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    if (size > most || length > most) {
      const limit = most / 1024 / 1024;
      throw fileError(
        path,
        'file-too-big',
        `the file is larger than ${limit} MiB`,
        'Split it, or check that it is the right file',
      );
    }
    if (length !== size || fstatSync(descriptor).mtimeMs !== written) {
      throw fileError(
        path,
        'file-changed',
        'the file changed while it was read',
        'Run again when no program writes it',
      );
    }
    const bytes = buffer.subarray(0, length);
    records.getStore()?.set(path, createHash('sha256').update(bytes).digest('hex'));
    return bytes;
  });
}

/** Opens a regular file without waiting, and closes it after its use. */
function withFile<T>(path: string, use: (descriptor: number, size: number, written: number) => T): T {
  let descriptor: number;
  try {
    // Without O_NONBLOCK opening a FIFO waits for a writer; fstat then judges the very file that was opened.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw openError(path, error);
  }
  try {
    const status = fstatSync(descriptor);
    if (status.isDirectory()) throw fileError(path, 'not-a-file', 'this is a folder, not a file', 'Name a file in it');
    if (!status.isFile()) {
      throw fileError(
        path,
        'not-a-file',
        'this is not a regular file',
        'Copy its contents into a file and name that one',
      );
    }
    return use(descriptor, status.size, status.mtimeMs);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw openError(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function openError(path: string, error: unknown): InputError {
  if (path === '') {
    const solve = 'Name a file; a variable on the command line may be empty';
    return new InputError([
      new Problem({
        severity: 'error',
        code: 'file-not-found',
        what: 'the path of a file is empty',
        solve,
        location: null,
      }),
    ]);
  }
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return fileError(path, 'file-not-found', 'there is no such file', 'Check the path');
    case 'EACCES':
    case 'EPERM':
      return fileError(path, 'file-unreadable', 'permission denied', 'Check its owner and mode');
    case 'ELOOP':
      return fileError(path, 'file-unreadable', 'the symbolic link leads back to itself', 'Correct the link');
    case 'ENAMETOOLONG':
      return fileError(path, 'file-not-found', 'the path is too long for a file', 'Check the path');
    case 'ERR_INVALID_ARG_VALUE':
      return fileError(path, 'file-not-found', 'the path holds a zero byte', 'Check the path');
    case 'ENXIO':
      return fileError(
        path,
        'not-a-file',
        'this is not a regular file',
        'Copy its contents into a file and name that one',
      );
    default:
      return fileError(
        path,
        'file-unreadable',
        `the file cannot be read (${code ?? 'unknown error'})`,
        'Check the path and the disk',
      );
  }
}

function fileError(
  file: string,
  code: string,
  what: string,
  solve: string,
  at: { readonly line: number; readonly column: number } = { line: 1, column: 1 },
): InputError {
  const location = { file, ...at, secret: null };
  return new InputError([new Problem({ severity: 'error', code, what, solve, location })]);
}

/** The first byte that is no UTF-8, and its line and column (in bytes). */
function firstBadByte(bytes: Buffer): { line: number; column: number; byte: string } {
  let low = 0;
  let high = bytes.length;
  // The longest prefix that decodes, by bisection; `stream` lets a prefix end within a character.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (decodes(bytes.subarray(0, middle), true)) low = middle;
    else high = middle - 1;
  }
  // The error is at the incomplete character, not at the byte after it.
  while (low > 0 && !decodes(bytes.subarray(0, low), false)) low -= 1;
  const byte = `0x${(bytes[low] ?? 0).toString(16).toUpperCase().padStart(2, '0')}`;
  return { ...placeOf(bytes, low), byte };
}

function placeOf(bytes: Buffer, offset: number): { line: number; column: number } {
  const before = bytes.subarray(0, offset);
  let line = 1;
  for (const byte of before) if (byte === 0x0a) line += 1;
  return { line, column: offset - before.lastIndexOf(0x0a) };
}

function decodes(bytes: Buffer, stream: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}
