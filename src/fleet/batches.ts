import type { BatchSize } from '../matrix/matrix.ts';

/**
 * Splits a play's hosts into the batches of its `serial`, as Ansible does: a percentage is a share of *all* the play's hosts,
 * rounded down but at least one host; the last size repeats until no host is left; no size, or a count of zero, means one
 * batch for all remaining hosts.
 *
 * Two hosts of one cluster are never in one batch. A host whose cluster already has a member in the batch waits for
 * the next one, and later hosts move up: sizes are then upper bounds, and there may be more batches. Without clusters the
 * order of the hosts is kept.
 *
 * @param clusters sets of hosts; a batch contains at most one host of each
 */
export function serialBatches<T>(
  hosts: readonly T[],
  serial: readonly BatchSize[],
  clusters: readonly (readonly T[])[] = [],
): readonly (readonly T[])[] {
  const clustersOf = new Map<T, number[]>();
  clusters.forEach((members, cluster) => {
    for (const host of members) clustersOf.set(host, [...(clustersOf.get(host) ?? []), cluster]);
  });
  const batches: T[][] = [];
  let waiting = hosts;
  while (waiting.length > 0) {
    const room = roomOf(serial[Math.min(batches.length, serial.length - 1)], hosts.length);
    const batch: T[] = [];
    const later: T[] = [];
    const present = new Set<number>();
    let next = 0;
    for (; next < waiting.length && batch.length < room; next += 1) {
      const host = waiting[next]!;
      const own = clustersOf.get(host) ?? [];
      if (own.some((cluster) => present.has(cluster))) {
        later.push(host);
        continue;
      }
      batch.push(host);
      for (const cluster of own) present.add(cluster);
    }
    batches.push(batch);
    waiting = [...later, ...waiting.slice(next)];
  }
  return batches;
}

/** How many hosts a batch may have. */
function roomOf(size: BatchSize | undefined, total: number): number {
  if (size === undefined || (size.kind === 'count' && size.count <= 0)) return Number.POSITIVE_INFINITY;
  return size.kind === 'count' ? size.count : Math.max(1, Math.floor((size.percent / 100) * total));
}

/**
 * Whether a batch failed beyond what `max_fail_percentage` allows. The share must be exceeded, not only reached: at 50, one
 * failed host of two is allowed. `null` allows everything.
 */
export function exceedsFailures(failed: number, batchSize: number, maxFailPercentage: number | null): boolean {
  if (maxFailPercentage === null || batchSize === 0) return false;
  return failed * 100 > maxFailPercentage * batchSize;
}
