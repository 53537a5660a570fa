import { execa } from 'execa';
import { withoutSecrets } from './environment.ts';

/** A program to run for its output. */
export interface ProgramRun {
  /** The program and its arguments; no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** The most that it may print, in bytes; `null`: what it prints is not collected, and its end is kept with the errors. */
  readonly maxBytes: number | null;
  /** Where it runs, when not in our own folder. */
  readonly directory?: string;
  /** Added to our own environment, from which our passwords are taken out. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether it may read our standard input: a script may ask at the terminal. */
  readonly mayAsk?: boolean;
  /** What it reads on its standard input; nothing when not given. */
  readonly input?: Uint8Array;
  /** Whether it is a process group of its own, so that an interrupt at the keyboard reaches only portfw. */
  readonly ownGroup?: boolean;
}

/** How a {@link ProgramRun} ended; `said` is the last part of its error output. */
export type ProgramOutcome =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly stdout: Buffer; readonly said: string }
  | { readonly kind: 'killed'; readonly signal: string; readonly said: string }
  | { readonly kind: 'timeout'; readonly said: string }
  | { readonly kind: 'too-much'; readonly said: string }
  | { readonly kind: 'not-started'; readonly errno: string; readonly why: string };

/** Of the error output the end is kept: it is where programs say what went wrong. */
const KEPT_BYTES = 8 * 1024;
/** A program that was told to end has this long before KILL. */
const KILL_AFTER_MS = 1000;
/** How long after its end the rest of its output may take; a child that it left behind may hold the streams open. */
const DRAIN_MS = 300;

/** What execa is told of every program: it gets none of our passwords, and a failure is a result and no exception. */
export function houseOptions(environment: ProgramRun['environment'] = {}) {
  return { env: { ...withoutSecrets(process.env), ...environment }, extendEnv: false, reject: false } as const;
}

/**
 * Runs a program of this machine without a shell and collects what it prints. It is ended when its time is up, when it
 * prints too much, and when portfw ends (unless it is a group of its own).
 */
export async function runProgram(run: ProgramRun): Promise<ProgramOutcome> {
  const [program, ...args] = run.argv;
  const child = execa(program, args, {
    ...(run.directory === undefined ? {} : { cwd: run.directory }),
    ...houseOptions(run.environment),
    encoding: 'buffer',
    stripFinalNewline: false,
    ...(run.input === undefined ? { stdin: run.mayAsk === true ? 'inherit' : 'ignore' } : { input: run.input }),
    buffer: { stdout: run.maxBytes !== null, stderr: false },
    maxBuffer: run.maxBytes ?? 1,
    timeout: run.timeoutMs,
    forceKillAfterDelay: KILL_AFTER_MS,
    detached: run.ownGroup === true,
  });
  // execa keeps the beginning of a stream, or ends the program; here the end of a long one counts.
  let said = Buffer.alloc(0);
  const keep = (chunk: Buffer): void => {
    said = Buffer.concat([said, chunk]).subarray(-KEPT_BYTES);
  };
  child.stderr.on('data', keep);
  if (run.maxBytes === null) child.stdout.on('data', keep);
  // A program that runs as another user (sudo) cannot be ended, and execa waits for its end.
  const leaving = new Leaving();
  leaving.after(run.timeoutMs, 'timeout');
  // If a program prints too much, execa only closes the stream; a program that ignores this would continue.
  child.stdout.once('close', () => {
    if (child.stdout.readableEnded) return;
    child.kill();
    leaving.after(0, 'too-much');
  });
  // execa waits for the streams, also where only a child that the program left behind still holds them.
  let drain: NodeJS.Timeout | undefined;
  child.once('exit', () => {
    drain = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, DRAIN_MS);
  });
  const result = await Promise.race([child, leaving.left]);
  clearTimeout(drain);
  leaving.stop();
  const text = said.toString('utf8');
  if (typeof result === 'string') {
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
    return { kind: result, said: text };
  }
  if (result.timedOut) return { kind: 'timeout', said: text };
  if (result.isMaxBuffer) return { kind: 'too-much', said: text };
  if (result.signal !== undefined) return { kind: 'killed', signal: result.signal, said: text };
  if (result.exitCode === undefined)
    return { kind: 'not-started', errno: result.code ?? 'unknown error', why: result.originalMessage ?? '' };
  return { kind: 'exited', exitCode: result.exitCode, stdout: Buffer.from(result.stdout ?? []), said: text };
}

/** The decision to wait no longer for a program that was told to end. */
class Leaving {
  readonly left: Promise<'timeout' | 'too-much'>;
  #leave: (kind: 'timeout' | 'too-much') => void = () => undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor() {
    this.left = new Promise((resolve) => {
      this.#leave = resolve;
    });
  }

  /** @param ms when the program is told to end */
  after(ms: number, kind: 'timeout' | 'too-much'): void {
    this.#timers.push(setTimeout(() => this.#leave(kind), ms + KILL_AFTER_MS + 2 * DRAIN_MS));
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
