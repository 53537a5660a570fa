import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import { sabotage } from './helpers/saboteur.ts';

/** What may go wrong with the rollback itself. */
let lab: Lab;
let host: LabHost;
let inventory: string;
const WAITS = ['--yes', '--confirm', 'manual', '--revert-after', '10m'];

beforeAll(async () => {
  lab = await startLab({ name: 'guard', hosts: [{ name: 'edge', suite: 'bookworm' }] });
  host = lab.host('edge');
  await writeFile(join(lab.directory, 'playbook.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const wishes = { portfw_playbook: 'playbook.yaml', portfw_roles: ['web-admin'], portfw_private: 'peers' };
  inventory = await writeInventory(lab, 'guard', { hosts: { edge: wishes } });
});

afterAll(() => lab?.stop());

let before: Awaited<ReturnType<typeof stateOf>>;
beforeEach(async () => {
  before = await stateOf(host);
});

/** Everything of ours that still stands on the host: units, files, the lock. */
const standing = async (): Promise<string> =>
  host.sh(`
    ls /var/lib/portfw/guard /etc/systemd/system | grep -E '[0-9]Z-[0-9a-f]{6}' || true
    find /etc/firewalld -name '.portfw-*'
    systemctl list-units --all --no-legend 'portfw-*'
    [ ! -d /run/portfw/lock ] || echo lock`);

const settled = () => host.sh('timeout 20 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"; sleep 0.3');

it('a rollback that fails is tried again at once, long before the window ends', async () => {
  outcomeOf(await portfwJson('apply', inventory, ...WAITS), 'edge', 'awaiting');
  // firewalld reads nothing at all while somebody's file is broken.
  await host.writeFile('/etc/firewalld/zones/broken.xml', '<zone><a>');
  const no = outcomeOf(await portfwJson('confirm', inventory, '--revert'), 'edge', 'failed');
  expect(no.aftermath.kind).toBe('restore-failed');
  await host.run('rm', '/etc/firewalld/zones/broken.xml');
  await settled();
  expect(await stateOf(host)).toEqual(before);
  expect(await standing()).toBe('');
});

it('a record that cannot be used ends with the next run, and so does what was left while the rollback was armed', async () => {
  outcomeOf(await portfwJson('apply', inventory, ...WAITS), 'edge', 'awaiting');
  const stray = '20260101T000000Z-abcdef';
  await host.sh(`
    for file in /var/lib/portfw/guard/*.armed; do echo '{}' >"$file"; done
    touch /var/lib/portfw/guard/${stray}.py /etc/firewalld/.portfw-reserve-${stray}`);
  expect(outcomeOf(await portfwJson('status', inventory), 'edge', 'status').lock).not.toBeNull();
  // The next run puts it back, and so its plan, made before, is not for this host any more.
  const next = outcomeOf(await portfwJson('apply', inventory, '--yes'), 'edge', 'refused');
  expect(next.failure.code).toBe('drifted');
  expect(await stateOf(host)).toEqual(before);
  expect(await standing()).toBe('');
});

it("gives others' rules in iptables back where a run was killed in the middle of its reload", async () => {
  await host.sh('iptables -N OTHERS; iptables -A INPUT -j OTHERS');
  await sabotage(
    host,
    `
reached("reloading")
while subprocess.run(["iptables", "-C", "INPUT", "-j", "OTHERS"], stderr=subprocess.DEVNULL).returncode == 0:
    pass
for pid in pids("python3", "exec(compile(PROGRAM"):
    os.kill(pid, signal.SIGKILL)
`,
  );
  outcomeOf(await portfwJson('apply', inventory, '--yes'), 'edge', 'failed');
  expect(await host.sh('iptables -S INPUT')).toContain('-A INPUT -j OTHERS');
  await host.run('nft', 'delete', 'table', 'ip', 'filter');
  expect(await stateOf(host)).toEqual(before);
  expect(await isLocked(host)).toBe(false);
  expect(await standing()).toBe('');
});
