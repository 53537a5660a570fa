import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file as a whole: readers see the old text or the new one, never a part, and a crash leaves one of the two. A link is
 * replaced, not followed.
 *
 * @param mode the new file's permissions, whatever the umask is; `null` for those that the umask gives
 * @param isNew the file must not be there: what somebody else wrote meanwhile stays
 * @throws the system's error (`EEXIST` if a new file is there) if the folder is not there or not writable, or the disk is full
 */
export function writeWholeFile(path: string, text: string | Uint8Array, mode: number | null, isNew = false): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}`);
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const handle = openSync(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode ?? 0o666);
  try {
    try {
      const bytes = typeof text === 'string' ? Buffer.from(text) : text;
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done);
      if (mode !== null) fchmodSync(handle, mode);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (isNew) linkSync(temporary, path);
    else renameSync(temporary, path);
  } finally {
    // Gone already if it was renamed.
    rmSync(temporary, { force: true });
  }
}
