import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, thisProcess } from './owner.ts';
import { LAB_DIRECTORY } from './paths.ts';
import type { Say } from './say.ts';

/**
 * Runs `work` while no other process on this machine holds the lock of that name; a lock whose owner has died is taken
 * over.
 */
export async function withLock<T>(name: string, say: Say, work: () => Promise<T>): Promise<T> {
  await mkdir(LAB_DIRECTORY, { recursive: true });
  const path = join(LAB_DIRECTORY, `${name}.lock`);
  for (let waited = false; !(await take(path)); waited = true) {
    const owner = await readFile(path, 'utf8').catch(() => '');
    if (owner !== '' && !isRunning(owner)) {
      await rm(path, { force: true });
      continue;
    }
    if (!waited) say(`waiting for another run that works on the ${name}`);
    await sleep(300);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(thisProcess());
    await file.close();
    return true;
  } catch {
    return false;
  }
}
