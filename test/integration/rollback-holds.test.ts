import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { PortWatch } from './helpers/port-watch.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, sabotage } from './helpers/saboteur.ts';
import { UNLOADABLE } from './helpers/unloadable.ts';

/**
 * A rollback on firewalld 0.9.3, 1.3.3 and 2.3.1 whose firewalld dies, hangs or cannot load its files. Seen from outside, no
 * port is ever open that is closed before and after, and SSH is never shut for longer than the window.
 */
let lab: Lab;
let inventory: string;
const NAMES = ['old', 'middle', 'young'] as const;
const WINDOW_SECONDS = 8;
/** Closed in the old configuration and in the new one. */
const CLOSED = [3306, 7000, 8099];
const REVERT = ['--yes', '--revert-after', `${WINDOW_SECONDS}s`];

beforeAll(async () => {
  lab = await startLab({
    name: 'holds',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'middle', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  const never = '  probes:\n    - {name: never, command: ["false"], before: may-fail}\n';
  await writeFile(join(lab.directory, 'never-succeeds.yaml'), `- hosts: all\n  matrix: portaswitch\n${never}`);
  const wishes = { portfw_playbook: 'never-succeeds.yaml', portfw_roles: ['web-admin'], portfw_private: 'peers' };
  inventory = await writeInventory(lab, 'never', {
    hosts: Object.fromEntries(NAMES.map((name) => [name, { ...wishes, portfw_site: 'site' }])),
    groups: { site: [...NAMES] },
  });
  // It would lock out whoever connects and does not log in, as the watch does.
  const sshd = '/etc/ssh/sshd_config.d/zz-watch.conf';
  await lab.host('young').writeFile(sshd, 'PerSourcePenalties no\n');
  await lab.host('young').run('systemctl', 'reload', 'ssh.service');
  await Promise.all(
    lab.hosts.map((host) => host.listenOn([...CLOSED, 443].map((port) => ({ protocol: 'tcp', from: port, to: port })))),
  );
});

afterAll(() => lab?.stop());

type Before = Readonly<Record<string, Awaited<ReturnType<typeof stateOf>>>>;
let before: Before;
beforeEach(async () => {
  before = Object.fromEntries(await Promise.all(lab.hosts.map(async (host) => [host.name, await stateOf(host)])));
});

/** Applies to every host while a program lies in wait there, and watches it from outside until it is let go of. */
async function applied(
  program: (host: LabHost) => string,
  meanwhile: (host: LabHost) => Promise<void> = async () => {},
): Promise<{ readonly run: Awaited<ReturnType<typeof portfwJson>>; readonly watches: Map<string, PortWatch> }> {
  await Promise.all(lab.hosts.map((host) => sabotage(host, program(host))));
  const watches = new Map(lab.hosts.map((host) => [host.name, new PortWatch(host.publicAddress, [22, ...CLOSED])]));
  try {
    const run = await portfwJson('apply', inventory, ...REVERT);
    for (const host of lab.hosts) outcomeOf(run, host.name, 'failed');
    await Promise.all(lab.hosts.map(meanwhile));
    await Promise.all(
      lab.hosts.map((host) => host.sh('timeout 60 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"')),
    );
    await Promise.all(lab.hosts.map(callOff));
    return { run, watches };
  } finally {
    for (const watch of watches.values()) watch.stop();
  }
}

async function expectBack(watches: Map<string, PortWatch>): Promise<void> {
  for (const host of lab.hosts) {
    const watch = watches.get(host.name)!;
    expect.soft(watch.looks, host.name).toBeGreaterThan(3);
    expect.soft(watch.everOpen, host.name).toEqual([22]);
    expect.soft(watch.longestShut(22), host.name).toBeLessThan(WINDOW_SECONDS);
    expect.soft(await stateOf(host), host.name).toEqual(before[host.name]);
    expect.soft(await isLocked(host), host.name).toBe(false);
    expect.soft(await host.sh('nft list tables | grep portfw || true'), host.name).toBe('');
    expect.soft((await host.run('firewall-cmd', '--state')).trim(), host.name).toBe('running');
  }
}

const killed = 'run("systemctl", "kill", "--signal=KILL", "firewalld.service")';

describe('while a rollback goes wrong', () => {
  it('firewalld is killed in the middle of the reload', async () => {
    const { watches } = await applied(() => `reached("reloading")\ntime.sleep(0.08)\n${killed}`);
    await expectBack(watches);
  });

  it('it is killed together with the program that reloads it', async () => {
    const { watches } = await applied(
      () => `
reached("reloading")
time.sleep(0.05)
${killed}
for pid in pids("python3", "exec(compile(PROGRAM"):
    os.kill(pid, signal.SIGKILL)`,
    );
    await expectBack(watches);
  });

  it('it hangs once the new configuration is in force', async () => {
    const { watches } = await applied(
      () => 'reached("behaves")\nrun("systemctl", "kill", "--signal=STOP", "firewalld.service")',
    );
    await expectBack(watches);
  });

  it('it dies, and cannot load its files any more: the rules of before stay in force, and the host says so', async () => {
    const { run, watches } = await applied(
      (host) => `
reached("behaves")
os.makedirs(os.path.dirname("${UNLOADABLE[host.name]![0]}"), exist_ok=True)
open("${UNLOADABLE[host.name]![0]}", "w").write("""${UNLOADABLE[host.name]![1]}""")
${killed}`,
      async (host) => {
        const status = outcomeOf(await portfwJson('status', inventory, '--limit', host.name), host.name, 'status');
        expect.soft(status.pending).toMatchObject([
          {
            decision: 'revert',
            held: { inForce: true, why: expect.stringContaining('firewalld cannot load its files') },
          },
        ]);
        expect
          .soft(await host.run('cat', '/run/portfw/portfw.prom'))
          .toContain(`portfw_rollback_held{run="${status.pending[0]!.id}"} 1`);
        expect
          .soft(await host.sh('journalctl -t portfw -p crit --no-pager'))
          .toContain('the previous rules are in force');
        const rules = (await stateOf(host)).rules.filter((line) => !line.includes('portfw_hold'));
        expect.soft(rules.join('\n')).toContain('tcp dport 22');
        // Whoever starts firewalld by hand meanwhile opens nothing.
        await host.sh('systemctl reset-failed firewalld; timeout 10 systemctl start firewalld || true; sleep 2');
        await host.run('rm', '-f', UNLOADABLE[host.name]![0]);
      },
    );
    for (const host of lab.hosts) {
      const { aftermath } = outcomeOf(run, host.name, 'failed');
      expect.soft(aftermath.kind, host.name).toBe('restore-failed');
    }
    await expectBack(watches);
    for (const host of lab.hosts)
      expect.soft((await host.exec(['test', '-e', '/run/portfw/portfw.prom'])).exitCode, host.name).toBe(1);
  });

  it('its files do not load any more, and somebody reloads it by hand: nothing opens', async () => {
    const { watches } = await applied(
      (host) => `
reached("behaves")
os.makedirs(os.path.dirname("${UNLOADABLE[host.name]![0]}"), exist_ok=True)
open("${UNLOADABLE[host.name]![0]}", "w").write("""${UNLOADABLE[host.name]![1]}""")`,
      async (host) => {
        await host.sh('timeout 60 sh -c "until grep -qs \'in_force.* 1\' /run/portfw/portfw.prom; do sleep 0.1; done"');
        for (let time = 0; time < 2; time += 1) await host.sh('timeout 20 firewall-cmd --reload || true; sleep 2');
        await host.run('rm', '-f', UNLOADABLE[host.name]![0]);
      },
    );
    await expectBack(watches);
  });
});
