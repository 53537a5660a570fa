import type { BatchSize } from '../matrix/matrix.ts';

/**
 * Cuts a play's hosts into the batches of its `serial`, as Ansible does: a percentage is a share of *all* the play's
 * hosts, rounded down but at least one host; the last size repeats until no host is left; no size at all, or a count of
 * zero, takes everything that is left in one batch.
 */
export function serialBatches<T>(hosts: readonly T[], serial: readonly BatchSize[]): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let next = 0;
  for (let turn = 0; next < hosts.length; turn += 1) {
    const size = serial[Math.min(turn, serial.length - 1)];
    const count = size === undefined ? 0 : hostsOf(size, hosts.length);
    const end = count <= 0 ? hosts.length : next + count;
    batches.push(hosts.slice(next, end));
    next = end;
  }
  return batches;
}

function hostsOf(size: BatchSize, total: number): number {
  if (size.kind === 'count') return size.count;
  return Math.max(1, Math.floor((size.percent / 100) * total));
}

/**
 * Whether a batch failed beyond what `max_fail_percentage` allows. The share must be exceeded, not merely reached: at 50,
 * one failed host of two is let through. `null` allows everything.
 */
export function exceedsFailures(failed: number, batchSize: number, maxFailPercentage: number | null): boolean {
  if (maxFailPercentage === null || batchSize === 0) return false;
  return failed * 100 > maxFailPercentage * batchSize;
}
