import type { Problem } from '../core/problem.ts';
import type { RunSummary } from '../fleet/events.ts';
import { type FleetCommand, type FleetContext, runFleet } from '../fleet/run.ts';
import { NdjsonReport } from '../report/json/ndjson.ts';
import type { Report } from '../report/report.ts';
import { PlainReport } from '../report/terminal/plain.ts';
import { problemsText } from '../report/terminal/problems-text.ts';
import { resultsText } from '../report/terminal/results-text.ts';
import { closingTable } from '../report/terminal/table.ts';
import { wrapped } from '../report/terminal/wrap.ts';
import { ansibleConfig } from './ansible-config.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import { type PreparedRun, prepareRun } from './prepare-run.ts';
import { RunEvents } from './run-events.ts';
import { forksOf, type RunFlags } from './run-flags.ts';
import type { OpenRunJournal } from './run-journal-file.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** What a command may use to talk to the operator during its run. */
export interface RunSurface {
  readonly terminal: Terminal;
  readonly report: Report;
  readonly interruption: Interruption;
}

export interface FleetCommandOptions {
  /** Whether each host needs a play: commands that only read or restore do without. */
  readonly matrix: 'required' | 'optional';
  readonly detailedExitCode?: boolean;
  /** What the run is to do beyond its command; fields of the context. */
  readonly context?: Partial<FleetContext>;
  /**
   * Looks at what was prepared, and adds to the context, before any host is contacted.
   *
   * @throws UsageError when the run must not begin
   */
  readonly prepared?: (prepared: PreparedRun, surface: RunSurface) => Partial<FleetContext>;
  /** Does what is left to do after the run, below its results. */
  readonly after?: (taken: TakenRun, surface: RunSurface) => Promise<void>;
  /** Asks before any host is contacted; a no ends with exit code 1. */
  readonly confirm?: (hosts: readonly string[], surface: RunSurface) => Promise<boolean>;
  /** The name of a command that changes hosts, for the controller's journal; without it, the run is not written there. */
  readonly journaledAs?: string;
  /** Shows nothing while the run goes on. */
  readonly quiet?: boolean;
  readonly command: (surface: RunSurface, context: PreparedRun['context']) => FleetCommand;
  /** Called with the result of the run. @returns what went wrong, which makes the exit code 1; `null` if nothing did */
  readonly finished?: (summary: RunSummary) => string | null;
  /** Shows the results of the hosts above the closing table; not with `--json`. With a `--format`, all that is printed. */
  readonly show?: (run: TakenRun, surface: RunSurface) => Promise<void>;
  /** Takes what came out, instead of showing the warnings about the files and the results of the hosts. */
  readonly take?: (taken: TakenRun) => void;
}

/** What came out of a run, for a command that shows it in its own way. */
export interface TakenRun {
  readonly summary: RunSummary;
  readonly context: PreparedRun['context'];
  readonly files: PreparedRun['files'];
  readonly warnings: readonly Problem[];
}

/**
 * Runs one command over the hosts of an inventory: validates every file, asks for passwords, contacts the hosts, shows
 * what happens, and the results.
 *
 * @returns the exit code
 */
export async function runOverFleet(
  sources: readonly string[],
  flags: RunFlags,
  options: FleetCommandOptions,
): Promise<number> {
  const terminal = openTerminal(flags.color);
  const prepared = await prepareRun(sources, flags, options.matrix);
  if (prepared.warnings.length > 0 && options.take === undefined)
    terminal.error(wrapped(problemsText(prepared.warnings, terminal.errorStyle), terminal.errorWidth));

  const report = options.quiet === true ? quietReport() : await openReport(terminal, flags);
  const interruption = listenForInterruption(
    (text) => report.say(text),
    (code) => process.exit(code),
  );
  const surface: RunSurface = { terminal, report, interruption };
  const events = new RunEvents(report);
  prepared.questions.restFor(events.rest, () => interruption.interrupt());
  let faults = 0;
  const onFault = (error: unknown): void => {
    // No caller waits for this promise. The hosts in progress are finished anyway.
    report.say(`internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    faults += 1;
    if (!interruption.signal.aborted) interruption.interrupt();
  };
  process.on('uncaughtException', onFault);
  try {
    if (options.confirm !== undefined && !(await options.confirm([...prepared.context.jobs.keys()], surface))) {
      report.say('Nothing was done: it was not confirmed');
      return interruption.signal.aborted ? EXIT.interrupted : EXIT.failed;
    }
    const { createHostOperations } = await import('../fleet/host-operations.ts');
    const added = { ...options.context, ...options.prepared?.(prepared, surface) };
    const given = { ...prepared.context, ...added, signal: interruption.signal };
    const journal = await openRunJournal(options.journaledAs, flags.journal, given, report);
    const command = options.command(surface, prepared.context);
    const forks = forksOf(flags, ansibleConfig().settings);
    const how = { forks, leftOut: prepared.leftOut, emit: journal.before(events.emit) };
    const summary = await runFleet(command, journal.context, createHostOperations(), how);
    await report.rest();
    const run = { ...prepared, summary };
    if (!finished(run, options, surface) || journal.failed()) faults += 1;
    if (options.take === undefined && flags.json !== true) {
      await options.show?.(run, surface);
      if (!printsDocument(flags)) terminal.out(closingText(terminal, summary, events.durations));
    }
    await options.after?.(run, surface);
    return faults > 0 ? EXIT.failed : exitCodeOf(summary, options.detailedExitCode === true);
  } finally {
    await report.rest();
    await prepared.close();
    process.removeListener('uncaughtException', onFault);
    interruption.dispose();
  }
}

/** Hands on the result of a run. @returns whether what is to be done with it went well */
function finished(run: TakenRun, options: FleetCommandOptions, { terminal }: RunSurface): boolean {
  options.take?.(run);
  const wrong = options.finished?.(run.summary) ?? null;
  if (wrong !== null) terminal.error(`${terminal.errorStyle.red('error')}: ${wrong}\n`);
  return wrong === null;
}

/** What stands below a run: the results, and the table of all hosts. */
function closingText({ style, width }: Terminal, summary: RunSummary, durations: ReadonlyMap<string, number>): string {
  const results = wrapped(resultsText(summary, style), width);
  return `\n${results === '' ? '' : `${results}\n`}${closingTable(summary, durations, { style, width })}`;
}

/**
 * A change needs a confirmation: `--yes`, or "yes" typed at a terminal. `--json` leaves no place for a question.
 *
 * @throws UsageError when neither is possible
 */
export function requireConsent(flags: RunFlags & { readonly yes?: boolean }, command: string): void {
  if (flags.yes === true) return;
  if (flags.json === true)
    throw new UsageError(`${command} --json cannot ask`, 'Add --yes to go ahead without a question');
  if (openTerminal(flags.color).interactive) return;
  throw new UsageError(
    `${command} has no terminal to ask on`,
    `Add --yes to go ahead without a question, or look first with "portfw plan"`,
  );
}

/** Whether the standard output is for one document. */
function printsDocument({ format }: RunFlags): boolean {
  return format !== undefined && format !== 'text';
}

/** The controller's journal of a run that changes hosts; for another run, and with `--no-journal`, one that has nothing to do. */
async function openRunJournal(
  command: string | undefined,
  given: string | false | undefined,
  context: FleetContext,
  report: Report,
): Promise<OpenRunJournal> {
  if (command === undefined || given === false) return { context, before: (emit) => emit, failed: () => false };
  const { beginRunJournal } = await import('./run-journal-file.ts');
  return beginRunJournal(command, given, context, (text) => report.say(text));
}

function quietReport(): Report {
  return { event: () => undefined, say: (text) => process.stderr.write(`${text}\n`), rest: async () => undefined };
}

async function openReport(terminal: Terminal, flags: RunFlags): Promise<Report> {
  if (flags.json === true) return new NdjsonReport(process.stdout, process.stderr);
  if (printsDocument(flags)) return new PlainReport(process.stderr, flags.verbose);
  if (!terminal.isTty || process.env['TERM'] === 'dumb') return new PlainReport(process.stdout, flags.verbose);
  const { LiveReport } = await import('../report/terminal/live.ts');
  return new LiveReport(process.stdout, terminal.style, flags.verbose);
}
