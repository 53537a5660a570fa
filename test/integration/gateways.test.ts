import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../lab/lab.ts';
import { type Variables, writeInventory } from './helpers/lab-inventory.ts';
import { type Between, leadThrough, seen } from './helpers/passing.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/** Hosts that others have made gateways: a policy of theirs leads from machines outside to a machine behind. */
const GATEWAYS = { old9: 'bullseye', mid1: 'bookworm', new2: 'trixie' } as const;
type Gateway = keyof typeof GATEWAYS;
const NAMES = Object.keys(GATEWAYS) as Gateway[];

let lab: Lab;
const between = new Map<Gateway, Between>();

beforeAll(async () => {
  lab = await startLab({
    name: 'gateway',
    hosts: [
      ...NAMES.map((name) => ({ name, suite: GATEWAYS[name], forwarding: true })),
      { name: 'outside', suite: 'bookworm', networks: ['public'], firewalld: 'stopped' },
      { name: 'inside', suite: 'bookworm', networks: ['private'], firewalld: 'stopped' },
    ],
  });
  const machines = { outside: lab.host('outside'), inside: lab.host('inside') };
  for (const [index, name] of NAMES.entries()) {
    const host = lab.host(name);
    between.set(name, await leadThrough(lab, host, machines, 150 + index));
    await host.sh(`
      firewall-cmd --quiet --permanent --zone=internal --add-interface=${host.interfaces.private}
      firewall-cmd --quiet --permanent --zone=external --add-interface=${host.interfaces.public}
      firewall-cmd --quiet --permanent --zone=external --remove-masquerade
      firewall-cmd --quiet --permanent --new-policy=in
      firewall-cmd --quiet --permanent --policy=in --add-ingress-zone=external
      firewall-cmd --quiet --permanent --policy=in --add-egress-zone=internal
      firewall-cmd --quiet --permanent --policy=in --add-port=7000/tcp
      firewall-cmd --quiet --reload
    `);
  }
});

afterAll(async () => {
  await lab?.stop();
});

function inventoryWith(name: string, variables: Variables): Promise<string> {
  const own = { portfw_playbook: 'portaswitch', portfw_roles: [], portfw_private: 'matrix', ...variables };
  return writeInventory(lab, name, { hosts: Object.fromEntries(NAMES.map((host) => [host, own])) });
}

/** What comes through each host to the machine behind, of TCP. */
async function through(): Promise<Record<string, boolean>> {
  const found: Record<string, boolean> = {};
  for (const [name, { inside, outside }] of between) found[name] = (await seen(outside, inside)).includes('ipv4 tcp');
  return found;
}

const everywhere = (passes: boolean) => Object.fromEntries(NAMES.map((name) => [name, passes]));
const accepted = NAMES.flatMap((name) => ['--accept-forwarding-stop', name]);

describe('a machine behind a host, reached by a foreign policy', { timeout: 400_000 }, () => {
  it('keeps its way: the plan that would end it is refused, by name', async () => {
    expect(await through()).toEqual(everywhere(true));
    const run = await portfwJson('apply', await inventoryWith('ends', {}), '--yes');
    expect(run.exitCode).toBe(1);
    for (const name of NAMES) {
      const { failure } = outcomeOf(run, name, 'refused');
      const { public: from, private: to } = lab.host(name).interfaces;
      expect(failure.code).toBe('forwarding-stops');
      expect(failure.what).toContain(
        `IPv4 and IPv6 from ${from} to ${to} (7000/tcp) is forwarded now, because policy in opens it, and will no longer be forwarded`,
      );
      expect(failure.solve).toContain(`--accept-forwarding-stop ${name}`);
    }
    expect(await through()).toEqual(everywhere(true));
  });

  it('keeps its way where the plan leaves the zones of the policy alone, and nothing is said', async () => {
    const hosts = Object.fromEntries(
      NAMES.map((name) => {
        const { addresses } = lab.host(name);
        // A side that is no interface of the host's: the matrix opens nothing there.
        return [name, { portfw_interfaces: { public: addresses.public!.v4, private: addresses.public!.v4 } }];
      }),
    );
    const own = { portfw_playbook: 'portaswitch', portfw_roles: [], portfw_private: 'matrix' };
    const file = await writeInventory(lab, 'leaves', {
      hosts: Object.fromEntries(NAMES.map((name) => [name, { ...own, ...hosts[name] }])),
    });
    // The policy leads from the zone of any interface to one that stays.
    for (const name of NAMES)
      await lab.host(name).sh(`
        firewall-cmd --quiet --permanent --policy=in --remove-ingress-zone=external
        firewall-cmd --quiet --permanent --policy=in --add-ingress-zone=ANY
        firewall-cmd --quiet --reload
      `);
    expect(await through()).toEqual(everywhere(true));
    const run = await portfwJson('apply', file, '--yes');
    expect(run.exitCode, run.stdout + run.stderr).toBe(0);
    for (const name of NAMES) {
      const { plan } = outcomeOf(run, name, 'changed');
      expect(plan.notes.filter(({ code }) => code === 'forwarding-stops')).toEqual([]);
    }
    expect(await through()).toEqual(everywhere(true));
  });

  it('loses it where that is accepted, and the plan has said so', async () => {
    const run = await portfwJson('apply', await inventoryWith('ends', {}), '--yes', ...accepted);
    expect(run.exitCode, run.stdout + run.stderr).toBe(0);
    for (const name of NAMES) {
      const { plan } = outcomeOf(run, name, 'changed');
      const notes = plan.notes.filter(({ code }) => code === 'forwarding-stops').map(({ text }) => text);
      expect(notes.join('\n')).toContain('(7000/tcp) is forwarded now, because policy in opens it');
    }
    expect(await through()).toEqual(everywhere(false));
  });
});

describe('bans', { timeout: 400_000 }, () => {
  const ban = (address: string) =>
    `rule family='ipv4' source address='${address}' port port='ssh' protocol='tcp' reject type='icmp-port-unreachable'`;
  const zone = (name: string, flags: string) =>
    lab
      .host(name)
      .run('firewall-cmd', '--zone=portfw-public', '--list-rich-rules', ...flags.split(' ').filter(Boolean));

  it('in a zone of ours stay, at runtime and in its file, and are no change', async () => {
    for (const name of NAMES)
      await lab.host(name).sh(`
        firewall-cmd --quiet --zone=portfw-public --add-rich-rule="${ban('203.0.113.7')}"
        firewall-cmd --quiet --zone=portfw-public --add-rich-rule="${ban('203.0.113.8')}"
        firewall-cmd --quiet --permanent --zone=portfw-public --add-rich-rule="${ban('203.0.113.8')}"
      `);
    const still = await portfwJson('plan', await inventoryWith('ends', {}));
    for (const name of NAMES) outcomeOf(still, name, 'unchanged');
    const rule = { name: 'web', interface: 'public', protocol: 'tcp', port: 8443, owner: 'me', reason: 'a test' };
    // A new service is loaded by a reload, and a rule for a source alone goes the other way.
    for (const [step, more] of [
      ['reload', { portfw_extra_rules: [rule] }],
      ['calls', { portfw_extra_rules: [{ ...rule, from: ['203.0.113.0/28'] }] }],
      ['target', { portfw_extra_rules: [rule], portfw_zone_target: 'drop' }],
    ] as const) {
      const run = await portfwJson('apply', await inventoryWith(`bans-${step}`, more), '--yes');
      expect(run.exitCode, run.stdout + run.stderr).toBe(0);
      for (const name of NAMES) {
        outcomeOf(run, name, 'changed');
        const running = await zone(name, '');
        expect(running, `${name} ${step}`).toContain('203.0.113.7');
        expect(running, `${name} ${step}`).toContain('203.0.113.8');
        const kept = await zone(name, '--permanent');
        expect(kept, `${name} ${step}`).toContain('203.0.113.8');
        expect(kept, `${name} ${step}`).not.toContain('203.0.113.7');
      }
      const again = await portfwJson('plan', await inventoryWith(`bans-${step}`, more));
      for (const name of NAMES) outcomeOf(again, name, 'unchanged');
    }
  });

  it('in a zone that its interface leaves are said to lose their effect', async () => {
    const back = await portfwJson('rollback', await inventoryWith('ends', {}), '--yes');
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    for (const name of NAMES)
      await lab.host(name).sh(`
        firewall-cmd --quiet --zone=portfw-public --remove-interface=${lab.host(name).interfaces.public}
        firewall-cmd --quiet --permanent --zone=portfw-public --remove-interface=${lab.host(name).interfaces.public}
        firewall-cmd --quiet --zone=public --add-interface=${lab.host(name).interfaces.public}
        firewall-cmd --quiet --zone=public --add-rich-rule="${ban('203.0.113.9')}"
      `);
    const run = await portfwJson('plan', await inventoryWith('ends', {}), ...accepted);
    for (const name of NAMES) {
      const { plan } = outcomeOf(run, name, 'planned');
      // A ban in a zone of ours, for a port by its name, is no word of a request's.
      expect(plan.notes.filter(({ code }) => code === 'not-rehearsed')).toEqual([]);
      const [note] = plan.notes.filter(({ code }) => code === 'bans-lose-effect');
      expect(note?.text, name).toContain('one ban in zone public');
      expect(note?.text, name).toContain('203.0.113.9');
    }
  });
});
