import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';

/** A lock is held for milliseconds. One that is older than this belongs to a machine or a process that is no more. */
const STALE_MS = 60_000;
const PATIENCE_MS = 20_000;
const PAUSE_MS = 5;

/**
 * Runs a function while no other process that uses the same lock does. The lock is a file beside the journal, made with
 * `O_EXCL`. One that a killed process left is removed.
 *
 * @throws Error if the lock cannot be had, as of the file system, or because another process keeps it
 */
export function withJournalLock<T>(path: string, use: () => T): T {
  const lock = `${path}.lock`;
  take(lock);
  try {
    return use();
  } finally {
    unlinkSync(lock);
  }
}

function take(lock: string): void {
  const end = performance.now() + PATIENCE_MS;
  while (!made(lock)) {
    removeIfLeft(lock);
    if (performance.now() > end) throw new Error(`another process keeps its lock: if none runs, remove ${lock}`);
    pause();
  }
}

function made(lock: string): boolean {
  try {
    const handle = openSync(lock, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeSync(handle, `${process.pid} ${hostname()}\n`);
    } finally {
      closeSync(handle);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Only one process at a time removes a lock, and looks at it again before: it must not remove a newer one. */
function removeIfLeft(lock: string): void {
  if (!isLeft(lock)) return;
  const removing = `${lock}.removing`;
  try {
    mkdirSync(removing);
  } catch {
    removeFolderIfLeft(removing);
    return;
  }
  try {
    if (isLeft(lock)) unlinkSync(lock);
  } finally {
    rmdirSync(removing);
  }
}

/** The process that was to remove a lock may itself have been killed. */
function removeFolderIfLeft(folder: string): void {
  try {
    if (Date.now() - statSync(folder).mtimeMs > STALE_MS) rmdirSync(folder);
  } catch {
    // Another process has removed it, or may do so.
  }
}

/** Whether the process that made a lock has ended, as far as this machine can know. */
function isLeft(lock: string): boolean {
  try {
    const [pid = '', host = ''] = readFileSync(lock, 'utf8').trim().split(' ');
    if (Date.now() - statSync(lock).mtimeMs > STALE_MS) return true;
    return host === hostname() && /^\d+$/.test(pid) && !isAlive(Number(pid));
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
