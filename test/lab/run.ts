import { spawn } from 'node:child_process';

/** How a program on this machine ended; `exitCode` is 127 when it does not exist and 128 when a signal ended it. */
export interface RunResult {
  readonly exitCode: number;
  /** stdout and stderr in the order in which they came. */
  readonly output: string;
}

/** Runs a program on this machine to its end and collects what it says; never throws. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const output = () => Buffer.concat(chunks).toString('utf8');
    child.on('error', (error) => resolve({ exitCode: 127, output: `${output()}${error.message}\n` }));
    child.on('close', (code) => resolve({ exitCode: code ?? 128, output: output() }));
  });
}

/** The last lines of a program's output, for an error message. */
export function lastLines(output: string, count = 12): string {
  return output.trimEnd().split('\n').slice(-count).join('\n');
}
