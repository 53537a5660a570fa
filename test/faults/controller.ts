import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { PublishedEvent } from '../../src/report/json/event-schema.ts';
import { outcomesIn, readEvent, type SeenOutcome } from '../helpers/published-events.ts';
import { STATE_HOME } from '../set-up/state-home.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLOCK_SHIM = join(import.meta.dirname, 'clock-shim.mjs');

/** How a controller ended: by itself, with what it said of the host, or killed. */
export interface Ended {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly outcome: SeenOutcome | null;
  readonly stderr: string;
}

/** A controller: one run of the command against one host, as a process that things happen to. */
export class Controller {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #events: PublishedEvent[] = [];
  readonly #waiting: { readonly holds: (event: PublishedEvent) => boolean; readonly resolve: () => void }[] = [];
  #rest = '';
  #over = false;

  /** @param main the command's file; `shiftable` lets {@link shiftClock} work on it */
  constructor(main: string, args: readonly string[], shiftable = false) {
    const { PATH = '' } = process.env;
    const node = shiftable ? ['--import', CLOCK_SHIM] : [];
    this.#child = spawn(process.execPath, [...node, main, ...args, '--json'], {
      cwd: ROOT,
      env: { PATH, HOME: '/nonexistent', XDG_STATE_HOME: STATE_HOME, USER: 'tester' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (exitCode) => {
        this.#over = true;
        resolve({ exitCode, outcome: this.#outcome(), stderr });
      });
    });
  }

  get over(): boolean {
    return this.#over;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  /** Sets the clock that the process sees forward or back by as many seconds; it must have been made shiftable. */
  shiftClock(seconds: number): void {
    // The shim goes forward on one signal and back on the other, by a day each.
    if (Math.abs(seconds) !== 86_400) throw new Error('The shim shifts the clock by a day');
    this.signal(seconds > 0 ? 'SIGUSR2' : 'SIGWINCH');
  }

  /** Whether an event happens before the process ends. */
  async sees(holds: (event: PublishedEvent) => boolean): Promise<boolean> {
    if (this.#events.some(holds)) return true;
    const happened = new Promise<boolean>((resolve) => this.#waiting.push({ holds, resolve: () => resolve(true) }));
    return Promise.race([happened, this.ended.then(() => false)]);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = readEvent(line);
      this.#events.push(event);
      for (const { holds, resolve } of this.#waiting) if (holds(event)) resolve();
    }
  }

  #outcome(): SeenOutcome | null {
    return [...outcomesIn(this.#events).values()][0] ?? null;
  }
}
