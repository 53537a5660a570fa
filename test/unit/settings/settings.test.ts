import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { hostAddresses, hostPeers, peerWarnings, resolveSources } from '../../../src/settings/addresses-of-hosts.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/inventory/settings');
const FILE = join(FOLDER, 'hosts.yaml');
const inventory = await loadInventory(FILE);
const { settings, problems } = readSettings(inventory);
const sip1 = settings.get('sip1')!;
const sip2 = settings.get('sip2')!;
const bill = settings.get('bill.example.net')!;

describe('settings of hosts', () => {
  it('are read for every host', () => {
    expect(problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(['warning password-in-inventory']);
    expect([...settings.keys()].sort()).toEqual([...inventory.hosts.keys()].sort());
  });

  it('say how to connect', () => {
    const { sources, ...values } = sip1.connection;
    expect(sources?.port).toEqual({
      value: 2222,
      origin: { kind: 'variable', name: 'ansible_port', location: sip1.locate(['ansible_port']) },
    });
    expect(values).toEqual({
      kind: 'ssh',
      address: '192.0.2.11',
      port: 2222,
      user: 'admin',
      privateKeyFile: join(homedir(), '.ssh/site'),
      sshArgs: null,
      commonArgs: '-o ProxyJump=jump.example.net -o ServerAliveInterval=5',
      timeoutSeconds: 20,
    });
    // The older spellings win, as in Ansible.
    expect(sip2.connection).toMatchObject({ address: '192.0.2.12', user: 'root', port: null, privateKeyFile: null });
    expect(bill.connection).toMatchObject({
      address: 'bill.example.net',
      user: 'admin',
      commonArgs: null,
      timeoutSeconds: null,
    });
    expect(settings.get('here')!.connection.kind).toBe('local');
  });

  it('say how to become root, and keep the password to themselves', () => {
    expect(sip1.become).toMatchObject({ enabled: true, user: 'root', method: 'sudo' });
    expect(sip1.become.password?.reveal()).toBe('hidden');
    expect(JSON.stringify(sip1)).not.toContain('hidden');
    expect(sip2.become).toEqual({
      enabled: false,
      user: 'root',
      method: 'sudo',
      password: null,
      sources: {
        enabled: {
          value: false,
          origin: { kind: 'variable', name: 'ansible_become', location: sip2.locate(['ansible_become']) },
        },
        user: null,
        method: null,
      },
    });
  });

  it('turn single values into lists and leave nothing twice', () => {
    expect(sip1.roles).toEqual(['dispatching-node']);
    expect(sip1.features).toEqual(['sip-tls']);
    expect(sip1.vips).toEqual(['203.0.113.10', '2001:db8::10']);
    expect(sip1.interfaces).toEqual({
      public: ['eth0'],
      private: ['eth1', '198.51.100.0/24'],
      vip: [],
      control: ['203.0.113.9'],
    });
    expect(sip1.addresses).toEqual({ private: ['198.51.100.11'], public: ['192.0.2.11', '2001:db8::11'] });
  });

  it('tell what is declared as nothing from what is not declared', () => {
    expect(bill.roles).toEqual([]);
    expect(sip2.roles).toBeNull();
    expect(sip2.vips).toEqual([]);
    expect(sip2.private).toBe('peers');
    expect(bill).toMatchObject({ private: null, cluster: null, site: 'site_a', managed: true });
  });

  it('find a playbook beside the file that names it', () => {
    expect(sip1.playbook).toBe('portaswitch');
    expect(bill.playbook).toBe(resolve(FOLDER, '../own/site.yaml'));
    expect(settings.get('img1')!.playbook).toBe(join(FOLDER, 'group_vars/gateways.yaml'));
  });

  it('bring selectors and ports into one form', () => {
    expect(bill.allowFrom).toEqual({
      'web-admin': ['office'],
      'web-admin/public/tcp/8901-8904': ['203.0.113.0/24', 'sip_cluster'],
      'radius/rpc:mountd': ['203.0.113.1'],
    });
    expect(bill.extraRules).toEqual([
      {
        name: 'backup',
        interface: 'private',
        protocol: 'tcp',
        ports: [
          { first: 9101, last: 9103 },
          { first: 9200, last: 9200 },
        ],
        from: ['office', '203.0.113.7'],
        owner: 'ops',
        reason: 'the backup director',
        expires: '2027-01-31',
        location: { file: FILE, line: 53, column: 19, secret: null },
      },
      {
        name: 'ntp',
        interface: 'public',
        protocol: 'udp',
        ports: [{ first: 123, last: 123 }],
        from: null,
        owner: 'ops',
        reason: 'time',
        expires: null,
        location: { file: FILE, line: 61, column: 19, secret: null },
      },
    ]);
  });

  it('say who must stay able to come in, and what may be done about a firewalld that does not run', () => {
    expect(bill).toMatchObject({ management: ['office', '203.0.113.7'], ensureFirewalld: 'running' });
    expect(sip1).toMatchObject({ management: [], ensureFirewalld: null });
  });

  it('know their places', () => {
    expect(sip1.locate(['portfw_roles'])).toEqual({ file: FILE, line: 25, column: 29, secret: null });
    expect(sip1.locate(['portfw_features', 1])).toEqual({ file: FILE, line: 26, column: 42, secret: null });
    expect(sip1.locate(['portfw_cluster'], 'key')).toEqual({ file: FILE, line: 13, column: 13, secret: null });
    expect(sip1.locate(['portfw_peers'])).toBeNull();
  });
});

describe('peers', () => {
  it('have the addresses that the inventory knows, and those that a lookup adds', () => {
    const named = ['192.0.2.11', '2001:db8::11', '198.51.100.11'];
    expect(hostAddresses(sip1)).toEqual([...named, '203.0.113.9', '203.0.113.10', '2001:db8::10']);
    expect(hostAddresses(bill)).toEqual([]);
    expect(hostAddresses(bill, (name) => (name === 'bill.example.net' ? ['192.0.2.5'] : []))).toEqual(['192.0.2.5']);
  });

  it('resolve groups, hosts, addresses and networks, aggregated', () => {
    expect(resolveSources(['office', '192.0.2.202/31', 'img3'], inventory, settings)).toEqual({
      addresses: ['192.0.2.200/30'],
      unknown: ['img3'],
    });
    expect(resolveSources(['192.0.2.200'], inventory, settings).addresses).toEqual(['192.0.2.200']);
    expect(resolveSources(['all'], inventory, settings).unknown).toEqual(['img3', 'here', 'bill.example.net']);
  });

  const set = (name: string, roles: readonly string[] = [], site = false) => ({ name, roles, site });

  it('are those that the inventory lists, or else the hosts with the role', () => {
    expect(hostPeers(bill, inventory, settings).peerSet(set('clientview'))).toEqual({
      addresses: [
        '192.0.2.11',
        '198.51.100.0/24',
        '203.0.113.9',
        '203.0.113.10',
        '203.0.113.21',
        '203.0.113.22',
        '2001:db8::10/127',
      ],
      from: 'portfw_peers.clientview: gateways, sip1, 198.51.100.0/25, 198.51.100.128/25',
    });
    expect(hostPeers(sip1, inventory, settings).peerSet(set('img', ['img']))).toEqual({
      addresses: ['203.0.113.21', '203.0.113.22'],
      from: 'the hosts with the role img',
    });
    expect(hostPeers(settings.get('img1')!, inventory, settings).peerSet(set('img', ['img'])).addresses).toEqual([
      '203.0.113.22',
    ]);
    expect(hostPeers(sip1, inventory, settings).peerSet(set('other')).addresses).toEqual([]);
  });

  it('may be the servers of the site, or those of them that declare a role', () => {
    const servers = hostPeers(sip1, inventory, settings).site();
    expect(hostPeers(sip1, inventory, settings).peerSet(set('site', [], true))).toEqual(servers);
    const nodes = set('nodes', ['img', 'dispatching-node'], true);
    const ofSip1 = ['192.0.2.11', '198.51.100.11', '203.0.113.9', '203.0.113.10', '2001:db8::10/127'];
    // The gateways with the role "img" are outside of the site.
    expect(hostPeers(bill, inventory, settings).peerSet(nodes)).toEqual({
      addresses: ofSip1,
      from: 'the group site_a, with the role img or dispatching-node',
    });
    expect(hostPeers(sip1, inventory, settings).peerSet(nodes).addresses).toEqual([]);
  });

  it('of the cluster and the site are all but the host itself', () => {
    const own = { roles: [], features: new Set<string>(), clusters: [] };
    expect(hostPeers(sip1, inventory, settings).clusters(own)).toEqual([
      { bond: { kind: 'group', group: 'sip_cluster' }, addresses: ['192.0.2.12'] },
    ]);
    expect(hostPeers(bill, inventory, settings).clusters(own)).toEqual([]);
    const ofSip1 = ['192.0.2.11', '198.51.100.11', '203.0.113.9', '203.0.113.10', '2001:db8::10/127'];
    expect(hostPeers(sip2, inventory, settings).clusters(own)[0]?.addresses).toEqual(ofSip1);
    const servers = ['192.0.2.11', '192.0.2.12', ...ofSip1.slice(1)];
    expect(hostPeers(bill, inventory, settings).site()).toEqual({ addresses: servers, from: 'the group site_a' });
    expect(hostPeers(settings.get('here')!, inventory, settings).site()).toEqual({
      addresses: servers,
      from: 'the managed hosts under the same playbook',
    });
  });

  it('without a known address are warned of where they are named', () => {
    expect(peerWarnings(inventory, settings)).toEqual([
      {
        severity: 'warning',
        code: 'unknown-address',
        what: 'no address of the host "img3" is known, so nothing opens towards it',
        solve: 'Set portfw_addresses for it, or write its address as ansible_host',
        details: [],
        location: { file: FILE, line: 47, column: 29, secret: null },
      },
    ]);
  });
});
