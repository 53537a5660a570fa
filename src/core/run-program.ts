import { withoutSecrets } from './environment.ts';

/** A program to run for its output. */
export interface ProgramRun {
  /** The program and its arguments; no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** The most that it may print, in bytes. */
  readonly maxBytes: number;
  /** Added to our own environment, from which our passwords are taken out. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a {@link ProgramRun} ended; `stderr` is the last part of what it wrote there. */
export type ProgramOutcome =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly stdout: Buffer; readonly stderr: string }
  | { readonly kind: 'killed'; readonly signal: string; readonly stderr: string }
  | { readonly kind: 'timeout'; readonly stderr: string }
  | { readonly kind: 'too-much'; readonly stderr: string }
  | { readonly kind: 'not-started'; readonly errno: string; readonly why: string };

/** Of the error output the end is kept: it is where programs say what went wrong. */
const KEPT_BYTES = 8 * 1024;
/** A program that was told to end has this long before KILL. */
const KILL_AFTER_MS = 1000;
/** How long after its end the rest of its output may take; a child that it left behind may hold the streams open. */
const DRAIN_MS = 300;

/**
 * Runs a program without a shell and without input, in our own folder, and collects what it prints. It belongs to our process
 * group, so an interrupt at the keyboard ends it with us.
 */
export async function runProgram(run: ProgramRun): Promise<ProgramOutcome> {
  const { execa } = await import('execa');
  const [program, ...args] = run.argv;
  return new Promise((resolve) => {
    const child = execa(program, args, {
      env: { ...withoutSecrets(process.env), ...run.environment },
      extendEnv: false,
      buffer: false,
      reject: false,
      stdin: 'ignore',
    });
    // Its promise only repeats what the events below say.
    child.catch(() => undefined);
    const chunks: Buffer[] = [];
    let size = 0;
    let stderr = Buffer.alloc(0);
    let outcome: (() => ProgramOutcome) | null = null;
    let waiting: NodeJS.Timeout | null = null;
    const said = (): string => stderr.toString('utf8');
    const settle = (): void => {
      clearTimeout(timer);
      if (waiting !== null) clearTimeout(waiting);
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      if (outcome !== null) resolve(outcome());
    };
    const stop = (ending: () => ProgramOutcome): void => {
      if (outcome !== null) return;
      outcome = ending;
      child.kill('SIGTERM');
      waiting = setTimeout(() => {
        child.kill('SIGKILL');
        settle();
      }, KILL_AFTER_MS);
    };
    const timer = setTimeout(() => stop(() => ({ kind: 'timeout', stderr: said() })), run.timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= run.maxBytes) chunks.push(chunk);
      else stop(() => ({ kind: 'too-much', stderr: said() }));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = Buffer.concat([stderr, chunk]).subarray(-KEPT_BYTES);
    });
    child.stdout.on('error', () => undefined);
    child.stderr.on('error', () => undefined);
    child.on('error', (error) => {
      const errno = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      outcome ??= () => ({ kind: 'not-started', errno, why: error.message });
      settle();
    });
    child.on('exit', (code, signal) => {
      outcome ??= () =>
        code === null
          ? { kind: 'killed', signal: signal ?? 'unknown', stderr: said() }
          : { kind: 'exited', exitCode: code, stdout: Buffer.concat(chunks), stderr: said() };
      clearTimeout(timer);
      if (waiting !== null) clearTimeout(waiting);
      waiting = setTimeout(settle, DRAIN_MS);
    });
    child.on('close', settle);
  });
}
