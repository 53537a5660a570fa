import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { tableHandle } from './helpers/observed-host.ts';
import { answers } from './helpers/port-watch.ts';
import { type JsonRun, outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, sabotage } from './helpers/saboteur.ts';

/**
 * What a rollback brings back on firewalld 0.9.3, 1.3.3 and 2.3.1: all that was, at runtime too; nothing that waited in a
 * file; and nothing that others have changed since.
 */
let lab: Lab;
let plain: string;
/** The same, with a probe that fails. */
let fails: string;
/** With a role more, whose service a zone names. */
let serves: string;
/** With a role more, whose service needs a reload. */
let failsAndReloads: string;

beforeAll(async () => {
  lab = await startLab({
    name: 'exact',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'middle', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  await writeFile(join(lab.directory, 'book.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const never = '  probes:\n    - {name: never, command: ["false"], before: may-fail}\n';
  await writeFile(join(lab.directory, 'never.yaml'), `- hosts: all\n  matrix: portaswitch\n${never}`);
  const written = (name: string, playbook: string, roles: readonly string[]) =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(
        lab.hosts.map((host) => [
          host.name,
          // By the private side: what an operator's zone says is about that network.
          { portfw_playbook: playbook, portfw_roles: roles, ansible_host: host.privateAddress },
        ]),
      ),
    });
  plain = await written('plain', 'book.yaml', []);
  serves = await written('serves', 'book.yaml', ['web-admin']);
  fails = await written('fails', 'never.yaml', []);
  failsAndReloads = await written('reloads', 'never.yaml', ['web-admin']);
  await Promise.all(
    lab.hosts.map((host) =>
      host.listenOn([7000, 9100, 9443].map((port) => ({ protocol: 'tcp', from: port, to: port }))),
    ),
  );
});

afterAll(() => lab?.stop());

/** As portfw found each host, so that the tests do not depend on one another. */
beforeEach(async () => {
  await Promise.all(
    lab.hosts.map(async (host) => {
      await callOff(host);
      await host.sh(`
        rm -rf /etc/firewalld/zones/* /etc/firewalld/services/* /etc/firewalld/ipsets/* /var/lib/portfw/*
        ${RESTART_FIREWALLD}`);
    }),
  );
});

const each = <T>(work: (host: LabHost) => Promise<T>): Promise<T[]> => Promise.all(lab.hosts.map(work));
const network = (host: LabHost) => host.privateAddress.replace(/\.\d+$/, '.0/24');
const zones = async (host: LabHost, ...names: readonly string[]) =>
  (await Promise.all(names.map((name) => host.run('firewall-cmd', `--info-zone=${name}`)))).join('');

async function expectRestored(run: JsonRun, before: readonly Awaited<ReturnType<typeof stateOf>>[]): Promise<void> {
  for (const [at, host] of lab.hosts.entries()) {
    const { aftermath } = outcomeOf(run, host.name, 'failed');
    expect.soft(aftermath, JSON.stringify(run.outcomes.get(host.name))).toMatchObject({ kind: 'restored' });
    expect.soft(aftermath.kind === 'restored' ? (aftermath.differs ?? []) : [], host.name).toEqual([]);
    expect.soft(await stateOf(host), host.name).toEqual(before[at]);
    expect.soft(await isLocked(host), host.name).toBe(false);
  }
}

it('a run that did not reload is rolled back without a reload: a target that waits in a file keeps waiting', async () => {
  await each(async (host) => {
    const ops = `<zone target="ACCEPT"><short>ops</short><source address="${network(host)}"/></zone>\n`;
    await host.writeFile('/etc/firewalld/zones/ops.xml', ops);
    await host.run('firewall-cmd', '--reload');
  });
  await portfwJson('apply', plain, '--yes');
  await each((host) =>
    host.sh(`
      firewall-cmd --permanent --zone=ops --set-target=DROP
      firewall-cmd --zone=portfw-public --add-port=9100/tcp`),
  );
  const before = await each(stateOf);
  const run = await portfwJson('apply', fails, '--yes', '--revert-after', '60s');
  await expectRestored(run, before);
  for (const host of lab.hosts) {
    expect.soft(await answers(host.privateAddress, 22), host.name).toBe(true);
    expect.soft(await answers(host.publicAddress, 9100), host.name).toBe(true);
    // The daemon's memory agrees with the file.
    const target = await host.run('firewall-cmd', '--permanent', '--zone=ops', '--get-target');
    expect.soft(target.trim(), host.name).toBe('DROP');
  }
});

it('nor is a ban in iptables meanwhile a reason to reload', async () => {
  await portfwJson('apply', plain, '--yes');
  await each((host) => host.run('firewall-cmd', '--zone=portfw-public', '--add-port=9100/tcp'));
  const [before, handles] = await Promise.all([each(stateOf), each(tableHandle)]);
  const ban = 'run("iptables", "-I", "INPUT", "-s", "203.0.113.66", "-j", "DROP")';
  await each((host) => sabotage(host, `reached("behaves")\n${ban}`));
  const run = await portfwJson('apply', fails, '--yes', '--revert-after', '60s');
  await each(callOff);
  const banned = await each((host) => host.run('iptables', '-S', 'INPUT'));
  await each((host) => host.run('iptables', '-D', 'INPUT', '-s', '203.0.113.66', '-j', 'DROP'));
  expect(await each(tableHandle)).toEqual(handles);
  for (const [at, host] of lab.hosts.entries()) {
    expect.soft(banned[at], host.name).toContain('-s 203.0.113.66/32 -j DROP');
    expect.soft(outcomeOf(run, host.name, 'failed').aftermath, host.name).toMatchObject({
      kind: 'restored',
      differs: [expect.stringContaining('203.0.113.66')],
    });
    expect.soft((await stateOf(host)).files, host.name).toEqual(before[at]!.files);
    expect.soft(await answers(host.publicAddress, 9100), host.name).toBe(true);
  }
});

it('a host that stands still between its files and their load loads what was saved, though firewalld hears of the files first', async () => {
  const before = await each(stateOf);
  await portfwJson('apply', serves, '--yes');
  const asleep = `
while glob.glob("/etc/firewalld/zones/portfw-*.xml"):
    time.sleep(0.001)
held = pids("python3", "exec(compile(PROGRAM")
for pid in held:
    os.kill(pid, signal.SIGSTOP)
time.sleep(8)
for pid in held:
    os.kill(pid, signal.SIGCONT)
open("/tmp/saboteur.held", "w").write(str(len(held)))`;
  await each((host) => sabotage(host, asleep));
  const run = await portfwJson('rollback', serves, '--yes', '--revert-after', '60s');
  for (const [at, host] of lab.hosts.entries()) {
    outcomeOf(run, host.name, 'rolled-back');
    expect.soft(Number(await host.run('cat', '/tmp/saboteur.held')), host.name).toBeGreaterThan(0);
    expect.soft(await stateOf(host), host.name).toEqual(before[at]);
  }
}, 120_000);

it('and after a reload neither does a target that waits in a file of ours', async () => {
  await portfwJson('apply', plain, '--yes');
  await each((host) =>
    // The daemon's own copy is litter, which goes with any run.
    host.sh('firewall-cmd --permanent --zone=portfw-private --set-target=DROP; rm /etc/firewalld/zones/*.old'),
  );
  const before = await each(stateOf);
  const run = await portfwJson('apply', failsAndReloads, '--yes', '--revert-after', '60s');
  await expectRestored(run, before);
  for (const host of lab.hosts) expect.soft(await answers(host.privateAddress, 22), host.name).toBe(true);
});

it('what was closed only at runtime stays closed, and what is only in a file does not come into force', async () => {
  await each(async (host) => {
    const source = host.publicAddress.replace(/\.\d+$/, '.1');
    const office = `<zone><short>office</short><source address="${source}"/><service name="ssh"/><port port="7000" protocol="tcp"/></zone>\n`;
    await host.writeFile('/etc/firewalld/zones/office.xml', office);
    await host.writeFile(
      '/etc/firewalld/zones/dmz2.xml',
      '<zone><short>dmz2</short><source address="203.0.113.7"/><service name="ssh"/></zone>\n',
    );
    await host.sh(`
      firewall-cmd --reload
      firewall-cmd --zone=office --remove-port=7000/tcp
      firewall-cmd --permanent --zone=dmz2 --add-port=9100/tcp
      firewall-cmd --permanent --zone=dmz2 --add-masquerade`);
  });
  const [before, listed] = await Promise.all([each(stateOf), each((host) => zones(host, 'office', 'dmz2'))]);
  const run = await portfwJson('apply', failsAndReloads, '--yes', '--revert-after', '60s');
  await expectRestored(run, before);
  for (const [at, host] of lab.hosts.entries()) {
    expect.soft(await zones(host, 'office', 'dmz2'), host.name).toBe(listed[at]);
    expect.soft(await answers(host.publicAddress, 7000), host.name).toBe(false);
  }
});

it('what others write into their zone file while the run is under way stays; the interface comes back', async () => {
  await each(async (host) => {
    const edge = `<zone>\n  <interface name="${host.interfaces.public}"/>\n  <service name="ssh"/>\n</zone>\n`;
    await host.writeFile('/etc/firewalld/zones/edge.xml', edge);
    await host.run('firewall-cmd', '--reload');
    await sabotage(
      host,
      `
reached("permanent")
run("firewall-cmd", "--permanent", "--zone=edge", "--add-source=203.0.113.0/24")
run("firewall-cmd", "--permanent", "--zone=edge", "--add-port=9443/tcp")
run("firewall-cmd", "--permanent", "--zone=edge", "--add-rich-rule=rule family=ipv4 source address=192.0.2.9 drop")`,
    );
  });
  const waits = ['--yes', '--confirm', 'manual', '--revert-after', '2m'];
  const run = await portfwJson('apply', plain, ...waits);
  for (const host of lab.hosts) outcomeOf(run, host.name, 'awaiting');
  await each((host) =>
    host.sh('timeout 10 sh -c "until grep -q 192.0.2.9 /etc/firewalld/zones/edge.xml; do sleep 0.1; done"'),
  );
  const no = await portfwJson('confirm', plain, '--revert');
  for (const host of lab.hosts) {
    outcomeOf(no, host.name, 'reverted');
    const text = await host.run('cat', '/etc/firewalld/zones/edge.xml');
    for (const part of ['203.0.113.0/24', '9443', '192.0.2.9', `<interface name="${host.interfaces.public}"/>`])
      expect.soft(text, host.name).toContain(part);
    const bound = await host.run('firewall-cmd', `--get-zone-of-interface=${host.interfaces.public}`);
    expect.soft(bound.trim(), host.name).toBe('edge');
    // What they wrote waits for their own reload.
    expect.soft(await host.run('firewall-cmd', '--zone=edge', '--list-ports'), host.name).not.toContain('9443');
    const memory = await host.run('firewall-cmd', '--permanent', '--zone=edge', '--list-all');
    for (const part of ['203.0.113.0/24', '9443', '192.0.2.9', host.interfaces.public!])
      expect.soft(memory, host.name).toContain(part);
  }
  // A yes comes too late, and says so.
  const late = await portfwJson('confirm', plain);
  expect(late.exitCode).toBe(1);
  for (const host of lab.hosts)
    expect(outcomeOf(late, host.name, 'refused').failure.code, host.name).toBe('already-rolled-back');
});

it('an interface that leaves a zone takes none of its policies out of force, then or in the rollback', async () => {
  const policies = (host: LabHost) =>
    host.sh('nft list table inet firewalld | grep "ip saddr 203.0.113.7 jump filter_IN_policy_pol" || true');
  await each(async (host) => {
    await host.writeFile(
      '/etc/firewalld/zones/za.xml',
      `<zone><short>za</short><interface name="${host.interfaces.public}"/><source address="203.0.113.7"/><service name="ssh"/></zone>\n`,
    );
    await host.writeFile(
      '/etc/firewalld/policies/pol.xml',
      '<policy priority="-1" target="CONTINUE"><ingress-zone name="za"/><egress-zone name="HOST"/><rule family="ipv4"><source address="203.0.113.7"/><port port="7000" protocol="tcp"/><reject/></rule></policy>\n',
    );
    await host.run('firewall-cmd', '--reload');
  });
  const [before, dispatched] = await Promise.all([each(stateOf), each(policies)]);
  for (const [at, host] of lab.hosts.entries()) expect(dispatched[at], host.name).not.toBe('');
  const run = await portfwJson('apply', plain, '--yes', '--confirm', 'manual', '--revert-after', '5m');
  for (const host of lab.hosts) {
    outcomeOf(run, host.name, 'awaiting');
    expect.soft(await policies(host), host.name).toContain('jump filter_IN_policy_pol');
  }
  const no = await portfwJson('confirm', plain, '--revert');
  for (const [at, host] of lab.hosts.entries()) {
    outcomeOf(no, host.name, 'reverted');
    expect.soft(await policies(host), host.name).toBe(dispatched[at]);
    expect.soft(await stateOf(host), host.name).toEqual(before[at]);
  }
  await each((host) => host.run('rm', '/etc/firewalld/policies/pol.xml'));
});
