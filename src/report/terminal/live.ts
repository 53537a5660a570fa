import { Listr } from 'listr2';
import stringWidth from 'string-width';
import type { FleetEvent } from '../../fleet/events.ts';
import type { Output, Report } from '../report.ts';
import { eventText } from './event-text.ts';
import { LiveModel } from './live-model.ts';
import type { Style } from './style.ts';

/** 10 paintings a second: fast enough to look alive, slow enough to cost nothing at 1,000 hosts. */
const FRAME_MS = 100;

interface PainterOptions {
  painter?: Painter;
}

/**
 * The renderer that listr2 drives. The default one costs events × tasks; this one paints what the model knows at a fixed
 * rate, whatever the number of tasks, and keeps no state of its own.
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

/** Paints the model's lines over those it painted before, and prints other lines above them. */
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
    if (this.#timer === null) this.#write(`${text}\n`);
    else this.#paint(`${text}\n`);
  }

  #paint(above: string): void {
    const lines = this.#model.lines(this.#columns(), this.#output.rows ?? 24, this.#now());
    const same = lines.length === this.#painted.length && lines.every((line, index) => line === this.#painted[index]);
    if (above === '' && same) return;
    const erase = this.#erase();
    this.#painted = lines;
    this.#write(`${erase}${above}${lines.join('\n')}\n`);
  }

  /** Goes back to the first painted line and clears from there: after a resize a line may take several rows. */
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
 * For a terminal: counters and the active hosts, painted in place at 10 Hz, never taller or wider than the terminal.
 * Failures and notes scroll away above as plain lines; with -v so does every host that ends.
 */
export class LiveReport implements Report {
  readonly #model = new LiveModel();
  readonly #painter: Painter;
  readonly #style: Style;
  readonly #verbosity: number;
  /** One promise a host that has not ended: the tasks that listr2 waits for. */
  readonly #open = new Map<string, PromiseWithResolve>();
  #listr: Promise<unknown> | null = null;
  #began = 0;

  constructor(output: Output, style: Style, verbosity: number) {
    this.#style = style;
    this.#verbosity = verbosity;
    this.#painter = new Painter(this.#model, output, () => performance.now() - this.#began);
  }

  event(event: FleetEvent): void {
    this.#model.event(event);
    if (event.kind === 'run-started') {
      this.#began = performance.now() - event.at;
      for (const host of event.hosts) this.#open.set(host, promiseWithResolve());
    }
    if (event.kind === 'run-finished') return;
    // A host that had finished is taken up again, to be put back.
    if (event.kind === 'host-phase' && !this.#open.has(event.host)) this.#open.set(event.host, promiseWithResolve());
    this.#start();
    this.#print(event);
    if (event.kind === 'host-finished' || event.kind === 'host-put-back') {
      this.#open.get(event.host)?.resolve();
      this.#open.delete(event.host);
    }
  }

  say(text: string): void {
    this.#painter.print(text);
  }

  async rest(): Promise<void> {
    this.#painter.stop();
    // listr2 sees the end of every task; the hosts that are still open get new ones when the view starts again.
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
      // Its own handler would end the process in the middle of a write.
      registerSignalListeners: false,
      renderer: FleetRenderer,
      rendererOptions: { painter: this.#painter },
    });
    const run = listr.run();
    this.#listr = run;
    // The view of a run whose hosts have all ended is over; it starts again when one is taken up once more.
    void run.then(() => {
      if (this.#listr === run) this.#listr = null;
    });
  }

  #print(event: FleetEvent): void {
    const text = eventText(event, this.#style, this.#verbosity);
    if (text === null) return;
    const quiet = text.weight === 'detail' ? this.#verbosity < 2 : text.weight === 'good' && this.#verbosity < 1;
    if (!quiet && event.kind !== 'run-started') this.#painter.print(text.lines.join('\n'));
  }
}

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
