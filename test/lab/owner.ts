import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LAB_DIRECTORY } from './paths.ts';

/** Names the environment variable by which a test run tells its workers that what they start belongs to it. */
const SESSION_VARIABLE = 'PORTFW_LAB_SESSION';

/** Begins the owner of labs that outlive the process that started them: only who asks for it removes them. */
const KEPT = 'kept';

/** The owner of labs that were kept from this clone of the repository; other clones on the same engine have their own. */
export function keptOwner(directory: string = LAB_DIRECTORY): string {
  return `${KEPT}:${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`;
}

/** Whether labs of this owner were kept, from this clone or another one. */
export function isKept(owner: string): boolean {
  return owner === KEPT || owner.startsWith(`${KEPT}:`);
}

/** `pid:start time` of a process, which no later process can be mistaken for; the start time is 0 where there is no /proc. */
export function thisProcess(): string {
  return `${process.pid}:${startTime(process.pid) ?? 0}`;
}

/** Whether the process that called itself so by {@link thisProcess} still runs. */
export function isRunning(owner: string): boolean {
  if (isKept(owner)) return true;
  const [pid, started] = owner.split(':').map(Number);
  if (pid === undefined || !Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const now = startTime(pid);
  return now === null || started === 0 || now === started;
}

/** The owner of the labs that this process starts: the test run it belongs to, or itself. */
export function session(): string {
  return process.env[SESSION_VARIABLE] ?? thisProcess();
}

/** Makes this process the owner of every lab that it and its children start. */
export function openSession(): string {
  const owner = thisProcess();
  process.env[SESSION_VARIABLE] = owner;
  return owner;
}

/** Makes every lab that this process starts outlive it. */
export function openKeptSession(): void {
  process.env[SESSION_VARIABLE] = keptOwner();
}

function startTime(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the process's name in parentheses, which may hold spaces; the 22nd is the start time.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return null;
  }
}
