import { writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HostOutcome } from '../../src/fleet/events.ts';
import { START_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { CliProcess } from './helpers/cli-process.ts';
import { type HostState, isLocked, stateOf, statesOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import {
  callOff,
  denyMethods,
  HOLDS_THE_RUN,
  STOPS_LOGINS_FOR_A_WHILE,
  sabotage,
  TAKES_SERVICE_OUT,
} from './helpers/saboteur.ts';
import { TerminalRun } from './helpers/terminal-run.ts';

/**
 * An apply that goes wrong on its way, on firewalld 0.9.3 (old), 1.3.3 (middle) and 2.3.1 (young). Whatever happens, a host
 * ends exactly as it was or exactly as planned, in files and in the kernel, and the run says which.
 */
let lab: Lab;
/** The usual wishes: services, ipsets and rich rules, so that every kind of call takes part. */
let inventory: string;
/** The same with one port more. */
let further: string;
let pristine: Readonly<Record<string, HostState>>;

const HOLDER = `${userInfo().username}@${hostname()}`;
/** So that one failed test does not fail those after it. */
const START_AFRESH = `
systemctl stop 'portfw-*.timer' 'portfw-*.service'
rm -rf /etc/firewalld/*/portfw-* /etc/firewalld/.portfw-* /run/portfw/lock /var/lib/portfw/*
rm -f /etc/systemd/system/portfw-* /etc/systemd/system/*.wants/portfw-*
systemctl stop firewalld.service
for table in 'inet firewalld' 'ip firewalld' 'ip6 firewalld'; do nft delete table $table 2>/dev/null || true; done
${START_FIREWALLD}`;
const NAMES = ['old', 'middle', 'young'];

beforeAll(async () => {
  lab = await startLab({
    name: 'fail',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'middle', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  await playbook('at-once', '');
  await playbook('one-by-one', '  serial: 1\n');
  const wishes = {
    portfw_playbook: 'at-once.yaml',
    portfw_roles: ['web-admin', 'configuration'],
    portfw_private: 'peers',
  };
  inventory = await written('usual', wishes);
  const rule = { name: 'probe', interface: 'public', protocol: 'tcp', port: 9100, from: ['192.0.2.0/24'] };
  further = await written('further', {
    ...wishes,
    portfw_features: ['sip-tls'],
    portfw_extra_rules: [{ ...rule, owner: 'netops', reason: 'metrics' }],
  });
  pristine = await statesOf(lab.hosts);
});

afterAll(() => lab?.stop());

afterEach(async ({ task }) => {
  await Promise.all(
    lab.hosts.map(async (host) => {
      await callOff(host);
      await denyMethods(host);
      await host.sh('systemctl is-active --quiet ssh.service || systemctl start ssh.service');
      if (task.result?.state === 'fail') await host.sh(START_AFRESH);
    }),
  );
});

function playbook(name: string, more: string): Promise<void> {
  return writeFile(join(lab.directory, `${name}.yaml`), `- hosts: all\n  matrix: portaswitch\n${more}`);
}

function written(name: string, wishes: Readonly<Record<string, unknown>>): Promise<string> {
  return writeInventory(lab, name, {
    hosts: Object.fromEntries(NAMES.map((host) => [host, { ...wishes, portfw_site: 'site' }])),
    groups: { site: NAMES },
  });
}

/** How a host ended that must have failed. */
function failure(run: JsonRun, host: LabHost): Extract<HostOutcome, { kind: 'failed' }> {
  return outcomeOf(run, host.name, 'failed');
}

/**
 * Applies to all hosts while something stands in the way of each: every one must fail, say that its generation was
 * restored, and be to the last byte and kernel rule what it was.
 */
async function failsAndRestores(file: string, prepare: (host: LabHost) => Promise<void>): Promise<JsonRun> {
  const before = await statesOf(lab.hosts);
  await Promise.all(lab.hosts.map(prepare));
  const run = await portfwJson('apply', file, '--yes');
  for (const host of lab.hosts) await expectRestored(run, host, before[host.name]!);
  expect(run.exitCode).toBe(1);
  return run;
}

async function expectRestored(run: JsonRun, host: LabHost, before: HostState): Promise<void> {
  const { aftermath } = failure(run, host);
  expect(aftermath, JSON.stringify(run.outcomes.get(host.name))).toMatchObject({ kind: 'restored' });
  expect(await stateOf(host)).toEqual(before);
  expect(await isLocked(host)).toBe(false);
  const generation = aftermath.kind === 'restored' ? aftermath.generation : '';
  expect(await host.run('tail', '-n', '1', '/var/lib/portfw/audit.log')).toContain(`${generation} reverted by `);
}

/** All outcomes that must be failures. */
function failures(run: JsonRun): readonly Extract<HostOutcome, { kind: 'failed' }>[] {
  return lab.hosts.map((host) => failure(run, host));
}

describe('on its way to the first configuration', () => {
  it('the daemon turns a runtime call away: everything before it is taken back', async () => {
    const run = await failsAndRestores(inventory, (host) => denyMethods(host, 'zone.addRichRule'));
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('writing');
      expect(text).toMatchObject({
        code: 'step-failed',
        what: expect.stringMatching(/^add-rich-rule portfw-.*: .*reject/i),
      });
    }
    const history = await portfwJson('history', inventory);
    for (const host of lab.hosts) {
      const { generations } = outcomeOf(history, host.name, 'history');
      expect(generations).toMatchObject([{ before: 'apply portaswitch', savedBy: HOLDER, current: true }]);
    }
  });

  it('the reload is turned away: the daemon is restarted with the old configuration', async () => {
    const run = await failsAndRestores(inventory, (host) => denyMethods(host, 'reload'));
    for (const { failure: text } of failures(run)) expect(text.what).toMatch(/^reload: /);
  });

  it('permanence is turned away, although everything was proved at runtime', async () => {
    const run = await failsAndRestores(inventory, (host) => denyMethods(host, 'config.zone.update2'));
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('making permanent');
      expect(text.what).toMatch(/^permanence of zone portfw-/);
    }
  });

  it('firewalld is stopped: it starts again with the old configuration', async () => {
    await failsAndRestores(inventory, (host) =>
      sabotage(host, 'wait(WRITTEN)\nrun("systemctl", "kill", "--signal=KILL", "firewalld.service")'),
    );
    for (const host of lab.hosts) expect((await host.run('firewall-cmd', '--state')).trim()).toBe('running');
  });

  it('a service is removed again: the check over the fresh connection finds it', async () => {
    const run = await failsAndRestores(inventory, (host) => sabotage(host, TAKES_SERVICE_OUT));
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('verifying');
      expect(text).toMatchObject({
        code: 'not-as-planned',
        details: ['add service portfw-web-admin-public in zone portfw-public'],
      });
    }
  });

  it('the connection is lost while the host writes', async () => {
    const run = await failsAndRestores(inventory, (host) =>
      sabotage(host, 'wait(LOCK)\nfor pid in pids("sshd", "root"):\n    os.kill(pid, signal.SIGKILL)'),
    );
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('writing');
      expect(text.code).toBe('command-lost');
    }
  });

  it('logins fail: the rollback is tried until they work', async () => {
    const run = await failsAndRestores(inventory, (host) => sabotage(host, STOPS_LOGINS_FOR_A_WHILE));
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('verifying');
      expect(text.code).toBe('unreachable');
    }
  });

  it('the deadline stops it: it is undone on the host, by the host', async () => {
    const run = await failsAndRestores(inventory, (host) =>
      sabotage(host, 'wait(WRITTEN)\nfor pid in pids("timeout -k"):\n    os.kill(pid, signal.SIGTERM)'),
    );
    for (const { phase } of failures(run)) expect(phase).toBe('writing');
  });

  it('its process on the host is killed', async () => {
    const run = await failsAndRestores(inventory, (host) =>
      sabotage(
        host,
        'wait(WRITTEN)\nfor pid in pids("python3", "exec(compile(PROGRAM"):\n    os.kill(pid, signal.SIGKILL)',
      ),
    );
    for (const { phase } of failures(run)) expect(phase).toBe('writing');
  });

  it('the disk becomes full after the rollback is armed', async () => {
    const run = await failsAndRestores(inventory, async (host) => {
      await host.sh(
        'mkdir -p /var/lib/portfw; mount -t tmpfs -o size=1m tmpfs /var/lib/portfw; mkdir /var/lib/portfw/generations',
      );
      await sabotage(
        host,
        `
reached("behaves")
open("/var/lib/portfw/audit.log", "w").write(" " * 4000)
with open("/var/lib/portfw/filler", "wb", buffering=0) as filler:
    while True:
        filler.write(b"x" * 4096)`,
      );
    }).finally(() => Promise.all(lab.hosts.map((host) => host.run('umount', '/var/lib/portfw'))));
    for (const { phase, failure: text } of failures(run)) {
      expect(phase).toBe('making permanent');
      expect(text.what).toMatch(/No space left on device/);
    }
  });
});

describe('when even the rollback fails', () => {
  it('a host without logins rolls itself back; the run reports it as unknown, never as a success', async () => {
    const host = lab.host('young');
    await sabotage(host, 'wait(LOCK)\nrun("systemctl", "stop", "ssh.service")');
    const run = await portfwJson('apply', inventory, '--yes', '--limit', 'young', '--revert-after', '10s');
    expect(run.exitCode).toBe(1);
    const { phase, aftermath } = failure(run, host);
    expect(phase).toBe('verifying');
    expect(aftermath).toMatchObject({ kind: 'unknown', why: expect.stringContaining(host.publicAddress) });
    expect(await stateOf(host)).toEqual(pristine['young']);
    expect(await isLocked(host)).toBe(false);
    await host.sh('systemctl start ssh.service');
    const plan = outcomeOf(await portfwJson('plan', inventory, '--limit', 'young'), 'young', 'planned').plan;
    expect(plan.notes).toContainEqual(
      expect.objectContaining({
        code: 'last-run-reverted',
        text: expect.stringContaining('because the window was over'),
      }),
    );
  });

  it('the run says so, and the host goes on trying until it can', async () => {
    // firewalld 0.9 takes a malformed file for none.
    const hosts = [lab.host('middle'), lab.host('young')];
    const limit = ['--limit', 'middle,young'];
    const litter = '/etc/firewalld/helpers/foreign.xml';
    await Promise.all(
      hosts.map(async (host) => {
        await denyMethods(host, 'config.zone.update2');
        await sabotage(
          host,
          `reached("behaves")\nos.makedirs("/etc/firewalld/helpers", exist_ok=True)\nopen("${litter}", "w").write("<helper")`,
        );
      }),
    );
    const run = await portfwJson('apply', inventory, '--yes', ...limit, '--revert-after', '10s');
    for (const host of hosts) {
      const { failure: text, aftermath } = failure(run, host);
      expect(aftermath).toMatchObject({
        kind: 'restore-failed',
        why: expect.stringContaining('firewalld cannot load its files: '),
      });
      expect(text.solve).toContain('portfw status');
      expect(await isLocked(host)).toBe(true);
      // Our zones are out of use all the same, and the daemon was not restarted into its stock configuration.
      expect((await stateOf(host)).zones).toEqual(pristine[host.name]!.zones);
      expect((await host.run('firewall-cmd', '--state')).trim()).toBe('running');
    }
    expect(run.exitCode).toBe(1);
    await Promise.all(hosts.map((host) => host.run('rm', litter)));
    await Promise.all(
      hosts.map(async (host) => {
        await host.sh('timeout 40 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"');
        expect(await stateOf(host)).toEqual(pristine[host.name]);
      }),
    );
  });
});

describe('two at a time', () => {
  it('the second run is refused with the name of the first', async () => {
    // The first is held right after it took the lock: the second sees it before it plans anything.
    await Promise.all(lab.hosts.map((host) => sabotage(host, HOLDS_THE_RUN)));
    const first = new CliProcess('apply', inventory, '--yes');
    await Promise.all(
      lab.hosts.map((host) => host.sh('timeout 30 sh -c "until [ -e /tmp/saboteur.held ]; do sleep 0.05; done"')),
    );
    const lost = await new CliProcess('apply', further, '--yes').ended;
    await Promise.all(lab.hosts.map((host) => host.run('touch', '/tmp/saboteur.go')));
    const won = await first.ended;
    for (const host of lab.hosts) {
      outcomeOf(won, host.name, 'changed');
      const { failure: text } = outcomeOf(lost, host.name, 'refused');
      expect(text).toMatchObject({
        code: 'locked',
        what: expect.stringContaining(`${HOLDER} has been changing this host since 2`),
      });
      expect(await isLocked(host)).toBe(false);
    }
    expect([won.exitCode, lost.exitCode]).toEqual([0, 1]);
    expect((await portfwJson('plan', inventory, '--detailed-exitcode')).exitCode).toBe(0);
  });
});

describe('on its way from one configuration to the next', () => {
  const zoneFile = '/etc/firewalld/zones/portfw-public.xml';

  beforeAll(async () => {
    expect((await portfwJson('apply', inventory, '--yes')).exitCode).toBe(0);
  });

  it('a runtime call is turned away: the host is back on the configuration that portfw gave it', async () => {
    await failsAndRestores(further, (host) => denyMethods(host, 'zone.addRichRule'));
    expect((await portfwJson('plan', inventory, '--detailed-exitcode')).exitCode).toBe(0);
  });

  it('permanence is turned away', async () => {
    await failsAndRestores(further, (host) => denyMethods(host, 'config.zone.update2'));
    expect(await lab.host('old').run('cat', zoneFile)).not.toContain('9100');
  });

  it('a rollback is killed on its way: nothing stays half done', async () => {
    const before = await statesOf(lab.hosts);
    await Promise.all(
      lab.hosts.map((host) =>
        sabotage(
          host,
          `
while os.path.exists("${zoneFile}"):
    time.sleep(0.002)
for pid in pids("python3", "exec(compile(PROGRAM"):
    os.kill(pid, signal.SIGKILL)`,
        ),
      ),
    );
    const run = await portfwJson('rollback', inventory, '--yes');
    for (const host of lab.hosts) await expectRestored(run, host, before[host.name]!);
    const done = await portfwJson('rollback', inventory, '--yes');
    for (const host of lab.hosts) {
      expect(outcomeOf(done, host.name, 'rolled-back').changed).toBe(true);
      expect(await stateOf(host)).toEqual(pristine[host.name]);
    }
  });
});

describe('a host that changes between plan and answer', () => {
  it('is refused, and nothing is written there; the others are applied', async () => {
    const drifted = [lab.host('old'), lab.host('middle')];
    const run = new TerminalRun('apply', inventory);
    await run.shows(/Apply this to 3 hosts\? Type "yes" to continue: /);
    await lab.host('old').run('firewall-cmd', '--quiet', '--zone=public', '--add-port=4444/tcp');
    await lab
      .host('middle')
      .writeFile('/etc/firewalld/services/by-hand.xml', '<service><port port="4444" protocol="tcp"/></service>');
    const before = await statesOf(drifted);
    run.type('yes\n');
    expect(await run.exitCode).toBe(1);
    for (const host of drifted) {
      // What two hosts have in common the table says once.
      const note = host === drifted[0] ? 'drifted: the host has changed since' : `as ${drifted[0]!.name}`;
      expect(run.text).toMatch(new RegExp(`^${host.name} +refused .*${note}`, 'm'));
      expect(await stateOf(host)).toEqual(before[host.name]);
      expect(await isLocked(host)).toBe(false);
    }
    expect(run.text).toMatch(/^young +changed /m);
    await lab.host('old').run('firewall-cmd', '--quiet', '--zone=public', '--remove-port=4444/tcp');
    await lab.host('middle').run('rm', '/etc/firewalld/services/by-hand.xml');
    outcomeOf(await portfwJson('rollback', inventory, '--yes', '--limit', 'young'), 'young', 'rolled-back');
  });
});

describe('an interruption', () => {
  it('lets the host that is under way finish and begins no other', async () => {
    const playbookFile = join(lab.directory, 'one-by-one.yaml');
    const run = new CliProcess('apply', inventory, '--yes', '--playbook', playbookFile);
    await run.seen('a host writing', (event) => event.kind === 'host-phase' && event.phase === 'writing');
    run.signal('SIGINT');
    const ended = await run.ended;
    expect(ended.exitCode).toBe(130);
    expect([...ended.outcomes.values()].map(({ kind }) => kind).sort()).toEqual(['changed', 'skipped', 'skipped']);
    expect(ended.events.at(-1)).toMatchObject({ kind: 'run-finished', summary: { interrupted: true } });
    const after = await statesOf(lab.hosts);
    const [done, ...rest] = [...lab.hosts].sort((a) => (ended.outcomes.get(a.name)?.kind === 'changed' ? -1 : 1));
    for (const host of rest) expect(after[host.name]).toEqual(pristine[host.name]);
    for (const host of lab.hosts) expect(await isLocked(host)).toBe(false);
    outcomeOf(await portfwJson('plan', inventory, '--limit', done!.name), done!.name, 'unchanged');
    const back = await portfw('rollback', inventory, '--yes', '--limit', done!.name);
    expect(back.exitCode, back.stdout).toBe(0);
    expect(await statesOf(lab.hosts)).toEqual(pristine);
  });
});
