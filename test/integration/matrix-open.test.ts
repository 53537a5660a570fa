import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MatrixRow } from '../../src/matrix/matrix.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import type { Side } from '../lab/network.ts';
import { differences, everything, expectedOpen, matrixRows, NONE, rpcPort, udpToScan } from './expected-open.ts';
import { writeInventory } from './lab-inventory.ts';
import { outcomeOf, portfwJson } from './portfw-cli.ts';

/**
 * A machine of its own looks at hosts of all three matrices on all three versions of firewalld. Every host answers on
 * every port that its firewall lets through, so what a scan sees open is what the firewall lets through.
 *
 * The machine that looks has further addresses, which the inventory knows as peers.
 */
const MEMBER = 150;
const IMG = 151;
const SUPPORT = 152;

let lab: Lab;
let inventory: string;
let portaswitch: readonly MatrixRow[];
let ocs: readonly MatrixRow[];
let gcems: readonly MatrixRow[];
let udp: string;
let mountd: number;

beforeAll(async () => {
  lab = await startLab({
    name: 'open',
    scanner: true,
    hosts: [
      { name: 'web1', suite: 'trixie', daemons: ['web-admin', 'configuration', 'decoy'] },
      { name: 'sip1', suite: 'bullseye', daemons: ['dispatching-node', 'decoy'] },
      { name: 'ocs1', suite: 'bookworm', daemons: ['ocs', 'decoy'] },
      { name: 'gcems1', suite: 'trixie', daemons: ['gcems', 'decoy'] },
      { name: 'db1', suite: 'bullseye', daemons: ['master-db', 'decoy'] },
      { name: 'db2', suite: 'trixie', daemons: ['master-db'], networks: ['public'] },
      { name: 'rtp1', suite: 'bookworm', daemons: ['processing-node'], networks: ['public'] },
    ],
  });
  const member = lab.spareAddress('private', MEMBER).v4;
  const support = lab.spareAddress('public', SUPPORT).v4;
  inventory = await writeInventory(lab, 'inventory', {
    hosts: {
      web1: { portfw_playbook: 'portaswitch', portfw_private: 'matrix', portfw_site: 'site' },
      sip1: {
        portfw_playbook: 'portaswitch',
        portfw_private: 'peers',
        portfw_site: 'site',
        portfw_features: ['sip-tls'],
        portfw_vips: [lab.vip(0).v4, lab.vip(0).v6],
      },
      ocs1: { portfw_playbook: 'portaswitch-ocs', portfw_features: ['diameter', 'diameter-cluster'] },
      gcems1: {
        portfw_playbook: 'img-gcems',
        portfw_features: ['remote-clientview'],
        portfw_interfaces: { public: lab.networks.public.subnet, control: lab.networks.private.subnet },
        portfw_peers: { clientview: ['pc1'], support: [support] },
      },
      db1: { portfw_playbook: 'portaswitch', portfw_private: 'matrix', portfw_site: 'alone' },
      db2: { portfw_playbook: 'portaswitch', portfw_role_interfaces: { 'master-db': 'public' } },
      rtp1: { portfw_playbook: 'portaswitch' },
    },
    others: {
      member1: { portfw_addresses: { private: member } },
      img1: { portfw_roles: ['img'], portfw_addresses: { control: lab.spareAddress('private', IMG).v4 } },
      pc1: { ansible_host: support },
    },
    groups: { site: ['web1', 'sip1', 'member1'], alone: ['db1'] },
  });
  await prepareScanner();
  await lab.host('sip1').addAddress('public', lab.vip(0).v4);
  await lab.host('sip1').addAddress('public', lab.vip(0).v6!);
  for (const host of lab.hosts) {
    await host.listenOn([
      { protocol: 'tcp', from: 1, to: 65_535 },
      { protocol: 'udp', from: 1, to: 65_535 },
    ]);
  }
  [portaswitch, ocs, gcems] = (await Promise.all(['portaswitch', 'portaswitch-ocs', 'img-gcems'].map(matrixRows))) as [
    readonly MatrixRow[],
    readonly MatrixRow[],
    readonly MatrixRow[],
  ];
  mountd = await rpcPort(lab.host('gcems1'), 100_005);
  udp = udpToScan([...portaswitch, ...ocs, ...gcems], [mountd]);
  const run = await portfwJson('apply', inventory, '--yes');
  for (const host of lab.hosts) outcomeOf(run, host.name, 'changed');
  expect(run.exitCode).toBe(0);
});

afterAll(async () => {
  await lab?.stop();
});

/** Gives the scanner its further addresses. */
async function prepareScanner(): Promise<void> {
  const further = [
    ['public', SUPPORT],
    ['private', MEMBER],
    ['private', IMG],
  ] as const;
  for (const [side, number] of further) {
    await scanner(
      'ip',
      'address',
      'add',
      `${lab.spareAddress(side, number).v4}/32`,
      'dev',
      await scannerInterface(side),
    );
  }
}

async function scanner(...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.scanner.exec(argv);
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} on the scanner ended with ${exitCode}: ${stderr}`);
  return stdout;
}

async function scannerInterface(side: Side): Promise<string> {
  const route = await scanner('ip', '-o', 'route', 'show', lab.networks[side].subnet);
  return / dev (\S+)/.exec(route)![1]!;
}

/** Scans load a small machine so much that more at a time only lose packets. */
const SCANS_AT_ONCE = 2;
const waiting: (() => void)[] = [];
let scanning = 0;

async function inTurn<T>(scan: () => Promise<T>): Promise<T> {
  if (scanning >= SCANS_AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else scanning += 1;
  try {
    return await scan();
  } finally {
    const next = waiting.shift();
    if (next === undefined) scanning -= 1;
    else next();
  }
}

/**
 * Scans all TCP ports and the UDP ports of interest, and compares. What did not answer although it should is looked at
 * once more, alone: a busy machine loses packets, and no lost packet ever makes a closed port look open.
 */
function compare(address: string, expected: ReadonlySet<string>): Promise<object> {
  return inTurn(async () => {
    const open = new Set((await lab.scanner.scan(address, { udp })).open);
    const missed = (protocol: string) =>
      [...expected]
        .filter((name) => name.startsWith(protocol) && !open.has(name))
        .map((name) => name.slice(protocol.length))
        .join(',');
    const again = { tcp: missed('tcp/') || null, udp: missed('udp/') || null };
    if (again.tcp !== null || again.udp !== null) {
      for (const name of (await lab.scanner.scan(address, again)).open) open.add(name);
    }
    return differences(open, expected);
  });
}

/** {@link compare} for an IPv4 address, knocking from one of the scanner's further addresses. */
async function compareAs(side: Side, number: number, address: string, expected: ReadonlySet<string>): Promise<object> {
  const source = lab.spareAddress(side, number).v4;
  await scanner('ip', 'route', 'replace', `${address}/32`, 'dev', await scannerInterface(side), 'src', source);
  try {
    return await compare(address, expected);
  } finally {
    await scanner('ip', 'route', 'delete', `${address}/32`);
  }
}

describe('the ports that another machine finds open are those of the matrix', { concurrent: true }, () => {
  it('web-admin with configuration, private side by the matrix', async () => {
    const host = lab.host('web1');
    const roles = ['server', 'web-admin', 'configuration'];
    const publicSide = expectedOpen(portaswitch, { roles, at: ['public'] }, udp);
    const privateSide = expectedOpen(portaswitch, { roles, at: ['private'] }, udp);
    expect(publicSide.size).toBe(20);
    expect(privateSide.size).toBe(4);
    expect(await compare(host.publicAddress, publicSide)).toEqual(NONE);
    expect(await compare(host.addresses.public!.v6!, publicSide)).toEqual(NONE);
    expect(await compare(host.privateAddress, privateSide)).toEqual(NONE);
    // Servers of the site administer each other over SSH in any mode.
    expect(await compareAs('private', MEMBER, host.privateAddress, new Set([...privateSide, 'tcp/22']))).toEqual(NONE);
  });

  it('dispatching-node with virtual addresses, private side open to the site', async () => {
    const host = lab.host('sip1');
    const knocker = { roles: ['server', 'dispatching-node'], features: ['sip-tls'] };
    const own = expectedOpen(portaswitch, { ...knocker, at: ['public'] }, udp);
    const virtual = expectedOpen(portaswitch, { ...knocker, at: ['public', 'vip'] }, udp);
    expect(virtual.size).toBe(own.size + 8);
    expect(virtual.has('tcp/5051') && virtual.has('udp/5060')).toBe(true);
    expect(await compare(lab.vip(0).v4, virtual)).toEqual(NONE);
    expect(await compare(lab.vip(0).v6!, virtual)).toEqual(NONE);
    expect(await compare(host.publicAddress, own)).toEqual(NONE);
    expect(await compare(host.addresses.public!.v6!, own)).toEqual(NONE);
    expect(await compare(host.privateAddress, new Set())).toEqual(NONE);
    expect(await compareAs('private', MEMBER, host.privateAddress, everything(udp))).toEqual(NONE);
  });

  it('ocs of the second table, private side trusted', async () => {
    const host = lab.host('ocs1');
    const knocker = { roles: ['server', 'ocs'], features: ['diameter', 'diameter-cluster'] };
    const publicSide = expectedOpen(ocs, { ...knocker, at: ['public'] }, udp);
    expect([...publicSide].sort()).toEqual(['tcp/22', 'tcp/3868', 'udp/1812', 'udp/1813', 'udp/5060']);
    expect(await compare(host.publicAddress, publicSide)).toEqual(NONE);
    expect(await compare(host.privateAddress, everything(udp))).toEqual(NONE);
  });

  it('gcems: gateways, ClientView, support and strangers', async () => {
    const host = lab.host('gcems1');
    const knocker = { roles: ['gcems'], features: ['remote-clientview'], rpc: { 'rpc:mountd': mountd } };
    const at = (...classes: string[]) => ({ ...knocker, at: classes });
    const strangers = expectedOpen(gcems, at('public'), udp);
    const local = expectedOpen(gcems, { ...at('public'), as: ['clientview', 'support'] }, udp);
    const gateways = expectedOpen(gcems, { ...at('control'), as: ['img'] }, udp);
    expect([...strangers].sort()).toEqual(['tcp/1312', 'tcp/22', 'tcp/5901']);
    expect(local.size).toBe(strangers.size + 11);
    expect(gateways.has(`udp/${mountd}`)).toBe(true);
    expect(await compare(host.publicAddress, strangers)).toEqual(NONE);
    expect(await compareAs('public', SUPPORT, host.publicAddress, local)).toEqual(NONE);
    expect(await compare(host.privateAddress, new Set())).toEqual(NONE);
    expect(await compareAs('private', IMG, host.privateAddress, gateways)).toEqual(NONE);
  });

  it('master-db on the private side, by the matrix', async () => {
    const host = lab.host('db1');
    const roles = ['server', 'master-db'];
    const privateSide = expectedOpen(portaswitch, { roles, at: ['private'] }, udp);
    expect([...privateSide]).toEqual(['tcp/3306']);
    expect(await compare(host.privateAddress, privateSide)).toEqual(NONE);
    expect(await compare(host.publicAddress, new Set(['tcp/22']))).toEqual(NONE);
  });

  it('master-db moved to the public side', async () => {
    const knocker = { roles: ['server', 'master-db'], at: ['public'], moved: { 'master-db': 'public' } };
    const publicSide = expectedOpen(portaswitch, knocker, udp);
    expect([...publicSide].sort()).toEqual(['tcp/22', 'tcp/3306']);
    expect(await compare(lab.host('db2').publicAddress, publicSide)).toEqual(NONE);
  });

  it('processing-node: the range of RTP', async () => {
    const roles = ['server', 'processing-node'];
    const publicSide = expectedOpen(portaswitch, { roles, at: ['public'] }, udp);
    expect(publicSide.has('udp/35000') && publicSide.has('udp/65000')).toBe(true);
    expect(publicSide.has('udp/34999') || publicSide.has('udp/65001')).toBe(false);
    expect(await compare(lab.host('rtp1').publicAddress, publicSide)).toEqual(NONE);
  });
});

describe('FTP through the firewall of a GCEMS', () => {
  /** Lists a file from one of the scanner's private addresses; curl's exit code and what it got. */
  const list = (source: string, ...options: string[]) =>
    lab.scanner.exec([
      ...['curl', '--silent', '--show-error', '--max-time', '8', '--interface', source, ...options],
      `ftp://${lab.host('gcems1').privateAddress}/`,
    ]);

  it.each([
    ['PASV', ['--disable-epsv']],
    ['EPSV', []],
  ])('a gateway gets its data connection after %s', async (_command, options) => {
    const got = await list(lab.spareAddress('private', IMG).v4, ...options);
    expect(got).toMatchObject({ exitCode: 0, stdout: 'portfw lab\n' });
  });

  it('a stranger does not even get in', async () => {
    const got = await list(lab.spareAddress('private', MEMBER).v4);
    expect(got.exitCode).not.toBe(0);
    expect(got.stdout).toBe('');
  });
});

describe('a restart', () => {
  it('finds the same ports open, since the permanent configuration has them', async () => {
    // Hosts on one network: with two, a container's interfaces may come back under each other's name.
    const expected = new Map([
      ['rtp1', expectedOpen(portaswitch, { roles: ['server', 'processing-node'], at: ['public'] }, udp)],
      ['db2', new Set(['tcp/22', 'tcp/3306'])],
    ]);
    await Promise.all(
      [...expected].map(async ([name, ports]) => {
        const host = lab.host(name);
        await host.restart();
        await host.listenOn([
          { protocol: 'tcp', from: 1, to: 65_535 },
          { protocol: 'udp', from: 1, to: 65_535 },
        ]);
        expect(await compare(host.publicAddress, ports)).toEqual(NONE);
      }),
    );
    const run = await portfwJson('apply', inventory, '--yes', '--limit', [...expected.keys()].join(','));
    for (const name of expected.keys()) outcomeOf(run, name, 'unchanged');
  });
});
