import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { clustersAmong } from '../../../src/fleet/clusters.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { planRollout } from '../../../src/fleet/rollout.ts';
import { assignPlays } from '../../../src/matrix/assign.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';

const EXAMPLES = readdirSync('inventories').filter((name) => existsSync(`inventories/${name}/inventory.yaml`));

/** What the hosts of the examples play, where they leave it to detection: as their names say. */
const FOUND: Readonly<Record<string, string>> = {
  sip: 'dispatching-node',
  edge: 'dispatching-node',
  rtp: 'processing-node',
  media: 'processing-node',
};

async function rolloutOf(name: string, clusters: 'apart' | 'ignored') {
  const inventory = await loadInventory(`inventories/${name}/inventory.yaml`);
  const { settings } = readSettings(inventory);
  const { plays } = assignPlays(inventory, settings, null);
  const jobs = [...plays].map(([host, play]): HostJob => ({ host, play, settings: settings.get(host)! }) as HostJob);
  const stem = (host: string): string => /^[a-z]+?(?=\d|[a-d]\.|\.)/.exec(host)![0];
  const found = clustersAmong(
    jobs,
    inventory,
    ({ host, settings: own }) => own.roles ?? [FOUND[stem(host)] ?? 'web-admin'],
  );
  return { found, rollout: planRollout(jobs, clusters === 'apart' ? found : []) };
}

const shorten = (hosts: readonly string[]): string => hosts.map((host) => host.replace('.example.net', '')).join(' ');

describe('the worked examples', () => {
  it('are rolled out as their playbooks promise', async () => {
    const { rollout, found } = await rolloutOf('portaswitch', 'apart');
    expect(rollout.playbooks.map((batches) => batches.map(({ hosts }) => shorten(hosts)))).toEqual([
      ['conf1', 'web1 billing1 db1', 'db2 sbc1 sip1', 'sip2', 'rtp01', 'rtp02', 'rtp03'],
    ]);
    expect(found.map(({ bond, hosts }) => `${bond.kind}: ${shorten(hosts)}`)).toEqual([
      'group: sip1 sip2',
      'address: sip1 sip2',
      'roles: db1 db2',
      'roles: sip1 sip2 rtp01 rtp02 rtp03',
    ]);
    expect(rollout.splits).toMatchObject([{ batches: 7, serial: 5 }]);
    // The sizes alone put nodes of one cluster into one batch.
    const alone = await rolloutOf('portaswitch', 'ignored');
    expect(alone.rollout.playbooks[0]!.map(({ hosts }) => shorten(hosts))).toContain('sip2 rtp01 rtp02');
    const second = await rolloutOf('portaswitch-ocs', 'ignored');
    const batches = second.rollout.playbooks[0]!.map(({ hosts }) => shorten(hosts));
    expect(batches.some((batch) => (batch.match(/edge/g) ?? []).length > 1)).toBe(true);
  });

  it.each(EXAMPLES)('%s has no batch with two hosts of a cluster', async (name) => {
    const { rollout, found } = await rolloutOf(name, 'apart');
    for (const { hosts } of rollout.playbooks.flat()) {
      for (const cluster of found) expect(hosts.filter((host) => cluster.hosts.includes(host)).length).toBeLessThan(2);
    }
    const kinds = new Set(found.map(({ bond }) => bond.kind));
    if (name.startsWith('portaswitch')) expect([...kinds].sort()).toEqual(['address', 'group', 'roles']);
  });
});
