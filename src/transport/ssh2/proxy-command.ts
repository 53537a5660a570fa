import { type ChildProcess, spawn } from 'node:child_process';
import { withoutSecrets } from '../../core/environment.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure } from '../connection.ts';
import { type Carrier, PairedStream } from './carrier.ts';

/** The end of the command's standard error is kept: usually it has the error message. */
const KEPT_BYTES = 4 * 1024;
/** The time between TERM and KILL for the command. */
const KILL_AFTER_MS = 1000;
/** How long to wait for the command's error output after its streams have ended. */
const LAST_WORDS_MS = 300;

/**
 * Starts a ProxyCommand as OpenSSH does (`$SHELL -c "exec COMMAND"`): its standard input and output are the connection.
 *
 * The command comes from the user's own ssh_config or inventory and runs with the user's rights. It does not get portfw's
 * passwords, and has no terminal for questions: it runs in its own session, which ends with the connection. Not through
 * execa, which signals a process alone: here all that the command started has to end, also when portfw itself ends.
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
        what: `The ProxyCommand cannot be started: ${error.code ?? terminalLine(error.message)}`,
        solve: 'Check the environment variable SHELL: the command runs in that shell, as with OpenSSH',
      });
    });
    child.once('spawn', () => {
      watch(child);
      resolve({ kind: 'open', carrier: { stream, endpoints: null, lastWords } });
    });
  });
}

/** The running commands; they must end with portfw. */
const running = new Set<ChildProcess>();
let watching = false;

function watch(child: ChildProcess): void {
  running.add(child);
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    // After the exit, an ignored TERM could not be followed by KILL.
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
    // A negative number is the process group, which exists as long as any of its processes.
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // The group is empty.
  }
}
