import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { foreignRules, placeForeignRules } from './helpers/foreign-rules.ts';
import { type HostState, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { tableHandle } from './helpers/observed-host.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, denyMethods, sabotage } from './helpers/saboteur.ts';

/**
 * Hosts with others who write rules. NetworkManager manages their interfaces, 1.30 beside firewalld 0.9.3 and 1.52 beside
 * 2.3.1: its connections' zones win over firewalld's files, so they go where the interfaces go, to the plan, to the host, and
 * back. And the kernel has Docker's and fail2ban's rules, which stand through all of it.
 */
let lab: Lab;
let inventory: string;

const foreign: string[] = [];
let pristine: Standing[];
/** What a boot without a pending run makes of it on the old host; see {@link tableHandle}. */
let handleOfBoot: string;

/** firewalld and NetworkManager, each by its own word. */
interface Standing extends Omit<HostState, 'zones'> {
  readonly bindings: readonly string[];
  /** `side: zone` of each interface's connection; empty for none. */
  readonly connections: readonly string[];
  /** Profiles: `mode owner path`, those in memory too. */
  readonly profiles: readonly string[];
}

beforeAll(async () => {
  lab = await startLab({
    name: 'writers',
    hosts: [
      { name: 'old', suite: 'bullseye', networkManager: true },
      { name: 'young', suite: 'trixie', networkManager: true },
    ],
  });
  const wishes = { portfw_playbook: 'img-gcems', portfw_roles: ['gcems'] };
  inventory = await writeInventory(lab, 'inventory', {
    hosts: Object.fromEntries(lab.hosts.map((host) => [host.name, { ...wishes, portfw_interfaces: sides(host) }])),
  });
  await each(writeForeignRules);
  pristine = await each(standing);
});

afterAll(() => lab?.stop());

afterEach(async () => {
  expect(await each(foreignRules)).toEqual(foreign);
});

function sides(host: LabHost) {
  return { public: host.publicAddress, control: host.privateAddress };
}

function each<T>(work: (host: LabHost) => Promise<T>): Promise<T[]> {
  return Promise.all(lab.hosts.map(work));
}

/** Does something to the active connection of an interface; `$uuid` stands for it in the script. */
function withConnection(host: LabHost, side: 'public' | 'private', script: string): Promise<string> {
  const find = 'uuid=$(nmcli -t -f UUID,DEVICE connection show --active | sed -n "s/:$1\\$//p")';
  return host.sh(`${find}; ${script}`, host.interfaces[side]!);
}

/** What a script prints of each interface, in one go. */
async function bySide(host: LabHost, script: string): Promise<string[]> {
  const { public: first = '', private: second = '' } = host.interfaces;
  const lines = await host.sh(`for interface; do printf '%s\\n' "$(${script})"; done`, first, second);
  const [publicly, privately] = lines.split('\n');
  return [`public: ${publicly}`, `private: ${privately}`];
}

/** The zone that the active connection of each interface names; nothing for none. */
function connectionZones(host: LabHost): Promise<string[]> {
  const find = 'nmcli -t -f UUID,DEVICE connection show --active | sed -n "s/:$interface\\$//p"';
  return bySide(host, `nmcli -g connection.zone connection show "$(${find})"`);
}

/** The zone that firewalld has each interface in at runtime. */
function bindings(host: LabHost): Promise<string[]> {
  const zone = 'org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone';
  const call = `busctl call ${zone} getZoneOfInterface s "$interface" 2>/dev/null`;
  return bySide(host, `{ ${call} || echo 's "?"'; } | sed 's/^s "\\(.*\\)"$/\\1/'`);
}

async function standing(host: LabHost): Promise<Standing> {
  const listed = await host.sh(
    'find /etc/NetworkManager/system-connections /run/NetworkManager -name "*.nmconnection" ! -name "lo.*" -printf "%m %U:%G %p\\n"',
  );
  const { files, rules } = await stateOf(host);
  return {
    files,
    rules: rules.map((rule) => rule.replace(/counter packets \d+ bytes \d+/, 'counter')),
    bindings: await bindings(host),
    connections: await connectionZones(host),
    profiles: listed.split('\n').sort(),
  };
}

/** The rollback then restarts the daemon, after it has removed the tables that the dead one left. */
const KILLS_FIREWALLD = `
wait(WRITTEN)
for pid in pids("/usr/sbin/firewalld", "--nofork"):
    os.kill(pid, signal.SIGKILL)`;

const OURS = ['public: portfw-public', 'private: portfw-control'];

async function expectOurs(host: LabHost): Promise<void> {
  expect(await connectionZones(host), `${host.name}: NetworkManager`).toEqual(OURS);
  expect(await bindings(host), `${host.name}: firewalld`).toEqual(OURS);
}

/** The others write their rules: at a boot, and after a reload by hand, which takes those in iptables away before firewalld 2. */
async function writeForeignRules(host: LabHost): Promise<void> {
  await placeForeignRules(host);
  foreign[lab.hosts.indexOf(host)] = await foreignRules(host);
}

async function restarted(host: LabHost): Promise<void> {
  await host.powerOff();
  await host.powerOn();
  await writeForeignRules(host);
}

describe('a host that NetworkManager manages', () => {
  it("is rehearsed without a word to NetworkManager: the rehearsals would take each other's answers", async () => {
    for (let time = 0; time < 3; time += 1) {
      const { events } = await portfwJson('plan', inventory);
      for (const host of lab.hosts) {
        const [began] = events.filter(
          (one) => one.kind === 'host-phase' && one.host === host.name && one.phase === 'rehearsing',
        );
        const [over] = events.filter((one) => one.kind === 'host-finished' && one.host === host.name);
        // A call on the bus whose answer is lost takes 25 s.
        expect(over!.at - began!.at, host.name).toBeLessThan(20_000);
      }
    }
  });

  it('goes back with its connections when an apply fails at its last step, or firewalld dies under it', async () => {
    expect(pristine[0]!.connections).toEqual(['public: ', 'private: ']);
    const { stdout } = await portfw('plan', inventory, '--details');
    for (const host of lab.hosts)
      expect(stdout).toContain(`NetworkManager connection "Lab ${host.publicAddress}": zone none → portfw-public`);
    await denyMethods(lab.host('old'), 'config.zone.update2');
    await sabotage(lab.host('young'), KILLS_FIREWALLD);
    const failed = await Promise.all(
      lab.hosts.map((host) => portfwJson('apply', inventory, '--yes', '--limit', host.name)),
    );
    await denyMethods(lab.host('old'));
    await callOff(lab.host('young'));
    for (const [index, host] of lab.hosts.entries()) {
      expect(outcomeOf(failed[index]!, host.name, 'failed').aftermath.kind).toBe('restored');
      expect(await standing(host), host.name).toEqual(pristine[index]);
    }
  });

  it('gets the zones in firewalld and in its connections, without an interruption of either', async () => {
    const since = await each((host) => host.sh('date +%s'));
    const applied = await portfwJson('apply', inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    for (const [index, host] of lab.hosts.entries()) {
      await expectOurs(host);
      const journal = await host.sh(
        'journalctl --unit=NetworkManager --since="@$1" --output=cat --no-pager',
        since[index]!.trim(),
      );
      expect(journal).not.toMatch(/state change/);
      // The same profiles, as private as they were, and none left in memory.
      expect((await standing(host)).profiles).toEqual(pristine[index]!.profiles);
    }
  });

  it('keeps them over a reload, and over a restart of either', async () => {
    await each(async (host) => {
      await host.run('firewall-cmd', '--reload');
      await expectOurs(host);
      await host.sh('systemctl restart NetworkManager; nm-online --quiet --wait-for-startup --timeout=20');
      await host.run('firewall-cmd', '--reload');
      await expectOurs(host);
      await host.sh(RESTART_FIREWALLD);
      await expect.poll(() => bindings(host), { timeout: 10_000 }).toEqual(OURS);
      await writeForeignRules(host);
    });
    const again = await portfwJson('apply', inventory, '--yes');
    for (const host of lab.hosts) outcomeOf(again, host.name, 'unchanged');
  });

  it('is corrected when only a connection was changed', async () => {
    const host = lab.host('young');
    await withConnection(host, 'public', 'nmcli connection modify $uuid connection.zone home');
    await expect.poll(() => bindings(host)).toEqual(['public: home', OURS[1]]);
    // With firewalld alone put right, the next reload would undo it.
    await host.run('firewall-cmd', '--zone=portfw-public', `--change-interface=${host.interfaces.public}`);
    const applied = await portfwJson('apply', inventory, '--yes', '--limit', 'young');
    const { plan, reloads } = outcomeOf(applied, 'young', 'changed');
    expect(plan.changes).toMatchObject([
      { kind: 'interface', layers: { permanent: false, runtime: false }, networkManager: { before: 'home' } },
    ]);
    expect(reloads).toBe(0);
    await expectOurs(host);
  });

  it('comes up with what was applied after a power cut', async () => {
    await each(async (host) => {
      await restarted(host);
      await expectOurs(host);
    });
    handleOfBoot = await tableHandle(lab.host('old'));
  });

  it('is rolled back with its connections', async () => {
    const back = await portfwJson('rollback', inventory, '--yes');
    expect(back.exitCode, back.stdout).toBe(0);
    const now = await each(standing);
    for (const [index, host] of lab.hosts.entries()) {
      expect(now[index]!.connections, host.name).toEqual(pristine[index]!.connections);
      expect(now[index]!.files, host.name).toEqual(pristine[index]!.files);
      expect(await foreignRules(host), host.name).toEqual(foreign[index]);
      await host.run('firewall-cmd', '--reload');
      expect(await bindings(host), host.name).toEqual(['public: public', 'private: public']);
      await writeForeignRules(host);
    }
  });

  it('is as it was when the power goes before anybody has confirmed', async () => {
    const host = lab.host('old');
    const held = await portfwJson('apply', inventory, '--yes', '--limit', 'old', '--confirm', 'manual');
    expect(held.exitCode, held.stdout).toBe(0);
    await expectOurs(host);
    await restarted(host);
    await expect.poll(() => host.sh('ls /var/lib/portfw/guard'), { timeout: 20_000 }).toBe('');
    // The boot has loaded the files of before: a reload would take away what others write meanwhile.
    expect(await tableHandle(host)).toBe(handleOfBoot);
    await expect.poll(() => connectionZones(host), { timeout: 10_000 }).toEqual(pristine[0]!.connections);
    await expect.poll(() => bindings(host), { timeout: 10_000 }).toEqual(['public: public', 'private: public']);
    expect((await stateOf(host)).files).toEqual(pristine[0]!.files);
  });
});

/** Where NetworkManager has the profile of the public side from. */
function profileFile(host: LabHost): Promise<string> {
  return withConnection(host, 'public', 'nmcli -t -f UUID,FILENAME connection show | sed -n "s/^$uuid://p"');
}

const OF_THE_SYSTEM = '/usr/lib/NetworkManager/system-connections';

describe('a profile that comes with the system', () => {
  beforeAll(async () => {
    await each((host) =>
      host.sh(
        'mkdir -p "$1"; mv "/etc/NetworkManager/system-connections/lab-$2.nmconnection" "$1"; nmcli connection reload',
        OF_THE_SYSTEM,
        host.publicAddress,
      ),
    );
    for (const host of lab.hosts) expect(await profileFile(host), host.name).toContain(OF_THE_SYSTEM);
    pristine = await each(standing);
  });

  async function expectAsBefore(): Promise<void> {
    for (const [index, host] of lab.hosts.entries()) {
      expect(await profileFile(host), host.name).toContain(OF_THE_SYSTEM);
      const now = await standing(host);
      expect(now.profiles, host.name).toEqual(pristine[index]!.profiles);
      expect(now.connections, host.name).toEqual(pristine[index]!.connections);
      expect(now.bindings, host.name).toEqual(pristine[index]!.bindings);
    }
  }

  it('is in use again, without a copy, when a run is rolled back or has failed', async () => {
    await denyMethods(lab.host('old'), 'config.zone.update2');
    const [failed, held] = await Promise.all([
      portfwJson('apply', inventory, '--yes', '--limit', 'old'),
      portfwJson('apply', inventory, '--yes', '--limit', 'young', '--confirm', 'manual'),
    ]);
    await denyMethods(lab.host('old'));
    expect(outcomeOf(failed, 'old', 'failed').aftermath.kind).toBe('restored');
    outcomeOf(held, 'young', 'awaiting');
    expect(await profileFile(lab.host('young'))).toMatch(/^\/(?:etc|run)\//);
    await portfwJson('confirm', inventory, '--limit', 'young', '--revert');
    await expectAsBefore();
  });

  it('is in use again after a rollback to the generation before', async () => {
    const applied = await portfwJson('apply', inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    await each(async (host) => {
      await expectOurs(host);
      expect(await profileFile(host)).toMatch(/^\/etc\//);
    });
    const back = await portfwJson('rollback', inventory, '--yes');
    expect(back.exitCode, back.stdout).toBe(0);
    await expectAsBefore();
  });

  it('stays covered by a copy in which somebody has changed more than the zone since', async () => {
    const applied = await portfwJson('apply', inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    await each((host) =>
      withConnection(host, 'public', 'nmcli connection modify $uuid connection.autoconnect-priority 5'),
    );
    const copies = await each(profileFile);
    const back = await portfwJson('rollback', inventory, '--yes');
    expect(back.exitCode, back.stdout).toBe(0);
    expect(await each(profileFile)).toEqual(copies);
    for (const [index, host] of lab.hosts.entries()) {
      expect(await connectionZones(host)).toEqual(pristine[index]!.connections);
      const priority = 'nmcli -g connection.autoconnect-priority connection show $uuid';
      expect((await withConnection(host, 'public', priority)).trim()).toBe('5');
    }
  });
});
