import { Listr } from 'listr2';
import stringWidth from 'string-width';
import { terminalLine } from '../../core/terminal-text.ts';
import type { FleetEvent } from '../../fleet/events.ts';
import type { FailedHost } from '../failure-groups.ts';
import { HeldFailures } from '../held-failures.ts';
import type { Output, Report } from '../report.ts';
import { eventText, noteLine } from './event-text.ts';
import { FailuresSaid } from './failure-text.ts';
import { LiveModel } from './live-model.ts';
import type { Style } from './style.ts';
import { wrapped } from './wrap.ts';

/** 10 frames a second: it looks alive and costs almost nothing, even with 1,000 hosts. */
const FRAME_MS = 100;

/** So long a failure or a note waits for others like it, so that they are said together. */
const GATHER_MS = 700;

interface PainterOptions {
  painter?: Painter;
}

/**
 * The renderer for listr2. The default renderer costs events × tasks. This one paints the model at a fixed rate, for any
 * number of tasks.
 */
class FleetRenderer {
  static readonly nonTTY = true;
  static rendererOptions: PainterOptions = {};
  static rendererTaskOptions: Record<PropertyKey, unknown> = {};
  readonly #painter: Painter | undefined;

  constructor(_tasks: unknown, options: PainterOptions) {
    this.#painter = options.painter;
  }

  render(): void {
    this.#painter?.start();
  }

  end(): void {
    this.#painter?.stop();
  }
}

/** Repaints the model's lines in place, and prints other lines above them. */
class Painter {
  readonly #model: LiveModel;
  readonly #output: Output;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | null = null;
  #painted: readonly string[] = [];

  constructor(model: LiveModel, output: Output, now: () => number) {
    this.#model = model;
    this.#output = output;
    this.#now = now;
  }

  start(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#paint(''), FRAME_MS);
    this.#paint('');
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#write(this.#erase());
    this.#painted = [];
  }

  /** Prints lines that stay, above the live area. */
  print(text: string): void {
    const lines = wrapped(text, this.#output.columns ?? null);
    if (this.#timer === null) this.#write(`${lines}\n`);
    else this.#paint(`${lines}\n`);
  }

  #paint(above: string): void {
    const lines = this.#model.lines(this.#columns(), this.#output.rows ?? 24, this.#now());
    const same = lines.length === this.#painted.length && lines.every((line, index) => line === this.#painted[index]);
    if (above === '' && same) return;
    const erase = this.#erase();
    this.#painted = lines;
    this.#write(`${erase}${above}${lines.join('\n')}\n`);
  }

  /** Moves to the first painted line and clears from there. After a resize, a line may take several rows. */
  #erase(): string {
    if (this.#painted.length === 0) return '';
    const columns = this.#columns();
    const rows = this.#painted.reduce((sum, line) => sum + Math.max(1, Math.ceil(stringWidth(line) / columns)), 0);
    return `\u001b[${rows}A\r\u001b[J`;
  }

  #columns(): number {
    return Math.max(1, this.#output.columns ?? 80);
  }

  #write(text: string): void {
    if (text !== '') this.#output.write(text);
  }
}

/**
 * For a terminal: counters and the active hosts, repainted in place 10 times a second, within the size of the terminal.
 * Failures and notes are printed above as plain lines; with -v also every host that ends.
 */
export class LiveReport implements Report {
  readonly #model = new LiveModel();
  readonly #painter: Painter;
  readonly #style: Style;
  readonly #verbosity: number;
  readonly #held = new HeldFailures();
  /** One promise per host that has not ended; listr2 waits for them. */
  readonly #open = new Map<string, PromiseWithResolve>();
  #listr: Promise<unknown> | null = null;
  #began = 0;
  readonly #failures: FailuresSaid;
  #order: ReadonlyMap<string, number> = new Map();
  #failed: FailedHost[] = [];
  #notes: Note[] = [];
  #gathering: NodeJS.Timeout | null = null;

  constructor(output: Output, style: Style, verbosity: number) {
    this.#style = style;
    this.#verbosity = verbosity;
    this.#failures = new FailuresSaid(style, verbosity);
    this.#painter = new Painter(this.#model, output, () => performance.now() - this.#began);
  }

  event(event: FleetEvent): void {
    this.#model.event(event);
    if (event.kind === 'run-started') {
      this.#began = performance.now() - event.at;
      this.#order = new Map(event.hosts.map((host, index) => [terminalLine(host), index]));
      this.#held.begin(event.hosts);
      for (const host of event.hosts) this.#open.set(host, promiseWithResolve());
    }
    if (event.kind === 'batch-started' || event.kind === 'run-finished') this.#tellHeld();
    if (event.kind === 'run-finished') return;
    // A host that had finished is being rolled back.
    if (event.kind === 'host-phase' && !this.#open.has(event.host)) this.#open.set(event.host, promiseWithResolve());
    this.#start();
    this.#print(event);
    if (event.kind === 'host-finished' || event.kind === 'host-reverted') {
      this.#open.get(event.host)?.resolve();
      this.#open.delete(event.host);
    }
  }

  say(text: string): void {
    this.#tellGathered();
    this.#painter.print(text);
  }

  async rest(): Promise<void> {
    this.#tellHeld();
    this.#painter.stop();
    this.#tellGathered();
    // Ends all tasks of listr2. Hosts that have not ended get new ones when the view starts again.
    const open = [...this.#open];
    for (const [host, task] of open) {
      this.#open.set(host, promiseWithResolve());
      task.resolve();
    }
    await this.#listr;
    this.#listr = null;
  }

  #start(): void {
    if (this.#listr !== null || this.#open.size === 0) return;
    const tasks = [...this.#open].map(([host, { promise }]) => ({ title: host, task: () => promise }));
    const listr = new Listr(tasks, {
      concurrent: true,
      exitOnError: false,
      // listr2's own handler would end the process at once, in the middle of a change.
      registerSignalListeners: false,
      renderer: FleetRenderer,
      rendererOptions: { painter: this.#painter },
    });
    const run = listr.run();
    this.#listr = run;
    // When all hosts have ended, the view ends. It starts again if one is rolled back.
    void run.then(() => {
      if (this.#listr === run) this.#listr = null;
    });
  }

  #tellHeld(): void {
    for (const group of this.#held.release()) this.say(this.#failures.together(group).join('\n'));
  }

  #print(event: FleetEvent): void {
    if (event.kind === 'host-note') {
      this.#notes.push(event);
      this.#gather();
      return;
    }
    const text = eventText(event, this.#style, (failed) => {
      if (!this.#held.hold(failed)) {
        this.#failed.push(failed);
        this.#gather();
      }
      return [];
    });
    if (text === null || text.lines.length === 0) return;
    // What a batch or the run says of its failures comes after them.
    if (text.weight === 'run' || text.weight === 'bad') this.#tellGathered();
    const quiet = text.weight === 'detail' ? this.#verbosity < 2 : text.weight === 'good' && this.#verbosity < 1;
    // How many hosts there are, the counters say.
    const counted = event.kind === 'run-started' && event.leftOut === undefined;
    if (!quiet && !counted) this.#painter.print(text.lines.join('\n'));
  }

  /** Waits until others like it may have come. */
  #gather(): void {
    this.#gathering ??= setTimeout(() => this.#tellGathered(), GATHER_MS);
  }

  /** Prints the notes and the failures that were waiting, each once, with its hosts in the order of the run. */
  #tellGathered(): void {
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#gathering = null;
    const [failed, notes] = [this.#failed, this.#notes];
    this.#failed = [];
    this.#notes = [];
    const place = ({ host }: { readonly host: string }): number => this.#order.get(terminalLine(host)) ?? 0;
    failed.sort((a, b) => place(a) - place(b));
    notes.sort((a, b) => place(a) - place(b));
    const same = new Map<string, Note[]>();
    for (const note of notes) {
      const key = `${note.severity} ${note.text}`;
      same.set(key, [...(same.get(key) ?? []), note]);
    }
    const lines = [...same.values()].map((all) =>
      noteLine(
        all.map(({ host }) => host),
        all[0]!,
        this.#style,
      ),
    );
    lines.push(...this.#failures.together(failed));
    if (lines.length > 0) this.#painter.print(lines.join('\n'));
  }
}

type Note = Extract<FleetEvent, { kind: 'host-note' }>;

interface PromiseWithResolve {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function promiseWithResolve(): PromiseWithResolve {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
