import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { START_FIREWALLD } from '../lab/firewalld.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type Variables, writeInventory } from './helpers/lab-inventory.ts';
import { answers, type Between, leadThrough, seen } from './helpers/passing.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/**
 * Hosts whose kernels forward, between a machine on the public and one on the private side: nothing of ours opens a way
 * through them. What comes out is counted at the other end.
 */
const ROUTERS = { old9: 'bullseye', mid1: 'bookworm', new2: 'trixie' } as const;
type Router = keyof typeof ROUTERS;
const NAMES = Object.keys(ROUTERS) as Router[];

const EVERYTHING = ['ipv4 tcp', 'ipv4 udp', 'ipv4 icmp', 'ipv6 tcp', 'ipv6 udp', 'ipv6 icmp'];
const ALL_OPEN = Object.fromEntries(EVERYTHING.map((what) => [what, 'open']));

let lab: Lab;
const between = new Map<Router, Between>();

beforeAll(async () => {
  lab = await startLab({
    name: 'forward',
    hosts: [
      ...NAMES.map((name) => ({ name, suite: ROUTERS[name], forwarding: true })),
      { name: 'outside', suite: 'bookworm', networks: ['public'], firewalld: 'stopped' },
      { name: 'inside', suite: 'bookworm', networks: ['private'], firewalld: 'stopped' },
    ],
  });
  const machines = { outside: lab.host('outside'), inside: lab.host('inside') };
  for (const [index, name] of NAMES.entries())
    between.set(name, await leadThrough(lab, lab.host(name), machines, 150 + index));
});

afterAll(async () => {
  await lab?.stop();
});

function inventoryWith(name: string, variables: Variables): Promise<string> {
  const own = { portfw_playbook: 'portaswitch', portfw_roles: [], portfw_site: 'site', ...variables };
  return writeInventory(lab, name, {
    hosts: Object.fromEntries(NAMES.map((host) => [host, own])),
    others: { member1: { portfw_addresses: { private: lab.spareAddress('private', 190).v4 } } },
    groups: { site: [...NAMES, 'member1'] },
  });
}

async function applied(name: string, variables: Variables) {
  const run = await portfwJson('apply', await inventoryWith(name, variables), '--yes');
  expect(run.exitCode, run.stdout + run.stderr).toBe(0);
  return run;
}

/** What comes through each host, either way. */
async function through(): Promise<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  // One after the other: the machines at the ends are the same, and a busy one counts late.
  for (const [name, { inside, outside }] of between) {
    found[`${name}: private to public`] = await seen(inside, outside);
    found[`${name}: public to private`] = await seen(outside, inside);
  }
  return found;
}

/** The same for every host and both ways. */
function everywhere(passing: readonly string[], others: Partial<Record<string, readonly string[]>> = {}) {
  const ways = NAMES.flatMap((name) => [`${name}: private to public`, `${name}: public to private`]);
  return { ...Object.fromEntries(ways.map((way) => [way, passing])), ...others };
}

/** firewalld 0.9 lets ICMP through between any two zones of the default target, its own as well. */
const PINGS = {
  'old9: private to public': ['ipv4 icmp', 'ipv6 icmp'],
  'old9: public to private': ['ipv4 icmp', 'ipv6 icmp'],
};

/** Makes a trusted private side what portfw 0.1.0 made of it: the target ACCEPT, and no rule. */
async function asVersion010(): Promise<void> {
  await Promise.all(
    NAMES.map((name) =>
      lab.host(name).sh(`
        firewall-cmd --quiet --permanent --zone=portfw-private --remove-rich-rule='rule priority="32767" accept' || true
        firewall-cmd --quiet --permanent --zone=portfw-private --set-target=ACCEPT
        firewall-cmd --quiet --reload
      `),
    ),
  );
}

/** What the hosts let through with a private zone whose target is ACCEPT. */
const ROUTING = everywhere(EVERYTHING, { 'mid1: public to private': [], 'new2: public to private': [] });

describe('a host that could be a router', { timeout: 400_000 }, () => {
  it('is one as long as nothing filters: the machines reach each other', async () => {
    await Promise.all(NAMES.map((name) => lab.host(name).run('systemctl', 'stop', 'firewalld')));
    expect(await through()).toEqual(everywhere(EVERYTHING));
    await Promise.all(NAMES.map((name) => lab.host(name).sh(START_FIREWALLD)));
    expect(await through()).toEqual(everywhere([], PINGS));
  });

  it.each(['trusted', 'peers', 'matrix'])('is none with private mode %s', async (mode) => {
    await applied(mode, { portfw_private: mode });
    expect(await through()).toEqual(everywhere([], PINGS));
    for (const way of between.values()) {
      const found = await answers(way, way.inside);
      if (mode === 'trusted') expect(found, way.host.name).toEqual(ALL_OPEN);
      else expect(found, way.host.name).toMatchObject({ 'ipv4 tcp': 'refused', 'ipv6 tcp': 'refused' });
      expect(await answers(way, way.outside), way.host.name).toMatchObject({ 'ipv4 tcp': 'refused' });
    }
  });

  it('forwards no pings either, with a target of its own', async () => {
    const run = await applied('reject', { portfw_private: 'trusted', portfw_zone_target: 'reject' });
    for (const name of NAMES) {
      const { plan } = outcomeOf(run, name, 'changed');
      expect(plan.notes.filter(({ code }) => code === 'forwards-icmp')).toEqual([]);
    }
    expect(await through()).toEqual(everywhere([]));
    for (const way of between.values()) expect(await answers(way, way.inside), way.host.name).toEqual(ALL_OPEN);
  });
});

describe('a host that portfw 0.1.0 has made a router', { timeout: 400_000 }, () => {
  it('is brought over by an apply that says so, and never shut', async () => {
    await applied('trusted', { portfw_private: 'trusted' });
    await asVersion010();
    expect(await through()).toEqual(ROUTING);
    const inside = lab.host('inside');
    // New connections to sshd on the private side, again and again, from before the run until after it.
    await inside.writeFile(
      '/root/again.py',
      `
import socket, sys, time
end = time.time() + float(sys.argv[1])
tries = 0
while time.time() < end:
    for target in sys.argv[2:]:
        socket.create_connection((target, 22), 5).close()
        tries += 1
    time.sleep(0.02)
print(tries)
`,
    );
    const targets = NAMES.map((name) => lab.host(name).privateAddress);
    const knocking = inside.exec(['python3', '/root/again.py', '12', ...targets]);
    const run = await applied('trusted', { portfw_private: 'trusted' });
    const knocked = await knocking;
    expect(knocked, knocked.stderr).toMatchObject({ exitCode: 0 });
    expect(Number(knocked.stdout)).toBeGreaterThan(100);
    for (const name of NAMES) {
      const { plan, reloads } = outcomeOf(run, name, 'changed');
      const { private: eth } = lab.host(name).interfaces;
      expect(reloads).toBe(1);
      const notes = plan.notes.filter(({ code }) => code === 'forwarding-stops').map(({ text }) => text);
      expect(notes).toContainEqual(expect.stringContaining(`IPv4 and IPv6 from ${eth} to `));
      expect(notes.join()).toContain('zone portfw-private has the target ACCEPT');
    }
    expect(await through()).toEqual(everywhere([], PINGS));
    const again = await portfwJson('plan', await inventoryWith('trusted', { portfw_private: 'trusted' }));
    for (const name of NAMES) outcomeOf(again, name, 'unchanged');
  });

  it('goes back to the generation that it had then', async () => {
    const run = await portfwJson('rollback', await inventoryWith('trusted', { portfw_private: 'trusted' }), '--yes');
    expect(run.exitCode, run.stdout + run.stderr).toBe(0);
    for (const name of NAMES) {
      const file = await lab.host(name).run('cat', '/etc/firewalld/zones/portfw-private.xml');
      expect(file).toContain('target="ACCEPT"');
    }
    expect(await through()).toEqual(ROUTING);
  });
});
