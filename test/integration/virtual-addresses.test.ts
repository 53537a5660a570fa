import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../../src/plan/plan.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import type { Address } from '../lab/network.ts';
import { expectDone } from './helpers/expect-done.ts';
import { type Variables, writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/**
 * Virtual addresses on interfaces of their own, as keepalived's `use_vmac` makes them: a macvlan for each family on top of
 * the public interface, with a MAC of its own. What is open there is decided by a scan that is sent to that MAC.
 */
const SUITES = { web1: 'bullseye', web2: 'bookworm', web3: 'trixie' } as const;
type Name = keyof typeof SUITES;
const NAMES = Object.keys(SUITES) as Name[];

/** The port of the rule on virtual addresses, one that the matrix opens on the public side, and one that nothing opens. */
const VIRTUAL = 5070;
const PUBLIC = 22;
const SHUT = 9000;

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'vips',
    scanner: true,
    hosts: NAMES.map((name) => ({ name, suite: SUITES[name] })),
  });
});

afterAll(async () => {
  await lab?.stop();
});

/** The interfaces of a host's virtual addresses, by family. */
const LINKS = { v4: 'vrrp.51', v6: 'vrrp6.51' } as const;

function vipOf(name: Name): Address {
  return lab.vip(NAMES.indexOf(name));
}

async function makeLink(host: LabHost, link: string, mode: 'private' | 'bridge'): Promise<void> {
  await host.run('ip', 'link', 'add', link, 'link', host.interfaces.public!, 'type', 'macvlan', 'mode', mode);
  // Docker turns IPv6 off on whatever comes after its own interfaces, and keeps the switches from being written.
  await host.run(
    'sh',
    '-ec',
    'mkdir -p /run/own-proc; mount -t proc proc /run/own-proc; echo 0 >"/run/own-proc/sys/net/ipv6/conf/$1/disable_ipv6"; umount /run/own-proc',
    'sh',
    link,
  );
  await host.run('ip', 'link', 'set', link, 'up');
}

/** Gives an address to an interface, and tells the scanner the MAC: the parent would answer for the address as well. */
async function hold(host: LabHost, link: string, address: string): Promise<void> {
  const long = address.includes(':');
  await host.run('ip', 'addr', 'add', `${address}/${long ? 128 : 32}`, 'dev', link, ...(long ? ['nodad'] : []));
  const mac = (await host.run('cat', `/sys/class/net/${link}/address`)).trim();
  const way = await lab.scanner.exec(['ip', '-o', 'route', 'get', address]);
  const device = /dev (\S+)/.exec(way.stdout)?.[1];
  if (device === undefined) throw new Error(`the scanner has no way to ${address}: ${way.stdout}${way.stderr}`);
  const told = await lab.scanner.exec([
    'ip',
    'neigh',
    'replace',
    address,
    'lladdr',
    mac,
    'dev',
    device,
    'nud',
    'permanent',
  ]);
  if (told.exitCode !== 0) throw new Error(told.stderr);
}

async function leave(host: LabHost, link: string): Promise<void> {
  await host.run('ip', 'addr', 'flush', 'dev', link, 'scope', 'global');
}

/** Which of the three ports the firewall lets through to an address. */
async function letThrough(address: string): Promise<number[]> {
  const seen = await lab.scanner.scan(address, { tcp: [PUBLIC, VIRTUAL, SHUT].join(',') });
  return [PUBLIC, VIRTUAL, SHUT].filter((port) => seen.open.has(`tcp/${port}`) || seen.closed.has(`tcp/${port}`));
}

async function inventoryOf(name: Name, file: string, variables: Variables = {}): Promise<string> {
  const { v4, v6 } = vipOf(name);
  const rule = { name: 'virtual', interface: 'vip', protocol: 'tcp', port: VIRTUAL, owner: 'lab', reason: 'A test' };
  const host = lab.host(name);
  return writeInventory(lab, `${file}-${name}`, {
    hosts: {
      [name]: {
        portfw_playbook: 'portaswitch',
        portfw_roles: [],
        portfw_interfaces: { public: host.interfaces.public, private: host.interfaces.private },
        portfw_vips: v6 === null ? [v4] : [v4, v6],
        portfw_extra_rules: [rule],
        ...variables,
      },
    },
  });
}

async function apply(inventory: string): Promise<void> {
  const { exitCode, stdout, stderr } = await portfw('apply', inventory, '--yes');
  expect(exitCode, stdout + stderr).toBe(0);
}

const bindings = (changes: readonly Change[]) =>
  changes.flatMap((change) =>
    change.kind === 'interface' ? [[change.interface, change.zone, change.classes, change.opens]] : [],
  );

describe.each(NAMES)('a virtual address on a macvlan (%s)', (name) => {
  it('is open with its interface in the zone of the parent, and nothing else is', async () => {
    const host = lab.host(name);
    const { v4, v6 } = vipOf(name);
    await makeLink(host, LINKS.v4, 'private');
    await makeLink(host, LINKS.v6, 'bridge');
    await hold(host, LINKS.v4, v4);
    await hold(host, LINKS.v6, v6!);
    const inventory = await inventoryOf(name, 'parent');
    const { plan } = outcomeOf(await portfwJson('plan', inventory), name, 'planned');
    expect(bindings(plan.changes)).toEqual(
      expect.arrayContaining([
        [host.interfaces.public, 'portfw-public', ['public'], []],
        [host.interfaces.private, 'portfw-private', ['private'], ['everything']],
        [LINKS.v4, 'portfw-public', ['public'], []],
        [LINKS.v6, 'portfw-public', ['public'], []],
      ]),
    );
    await apply(inventory);
    await expectDone(host, plan);
    expect(await letThrough(v4)).toEqual([PUBLIC, VIRTUAL]);
    // firewalld drops what comes in by another interface than answers leave by; the plan says so, and what to set.
    expect(plan.notes).toContainEqual(expect.objectContaining({ code: 'vip-rpfilter', severity: 'warning' }));
    expect(await letThrough(v6!)).toEqual([]);
    await host.run('sed', '-i', 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/', '/etc/firewalld/firewalld.conf');
    await host.run('firewall-cmd', '--quiet', '--reload');
    expect(await letThrough(v6!)).toEqual([PUBLIC, VIRTUAL]);
    const told = outcomeOf(await portfwJson('plan', inventory), name, 'unchanged');
    expect(told.plan.notes.map(({ code }) => code)).not.toContain('vip-rpfilter');
    expect(await letThrough(host.publicAddress)).toEqual([PUBLIC]);
    // The scan did come in by the macvlan: without its zone the port is shut, and the plan says what is missing.
    await host.run('firewall-cmd', '--quiet', '--zone=portfw-public', `--remove-interface=${LINKS.v4}`);
    expect(await letThrough(v4)).not.toContain(VIRTUAL);
    const again = outcomeOf(await portfwJson('plan', inventory), name, 'planned');
    expect(bindings(again.plan.changes)).toEqual([[LINKS.v4, 'portfw-public', ['public'], []]]);
    await apply(inventory);
    expect(await letThrough(v4)).toEqual([PUBLIC, VIRTUAL]);
  });

  it('moves away and comes back without a change', async () => {
    const host = lab.host(name);
    const { v4 } = vipOf(name);
    const inventory = await inventoryOf(name, 'parent');
    const unchanged = async () => outcomeOf(await portfwJson('plan', inventory), name, 'unchanged');
    await unchanged();
    await leave(host, LINKS.v4);
    await unchanged();
    // keepalived stops: its interface is gone.
    await host.run('ip', 'link', 'del', LINKS.v4);
    const { stdout } = await portfw('plan', inventory, '-v');
    expect(stdout).toContain('No changes');
    await unchanged();
    await host.run('firewall-cmd', '--quiet', '--reload');
    await unchanged();
    await makeLink(host, LINKS.v4, 'private');
    await hold(host, LINKS.v4, v4);
    expect(await letThrough(v4)).toEqual([PUBLIC, VIRTUAL]);
    await unchanged();
  });

  it('is open on an interface that comes later, where the class vip names it', async () => {
    const host = lab.host(name);
    const { v4 } = vipOf(name);
    await host.run('ip', 'link', 'del', LINKS.v4);
    const { public: outside, private: inside } = host.interfaces;
    const portfw_interfaces = { public: outside, private: inside, vip: 'vrrp.61' };
    const inventory = await inventoryOf(name, 'own-class', { portfw_interfaces });
    const { plan } = outcomeOf(await portfwJson('plan', inventory), name, 'planned');
    expect(bindings(plan.changes)).toContainEqual(['vrrp.61', 'portfw-vip', ['vip'], []]);
    expect(plan.notes).toContainEqual(expect.objectContaining({ code: 'vip-interface-absent', severity: 'warning' }));
    await apply(inventory);
    await expectDone(host, plan);
    await makeLink(host, 'vrrp.61', 'private');
    await hold(host, 'vrrp.61', v4);
    expect(await letThrough(v4)).toEqual([VIRTUAL]);
    expect(outcomeOf(await portfwJson('plan', inventory), name, 'unchanged')).toBeDefined();
  });
});

it('a plan that mixes up public and private is refused, and apply as well', async () => {
  const host = lab.host('web3');
  const { public: outside, private: inside } = host.interfaces;
  // An address that the internet could reach, on the side that is called private; nothing is sent from it or to it.
  await host.run('ip', 'addr', 'add', '9.9.9.9/32', 'dev', outside!);
  try {
    const swapped = { portfw_interfaces: { public: inside, private: outside } };
    const inventory = await inventoryOf('web3', 'swapped', swapped);
    for (const command of [['plan'], ['apply', '--yes']]) {
      const run = await portfwJson(...command, inventory);
      const { failure } = outcomeOf(run, 'web3', 'refused');
      expect(failure.code).toBe('sides-mixed-up');
      expect(failure.what).toMatch(/^are public and private mixed up\? /);
      expect(failure.what).toContain('9.9.9.9');
    }
    const checked = await inventoryOf('web3', 'checked', { ...swapped, portfw_sides_checked: true });
    const { plan } = outcomeOf(await portfwJson('plan', checked), 'web3', 'planned');
    expect(bindings(plan.changes)).toContainEqual([outside, 'portfw-private', ['private'], ['everything']]);
    const { stdout } = await portfw('plan', checked, '--details');
    expect(stdout).toContain(`interface ${outside} (private) moves here from zone portfw-public`);
    expect(stdout).toContain(`opens everything to anybody on ${outside}`);
  } finally {
    await host.run('ip', 'addr', 'del', '9.9.9.9/32', 'dev', outside!);
  }
});
