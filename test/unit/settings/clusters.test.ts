import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseAddress } from '../../../src/core/addresses.ts';
import { type Cluster, clustersAmong } from '../../../src/fleet/clusters.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { type Batch, planRollout } from '../../../src/fleet/rollout.ts';
import type { Play } from '../../../src/matrix/matrix.ts';
import { hostPeers } from '../../../src/settings/addresses-of-hosts.ts';
import type { HostSettings } from '../../../src/settings/settings-types.ts';
import { CLUSTERS, fleets, type RandomFleet } from '../fleet/helpers/random-fleets.ts';

/**
 * Whether two hosts may not change at the same time, read from the inventory pair by pair: it knows no list of clusters.
 * What is asked of each pair is read once a host.
 */
function pairJudge({ jobs, inventory, rolesOf }: RandomFleet): (one: HostJob, other: HostJob) => boolean {
  const named = jobs.flatMap(({ settings: { cluster } }) => cluster ?? []);
  const read = ({ settings, play }: HostJob, roles: readonly string[]) => ({
    settings,
    vips: settings.vips.map((vip) => normaliseAddress(vip)),
    groups: named.filter(
      (group) => settings.cluster === group || inventory.groups.get(group)!.allHosts.includes(settings.name),
    ),
    clusters: CLUSTERS.filter(
      (cluster) =>
        roles.some((role) => cluster.roles.includes(role)) &&
        (cluster.feature === null ||
          settings.features.includes(cluster.feature) ||
          play!.features.includes(cluster.feature)),
    ),
  });
  type Known = ReturnType<typeof read>;
  const known = new Map(jobs.map((job) => [job, read(job, rolesOf(job))]));
  const isOfSite = ({ settings: host }: Known, { settings: other }: Known): boolean =>
    host.site === null
      ? host.playbook === other.playbook
      : inventory.groups.get(host.site)!.allHosts.includes(other.name);
  return (one, other) => {
    const a = known.get(one)!;
    const b = known.get(other)!;
    return (
      a.groups.some((group) => b.groups.includes(group)) ||
      a.vips.some((vip) => b.vips.includes(vip)) ||
      (a.clusters.some((cluster) => b.clusters.includes(cluster)) && (isOfSite(a, b) || isOfSite(b, a)))
    );
  };
}

function clustersOf({ jobs, inventory, rolesOf }: RandomFleet): readonly Cluster[] {
  return clustersAmong(jobs, inventory, rolesOf);
}

/** What `serial` allows a batch of a play to have; the last size holds for all that follow. */
function roomOf({ serial }: Play, batch: number, total: number): number {
  const size = serial[batch - 1] ?? serial.at(-1);
  if (size === undefined || (size.kind === 'count' && size.count === 0)) return total;
  return size.kind === 'count' ? size.count : Math.max(1, Math.floor((size.percent * total) / 100));
}

const names = (batches: readonly Batch[]): readonly (readonly string[])[] => batches.map(({ hosts }) => hosts);

describe('any fleet', { timeout: 120_000 }, () => {
  it('has no batch with two hosts of a cluster, each host once, and no batch above its serial: 10,000 of them', () => {
    let split = 0;
    let pairs = 0;
    fc.assert(
      fc.property(fleets, (fleet) => {
        const byName = new Map(fleet.jobs.map((job) => [job.host, job]));
        const { playbooks, splits } = planRollout(fleet.jobs, clustersOf(fleet));
        split += splits.length > 0 ? 1 : 0;
        const batches = playbooks.flat();
        const belongTogether = pairJudge(fleet);
        for (const { hosts } of batches) {
          if (hosts.length === 0) throw new Error('a batch is empty');
          hosts.forEach((host, index) => {
            for (const other of hosts.slice(index + 1)) {
              pairs += 1;
              if (belongTogether(byName.get(host)!, byName.get(other)!))
                throw new Error(`${host} and ${other} are in one batch`);
            }
          });
        }
        const all = batches.flatMap(({ hosts }) => hosts);
        if (all.length !== fleet.jobs.length || new Set(all).size !== all.length)
          throw new Error('not every host is in one batch');
        for (const batch of batches) {
          const play = byName.get(batch.hosts[0]!)!.play!;
          const total = fleet.jobs.filter((job) => job.play === play).length;
          if (batch.hosts.length > roomOf(play, batch.batch, total)) throw new Error('a batch is above its serial');
        }
      }),
      { numRuns: 10_000 },
    );
    // The fleets are worth the trouble: most have to be split, and there are pairs to look at.
    expect(split).toBeGreaterThan(5_000);
    expect(pairs).toBeGreaterThan(100_000);
  });

  it('is rolled out in its own order, as far as its clusters let it, and always in the same way', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const clusters = clustersOf(fleet);
        const rollout = planRollout(fleet.jobs, clusters);
        expect(planRollout(fleet.jobs, clusters)).toEqual(rollout);
        const place = new Map(fleet.jobs.map(({ host }, index) => [host, index]));
        for (const batches of rollout.playbooks) {
          batches.forEach(({ hosts, play }, index) => {
            expect(hosts.toSorted((a, b) => place.get(a)! - place.get(b)!)).toEqual(hosts);
            // Whoever comes later and stands before the last one of this batch had to wait for a host of its cluster.
            const later = batches.slice(index + 1).filter((batch) => batch.play === play);
            for (const waiting of later.flatMap((batch) => batch.hosts)) {
              if (place.get(waiting)! > place.get(hosts.at(-1)!)!) continue;
              expect(
                clusters.some(
                  (cluster) => cluster.hosts.includes(waiting) && hosts.some((host) => cluster.hosts.includes(host)),
                ),
              ).toBe(true);
            }
          });
        }
        const without = planRollout(fleet.jobs, []);
        if (rollout.splits.length === 0) expect(rollout.playbooks).toEqual(without.playbooks);
        else expect(names(rollout.playbooks.flat())).not.toEqual(names(without.playbooks.flat()));
      }),
      { numRuns: 1_000 },
    );
  });

  it('never changes two hosts at once that are not filtered from each other as members of a cluster', () => {
    let met = 0;
    fc.assert(
      fc.property(fleets, (fleet) => {
        // What the policy knows of other hosts: the roles that they declare.
        const jobs = fleet.jobs.map(
          (job, index): HostJob => ({
            ...job,
            settings: {
              ...job.settings,
              connection: { address: `198.51.100.${index + 1}` },
              interfaces: { public: [], private: [], vip: [], control: [] },
              addresses: {},
            } as unknown as HostSettings,
          }),
        );
        const settings = new Map(jobs.map((job) => [job.host, job.settings]));
        const clusters = clustersAmong(jobs, fleet.inventory, ({ settings: { roles } }) => roles ?? []);
        const together = (a: string, b: string): boolean =>
          clusters.some(({ hosts }) => hosts.includes(a) && hosts.includes(b));
        for (const job of jobs) {
          const peers = hostPeers(job.settings, fleet.inventory, settings);
          const features = new Set([...job.settings.features, ...job.play!.features]);
          const found = peers.clusters({ roles: job.settings.roles ?? [], features, clusters: CLUSTERS });
          for (const { bond, addresses } of found) {
            const index = new Set(addresses.flatMap(expand));
            for (const [at, other] of jobs.entries()) {
              if (other === job || !index.has(`198.51.100.${at + 1}`)) continue;
              met += 1;
              // The other's play may leave the feature off, which only a run knows.
              const known = bond.kind !== 'roles' || bond.cluster !== 'billing' || other.play === job.play;
              if (known && !together(job.host, other.host)) throw new Error(`${job.host} and ${other.host} are apart`);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(met).toBeGreaterThan(10_000);
  });
});

/** The addresses of a small network. */
function expand(network: string): string[] {
  const [address, length] = network.split('/');
  const [a, b, c, d] = address!.split('.').map(Number);
  return d === undefined
    ? []
    : Array.from({ length: 2 ** (32 - Number(length ?? 32)) }, (_, n) => `${a}.${b}.${c}.${d + n}`);
}
