import { execa } from 'execa';
import { withoutSecrets } from './environment.ts';

/** A program to run on this machine. */
export interface LocalCommand {
  /** The program and its arguments; no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  readonly directory: string;
  /** Added to our own environment, from which our passwords are taken out. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** How a {@link LocalCommand} ended; `output` is the last part of what it wrote to both streams. */
export type LocalCommandOutcome =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly output: string }
  | { readonly kind: 'killed'; readonly signal: string; readonly output: string }
  | { readonly kind: 'timeout'; readonly output: string }
  | { readonly kind: 'not-started'; readonly why: string };

/** Of the output the end is kept: it is where programs say what went wrong. */
const KEPT_BYTES = 8 * 1024;
/** A program that was told to end has this long before KILL. */
const KILL_AFTER_MS = 1000;
/** How long what it wrote may still be under way after it ended; a child that it left behind may hold the streams open. */
const DRAIN_MS = 200;

/**
 * Runs a program on this machine without a shell and without input. It is a process group of its own: an interruption at
 * the keyboard is portfw's to handle.
 */
export function runLocalCommand(command: LocalCommand): Promise<LocalCommandOutcome> {
  const [program, ...args] = command.argv;
  return new Promise((resolve) => {
    const child = execa(program, args, {
      cwd: command.directory,
      env: { ...withoutSecrets(process.env), ...command.environment },
      extendEnv: false,
      buffer: false,
      reject: false,
      stdin: 'ignore',
      detached: true,
    });
    // Its promise only repeats what the events below say.
    child.catch(() => undefined);
    let output = Buffer.alloc(0);
    let ended: NodeJS.Timeout | null = null;
    let outcome: ((output: string) => LocalCommandOutcome) | null = null;
    const receive = (chunk: Buffer): void => {
      output = Buffer.concat([output, chunk]).subarray(-KEPT_BYTES);
    };
    const settle = (): void => {
      clearTimeout(timer);
      if (ended !== null) clearTimeout(ended);
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      if (outcome !== null) resolve(outcome(output.toString('utf8')));
    };
    const timer = setTimeout(() => {
      outcome ??= (text) => ({ kind: 'timeout', output: text });
      child.kill('SIGTERM');
      ended = setTimeout(() => {
        child.kill('SIGKILL');
        settle();
      }, KILL_AFTER_MS);
    }, command.timeoutMs);
    child.stdout.on('data', receive);
    child.stderr.on('data', receive);
    child.stdout.on('error', () => undefined);
    child.stderr.on('error', () => undefined);
    child.on('error', (error) => {
      outcome ??= () => ({ kind: 'not-started', why: startReason(error) });
      settle();
    });
    child.on('exit', (code, signal) => {
      outcome ??= (text) =>
        code === null
          ? { kind: 'killed', signal: signal ?? 'unknown', output: text }
          : { kind: 'exited', exitCode: code, output: text };
      clearTimeout(timer);
      if (ended !== null) clearTimeout(ended);
      ended = setTimeout(settle, DRAIN_MS);
    });
    child.on('close', settle);
  });
}

function startReason(error: Error): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such program';
    case 'EACCES':
      return 'it may not be executed';
    default:
      return error.message;
  }
}
