import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { STATE_HOME } from '../../set-up/state-home.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
/** util-linux's `script`, which every Debian and Enterprise Linux has. */
const PSEUDO_TERMINAL = 'script';
const COLUMNS = 100;
const ROWS = 30;
const PATIENCE_MS = 60_000;

/**
 * A terminal's screen, as far as a program without a full-screen display needs one. Throws for a sequence that it does
 * not know, so that nothing unforeseen reaches a user's terminal.
 */
class Screen {
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;
  #unfinished = '';

  get lines(): readonly string[] {
    return this.#lines;
  }

  write(text: string): void {
    const given = this.#unfinished + text;
    const [unfinished = ''] = /\u001b(?:\[[0-9;?]*)?$/.exec(given) ?? [];
    this.#unfinished = unfinished;
    const whole = given.slice(0, given.length - unfinished.length);
    for (const [part] of whole.matchAll(/\u001b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\u001b\r\n]+|\u001b/g)) {
      if (part === '\n') this.#down();
      else if (part === '\r') this.#column = 0;
      else if (part.startsWith('\u001b')) this.#steer(part);
      else this.#print(part);
    }
  }

  #down(): void {
    this.#row += 1;
    if (this.#row === this.#lines.length) this.#lines.push('');
  }

  #print(text: string): void {
    for (const character of text) {
      if (this.#column === COLUMNS) {
        this.#column = 0;
        this.#down();
      }
      const line = this.#lines[this.#row]!.padEnd(this.#column);
      this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
      this.#column += 1;
    }
  }

  #steer(sequence: string): void {
    const command = sequence.at(-1);
    const count = Number(sequence.slice(2, -1));
    if (command === 'm') return;
    if (command === 'A') this.#row = Math.max(this.#lines.length - ROWS, 0, this.#row - count);
    else if (command === 'G') this.#column = count - 1;
    else if (command === 'J' && count === 0) {
      this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
      this.#lines.length = this.#row + 1;
    } else throw new Error(`A sequence that no screen was asked to know: ${JSON.stringify(sequence)}`);
  }
}

/** A run of the command on a pseudo-terminal of 100 by 30. */
export class TerminalRun {
  /** Everything that was shown, escape sequences included. */
  raw = '';
  /** Every screen that was shown, as lines. */
  readonly frames: (readonly string[])[] = [];
  readonly exitCode: Promise<number>;
  readonly #child: ChildProcess;
  readonly #screen = new Screen();

  constructor(...args: readonly string[]) {
    const { PATH = '' } = process.env;
    const quoted = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const command = `stty columns ${COLUMNS} rows ${ROWS}; exec ${quoted}`;
    this.#child = spawn(PSEUDO_TERMINAL, ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: ROOT,
      env: { PATH, HOME: '/nonexistent', XDG_STATE_HOME: STATE_HOME, USER: 'tester', TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.raw += text;
      this.#screen.write(text);
      this.frames.push([...this.#screen.lines]);
    });
    this.exitCode = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => resolve(code ?? -1));
    });
  }

  /** What stands on the screen and above it. */
  get text(): string {
    return this.#screen.lines.join('\n');
  }

  /** Waits until something is shown; throws after a minute, or when the run ends without it. */
  async shows(what: RegExp): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!what.test(this.text)) {
      if (performance.now() > end || (this.#child.exitCode !== null && !what.test(this.text))) {
        this.#child.kill();
        throw new Error(`Never shown: ${what}\n${this.text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Types a line, or presses a key such as Ctrl-C (`\u0003`). */
  type(text: string): void {
    this.#child.stdin!.write(text);
  }
}
