import type { OnFailure, Play } from '../matrix/matrix.ts';
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
  readonly onFailure: OnFailure;
}

/**
 * The order in which an apply goes through the hosts: playbook by playbook as the hosts name them first, play by play as
 * the playbook lists them, batch by batch as `serial` says.
 *
 * @returns the batches of each playbook: what stops one playbook is nothing to the next
 */
export function rolloutBatches(jobs: Iterable<HostJob>): readonly (readonly Batch[])[] {
  const hostsOf = new Map<Play | null, string[]>();
  for (const job of jobs) {
    const hosts = hostsOf.get(job.play);
    if (hosts === undefined) hostsOf.set(job.play, [job.host]);
    else hosts.push(job.host);
  }
  const files = [...new Set([...hostsOf.keys()].map((play) => play?.location.file))];
  const line = (play: Play | null): number => play?.location.line ?? 0;
  return files.map((file) => {
    const plays = [...hostsOf.keys()].filter((play) => play?.location.file === file);
    return plays.sort((a, b) => line(a) - line(b)).flatMap((play) => batchesOf(play, hostsOf.get(play)!));
  });
}

function batchesOf(play: Play | null, hosts: readonly string[]): readonly Batch[] {
  const batches = serialBatches(hosts, play?.serial ?? []);
  return batches.map((own, index) => ({
    play: play?.name ?? '',
    batch: index + 1,
    batches: batches.length,
    hosts: own,
    maxFailPercentage: play?.maxFailPercentage ?? null,
    onFailure: play?.onFailure ?? 'keep-good',
  }));
}
