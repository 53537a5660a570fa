import type { ChainLine, JournalProblem } from './chain.ts';
import type { ControllerLine, JournaledHost } from './controller-line.ts';
import type { HostLine } from './host-line.ts';

/** A line with its place and its digest. */
export interface Placed<L> {
  readonly place: ChainLine;
  readonly line: L;
}

/** The lines of a chain that can be read, in order; the chain's own check names the others. */
export function readableLines<L>(lines: readonly ChainLine[], read: (text: string) => L | null): readonly Placed<L>[] {
  return lines.flatMap((place) => {
    const line = read(place.text);
    return line === null ? [] : [{ place, line }];
  });
}

/** What two journals say of each other. */
export interface Comparison {
  readonly problems: readonly JournalProblem[];
  readonly notes: readonly string[];
}

type EndedThere = ControllerLine & JournaledHost;

/**
 * Compares the controller's journal with that of one host. How a run ended on the host must be in both, and the host's lines
 * name the line of the controller's journal with which their run began.
 *
 * @param id the digest of the first line of the controller's journal; `null` if it is empty
 */
export function compareJournals(
  host: string,
  controller: readonly Placed<ControllerLine>[],
  id: string | null,
  there: readonly Placed<HostLine>[],
): Comparison {
  const here = controller.flatMap(({ line }) => (line.event === 'host' && line.host === host ? [line] : []));
  const missingThere = here.flatMap((line) => problemThere(line, there));
  const { problems, notes } = lookHere(host, controller, id, here, there);
  return { problems: [...missingThere, ...problems], notes };
}

/** What the host's journal lacks, or says otherwise, of how a run ended there. */
function problemThere(here: EndedThere, there: readonly Placed<HostLine>[]): readonly JournalProblem[] {
  const verdict = endedAs(here);
  if (verdict === null) return [];
  const { seq, at, run, generation, who } = here;
  const said = `${here.outcome.kind} at ${at} (${here.command} by ${who}, run ${run}, line ${seq} of this machine's journal)`;
  const ofGeneration = there.find(({ line }) => line.id === generation);
  const ofRun = there.find(({ line }) => line.run === run);
  // A rollback names the generation that it went to, which an older run saved; what ended a dead run may be all that it did.
  const older = ofGeneration?.line.outcome === 'reverted' ? ofGeneration : undefined;
  const found = here.outcome.kind === 'rolled-back' ? (ofRun ?? older) : (ofGeneration ?? ofRun);
  if (found === undefined)
    return [{ code: 'missing', line: null, what: `the host's journal has no line for what ended as ${said}` }];
  // Only these name the generation that the run itself saved; a rollback names the one that it went to.
  const same = here.outcome.kind === 'changed';
  const { line, place } = found;
  if (!same || (line.run === run && line.plan === here.plan && line.who === who && line.outcome === verdict)) return [];
  return [
    {
      code: 'disagrees',
      line: place.seq,
      what: `line ${place.seq} of the host says otherwise than what ended as ${said}`,
    },
  ];
}

/** How the host's line must end for this outcome; `null` if it need not have one. */
function endedAs({ outcome }: EndedThere): HostLine['outcome'] | null {
  switch (outcome.kind) {
    case 'changed':
    case 'confirmed':
    case 'rolled-back':
      return 'kept';
    case 'reverted':
      return 'reverted';
    default:
      return outcome.aftermath === 'restored' ? 'reverted' : null;
  }
}

/** What this machine's journal lacks of what the host's lines name in it. */
function lookHere(
  host: string,
  controller: readonly Placed<ControllerLine>[],
  id: string | null,
  here: readonly EndedThere[],
  there: readonly Placed<HostLine>[],
): Comparison {
  const problems: JournalProblem[] = [];
  const notes: string[] = [];
  const bySeq = new Map(controller.map((one) => [one.place.seq, one]));
  const ended = new Set(controller.flatMap(({ line }) => (line.event === 'ended' ? [line.run] : [])));
  const others = new Map<string, number>();
  for (const { line, place } of there) {
    const { journal, run, at, who } = line;
    if (journal === null || run === null || journal.id !== id) {
      const from = who === '' ? 'unknown' : who;
      others.set(from, (others.get(from) ?? 0) + 1);
      continue;
    }
    const begun = bySeq.get(journal.seq);
    const named = `run ${run}, which the host ended at ${at} (its line ${place.seq})`;
    if (begun === undefined || begun.place.digest !== journal.digest) {
      const what = begun === undefined ? 'is missing' : 'was changed';
      problems.push({
        code: 'disagrees',
        line: journal.seq,
        what: `line ${journal.seq} of this machine's journal ${what}: it began ${named}`,
      });
    } else if (!here.some((one) => one.run === run)) {
      if (ended.has(run))
        problems.push({
          code: 'missing',
          line: null,
          what: `this machine's journal has no line for ${host} in ${named}`,
        });
      else notes.push(`portfw was killed on this machine during ${named}`);
    }
  }
  for (const [who, count] of others)
    notes.push(`${count} of its lines are about runs of ${who} that other journals have, or none`);
  return { problems, notes };
}
