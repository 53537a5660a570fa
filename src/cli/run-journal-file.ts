import { newGenerationId } from '../fleet/apply-host.ts';
import type { FleetContext } from '../fleet/books.ts';
import type { FleetEvent } from '../fleet/events.ts';
import { RunJournal } from '../fleet/run-journal.ts';
import type { JournalPlace } from '../host/requests.ts';
import { controllerLineText, type JournalEntry } from '../journal/controller-line.ts';
import { appendToJournal, journalPath } from './journal-file.ts';
import { UsageError } from './usage-error.ts';

/** The controller's journal during one run. */
export interface OpenRunJournal {
  /** The run's context, with its place in the journal for those of the hosts. */
  readonly context: FleetContext;
  /** A receiver of events that writes each to the journal before it hands it on. */
  before(emit: (event: FleetEvent) => void): (event: FleetEvent) => void;
  /** Whether a line could not be written. */
  failed(): boolean;
}

/**
 * Writes that a run begins. A line that cannot be written later is reported once: the hosts in progress are not left half
 * changed for it.
 *
 * @param given `--journal`
 * @throws UsageError if the journal cannot be written: no host is changed without one
 */
export function beginRunJournal(
  command: string,
  given: string | undefined,
  context: FleetContext,
  say: (text: string) => void,
): OpenRunJournal {
  const path = journalPath(given);
  const { plannedBy, holder } = context;
  const run = newGenerationId(new Date());
  const of = { run, who: holder, command, file: plannedBy?.digest ?? null, signers: plannedBy?.signers ?? [] };
  const add = (entry: JournalEntry): JournalPlace =>
    appendToJournal(path, (link) => controllerLineText(of, entry, new Date(), link));
  let at: JournalPlace;
  try {
    at = add({ event: 'started', hosts: [...context.jobs.keys()] });
  } catch (error) {
    throw new UsageError(
      `the journal ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      'Nothing was changed. Make it writable, name another with --journal FILE, or go without one with --no-journal',
    );
  }
  let failed = false;
  const lines = new RunJournal((entry) => {
    try {
      add(entry);
    } catch (error) {
      if (!failed) say(`the journal ${path} is incomplete: ${error instanceof Error ? error.message : String(error)}`);
      failed = true;
    }
  });
  return {
    context: { ...context, journal: { run, at } },
    before: (emit) => (event) => {
      lines.event(event);
      emit(event);
    },
    failed: () => failed,
  };
}
