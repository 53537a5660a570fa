import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { startLab } from '../lab/lab.ts';
import { type AdminFiles, placeAdminFiles } from './helpers/admin-files.ts';
import { expectDone } from './helpers/expect-done.ts';
import { HOSTS, type Host, Lifecycle } from './helpers/lifecycle.ts';
import {
  type FileState,
  filesBelow,
  logins,
  rulesWithHandles,
  runtimeState,
  withoutTimes,
  zones,
} from './helpers/observed-host.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/**
 * The life of three hosts under portfw: first apply, an apply that finds nothing to do, one change of the inventory after
 * another, and back to the beginning. Each step goes on from where the one before it left the hosts.
 */
const EVERYWHERE = ['/etc/firewalld', '/var/lib/portfw', '/run/portfw'];

let life: Lifecycle;
const admin = new Map<Host, AdminFiles>();
const before = new Map<Host, { files: Map<string, FileState>; runtime: Awaited<ReturnType<typeof runtimeState>> }>();
const firstGeneration = new Map<Host, string>();

beforeAll(async () => {
  const lab = await startLab({
    name: 'apply',
    hosts: [
      { name: 'sip1', suite: 'bullseye', daemons: ['dispatching-node', 'web-admin'] },
      { name: 'ocs1', suite: 'bookworm', daemons: ['ocs', 'configuration'] },
      { name: 'gcems1', suite: 'trixie', daemons: ['gcems'] },
    ],
  });
  life = new Lifecycle(lab);
  await life.each(async (host, name) => {
    admin.set(name, await placeAdminFiles(host));
    before.set(name, { files: await filesBelow(host, '/etc/firewalld'), runtime: await runtimeState(host) });
  });
  life.office.set('ada', { ansible_host: '192.0.2.10' }).set('bob', { ansible_host: '192.0.2.20' });
  life.variables.sip1 = {
    portfw_playbook: 'portaswitch',
    portfw_site: 'site',
    portfw_vips: [lab.vip(0).v4, lab.vip(1).v4],
  };
  life.variables.ocs1 = { portfw_playbook: 'portaswitch-ocs', portfw_site: 'site' };
  life.variables.gcems1 = {
    portfw_playbook: 'img-gcems',
    portfw_interfaces: { public: lab.host('gcems1').publicAddress, control: lab.host('gcems1').privateAddress },
    portfw_peers: {
      img: ['198.18.255.1', '198.18.255.2'],
      clientview: ['office'],
      support: ['203.0.113.64/26'],
      'remote-access': ['192.0.2.0/24', '203.0.113.64/26'],
    },
  };
  await life.saveInventory();
});

afterAll(async () => {
  await life?.lab.stop();
});

describe('the first apply', () => {
  it('does what the plan says, and leaves everything else as it was', async () => {
    const planned = await portfwJson('plan', life.inventory);
    expect(planned.exitCode).toBe(0);
    const untouched = await life.each((host) => filesBelow(host, ...EVERYWHERE));
    for (const [index, name] of HOSTS.entries())
      expect(withoutTimes(untouched[index]!)).toEqual(withoutTimes(before.get(name)!.files));

    const applied = await portfwJson('apply', life.inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    await life.each(async (host, name) => {
      const { plan, generation, reloads } = outcomeOf(applied, name, 'changed');
      expect(plan.changes).toEqual(outcomeOf(planned, name, 'planned').plan.changes);
      expect(reloads).toBe(1);
      const moved = plan.changes.filter((change) => change.kind === 'interface');
      expect(moved.length).toBe(2);
      expect(moved.find((change) => change.interface === host.interfaces.public)).toMatchObject({
        zone: 'portfw-public',
        otherZone: 'edge',
        editsZone: 'edge',
        closes: ['7777/tcp', '7070/tcp (service legacy)', '7071/udp (service legacy)'],
      });
      firstGeneration.set(name, generation);
      await expectDone(host, plan);
      const publicZone = [...(await zones(host))].find(([, fields]) =>
        fields.get('interfaces')?.includes(host.interfaces.public!),
      );
      expect(publicZone?.[0]).toBe('portfw-public');
    });
  });

  it('removed from a foreign zone only the line that binds our interface', async () => {
    await life.each(async (host, name) => {
      const { zonePath, zone, zoneWithoutInterface } = admin.get(name)!;
      expect(zone.length - zoneWithoutInterface.length).toBe(`\t <interface   name='eth0' />\n`.length);
      expect(await host.run('cat', zonePath)).toBe(zoneWithoutInterface);
      const now = await filesBelow(host, '/etc/firewalld');
      const theirs = [...before.get(name)!.files].filter(([path]) => path !== zonePath);
      expect(theirs.length).toBeGreaterThan(8);
      for (const [path, was] of theirs)
        expect(now.get(path), path).toMatchObject({ kind: was.kind, sha256: was.sha256 });
      expect(now.get(zonePath)!.kind).toBe('640 1000:0 f');
      // The text that we wrote and what the daemon has in memory agree: the next edit through it changes nothing else.
      const permanent = (await zones(host, 'permanent')).get('edge')!;
      expect(permanent.get('interfaces')).toEqual([]);
      expect(permanent.get('ports')).toEqual(['7777/tcp']);
    });
  });

  it('is followed by one that changes nothing, over one connection, without a write or a reload', async () => {
    const look = () =>
      life.each(async (host) => ({
        files: await filesBelow(host, ...EVERYWHERE),
        rules: await rulesWithHandles(host),
        logins: await logins(host),
      }));
    const was = await look();
    const again = await portfwJson('apply', life.inventory, '--yes');
    const is = await look();
    expect(again.exitCode).toBe(0);
    for (const [index, name] of HOSTS.entries()) {
      const { plan } = outcomeOf(again, name, 'unchanged');
      expect(plan.nothingBecause).toContain('already');
      expect(is[index]!.files).toEqual(was[index]!.files);
      expect(is[index]!.rules).toBe(was[index]!.rules);
      expect(is[index]!.logins - was[index]!.logins).toBe(1);
    }
    const text = await portfw('plan', life.inventory, '--detailed-exitcode');
    expect(text.exitCode).toBe(0);
    expect(text.stdout).toContain('already');
  });
});

describe('changes of the inventory', () => {
  it('a feature that is turned on', async () => {
    life.variables.sip1['portfw_features'] = ['sip-tls'];
    life.variables.ocs1['portfw_features'] = ['diameter-cluster'];
    life.variables.gcems1['portfw_features'] = ['remote-clientview'];
    await life.step(1, {
      sip1: [
        'edit service portfw-dispatching-node-vip ports: 2775/tcp 5060/tcp 8081/tcp 8091/tcp 8101/tcp 5060/udp 5070/udp → 2775/tcp 5051/tcp 5060/tcp 8081/tcp 8091/tcp 8101/tcp 5060/udp 5070/udp',
      ],
      ocs1: [
        'create service portfw-ocs-private ports: - → 5405/udp',
        'add portfw-ocs-private (5405/udp) in portfw-private',
      ],
      gcems1: [
        'edit service portfw-gcems-public-clientview ports: 2428-2433/tcp 2623/tcp 2624/tcp → 1098/tcp 1099/tcp 2428-2433/tcp 2623/tcp 2624/tcp',
      ],
    });
  });

  it('extra rules, of which an expired one is reported and not applied', async () => {
    const rule = { owner: 'ada@example.net', reason: 'Measurements of the spring' };
    const probe = { ...rule, name: 'probe', protocol: 'tcp', ports: [9100] };
    life.variables.sip1['portfw_extra_rules'] = [{ ...probe, interface: 'public', from: ['office'] }];
    life.variables.ocs1['portfw_extra_rules'] = [
      { ...rule, name: 'burst', interface: 'public', protocol: 'udp', ports: ['4000-4010', 4020] },
      { ...rule, name: 'late', interface: 'public', protocol: 'tcp', ports: [4999], expires: '2020-01-31' },
    ];
    life.variables.gcems1['portfw_extra_rules'] = [{ ...probe, interface: 'control', from: ['198.18.254.0/24'] }];
    await life.step(1, {
      sip1: [
        'create service portfw-extra-probe ports: - → 9100/tcp',
        'create ipset portfw-extra-probe type: - → hash:net; family: - → ipv4; entries: - → 192.0.2.10 192.0.2.20',
        'add in portfw-public: rule family="ipv4" source ipset="portfw-extra-probe" service name="portfw-extra-probe" accept',
      ],
      ocs1: [
        'create service portfw-extra-burst ports: - → 4000-4010/udp 4020/udp',
        'add portfw-extra-burst (4000-4010/udp 4020/udp) in portfw-public',
      ],
      gcems1: [
        'create service portfw-extra-probe ports: - → 9100/tcp',
        'create ipset portfw-extra-probe type: - → hash:net; family: - → ipv4; entries: - → 198.18.254.0/24',
        'add in portfw-control: rule family="ipv4" source ipset="portfw-extra-probe" service name="portfw-extra-probe" accept',
      ],
    });
    const { plan } = outcomeOf(await portfwJson('plan', life.inventory), 'ocs1', 'unchanged');
    expect(plan.notes.map(({ code }) => code)).toContain('extra-rule-expired');
  });

  it('fewer sources for a rule, and for a role', async () => {
    life.variables.sip1['portfw_allow_from'] = { 'dispatching-node/tcp/8101': ['office'] };
    life.variables.ocs1['portfw_allow_from'] = { ocs: ['198.18.255.64/26'] };
    life.variables.gcems1['portfw_allow_from'] = { 'gcems/tcp/5901': ['office'] };
    await life.step(1, {
      sip1: [
        'edit service portfw-dispatching-node-vip ports: 2775/tcp 5051/tcp 5060/tcp 8081/tcp 8091/tcp 8101/tcp 5060/udp 5070/udp → 2775/tcp 5051/tcp 5060/tcp 8081/tcp 8091/tcp 5060/udp 5070/udp',
        'create service portfw-dispatching-node-vip-tcp-8101 ports: - → 8101/tcp',
        // The kernel takes no longer names of sets.
        'create ipset portfw-from-dispatchin-f7d56b type: - → hash:net; family: - → ipv4; entries: - → 192.0.2.10 192.0.2.20',
        ...[0, 1].map(
          (n) =>
            `add in portfw-public: rule family="ipv4" source ipset="portfw-from-dispatchin-f7d56b" destination address="${life.lab.vip(n).v4}" service name="portfw-dispatching-node-vip-tcp-8101" accept`,
        ),
      ],
      ocs1: [
        'create service portfw-ocs-private-allowed ports: - → 5405/udp',
        'create service portfw-ocs-public-allowed ports: - → 1812/udp 1813/udp 5060/udp',
        'delete service portfw-ocs-private',
        'delete service portfw-ocs-public',
        'create ipset portfw-from-ocs type: - → hash:net; family: - → ipv4; entries: - → 198.18.255.64/26',
        'remove portfw-ocs-private (5405/udp) in portfw-private',
        'add in portfw-private: rule family="ipv4" source ipset="portfw-from-ocs" service name="portfw-ocs-private-allowed" accept',
        'remove portfw-ocs-public (1812/udp 1813/udp 5060/udp) in portfw-public',
        'add in portfw-public: rule family="ipv4" source ipset="portfw-from-ocs" service name="portfw-ocs-public-allowed" accept',
      ],
      gcems1: [
        'edit service portfw-gcems-public-remote-access ports: 1312/tcp 5901/tcp → 1312/tcp',
        'create service portfw-gcems-public-remote-access-tcp-5901 ports: - → 5901/tcp',
        'create ipset portfw-peer-remote-acc-eba35f type: - → hash:net; family: - → ipv4; entries: - → 192.0.2.10 192.0.2.20',
        'add in portfw-public: rule family="ipv4" source ipset="portfw-peer-remote-acc-eba35f" service name="portfw-gcems-public-remote-access-tcp-5901" accept',
      ],
    });
  });

  it('peers that come and go are entries of ipsets: no reload, and what others did at runtime alone stays', async () => {
    const drop = ['ipv4', 'filter', 'INPUT', '1', '-s', '192.0.2.67', '-j', 'DROP'];
    await life.each(async (host) => {
      await host.run('firewall-cmd', '--zone=edge', '--add-port=4444/tcp');
      await host.run('firewall-cmd', '--direct', '--add-rule', ...drop);
    });
    life.office.delete('ada');
    life.office.set('carol', { ansible_host: '192.0.2.21' });
    life.variables.ocs1['portfw_allow_from'] = { ocs: ['198.18.255.64/26', '198.18.254.1'] };
    life.variables.gcems1['portfw_peers'] = {
      img: ['198.18.255.2', '198.18.255.3'],
      clientview: ['office'],
      support: ['203.0.113.64/26'],
      'remote-access': ['192.0.2.0/24', '203.0.113.64/26'],
    };
    const office = '+192.0.2.20/31 -192.0.2.10,192.0.2.20';
    await life.step(0, {
      sip1: [`entries of portfw-extra-probe: ${office}`, `entries of portfw-from-dispatchin-f7d56b: ${office}`],
      ocs1: ['entries of portfw-from-ocs: +198.18.254.1 -'],
      gcems1: [
        `entries of portfw-peer-clientview: ${office}`,
        'entries of portfw-peer-img: +198.18.255.2/31 -198.18.255.1,198.18.255.2',
        `entries of portfw-peer-remote-acc-eba35f: ${office}`,
      ],
    });
    await life.each(async (host) => {
      const { zones: runtime, rules } = await runtimeState(host);
      expect(runtime.get('edge')!.get('ports')).toEqual(['4444/tcp', '7777/tcp']);
      expect(rules.join('\n')).toContain('192.0.2.67');
    });
  });

  const ssh = 'rule family="ipv4" source ipset="portfw-site" port port="22" protocol="tcp" accept';
  const site = 'rule family="ipv4" source ipset="portfw-site" accept';
  const nsca =
    'rule family="ipv4" source ipset="portfw-peer-site-servers" service name="portfw-configuration-private-site-servers" accept';

  it('a private side that is not trusted any more, but held to the matrix', async () => {
    life.variables.sip1['portfw_private'] = 'matrix';
    life.variables.ocs1['portfw_private'] = 'matrix';
    const [sip1, ocs1] = [life.lab.host('sip1'), life.lab.host('ocs1')];
    const spare = life.lab.spareAddress('private', 160).v4;
    const target = 'edit zone portfw-private';
    const trust = 'remove in portfw-private: rule priority="32767" accept';
    const ipset = (name: string, ...members: readonly string[]) =>
      `create ipset ${name} type: - → hash:net; family: - → ipv4; entries: - → ${members.join(' ')}`;
    // The virtual addresses are the dispatching node's too.
    const ofOcs1 = [sip1.publicAddress, `${life.lab.vip(0).v4}/31`, sip1.privateAddress, spare];
    await life.step(1, {
      sip1: [
        target,
        ipset('portfw-site', ocs1.publicAddress, ocs1.privateAddress, spare),
        `add in portfw-private: ${ssh}`,
        trust,
      ],
      ocs1: [
        target,
        // NSCA comes from the servers of the site; until now they had no need to be told from others.
        'edit service portfw-configuration-private ports: 80/tcp 5667/tcp 5668/tcp 5667/udp 5668/udp → 80/tcp',
        'create service portfw-configuration-private-site-servers ports: - → 5667/tcp 5668/tcp 5667/udp 5668/udp',
        ipset('portfw-peer-site-servers', ...ofOcs1),
        ipset('portfw-site', ...ofOcs1),
        `add in portfw-private: ${nsca}`,
        `add in portfw-private: ${ssh}`,
        trust,
      ],
      gcems1: null,
    });
  });

  it('a private side that is opened to the servers of the site', async () => {
    life.variables.sip1['portfw_private'] = 'peers';
    life.variables.ocs1['portfw_private'] = 'peers';
    const changes = [`add in portfw-private: ${site}`, `remove in portfw-private: ${ssh}`];
    await life.step(0, { sip1: changes, ocs1: changes, gcems1: null });
  });

  it('a virtual address that is given up', async () => {
    const [kept, gone] = [life.lab.vip(0).v4, life.lab.vip(1).v4];
    life.variables.sip1['portfw_vips'] = [kept];
    const rule = `destination address="${gone}" service name="portfw-dispatching-node-vip`;
    await life.step(0, {
      sip1: [
        `remove in portfw-public: rule family="ipv4" ${rule}" accept`,
        `remove in portfw-public: rule family="ipv4" source ipset="portfw-from-dispatchin-f7d56b" ${rule}-tcp-8101" accept`,
      ],
      ocs1: ['portfw-peer-site-servers', 'portfw-site'].map((ipset) => `entries of ${ipset}: +${kept} -${kept}/31`),
      gcems1: null,
    });
  });

  it('a role that is dropped, although its daemons still run', async () => {
    life.variables.sip1['portfw_roles'] = ['dispatching-node'];
    life.variables.ocs1['portfw_roles'] = ['ocs'];
    const web =
      '25/tcp 80/tcp 443/tcp 8442/tcp 8443/tcp 8444/tcp 8445/tcp 8446/tcp 8447/tcp 8448/tcp 8449/tcp 8600/tcp 8601/tcp 8901/tcp 8903-8904/tcp 8943/tcp 69/udp';
    const sip1 = life.lab.host('sip1');
    const spare = life.lab.spareAddress('private', 160).v4;
    // The second virtual address was given up in the step before.
    const servers = [sip1.publicAddress, life.lab.vip(0).v4, sip1.privateAddress, spare].sort();
    await life.step(0, {
      sip1: [
        'delete service portfw-web-admin-public',
        `remove portfw-web-admin-public (${web}) in portfw-public`,
        'remember portaswitch: dispatching-node, server',
      ],
      ocs1: [
        // In the order of their files.
        'delete service portfw-configuration-private-site-servers',
        'delete service portfw-configuration-private',
        'delete service portfw-configuration-public',
        'delete ipset portfw-peer-site-servers',
        `entries of portfw-peer-site-servers: + -${servers.join(',')}`,
        'remove portfw-configuration-private (80/tcp) in portfw-private',
        `remove in portfw-private: ${nsca}`,
        'remove portfw-configuration-public (8700/tcp) in portfw-public',
        'remember portaswitch-ocs: ocs, server',
      ],
      gcems1: null,
    });
  });

  it('changes by hand in our zones are taken back without a reload', async () => {
    const byHand = async (host: LabHost, ...options: string[]) => {
      await host.run('firewall-cmd', ...options);
      await host.run('firewall-cmd', '--permanent', ...options);
    };
    await life.each((host) => byHand(host, '--zone=portfw-public', '--add-port=8888/tcp'));
    await byHand(life.lab.host('ocs1'), '--zone=portfw-public', '--remove-service=portfw-extra-burst');
    await life.lab.host('sip1').run('firewall-cmd', '--zone=portfw-private', '--add-service=http');
    await life.lab.host('gcems1').run('firewall-cmd', '--ipset=portfw-peer-img', '--add-entry=198.18.255.77');
    const stray = 'take port 8888/tcp out of portfw-public';
    await life.step(0, {
      sip1: ['remove http (80/tcp) in portfw-private', stray],
      ocs1: ['add portfw-extra-burst (4000-4010/udp 4020/udp) in portfw-public', stray],
      gcems1: ['entries of portfw-peer-img: + -198.18.255.77', stray],
    });
  });

  it('a role whose end would shut us out is refused, and nothing happens', async () => {
    const untouched = await life.each((host) => filesBelow(host, ...EVERYWHERE));
    const kept = life.variables.gcems1;
    life.variables.gcems1 = { ...kept, portfw_roles: [] };
    await life.saveInventory();
    const run = await portfwJson('apply', life.inventory, '--yes');
    expect(run.exitCode).toBe(1);
    expect(outcomeOf(run, 'gcems1', 'refused').failure.code).toBe('lockout');
    life.variables.gcems1 = kept;
    await life.saveInventory();
    expect(await life.each((host) => filesBelow(host, ...EVERYWHERE))).toEqual(untouched);
  });
});

describe('the rollback', () => {
  /** Whether a host is as it was before the first apply: below /etc/firewalld, in firewalld and in the kernel. */
  async function expectAsBefore(host: LabHost, name: Host): Promise<void> {
    const was = before.get(name)!;
    expect(withoutTimes(await filesBelow(host, '/etc/firewalld'))).toEqual(withoutTimes(was.files));
    const now = await runtimeState(host);
    expect(now.zones).toEqual(was.runtime.zones);
    expect(now.rules).toEqual(was.runtime.rules);
  }

  const history = async (name: Host) =>
    outcomeOf(await portfwJson('history', life.inventory, '--limit', name), name, 'history').generations;

  it('rolls back to the state before the first apply, byte for byte', async () => {
    await life.each(async (host, name) => {
      const run = await portfwJson(
        'rollback',
        life.inventory,
        '--limit',
        name,
        '--to',
        firstGeneration.get(name)!,
        '--yes',
      );
      const outcome = outcomeOf(run, name, 'rolled-back');
      expect(run.exitCode).toBe(0);
      expect(outcome).toMatchObject({ generation: firstGeneration.get(name), changed: true });
      // Somebody has set one rule at runtime only, further above; where no reload has come since, it is named.
      const lost =
        'the direct interface: the reload removes these runtime-only settings: rule ipv4 filter INPUT 1 -s 192.0.2.67 -j DROP';
      const said = run.events.flatMap((event) => {
        if (event.kind === 'host-planned') return event.plan.notes.map(({ text }) => text);
        return event.kind === 'host-note' ? [event.text] : [];
      });
      expect(
        said.filter((text) => text !== lost),
        name,
      ).toEqual([]);
      await expectAsBefore(host, name);
      const generations = await history(name);
      expect(generations[0]!.id).toBe(firstGeneration.get(name));
      expect(generations.filter(({ current }) => current).map(({ id }) => id)).toEqual([firstGeneration.get(name)]);
      expect(await host.exec(['test', '-e', '/var/lib/portfw/state.json'])).toMatchObject({ exitCode: 1 });
    });
  });

  it('rolls back to the same state again without doing anything', async () => {
    const was = await life.each((host) => rulesWithHandles(host));
    const files = await life.each((host) => filesBelow(host, ...EVERYWHERE));
    await life.each(async (_host, name) => {
      const run = await portfwJson(
        'rollback',
        life.inventory,
        '--limit',
        name,
        '--to',
        firstGeneration.get(name)!,
        '--yes',
      );
      expect(run.outcomes.get(name)?.kind, name).toBe('unchanged');
    });
    expect(await life.each((host) => rulesWithHandles(host))).toEqual(was);
    expect(await life.each((host) => filesBelow(host, ...EVERYWHERE))).toEqual(files);
  });

  it('puts right what only runs, though the files are those of the generation already', async () => {
    await life.each(async (host, name) => {
      await host.run('firewall-cmd', '--quiet', '--zone=public', '--add-port=4444/tcp');
      const to = ['--to', firstGeneration.get(name)!, '--yes'];
      const run = await portfwJson('rollback', life.inventory, '--limit', name, ...to);
      expect(outcomeOf(run, name, 'rolled-back').changed).toBe(true);
      await expectAsBefore(host, name);
    });
  });

  it('rolls back from the rollback, and from that one', async () => {
    const forth = await portfwJson('rollback', life.inventory, '--yes');
    expect(forth.exitCode, forth.stdout).toBe(0);
    expect((await portfw('plan', life.inventory, '--detailed-exitcode')).exitCode).toBe(0);
    const back = await portfwJson('rollback', life.inventory, '--yes');
    expect(back.exitCode, back.stdout).toBe(0);
    await life.each(expectAsBefore);
  });

  it('applies again, to the same end', async () => {
    const applied = await portfwJson('apply', life.inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    await life.each(async (host, name) => {
      const { plan } = outcomeOf(applied, name, 'changed');
      await expectDone(host, plan);
      expect(await host.run('cat', admin.get(name)!.zonePath)).toBe(admin.get(name)!.zoneWithoutInterface);
    });
    expect((await portfw('plan', life.inventory, '--detailed-exitcode')).exitCode).toBe(0);
  });

  it('refuses a generation that the host does not have', async () => {
    const run = await portfwJson('rollback', life.inventory, '--to', '20260101T000000Z-000000', '--yes');
    expect(run.exitCode).toBe(1);
    for (const name of HOSTS) expect(outcomeOf(run, name, 'refused').failure.code).toBe('no-generation');
  });
});
