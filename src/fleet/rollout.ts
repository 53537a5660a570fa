import type { Play } from '../matrix/matrix.ts';
import { serialBatches } from './batches.ts';
import type { HostJob } from './operations.ts';

/** One serial batch of one play. Batches count from 1. */
export interface Batch {
  /** The play's name, empty for hosts that no play covers. */
  readonly play: string;
  readonly batch: number;
  readonly batches: number;
  readonly hosts: readonly string[];
  readonly maxFailPercentage: number | null;
}

/**
 * The order in which an apply goes through the hosts: playbook by playbook as the hosts name them first, play by play as
 * the playbook lists them, batch by batch as `serial` says.
 */
export function rolloutBatches(jobs: Iterable<HostJob>): readonly Batch[] {
  const hostsOf = new Map<Play | null, string[]>();
  for (const job of jobs) {
    const hosts = hostsOf.get(job.play);
    if (hosts === undefined) hostsOf.set(job.play, [job.host]);
    else hosts.push(job.host);
  }
  const files = [...new Set([...hostsOf.keys()].map((play) => play?.location.file))];
  const order = (play: Play | null): number => files.indexOf(play?.location.file);
  const line = (play: Play | null): number => play?.location.line ?? 0;
  const plays = [...hostsOf.keys()].sort((a, b) => order(a) - order(b) || line(a) - line(b));
  return plays.flatMap((play) => {
    const batches = serialBatches(hostsOf.get(play)!, play?.serial ?? []);
    return batches.map((hosts, index) => ({
      play: play?.name ?? '',
      batch: index + 1,
      batches: batches.length,
      hosts,
      maxFailPercentage: play?.maxFailPercentage ?? null,
    }));
  });
}
