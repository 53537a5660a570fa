import { existsSync } from 'node:fs';
import { fileItself, InputError, Problem } from '../core/problem.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { readBytes, readFileHead } from '../documents/read-file.ts';
import type { SavedPlan } from '../saved/saved-plan.ts';
import type { SavedReading } from '../saved/saved-schema.ts';
import { writeWholeFile } from './whole-file.ts';

/** The largest saved plan that is read: thousands of hosts. */
const MOST_BYTES = 256 * 1024 * 1024;
const HEAD_BYTES = 200;
/** The first key of a saved plan, also after other programs have sorted the keys. No inventory begins like this. */
const BEGINNING =
  /^\s*\{\s*"(?:format"\s*:\s*\d+\s*,\s*"kind"|kind"\s*:\s*"(?:apply|rollback)"|digest"\s*:\s*"[0-9a-f]{64}")/;

/** A saved plan with the very bytes that it was read from: signatures are over them. */
export interface SavedFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly saved: SavedPlan;
}

/** Whether a file is a saved plan, or the beginning of one; false for everything that cannot be read. */
export function isSavedPlan(path: string): boolean {
  try {
    return BEGINNING.test(readFileHead(path, HEAD_BYTES).toString('utf8'));
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/**
 * Reads a saved plan, once.
 *
 * @throws InputError with everything that is wrong with it
 */
export async function readSavedFile(path: string): Promise<SavedFile> {
  const bytes = readBytes(path, MOST_BYTES);
  const { readSaved } = await import('../saved/saved-schema.ts');
  const reading = readSaved(bytes.toString('utf8'));
  if (reading.kind === 'saved') return { path, bytes, saved: reading.saved };
  const solve = howToSolve(reading.code);
  throw new InputError(
    reading.problems.map(
      (what) =>
        new Problem({
          severity: 'error',
          code: reading.code,
          what: terminalLine(what, 400),
          solve,
          location: fileItself(path),
        }),
    ),
  );
}

function howToSolve(code: Extract<SavedReading, { kind: 'unreadable' }>['code']): string {
  switch (code) {
    case 'not-a-saved-plan':
      return 'Name a file that "portfw plan --out" has written';
    case 'other-format':
      return 'Use the version of portfw that wrote it, or save the plan again';
    case 'edited-plan':
      return 'Take the file as it was saved; what should be changed is changed in the inventory, and the plan saved again';
    case 'bad-plan':
      return 'This is no file as "portfw plan --out" writes it: save the plan again';
  }
}

/**
 * Writes a file as a whole.
 *
 * @param mode the rights of the new file
 * @param isNew it must not be there
 * @throws InputError when it cannot be written
 */
export function writeWhole(path: string, bytes: Uint8Array, mode: number, isNew = false): void {
  try {
    writeWholeFile(path, bytes, mode, isNew);
  } catch (error) {
    throw new InputError([
      new Problem({
        severity: 'error',
        code: 'file-not-written',
        what: `the file cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
        solve: 'Check the folder, its owner and mode, and the disk',
        location: fileItself(path),
      }),
    ]);
  }
}

/** Why a saved plan must not be written to a path; `null` if nothing is lost by it. */
export function notToOverwrite(path: string): string | null {
  return existsSync(path) && !isSavedPlan(path) ? `${terminalLine(path)} exists, and is no saved plan` : null;
}
