import { terminalLine } from '../../core/terminal-text.ts';
import type { HostJournal } from '../../host/answers.ts';
import { type Chain, type JournalProblem, readChain } from '../../journal/chain.ts';
import { compareJournals, type Placed, readableLines } from '../../journal/compare.ts';
import { type ControllerLine, readControllerLine } from '../../journal/controller-line.ts';
import { readHostLine } from '../../journal/host-line.ts';
import { type CheckedJournal, journalRows, linesOfHosts } from '../../report/journal-view.ts';
import { jsonLine } from '../../report/json/json-line.ts';
import { checkText, journalText } from '../../report/terminal/journal-text.ts';
import { wrapped } from '../../report/terminal/wrap.ts';
import { EXIT } from '../exit-codes.ts';
import { runOverFleet, type TakenRun } from '../fleet-command.ts';
import { journalPath, readJournal } from '../journal-file.ts';
import { hostsOfRun } from '../prepare-run.ts';
import type { RunFlags } from '../run-flags.ts';
import { openTerminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface HistoryFlags extends RunFlags {
  readonly runs?: boolean;
  readonly check?: boolean;
}

/** The controller's journal as it was read. */
interface ReadJournal {
  readonly path: string;
  readonly chain: Chain;
  readonly lines: readonly Placed<ControllerLine>[];
}

/** Whether all runs in the journal are asked for: no host is contacted, so no inventory is needed. */
export function isAboutAllRuns(files: readonly string[], flags: HistoryFlags): boolean {
  const named = files.length > 0 || flags.inventory !== undefined || flags.limit !== undefined;
  return flags.runs === true && flags.check !== true && !named;
}

/** `portfw history INVENTORY [--runs] [--check]`. With `--runs` alone there may be no inventory: then it shows all runs. */
export async function history(sources: readonly string[], flags: HistoryFlags): Promise<number> {
  if (flags.runs === true) await showRuns(sources, flags);
  if (flags.check === true) return check(sources, flags);
  if (flags.runs === true) return EXIT.done;
  if (flags.journal !== undefined)
    throw new UsageError('--journal needs --runs or --check', 'The generations are read from the hosts');
  return runOverFleet(sources, flags, { matrix: 'optional', command: () => ({ kind: 'history' }) });
}

/** Shows the runs in the controller's journal; contacts no host. */
async function showRuns(sources: readonly string[], flags: HistoryFlags): Promise<void> {
  const terminal = openTerminal(flags.color);
  const hosts = sources.length === 0 ? null : new Set(await hostsOfRun(sources, flags));
  const { lines, path, chain } = controllerJournal(flags);
  const shown = linesOfHosts(
    lines.map(({ line }) => line),
    hosts,
  );
  if (flags.json === true) {
    for (const line of shown) terminal.out(`${jsonLine(line)}\n`);
    return;
  }
  if (shown.length === 0)
    terminal.out(`${terminalLine(path)} has no run${hosts === null ? '' : ' over these hosts'}\n`);
  else terminal.out(journalText(journalRows(shown), terminal.style));
  if (chain.problems.length > 0 && flags.check !== true)
    terminal.error(`The journal is damaged: see "portfw history --check"\n`);
}

function controllerJournal(flags: HistoryFlags): ReadJournal {
  const path = journalPath(flags.journal === false ? undefined : flags.journal);
  try {
    const { bytes, head } = readJournal(path);
    const chain = readChain(bytes ?? Buffer.alloc(0), head);
    return { path, chain, lines: readableLines(chain.lines, readControllerLine) };
  } catch (error) {
    throw new UsageError(
      `the journal ${terminalLine(path, 600)} cannot be read: ${terminalLine(error instanceof Error ? error.message : String(error), 600)}`,
      'Make it readable, or name another with --journal FILE',
    );
  }
}

/** Checks the journal of this machine and those of the hosts, each by itself and against the other. */
async function check(sources: readonly string[], flags: HistoryFlags): Promise<number> {
  // First: the file must be readable before any host is contacted.
  controllerJournal(flags);
  let taken: TakenRun | null = null;
  const code = await runOverFleet(sources, flags, {
    matrix: 'optional',
    quiet: flags.json === true,
    command: () => ({ kind: 'history', journal: true }),
    take: (run) => {
      taken = run;
    },
  });
  const journals = taken === null ? [] : checkedJournals(controllerJournal(flags), taken);
  const broken = journals.some(({ problems }) => problems.length > 0);
  const terminal = openTerminal(flags.color);
  if (flags.json === true) terminal.out(`${jsonLine({ kind: 'journal-check', format: 1, broken, journals })}\n`);
  else terminal.out(wrapped(`\n${checkText(journals, terminal.style)}`, terminal.width));
  return broken && code !== EXIT.interrupted ? EXIT.failed : code;
}

function checkedJournals(controller: ReadJournal, { summary }: TakenRun): readonly CheckedJournal[] {
  const { path, chain, lines } = controller;
  const unread = chain.lines.length - lines.length - chain.lines.filter(({ readable }) => !readable).length;
  const odd = unread === 0 ? [] : [unknownLines(unread)];
  const own = { host: null, file: path, lines: chain.lines.length, notes: chain.notes };
  const hosts = [...summary.outcomes].map(([host, outcome]): CheckedJournal => {
    if (outcome.kind === 'history' && outcome.journal !== undefined)
      return checkedHost(host, outcome.journal, controller);
    const why = 'failure' in outcome ? `${outcome.failure.code}: ${outcome.failure.what}` : outcome.kind;
    return { host, file: null, lines: 0, problems: [unreadable(`it could not be read: ${why}`)], notes: [] };
  });
  return [{ ...own, problems: [...chain.problems, ...odd] }, ...hosts];
}

function checkedHost(host: string, journal: HostJournal, { chain, lines }: ReadJournal): CheckedJournal {
  const there = readChain(Buffer.from(journal.texts.join(''), 'latin1'), journal.head);
  const read = readableLines(there.lines, readHostLine);
  const odd = there.lines.filter(({ readable }) => readable).length - read.length;
  const compared = compareJournals(host, lines, chain.lines[0]?.digest ?? null, read);
  const unread = journal.trouble.map((line) => unreadable(line));
  const problems = [...unread, ...there.problems, ...(odd === 0 ? [] : [unknownLines(odd)]), ...compared.problems];
  return { host, file: null, lines: there.lines.length, problems, notes: [...there.notes, ...compared.notes] };
}

function unreadable(what: string): JournalProblem {
  return { code: 'unreadable', line: null, what };
}

function unknownLines(count: number): JournalProblem {
  return unreadable(`${count} of its lines are not as portfw writes them`);
}
