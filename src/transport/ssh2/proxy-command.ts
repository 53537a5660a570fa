import { type ChildProcess, spawn } from 'node:child_process';
import { withoutSecrets } from '../../core/environment.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure } from '../connection.ts';
import { type Carrier, PairedStream } from './carrier.ts';

/** Of what the command says on its standard error the end is kept: it is where programs say what went wrong. */
const KEPT_BYTES = 4 * 1024;
/** A command that was told to end has this long before KILL. */
const KILL_AFTER_MS = 1000;
/** How long the command's own words may still be under way when its streams have ended. */
const LAST_WORDS_MS = 300;

/**
 * Starts a ProxyCommand as OpenSSH does (`$SHELL -c "exec COMMAND"`): its standard input and output are the connection.
 *
 * The command comes from the user's own ssh_config or inventory and runs with all that the user may do. It does not get
 * our passwords, and has no terminal to ask on: it is in a session of its own, which ends with the connection.
 */
export function startProxyCommand(
  command: string,
): Promise<{ readonly kind: 'open'; readonly carrier: Carrier } | ConnectFailure> {
  const child = spawn(process.env['SHELL'] || '/bin/sh', ['-c', `exec ${command}`], {
    detached: true,
    env: withoutSecrets(process.env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  let said = Buffer.alloc(0);
  let ending: string | null = null;
  const closed = new Promise<void>((resolve) => {
    child.once('close', resolve);
    child.once('error', () => resolve());
  });
  stderr.on('data', (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]).subarray(-KEPT_BYTES);
  });
  stderr.on('error', () => undefined);
  stdin.on('error', () => undefined);
  child.once('exit', (code, signal) => {
    ending = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
    running.delete(child);
  });
  const stream = new PairedStream(stdout, stdin, () => endGroup(child));
  const lastWords = async (): Promise<string | null> => {
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
    const words = terminalLine(said.toString('utf8'), 300);
    if (words === '' && ending === null) return null;
    return `the ProxyCommand ${ending ?? 'still runs'}${words === '' ? '' : ` and said: ${words}`}`;
  };
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      stream.destroy();
      resolve({
        kind: 'local-problem',
        message: `The ProxyCommand cannot be started: ${error.code ?? terminalLine(error.message)}`,
        hint: 'Check the environment variable SHELL: the command runs in that shell, as with OpenSSH',
      });
    });
    child.once('spawn', () => {
      watch(child);
      resolve({ kind: 'open', carrier: { stream, endpoints: null, lastWords } });
    });
  });
}

/** The commands that run; they must not outlive us. */
const running = new Set<ChildProcess>();
let watching = false;

function watch(child: ChildProcess): void {
  running.add(child);
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    // Nobody is left to follow up a TERM that is ignored.
    for (const left of running) signalGroup(left, 'SIGKILL');
  });
}

/** Ends the command and all that it started. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  timer.unref();
  child.unref();
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    // A negative number is the group, which lasts as long as any of its processes.
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}
