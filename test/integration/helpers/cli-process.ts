import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { PublishedEvent } from '../../../src/report/json/event-schema.ts';
import { outcomesIn, readEvent } from '../../helpers/published-events.ts';
import { STATE_HOME } from '../../set-up/state-home.ts';
import type { JsonRun } from './portfw-cli.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
const DEADLINE_MS = 120_000;

/** A run with `--json` that is watched while it goes on, and that signals can be sent to. */
export class CliProcess {
  readonly events: PublishedEvent[] = [];
  readonly ended: Promise<JsonRun>;
  readonly #child: ChildProcess;
  readonly #waiting: { readonly holds: (event: PublishedEvent) => boolean; readonly resolve: () => void }[] = [];
  #rest = '';

  constructor(...args: readonly string[]) {
    const { PATH = '' } = process.env;
    this.#child = spawn(process.execPath, [MAIN, ...args, '--json'], {
      cwd: ROOT,
      env: { PATH, HOME: '/nonexistent', USER: 'tester', XDG_STATE_HOME: STATE_HOME },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      this.#read(text);
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => {
        if (code === null) reject(new Error(`portfw ${args.join(' ')} was ended by ${signal}\n${stdout}${stderr}`));
        else resolve({ exitCode: code, stdout, stderr, events: this.events, outcomes: outcomesIn(this.events) });
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits for an event; throws when the run ends without one. */
  async seen(what: string, holds: (event: PublishedEvent) => boolean): Promise<void> {
    if (this.events.some(holds)) return;
    const happened = new Promise<void>((resolve) => this.#waiting.push({ holds, resolve }));
    const over = this.ended.then((run) => {
      throw new Error(`The run ended without: ${what}\n${run.stdout}${run.stderr}`);
    });
    await Promise.race([happened, over]);
    over.catch(() => undefined);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = readEvent(line);
      this.events.push(event);
      for (const { holds, resolve } of this.#waiting) if (holds(event)) resolve();
    }
  }
}
