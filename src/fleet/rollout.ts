import type { OnFailure, Play } from '../matrix/matrix.ts';
import { serialBatches } from './batches.ts';
import type { Cluster } from './clusters.ts';
import type { HostJob } from './operations.ts';

/** One serial batch of one play. Batches count from 1. */
export interface Batch {
  /** The play's name; empty for hosts without a play. */
  readonly play: string;
  readonly batch: number;
  readonly batches: number;
  readonly hosts: readonly string[];
  readonly maxFailPercentage: number | null;
  readonly onFailure: OnFailure;
}

/** A play with other batches than `serial` alone would give, because the members of its clusters are separated. */
export interface BatchSplit {
  readonly play: string;
  readonly batches: number;
  /** How many batches `serial` alone would make. */
  readonly serial: number;
  /** The clusters of which `serial` alone would change several members at once; none is part of another. */
  readonly clusters: readonly Cluster[];
}

/** The order of the hosts of an apply. */
export interface Rollout {
  /** The batches of each playbook, in order: a stop of one playbook does not affect the next. */
  readonly playbooks: readonly (readonly Batch[])[];
  readonly splits: readonly BatchSplit[];
}

/**
 * The order of the hosts of an apply: playbooks in the order in which hosts first name them, plays in the order of the
 * playbook, batches by `serial`. Plays and playbooks run one after the other, so only within a batch hosts of a cluster
 * could be changed together; there they are separated.
 */
export function planRollout(jobs: Iterable<HostJob>, clusters: readonly Cluster[]): Rollout {
  const hostsOf = new Map<Play | null, string[]>();
  for (const job of jobs) {
    const hosts = hostsOf.get(job.play);
    if (hosts === undefined) hostsOf.set(job.play, [job.host]);
    else hosts.push(job.host);
  }
  const files = [...new Set([...hostsOf.keys()].map((play) => play?.location.file))];
  const line = (play: Play | null): number => play?.location.line ?? 0;
  const ordered = files.map((file) => {
    const plays = [...hostsOf.keys()].filter((play) => play?.location.file === file);
    return plays.sort((a, b) => line(a) - line(b));
  });
  const batches = new Map([...hostsOf].map(([play, hosts]) => [play, batchesOf(play, hosts, clusters)]));
  return {
    playbooks: ordered.map((plays) => plays.flatMap((play) => batches.get(play)!)),
    splits: ordered.flat().flatMap((play) => splitOf(play, hostsOf.get(play)!, batches.get(play)!.length, clusters)),
  };
}

function batchesOf(play: Play | null, hosts: readonly string[], clusters: readonly Cluster[]): readonly Batch[] {
  const batches = serialBatches(
    hosts,
    play?.serial ?? [],
    clusters.map((cluster) => cluster.hosts),
  );
  return batches.map((own, index) => ({
    play: play?.name ?? '',
    batch: index + 1,
    batches: batches.length,
    hosts: own,
    maxFailPercentage: play?.maxFailPercentage ?? null,
    onFailure: play?.onFailure ?? 'keep-good',
  }));
}

function splitOf(
  play: Play | null,
  hosts: readonly string[],
  batches: number,
  clusters: readonly Cluster[],
): BatchSplit[] {
  const alone = serialBatches(hosts, play?.serial ?? []);
  const turn = new Map(alone.flatMap((batch, index) => batch.map((host): [string, number] => [host, index])));
  const met = clusters.flatMap((cluster) => {
    const members = cluster.hosts.filter((host) => turn.has(host));
    return new Set(members.map((host) => turn.get(host))).size < members.length ? [{ ...cluster, hosts: members }] : [];
  });
  if (met.length === 0) return [];
  const told = met.filter(
    (one, index) =>
      !met.some(
        (other, at) =>
          other !== one &&
          one.hosts.every((host) => other.hosts.includes(host)) &&
          (other.hosts.length > one.hosts.length || at < index),
      ),
  );
  return [{ play: play?.name ?? '', batches, serial: alone.length, clusters: told }];
}
