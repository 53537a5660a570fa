import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createStyle, type Style, wantsColours } from '../../src/report/terminal/style.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** How a command of portfw ended, and what it wrote to standard output. */
export interface Shown {
  readonly exitCode: number;
  readonly output: string;
}

/** What the audience sees: headings, commands with their output as it is, and whether what was promised holds. */
export class Stage {
  readonly #style: Style = createStyle(wantsColours(process.stdout.isTTY === true, process.env));
  readonly #broken: string[] = [];
  readonly #signal: AbortSignal;
  #checks = 0;

  /** @param signal aborts between two commands; one that runs is left to end by itself */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** How many promises were looked at. */
  get checks(): number {
    return this.#checks;
  }

  /** Those that did not hold. */
  get broken(): readonly string[] {
    return this.#broken;
  }

  /** Throws once the demo has been interrupted. */
  proceed(): void {
    this.#signal.throwIfAborted();
  }

  heading(text: string): void {
    this.proceed();
    process.stdout.write(`\n${this.#style.bold(`== ${text}`)}\n`);
  }

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Notes whether something holds, and says so. @param details what was seen instead, when it does not hold */
  check(what: string, holds: boolean, details: readonly string[] = []): void {
    this.#checks += 1;
    if (holds) {
      this.say(`  ${this.#style.green('✓')} ${what}`);
      return;
    }
    this.#broken.push(what);
    this.say(`  ${this.#style.red('✗')} ${what}`);
    for (const line of details) this.say(`      ${line}`);
  }

  /** Notes that the story broke off. */
  brokeOff(error: unknown): void {
    this.check('the demo came to its end', false, [error instanceof Error ? error.message : String(error)]);
  }

  /** Shows a command line as the user would type it, here or as root on a host. */
  command(line: string, host: string | null = null): void {
    this.proceed();
    this.say(this.#style.cyan(host === null ? `$ ${line}` : `root@${host}# ${line}`));
  }

  /** Runs the built program, shows the command and its output, and checks the exit code. */
  async portfw(args: readonly string[], expectedExitCode: number): Promise<Shown> {
    this.command(`node dist/cli/main.js ${args.map(quoted).join(' ')}`);
    const shown = await runPortfw(args, (chunk) => process.stdout.write(chunk));
    this.check(`exit code ${expectedExitCode}`, shown.exitCode === expectedExitCode, [`it was ${shown.exitCode}`]);
    return shown;
  }
}

/** Runs the built program. Its standard error is ours. @param show takes the output as it comes */
export function runPortfw(args: readonly string[], show: (chunk: Buffer) => void = () => {}): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/cli/main.js', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      show(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? 128, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=-]+$/.test(word) ? word : `'${word}'`;
}
