import fc from 'fast-check';
import type { Inventory } from '../../../../src/ansible/inventory.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import { type BatchSize, ON_FAILURE, type Play } from '../../../../src/matrix/matrix.ts';
import type { RoleCluster } from '../../../../src/settings/clusters.ts';
import { inventoryOf, jobOf, type Membership, playOf } from './fakes.ts';

/** A fleet with clusters of every kind, and how it is to be rolled out. */
export interface RandomFleet {
  readonly jobs: readonly HostJob[];
  readonly inventory: Inventory;
  /** What each host plays, declared or found. */
  readonly rolesOf: (job: HostJob) => readonly string[];
}

export const CLUSTERS: readonly RoleCluster[] = [
  { name: 'sip', description: 'SIP cluster', roles: ['edge', 'media'], feature: null, filtered: false },
  { name: 'databases', description: 'databases', roles: ['master-db', 'replica-db'], feature: null, filtered: true },
  { name: 'billing', description: 'billing cluster', roles: ['ocs'], feature: 'corosync', filtered: false },
];

const ROLES = [[], [], ['web'], ['edge'], ['media'], ['master-db'], ['replica-db'], ['ocs'], ['edge', 'master-db']];
const GROUPS = ['g0', 'g1', 'g2'];
const SITES = [null, 'north', 'south', 'north-west'] as const;
/** Two spellings of one address among them. */
const VIPS = ['203.0.113.45', '2001:db8::45', '2001:DB8:0::45', '203.0.113.46'];

const size: fc.Arbitrary<BatchSize> = fc.oneof(
  fc.integer({ min: 0, max: 8 }).map((count): BatchSize => ({ kind: 'count', count })),
  fc.integer({ min: 1, max: 100 }).map((percent): BatchSize => ({ kind: 'percent', percent })),
);

const play = fc.record({
  serial: fc.array(size, { maxLength: 3 }),
  onFailure: fc.constantFrom(...ON_FAILURE),
  maxFailPercentage: fc.constantFrom(null, null, 0, 50),
  corosync: fc.boolean(),
});

/** One number a host, which is quick to draw and to shrink: each property of the host is a digit of it. */
const hostNumber = fc.nat(2 ** 31 - 1);

export const fleets: fc.Arbitrary<RandomFleet> = fc
  .record({
    plays: fc.tuple(play, play, play),
    hosts: fc.array(hostNumber, { minLength: 1, maxLength: 40, size: 'max' }),
  })
  .map(({ plays, hosts }) => {
    // The first two plays are those of one playbook.
    const made = plays.map(
      ({ serial, onFailure, maxFailPercentage, corosync }, index): Play => ({
        ...playOf({
          name: `play${index}`,
          file: index < 2 ? 'one.yaml' : 'two.yaml',
          line: index + 1,
          serial,
          onFailure,
          clusters: CLUSTERS,
          ...(maxFailPercentage === null ? {} : { maxFailPercentage }),
        }),
        features: corosync ? ['corosync'] : [],
      }),
    );
    const groups: Record<string, string[]> = { g0: [], g1: [], g2: [], north: [], south: [], 'north-west': [] };
    const roles = new Map<string, readonly string[]>();
    const jobs = hosts.map((number, index) => {
      let rest = number;
      const digit = (base: number): number => {
        const value = rest % base;
        rest = Math.floor(rest / base);
        return value;
      };
      const name = `h${index}`;
      const its = made[[0, 0, 0, 1, 2][digit(5)]!]!;
      const site = SITES[digit(4)]!;
      const group = GROUPS[digit(8)] ?? null;
      const own = ROLES[digit(ROLES.length)]!;
      const vip = VIPS[digit(12)];
      // Some are in a group that others call a cluster, and do not say so themselves.
      const silent = group !== null && digit(4) === 0;
      const declared = digit(2) === 0;
      const membership: Membership = {
        cluster: silent ? null : group,
        vips: vip === undefined ? [] : [vip],
        site,
        playbook: its.location.file,
        roles: declared ? own : null,
        features: digit(2) === 0 ? ['corosync'] : [],
      };
      roles.set(name, own);
      if (group !== null) groups[group]!.push(name);
      if (site !== null) groups[site]!.push(name);
      // A site within a site.
      if (site === 'north-west') groups['north']!.push(name);
      return jobOf(name, its, membership);
    });
    return { jobs, inventory: inventoryOf(groups), rolesOf: ({ host }) => roles.get(host)! };
  });
