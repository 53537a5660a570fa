import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../lab/run.ts';
import type { Say } from '../lab/say.ts';

/** Where the system's own `dockerd` notes its process. */
export const PID_FILE = '/var/run/docker.pid';
const PATIENCE_MS = 60_000;

/**
 * Stops the `dockerd` of this machine, through systemd or by the process that its own pid file names.
 *
 * @throws Error when it does not end, or when that process is another program
 */
export async function stopEngine(say: Say): Promise<void> {
  if (existsSync('/run/systemd/system')) await run('systemctl', ['stop', 'docker.socket', 'docker.service']);
  const pid = Number(await readFile(PID_FILE, 'utf8').catch(() => '0'));
  const name = await nameOf(pid);
  if (name === null) return;
  if (name !== 'dockerd') throw new Error(`${PID_FILE} names process ${pid}, which is ${name}: stop dockerd by hand.`);
  say(`stopping dockerd (process ${pid})`);
  process.kill(pid, 'SIGTERM');
  const end = performance.now() + PATIENCE_MS;
  while ((await nameOf(pid)) === 'dockerd') {
    if (performance.now() > end) throw new Error(`dockerd (process ${pid}) does not end: stop it by hand.`);
    await sleep(100);
  }
}

/** Where an engine keeps everything unless a person has chosen another folder, which may hold more than that. */
const ENGINE_FOLDER = '/var/lib/docker';

/** Whether a folder holds nothing but an engine's own. */
export function isEngineFolder(folder: string): boolean {
  return folder === ENGINE_FOLDER;
}

const unmountPath = async (path: string): Promise<boolean> => (await run('umount', [path])).exitCode === 0;

/**
 * Removes the folder of an engine that has been stopped. A folder that something is mounted on is emptied instead.
 *
 * @throws Error when something below it stays mounted, which may be anybody's: then nothing is removed
 */
export async function removeEngineFolder(
  folder: string,
  mounts?: string,
  unmount: (path: string) => Promise<boolean> = unmountPath,
): Promise<void> {
  const lines = (mounts ?? (await readFile('/proc/self/mounts', 'utf8'))).split('\n');
  const below = lines
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path === folder || path.startsWith(`${folder}/`));
  for (const path of below.reverse()) {
    if (!(await unmount(path)) && path !== folder)
      throw new Error(`${path} is mounted and cannot be unmounted: unmount it and remove ${folder} by hand.`);
  }
  for (const name of await readdir(folder).catch(() => []))
    await rm(join(folder, name), { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true }).catch(() => {});
}

/** The name of a running process; `null` when there is none. */
async function nameOf(pid: number): Promise<string | null> {
  if (!Number.isInteger(pid) || pid <= 1) return null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [, name = null, state] = /^\d+ \((.*)\) (\S)/s.exec(stat) ?? [];
  return state === 'Z' ? null : name;
}
