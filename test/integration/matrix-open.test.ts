import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MatrixRow } from '../../src/matrix/matrix.ts';
import { AWAIT_FIREWALLD } from '../lab/firewalld.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { everything, expectedOpen, matrixRows, rpcPort, udpToScan } from './helpers/expected-open.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { Looker } from './helpers/looker.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/**
 * A machine of its own looks at hosts of all three matrices on all three versions of firewalld. Every host answers on
 * every port that its firewall lets through, so what a scan sees open is what the firewall lets through.
 *
 * The machine that looks has further addresses, which the inventory knows as peers.
 */
const MEMBER = { side: 'private', number: 150 } as const;
const IMG = { side: 'private', number: 151 } as const;
const SUPPORT = { side: 'public', number: 152 } as const;
/** A billing server of the databases' site, and the desk from which people work on the GCEMS and administer hosts. */
const BILLING = { side: 'public', number: 153 } as const;
const DESK = { side: 'public', number: 154 } as const;

const EVERY_PORT = [
  { protocol: 'tcp', from: 1, to: 65_535 },
  { protocol: 'udp', from: 1, to: 65_535 },
] as const;

let lab: Lab;
let inventory: string;
let portaswitch: readonly MatrixRow[];
let ocs: readonly MatrixRow[];
let gcems: readonly MatrixRow[];
let udp: string;
let mountd: number;
let looker: Looker;

beforeAll(async () => {
  lab = await startLab({
    name: 'open',
    scanner: true,
    hosts: [
      { name: 'web1', suite: 'trixie', daemons: ['web-admin', 'configuration', 'decoy'] },
      { name: 'sip1', suite: 'bullseye', daemons: ['dispatching-node', 'decoy'] },
      { name: 'ocs1', suite: 'bookworm', daemons: ['ocs', 'decoy'] },
      { name: 'gcems1', suite: 'trixie', daemons: ['gcems', 'decoy'] },
      { name: 'db1', suite: 'bullseye', daemons: ['master-db', 'decoy'], networks: ['private'] },
      { name: 'db2', suite: 'trixie', daemons: ['master-db'], networks: ['public'] },
      { name: 'ora1', suite: 'bookworm', daemons: ['oracle-db'], networks: ['public'] },
      { name: 'rtp1', suite: 'bookworm', daemons: ['processing-node'], networks: ['public'] },
    ],
  });
  const member = addressOf(MEMBER);
  const support = addressOf(SUPPORT);
  const vips = Object.values(lab.vip(0)).filter((address) => address !== null);
  inventory = await writeInventory(lab, 'inventory', {
    hosts: {
      web1: { portfw_playbook: 'portaswitch', portfw_private: 'matrix', portfw_site: 'site' },
      sip1: {
        portfw_playbook: 'portaswitch',
        portfw_private: 'peers',
        portfw_site: 'site',
        portfw_features: ['sip-tls'],
        portfw_vips: vips,
      },
      ocs1: { portfw_playbook: 'portaswitch-ocs', portfw_features: ['diameter', 'diameter-cluster'] },
      gcems1: {
        portfw_playbook: 'img-gcems',
        portfw_features: ['remote-clientview'],
        portfw_interfaces: { public: lab.networks.public.subnet, control: lab.networks.private.subnet },
        portfw_peers: { clientview: ['pc1'], support: [support], 'remote-access': [addressOf(DESK)] },
      },
      db1: { portfw_playbook: 'portaswitch', portfw_private: 'matrix', portfw_site: 'databases' },
      db2: {
        portfw_playbook: 'portaswitch',
        portfw_site: 'public_databases',
        portfw_role_interfaces: { 'master-db': 'public' },
      },
      ora1: {
        portfw_playbook: 'portaswitch',
        portfw_site: 'public_databases',
        portfw_roles: ['oracle-db'],
        portfw_role_interfaces: { 'oracle-db': 'public' },
        portfw_peers: { 'database-admins': ['desk1'] },
        portfw_management: ['desk1', 'controller'],
      },
      rtp1: { portfw_playbook: 'portaswitch' },
    },
    others: {
      member1: { portfw_addresses: { private: member } },
      img1: { portfw_roles: ['img'], portfw_addresses: { control: addressOf(IMG) } },
      // The machine that runs the tests: the networks' gateway.
      controller: {
        portfw_addresses: {
          private: lab.networks.private.subnet.replace('0/24', '1'),
          public: lab.networks.public.subnet.replace('0/24', '1'),
        },
      },
      pc1: { ansible_host: support },
      billing1: { ansible_host: addressOf(BILLING), portfw_roles: ['radius'] },
      // The same role in another site.
      billing2: { ansible_host: addressOf(DESK), portfw_roles: ['radius'] },
      desk1: { ansible_host: addressOf(DESK) },
    },
    groups: {
      site: ['web1', 'sip1', 'member1'],
      databases: ['db1', 'controller'],
      public_databases: ['db2', 'ora1', 'billing1'],
    },
  });
  for (const address of vips) await lab.host('sip1').addAddress('public', address);
  await Promise.all(lab.hosts.map((host) => host.listenOn(EVERY_PORT)));
  [portaswitch, ocs, gcems] = (await Promise.all(['portaswitch', 'portaswitch-ocs', 'img-gcems'].map(matrixRows))) as [
    readonly MatrixRow[],
    readonly MatrixRow[],
    readonly MatrixRow[],
  ];
  mountd = await rpcPort(lab.host('gcems1'), 100_005);
  udp = udpToScan([...portaswitch, ...ocs, ...gcems], [mountd]);
  looker = await Looker.start(lab, udp, [MEMBER, IMG, SUPPORT, BILLING, DESK]);
  const run = await portfwJson('apply', inventory, '--yes');
  for (const host of lab.hosts) outcomeOf(run, host.name, 'changed');
  expect(run.exitCode).toBe(0);
});

afterAll(async () => {
  await lab?.stop();
});

/** One of the scanner's further addresses. */
function addressOf({ side, number }: { readonly side: 'public' | 'private'; readonly number: number }): string {
  return lab.spareAddress(side, number).v4;
}

describe('the ports that another machine finds open are those of the matrix', { timeout: 400_000 }, () => {
  it('web-admin with configuration, private side by the matrix', async () => {
    const host = lab.host('web1');
    const roles = ['server', 'web-admin', 'configuration'];
    const publicSide = expectedOpen(portaswitch, { roles, at: ['public'] }, udp);
    const privateSide = expectedOpen(portaswitch, { roles, at: ['private'] }, udp);
    expect(publicSide.size).toBe(20);
    const ofSite = expectedOpen(portaswitch, { roles, at: ['private'], as: ['site-servers'] }, udp);
    expect(privateSide.size).toBe(0);
    expect(ofSite.size).toBe(4);
    const found = await looker.compare(
      { at: host.publicAddress, open: publicSide },
      { at: host.addresses.public!.v6, open: publicSide, tcp: '1-10000' },
      { at: host.privateAddress, open: privateSide },
      // Servers of the site administer each other over SSH in any mode.
      { at: host.privateAddress, as: MEMBER, open: new Set([...ofSite, 'tcp/22']) },
    );
    expect(found).toEqual({});
  });

  it('dispatching-node with virtual addresses, private side open to the site', async () => {
    const host = lab.host('sip1');
    const knocker = { roles: ['server', 'dispatching-node'], features: ['sip-tls'] };
    const own = expectedOpen(portaswitch, { ...knocker, at: ['public'] }, udp);
    const virtual = expectedOpen(portaswitch, { ...knocker, at: ['public', 'vip'] }, udp);
    expect(virtual.size).toBe(own.size + 8);
    expect(virtual.has('tcp/5051') && virtual.has('udp/5060')).toBe(true);
    const found = await looker.compare(
      { at: lab.vip(0).v4, open: virtual },
      { at: lab.vip(0).v6, open: virtual },
      { at: host.publicAddress, open: own },
      { at: host.addresses.public!.v6, open: own, tcp: '1-10000' },
      { at: host.privateAddress, open: new Set() },
      { at: host.privateAddress, as: MEMBER, open: everything(udp) },
    );
    expect(found).toEqual({});
  });

  it('ocs of the second table, private side trusted', async () => {
    const host = lab.host('ocs1');
    const knocker = { roles: ['server', 'ocs'], features: ['diameter', 'diameter-cluster'] };
    const publicSide = expectedOpen(ocs, { ...knocker, at: ['public'] }, udp);
    expect([...publicSide].sort()).toEqual(['tcp/22', 'tcp/3868', 'udp/1812', 'udp/1813', 'udp/5060']);
    const found = await looker.compare(
      { at: host.publicAddress, open: publicSide },
      { at: host.privateAddress, open: everything(udp) },
    );
    expect(found).toEqual({});
  });

  it('gcems: gateways, ClientView, support and strangers', async () => {
    const host = lab.host('gcems1');
    const knocker = { roles: ['gcems'], features: ['remote-clientview'], rpc: { 'rpc:mountd': mountd } };
    const at = (...classes: string[]) => ({ ...knocker, at: classes });
    const strangers = expectedOpen(gcems, at('public'), udp);
    const desk = expectedOpen(gcems, { ...at('public'), as: ['remote-access'] }, udp);
    const local = expectedOpen(gcems, { ...at('public'), as: ['clientview', 'support'] }, udp);
    const gateways = expectedOpen(gcems, { ...at('control'), as: ['img'] }, udp);
    expect([...strangers].sort()).toEqual(['tcp/22']);
    expect([...desk].sort()).toEqual(['tcp/1312', 'tcp/22', 'tcp/5901']);
    expect(local.size).toBe(strangers.size + 11);
    expect(gateways.has(`udp/${mountd}`)).toBe(true);
    const found = await looker.compare(
      { at: host.publicAddress, open: strangers },
      { at: host.publicAddress, as: SUPPORT, open: local },
      { at: host.publicAddress, as: DESK, open: desk },
      { at: host.privateAddress, open: new Set() },
      { at: host.privateAddress, as: IMG, open: gateways },
    );
    expect(found).toEqual({});
  });

  it('master-db on the private side, by the matrix', async () => {
    const host = lab.host('db1');
    const roles = ['server', 'master-db'];
    const privateSide = expectedOpen(portaswitch, { roles, at: ['private'] }, udp);
    expect([...privateSide]).toEqual(['tcp/3306']);
    const found = await looker.compare(
      { at: host.privateAddress, open: privateSide },
      { at: host.addresses.private!.v6, open: privateSide, tcp: '1-10000' },
    );
    expect(found).toEqual({});
  });

  it('master-db moved to the public side: a stranger, billing of the site and of another one', async () => {
    const moved = { 'master-db': { '3306': 'database-clients' } };
    const knocker = { roles: ['server', 'master-db'], at: ['public'], moved };
    const strangers = expectedOpen(portaswitch, knocker, udp);
    const clients = expectedOpen(portaswitch, { ...knocker, as: ['database-clients'] }, udp);
    expect([...strangers]).toEqual(['tcp/22']);
    expect([...clients].sort()).toEqual(['tcp/22', 'tcp/3306']);
    const at = lab.host('db2').publicAddress;
    const found = await looker.compare(
      { at, open: strangers },
      { at, as: BILLING, open: clients },
      { at, as: DESK, open: strangers },
    );
    expect(found).toEqual({});
  });

  it('oracle-db moved to the public side, SSH narrowed by portfw_management', async () => {
    const moved = { 'oracle-db': { '9521': 'database-clients', '1158': 'database-admins' } };
    const knocker = { roles: ['oracle-db'], at: ['public'], moved };
    const clients = expectedOpen(portaswitch, { ...knocker, as: ['database-clients'] }, udp);
    const admins = expectedOpen(portaswitch, { ...knocker, as: ['database-admins'] }, udp);
    expect([...clients, ...admins]).toEqual(['tcp/9521', 'tcp/1158']);
    const at = lab.host('ora1').publicAddress;
    const found = await looker.compare(
      { at, open: new Set() },
      { at, as: BILLING, open: clients },
      { at, as: DESK, open: new Set([...admins, 'tcp/22']) },
    );
    expect(found).toEqual({});
  });

  it('processing-node: the range of RTP', async () => {
    const roles = ['server', 'processing-node'];
    const publicSide = expectedOpen(portaswitch, { roles, at: ['public'] }, udp);
    expect(publicSide.has('udp/35000') && publicSide.has('udp/65000')).toBe(true);
    expect(publicSide.has('udp/34999') || publicSide.has('udp/65001')).toBe(false);
    const found = await looker.compare({ at: lab.host('rtp1').publicAddress, open: publicSide });
    expect(found).toEqual({});
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
    const got = await list(addressOf(IMG), ...options);
    expect(got).toMatchObject({ exitCode: 0, stdout: 'portfw lab\n' });
  });

  it('a stranger does not even get in', async () => {
    const got = await list(addressOf(MEMBER));
    expect(got.exitCode).not.toBe(0);
    expect(got.stdout).toBe('');
  });
});

describe('a restart', { timeout: 400_000 }, () => {
  it('finds the same ports open, since the permanent configuration has them', async () => {
    // Hosts on one network: with two, a container's interfaces may come back under each other's name.
    const expected = new Map([
      ['rtp1', expectedOpen(portaswitch, { roles: ['server', 'processing-node'], at: ['public'] }, udp)],
      ['db1', new Set(['tcp/3306'])],
      ['db2', new Set(['tcp/22'])],
    ]);
    await Promise.all(
      [...expected].map(async ([name, ports]) => {
        const host = lab.host(name);
        await host.restart();
        // It is on the bus, and counts as started, before it has made its rules.
        await host.sh(AWAIT_FIREWALLD);
        await host.listenOn(EVERY_PORT);
        const found = await looker.compare({ at: host.publicAddress || host.privateAddress, open: ports });
        expect(found).toEqual({});
      }),
    );
    const run = await portfwJson('apply', inventory, '--yes', '--limit', [...expected.keys()].join(','));
    for (const name of expected.keys()) outcomeOf(run, name, 'unchanged');
  });
});
