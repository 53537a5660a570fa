import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { RULES_BESIDE } from './helpers/foreign-rules.ts';
import { type HostState, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { answers, PortWatch } from './helpers/port-watch.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, sabotage } from './helpers/saboteur.ts';
import { UNLOADABLE } from './helpers/unloadable.ts';

/** Hosts whose firewalld filters with iptables, beside rules of others: firewalld 0.9.3, 1.3.3 and 2.3.1. */
let lab: Lab;
let none: string;
let admin: string;
/** A port more, by a service of its own, with a probe that fails. */
let fails: string;
const NAMES = ['old', 'middle', 'young'] as const;

beforeAll(async () => {
  lab = await startLab({
    name: 'iptables',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'middle', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  await writeFile(join(lab.directory, 'book.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const never = '  probes:\n    - {name: never, command: ["false"], before: may-fail}\n';
  await writeFile(join(lab.directory, 'never.yaml'), `- hosts: all\n  matrix: portaswitch\n${never}`);
  const written = (name: string, wishes: Readonly<Record<string, unknown>>) =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(
        NAMES.map((host) => [host, { portfw_playbook: 'book.yaml', portfw_roles: [], ...wishes }]),
      ),
    });
  const rule = { name: 'x', interface: 'public', protocol: 'tcp', port: 9100, owner: 'o', reason: 'r' };
  none = await written('none', {});
  admin = await written('admin', { portfw_roles: ['web-admin'] });
  fails = await written('fails', { portfw_playbook: 'never.yaml', portfw_extra_rules: [rule] });
  await each(async (host) => {
    const sshd = '/etc/ssh/sshd_config.d/zz-watch.conf';
    if (host.name === 'young') {
      await host.writeFile(sshd, 'PerSourcePenalties no\n');
      await host.run('systemctl', 'reload', 'ssh.service');
    }
    await host.sh(`
      sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf
      ${RESTART_FIREWALLD}`);
    await host.listenOn([443, 7777, 9100, 3306].map((port) => ({ protocol: 'tcp', from: port, to: port })));
  });
});

afterAll(() => lab?.stop());

const each = <T>(work: (host: LabHost) => Promise<T>): Promise<T[]> => Promise.all(lab.hosts.map(work));

/** In iptables, but for the comments, the counters, and chains that nothing leads to. */
const saved = (host: LabHost): Promise<string> =>
  host.sh("iptables-save | sed -e '/^#/d' -e 's/ \\[[0-9:]*\\]$//' | grep -vE '^(:|-A )[A-Z]+_portfw' | sort");
const theirs = (host: LabHost): Promise<string> =>
  host.sh("iptables-save | grep -E 'f2b-sshd|DOCKER' | sed 's/ \\[.*//'");

it('keeps the rules of others where they are, through applies and rollbacks', async () => {
  await each((host) => host.sh(RULES_BESIDE));
  const before = await each(theirs);
  for (const [command, flags] of [
    ['apply', []],
    ['rollback', []],
  ] as const) {
    const run = await portfwJson(command, admin, '--yes', ...flags);
    expect(run.exitCode, run.stdout).toBe(0);
    for (const [at, host] of lab.hosts.entries()) {
      expect.soft(await theirs(host), `${host.name} after ${command}`).toBe(before[at]);
      // A ban is asked before firewalld accepts what belongs to a flow.
      const first = (await host.run('iptables', '-S', 'INPUT')).split('\n')[1];
      expect.soft(first, `${host.name} after ${command}`).toContain('f2b-sshd');
    }
  }
});

it('closes what is not planned, and what a run no longer opens', async () => {
  expect((await portfwJson('apply', admin, '--yes')).exitCode).toBe(0);
  for (const host of lab.hosts) expect.soft(await answers(host.publicAddress, 443), host.name).toBe(true);
  await each((host) => host.run('firewall-cmd', '--zone=portfw-public', '--add-port=7777/tcp'));
  expect((await portfwJson('apply', none, '--yes')).exitCode).toBe(0);
  for (const host of lab.hosts) {
    for (const port of [443, 7777])
      expect.soft(await answers(host.publicAddress, port), `${host.name} ${port}`).toBe(false);
    expect.soft((await host.run('firewall-cmd', '--reload')).trim(), host.name).toBe('success');
  }
});

it("leaves nothing of fail2ban's direct rules behind", async () => {
  const litter = () => each((host) => host.sh('iptables-save | grep -c f2b-direct || true'));
  await each((host) =>
    host.sh(`
      firewall-cmd --direct --add-chain ipv4 filter f2b-direct
      firewall-cmd --direct --add-rule ipv4 filter f2b-direct 1000 -j RETURN
      firewall-cmd --direct --add-rule ipv4 filter INPUT_direct 0 -m state --state NEW -p tcp -m multiport --dports 22 -j f2b-direct`),
  );
  expect((await portfwJson('apply', admin, '--yes')).exitCode).toBe(0);
  expect(await litter()).toEqual(['0\n', '0\n', '0\n']);
  // It starts again.
  await each((host) => host.run('firewall-cmd', '--direct', '--add-chain', 'ipv4', 'filter', 'f2b-direct'));
  expect((await portfwJson('rollback', admin, '--yes')).exitCode).toBe(0);
  expect(await litter()).toEqual(['0\n', '0\n', '0\n']);
});

/** Every host has its rules and files of before, nothing was open meanwhile but SSH, and SSH was never shut for long. */
async function expectBack(
  watches: readonly PortWatch[],
  before: readonly string[],
  files: readonly HostState[],
): Promise<void> {
  for (const [at, host] of lab.hosts.entries()) {
    expect.soft(watches[at]!.everOpen, host.name).toEqual([22]);
    expect.soft(watches[at]!.longestShut(22), host.name).toBeLessThan(10);
    expect.soft(await saved(host), host.name).toBe(before[at]);
    expect.soft((await stateOf(host)).files, host.name).toEqual(files[at]!.files);
    expect.soft(await host.sh('nft list tables | grep portfw || true'), host.name).toBe('');
  }
}

it('while firewalld dies in the middle of a reload, no port is open that is closed before and after', async () => {
  const [before, files] = await Promise.all([each(saved), each(stateOf)]);
  await each((host) =>
    sabotage(
      host,
      'reached("reloading")\ntime.sleep(0.1)\nrun("systemctl", "kill", "--signal=KILL", "firewalld.service")',
    ),
  );
  const watches = lab.hosts.map((host) => new PortWatch(host.publicAddress, [22, 3306, 7777]));
  try {
    const run = await portfwJson('apply', fails, '--yes', '--revert-after', '30s');
    for (const host of lab.hosts) outcomeOf(run, host.name, 'failed');
    await each((host) => host.sh('timeout 60 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"'));
  } finally {
    for (const watch of watches) watch.stop();
    await each(callOff);
  }
  await expectBack(watches, before, files);
});

it('while a rollback waits, what was open stays open, and what was closed stays closed, with sets too', async () => {
  await each((host) =>
    host.sh(`
      firewall-cmd --quiet --permanent --new-ipset=ops --type=hash:net
      firewall-cmd --quiet --permanent --ipset=ops --add-entry=203.0.113.0/28
      firewall-cmd --quiet --permanent --zone=work --add-source=ipset:ops
      firewall-cmd --quiet --reload`),
  );
  expect((await portfwJson('apply', admin, '--yes')).exitCode).toBe(0);
  const [before, files] = await Promise.all([each(saved), each(stateOf)]);
  for (const text of before) expect(text).toContain('--match-set ops');
  await each((host) => {
    const [path, text] = UNLOADABLE[host.name]!;
    return sabotage(
      host,
      `
reached("behaves")
os.makedirs(os.path.dirname("${path}"), exist_ok=True)
open("${path}", "w").write("""${text}""")
run("systemctl", "kill", "--signal=KILL", "firewalld.service")`,
    );
  });
  const watches = lab.hosts.map((host) => new PortWatch(host.publicAddress, [22, 3306, 7777]));
  try {
    const run = await portfwJson('apply', fails, '--yes', '--revert-after', '30s');
    for (const host of lab.hosts)
      expect.soft(outcomeOf(run, host.name, 'failed').aftermath.kind).toBe('restore-failed');
    await each((host) =>
      host.sh('timeout 60 sh -c "until grep -qs \'in_force.* 1\' /run/portfw/portfw.prom; do sleep 0.1; done"'),
    );
    // Longer than the host waits between its tries.
    for (let second = 0; second < 12; second += 1) {
      for (const host of lab.hosts) expect.soft(await answers(host.publicAddress, 443), host.name).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    await each((host) => host.run('rm', '-f', UNLOADABLE[host.name]![0]));
    await each((host) => host.sh('timeout 60 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"'));
  } finally {
    for (const watch of watches) watch.stop();
    await each(callOff);
  }
  await expectBack(watches, before, files);
}, 300_000);
