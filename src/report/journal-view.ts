import { counted } from '../core/lists.ts';
import type { ControllerLine } from '../journal/controller-line.ts';
import { cleaned } from './clean.ts';

/** One row of `portfw history --runs`. Every text is one line and safe to show. */
export interface JournalRow {
  readonly at: string;
  readonly who: string;
  readonly command: string;
  /** The host, or how many hosts a run was for that has no line for one of them. */
  readonly host: string;
  /** The digests of the host's plan, or of the saved plan's file. */
  readonly plan: string;
  readonly approvedBy: string;
  readonly outcome: string;
  readonly bad: boolean;
}

/** How much of a digest is enough to recognise it. */
const SHOWN = 12;

/** The lines of the runs over some hosts (`null`: all): of each run its begin and its end, and those of these hosts between them. */
export function linesOfHosts(
  lines: readonly ControllerLine[],
  hosts: ReadonlySet<string> | null,
): readonly ControllerLine[] {
  if (hosts === null) return lines;
  const runs = new Set(
    lines.flatMap((line) => (line.event === 'started' && line.hosts.some((host) => hosts.has(host)) ? [line.run] : [])),
  );
  return lines.filter((line) => (line.event === 'host' ? hosts.has(line.host) : runs.has(line.run)));
}

/** A row for each host that a run was to change, and one for each run without such a host, or without an end. */
export function journalRows(lines: readonly ControllerLine[]): readonly JournalRow[] {
  const ended = new Set(lines.flatMap((line) => (line.event === 'ended' ? [line.run] : [])));
  const withHosts = new Set(lines.flatMap((line) => (line.event === 'host' ? [line.run] : [])));
  const sizes = new Map(lines.flatMap((line) => (line.event === 'started' ? [[line.run, line.hosts.length]] : [])));
  const rowsOf = (line: ControllerLine): readonly JournalRow[] => {
    switch (line.event) {
      case 'host': {
        const { kind, code, aftermath } = line.outcome;
        const parts = [kind, ...(code === null ? [] : [code]), ...(aftermath === null ? [] : [`then ${aftermath}`])];
        return [rowOf(line, line.host, parts.join(', '), BAD.has(kind), line.plan)];
      }
      case 'started':
        if (ended.has(line.run)) return [];
        return [rowOf(line, counted(line.hosts.length, 'host'), 'no end: killed, or still running', true)];
      case 'ended': {
        if (withHosts.has(line.run)) return [];
        const counts = Object.entries(line.outcomes).map(([kind, count]) => `${count} ${kind}`);
        return [rowOf(line, counted(sizes.get(line.run) ?? 0, 'host'), counts.join(', '), false)];
      }
    }
  };
  return lines.flatMap(rowsOf);
}

const BAD: ReadonlySet<string> = new Set(['failed', 'refused', 'unreachable', 'reverted']);

function rowOf(
  line: ControllerLine,
  host: string,
  outcome: string,
  bad: boolean,
  plan: string | null = null,
): JournalRow {
  const { at, who, command, file, signers } = line;
  const from = file === null ? (plan ?? '') : `file ${file.slice(0, SHOWN)}`;
  return cleaned({
    at: at.replace(/\.\d+Z$/, 'Z'),
    who,
    command,
    host,
    plan: file === null ? from.slice(0, SHOWN) : from,
    approvedBy: signers.join(', '),
    outcome,
    bad,
  });
}

/** What the check of one journal found. */
export interface CheckedJournal {
  /** `null` for the journal of this machine. */
  readonly host: string | null;
  /** Its file; `null` for a host's. */
  readonly file: string | null;
  readonly lines: number;
  readonly problems: readonly { readonly code: string; readonly line: number | null; readonly what: string }[];
  readonly notes: readonly string[];
}
