import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { shown } from '../core/shown.ts';
import { messageOf } from '../fleet/books.ts';
import type { RunSummary } from '../fleet/events.ts';
import { metricsText, NO_SUCCESS, readLastSuccesses } from '../report/metrics.ts';
import { UsageError } from './usage-error.ts';
import { writeWholeFile } from './whole-file.ts';

/** Everybody may read it: the node exporter runs as another user. */
const MODE = 0o644;
/** A file that is larger is none of ours. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Checks, before any host is contacted, that the metrics can be written.
 *
 * @throws UsageError if the folder is not there or not writable, or the path is no file
 */
function checkMetricsFile(path: string): void {
  const folder = dirname(path);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    if (!statSync(folder).isDirectory()) throw new Error('not a folder');
  } catch {
    throw new UsageError(
      `--metrics cannot write ${shown(path)}: the folder ${shown(folder)} is not there or not writable`,
      'Make the folder, or name another file; the node exporter reads *.prom in the folder of --collector.textfile.directory',
    );
  }
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile())
    throw new UsageError(`--metrics cannot write ${shown(path)}: it is not a file`, 'Name another file');
}

/**
 * What a run needs to write its metrics; nothing without `--metrics`.
 *
 * @param plannedAt when the plan was made, in milliseconds since 1970; `null` for the run itself
 * @throws UsageError if the file cannot be written, before any host is contacted
 */
export function measured(
  path: string | undefined,
  version: string,
  plannedAt: number | null = null,
): { readonly finished?: (summary: RunSummary) => string | null } {
  if (path === undefined) return {};
  checkMetricsFile(path);
  return {
    finished: (summary) => {
      const finishedAt = Math.round(Date.now() / 1000);
      const planned = plannedAt === null ? finishedAt : Math.round(plannedAt / 1000);
      const text = metricsText({ version, summary, finishedAt, plannedAt: planned, before: lastSuccesses(path) });
      try {
        writeWholeFile(path, text, MODE);
        return null;
      } catch (error) {
        return `the metrics were not written to ${shown(path)}: ${messageOf(error)}`;
      }
    },
  };
}

function lastSuccesses(path: string): ReturnType<typeof readLastSuccesses> {
  try {
    return statSync(path).size > MOST_BYTES ? NO_SUCCESS : readLastSuccesses(readFileSync(path, 'utf8'));
  } catch {
    return NO_SUCCESS;
  }
}
