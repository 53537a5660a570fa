import type { Problem } from '../core/problem.ts';
import type { FleetEvent, RunSummary } from '../fleet/events.ts';
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
import { forksOf, type RunFlags } from './run-flags.ts';
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
  /** Asks before any host is contacted; a no ends with exit code 1. */
  readonly confirm?: (hosts: readonly string[], surface: RunSurface) => Promise<boolean>;
  readonly command: (surface: RunSurface, context: PreparedRun['context']) => FleetCommand;
  /** Called with the result of the run. @returns what went wrong, which makes the exit code 1; `null` if nothing did */
  readonly finished?: (summary: RunSummary) => string | null;
  /** Shows the results of the hosts above the closing table; not with `--json`. */
  readonly show?: (run: TakenRun, surface: RunSurface) => void;
  /** Takes what came out, instead of showing the warnings about the files and the results of the hosts. */
  readonly take?: (taken: TakenRun) => void;
}

/** What came out of a run, for a command that shows it in its own way. */
export interface TakenRun {
  readonly summary: RunSummary;
  readonly context: PreparedRun['context'];
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

  const report = await openReport(terminal, flags);
  const interruption = listenForInterruption(
    (text) => report.say(text),
    (code) => process.exit(code),
  );
  const surface: RunSurface = { terminal, report, interruption };
  const durations = new Map<string, number>();
  /** Events that come while a server's question waits for its answer; any of them would paint over it. */
  let held: FleetEvent[] | null = null;
  const emit = (event: FleetEvent): void => {
    if (held !== null) {
      held.push(event);
      return;
    }
    if (event.kind === 'host-finished' || event.kind === 'host-reverted') durations.set(event.host, event.durationMs);
    report.event(event);
  };
  prepared.questions.restFor(
    async (ask) => {
      held = [];
      try {
        await report.rest();
        return await ask();
      } finally {
        const late = held;
        held = null;
        for (const event of late) emit(event);
      }
    },
    () => interruption.interrupt(),
  );
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
    const context = { ...prepared.context, ...options.context, signal: interruption.signal };
    const summary = await runFleet(options.command(surface, prepared.context), context, createHostOperations(), {
      forks: forksOf(flags, ansibleConfig().settings),
      leftOut: prepared.leftOut,
      emit,
    });
    await report.rest();
    const run = { summary, context: prepared.context, warnings: prepared.warnings };
    if (!finished(run, options, surface)) faults += 1;
    if (options.take === undefined && flags.json !== true) {
      options.show?.(run, surface);
      terminal.out(closingText(terminal, summary, durations));
    }
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

async function openReport(terminal: Terminal, flags: RunFlags): Promise<Report> {
  if (flags.json === true) return new NdjsonReport(process.stdout, process.stderr);
  if (!terminal.isTty || process.env['TERM'] === 'dumb') return new PlainReport(process.stdout, flags.verbose);
  const { LiveReport } = await import('../report/terminal/live.ts');
  return new LiveReport(process.stdout, terminal.style, flags.verbose);
}
