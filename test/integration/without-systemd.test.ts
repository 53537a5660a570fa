import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type HostState, isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/** A host whose PID 1 is not systemd: the rollback is a process that sleeps, and an entry of cron for the boot. */
let lab: Lab;
let host: LabHost;
let inventory: string;
let pristine: HostState;

beforeAll(async () => {
  lab = await startLab({ name: 'plain', hosts: [{ name: 'plain', suite: 'bookworm', init: 'plain' }] });
  host = lab.host('plain');
  await host.run('mkdir', '-p', '/etc/cron.d');
  await writeFile(join(lab.directory, 'playbook.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const wishes = { portfw_playbook: 'playbook.yaml', portfw_roles: ['web-admin'], portfw_private: 'peers' };
  inventory = await writeInventory(lab, 'plain', { hosts: { plain: wishes } });
  pristine = await stateOf(host);
});

afterAll(() => lab?.stop());

/** What makes up the armed rollback at this moment: processes that sleep, entries of cron, files of the guard. */
async function armed(): Promise<readonly string[]> {
  const found = await host.sh(`
    for folder in /proc/[0-9]*; do
      tr '\\0' ' ' <"$folder/cmdline" 2>/dev/null | grep -o 'portfw/guard/.*[.]py sleep' || true
    done
    ls /etc/cron.d /var/lib/portfw/guard 2>/dev/null || true`);
  return found
    .split('\n')
    .filter((line) => line.includes('portfw-') || line.includes('.armed') || line.includes('sleep'));
}

describe('a host without systemd', () => {
  it('rolls back without a confirmation', async () => {
    const run = await portfwJson('apply', inventory, '--yes', '--confirm', 'manual', '--revert-after', '10s');
    outcomeOf(run, 'plain', 'awaiting');
    expect(await armed()).toHaveLength(3);
    await host.sh('timeout 25 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"');
    expect(await stateOf(host)).toEqual(pristine);
    expect(await armed()).toEqual([]);
    const status = outcomeOf(await portfwJson('status', inventory), 'plain', 'status');
    expect(status.last).toMatchObject({ outcome: 'reverted', by: 'timer' });
  });

  it('brings firewalld back when it was killed on the way', async () => {
    const run = await portfwJson('apply', inventory, '--yes', '--confirm', 'manual', '--revert-after', '10s');
    outcomeOf(run, 'plain', 'awaiting');
    await host.sh('kill -KILL "$(cat /run/firewalld.pid)"');
    await host.sh('timeout 30 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"');
    expect(await stateOf(host)).toEqual(pristine);
  });

  it('keeps what is confirmed, and nothing stays armed', async () => {
    outcomeOf(await portfwJson('apply', inventory, '--yes', '--confirm', 'manual'), 'plain', 'awaiting');
    outcomeOf(await portfwJson('confirm', inventory), 'plain', 'confirmed');
    expect(await armed()).toEqual([]);
    expect(await isLocked(host)).toBe(false);
    expect((await portfwJson('plan', inventory, '--detailed-exitcode')).exitCode).toBe(0);
  });
});
