import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../../../..', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as users have it: compiled, beside its playbooks and its dependencies. */
export class BuiltPortfw {
  readonly #folder = mkdtempSync(join(tmpdir(), 'portfw-cli-'));
  readonly main = join(this.#folder, 'dist/cli/main.js');

  constructor() {
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    // Type errors are for the type check to report; the compiler writes its output all the same.
    spawnSync(process.execPath, [compiler, '-p', join(ROOT, 'tsconfig.json'), '--outDir', join(this.#folder, 'dist')]);
    if (!existsSync(this.main)) throw new Error('the compiler wrote no dist/cli/main.js');
    // What is no code: the programs for hosts, and the page of the HTML review.
    for (const room of ['host', 'report'])
      cpSync(join(ROOT, 'src', room), join(this.#folder, 'dist', room), {
        recursive: true,
        filter: (file) => !file.endsWith('.ts'),
      });
    for (const name of ['package.json', 'playbooks', 'node_modules'])
      symlinkSync(join(ROOT, name), join(this.#folder, name));
  }

  /** Starts it without a terminal; `ended` resolves when it is over. */
  start(
    args: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const { NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env;
    const child = spawn(process.execPath, [this.main, ...args], {
      cwd: ROOT,
      env: { ...inherited, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
    return { child, ended };
  }

  /** Runs it to its end. */
  run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(args, environment).ended;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
