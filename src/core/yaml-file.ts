import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { InputError, type Problem } from './problem.ts';
import { parseYaml, type YamlFile } from './yaml-document.ts';

/** The largest file that we read, in bytes. */
export const MAX_FILE_BYTES = 5 * 1024 * 1024;

/**
 * Reads a regular text file of at most `MAX_FILE_BYTES`: never a FIFO, a device or a folder (a FIFO would hang us).
 *
 * @returns the UTF-8 text, without a byte order mark
 * @throws InputError saying why the file cannot be read
 */
export function readTextFile(path: string): string {
  const bytes = readBytes(path);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw fileError(path, 'not-utf8', 'the file is UTF-16, not UTF-8', 'Save it as UTF-8', 1, 1);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { line, column } = firstBadByte(bytes);
    throw fileError(path, 'not-utf8', 'the file is not valid UTF-8', 'Save it as UTF-8', line, column);
  }
}

/**
 * Reads and parses a YAML file safely; see `readTextFile` and `parseYaml`.
 *
 * @throws InputError with every problem found
 */
export function readYamlFile(path: string): YamlFile {
  return parseYaml(readTextFile(path), path);
}

function readBytes(path: string): Buffer {
  let descriptor: number;
  try {
    // Without O_NONBLOCK opening a FIFO waits for a writer; fstat then judges the very file that was opened.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw openError(path, error);
  }
  try {
    const status = fstatSync(descriptor);
    if (status.isDirectory())
      throw fileError(path, 'not-a-file', 'this is a folder, not a file', 'Name the file within it');
    if (!status.isFile()) {
      throw fileError(
        path,
        'not-a-file',
        'this is not a regular file',
        'Copy its contents into a file and name that one',
      );
    }
    // One byte more than allowed, so that a file that grows while it is read is noticed too.
    const buffer = Buffer.alloc(Math.min(status.size, MAX_FILE_BYTES) + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    if (status.size > MAX_FILE_BYTES || length > MAX_FILE_BYTES) {
      const limit = MAX_FILE_BYTES / 1024 / 1024;
      throw fileError(
        path,
        'file-too-big',
        `the file is larger than ${limit} MiB`,
        'Split it, or check that it is the right file',
      );
    }
    if (length !== status.size) {
      throw fileError(
        path,
        'file-changed',
        'the file changed while it was read',
        'Run again when nobody is writing it',
      );
    }
    return buffer.subarray(0, length);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw openError(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function openError(path: string, error: unknown): InputError {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return fileError(path, 'file-not-found', 'there is no such file', 'Check the path');
    case 'EACCES':
    case 'EPERM':
      return fileError(path, 'file-unreadable', 'you may not read this file', 'Check its owner and mode');
    case 'ELOOP':
      return fileError(path, 'file-unreadable', 'the symbolic link leads back to itself', 'Correct the link');
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

function fileError(file: string, code: string, message: string, hint: string, line = 1, column = 1): InputError {
  const problem: Problem = { severity: 'error', code, message, hint, location: { file, line, column } };
  return new InputError([problem]);
}

/** Line and column (in bytes) of the first byte that is no UTF-8. */
function firstBadByte(bytes: Buffer): { line: number; column: number } {
  let low = 0;
  let high = bytes.length;
  // The longest prefix that decodes, by bisection; `stream` lets a prefix end within a character.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (decodes(bytes.subarray(0, middle), true)) low = middle;
    else high = middle - 1;
  }
  // A character that was begun and not finished is at fault, not what follows it.
  while (low > 0 && !decodes(bytes.subarray(0, low), false)) low -= 1;
  const before = bytes.subarray(0, low);
  const lineStart = before.lastIndexOf(0x0a) + 1;
  let line = 1;
  for (const byte of before) if (byte === 0x0a) line += 1;
  return { line, column: low - lineStart + 1 };
}

function decodes(bytes: Buffer, stream: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}
