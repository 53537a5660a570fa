import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Proposal } from '../../../src/propose/proposals.ts';
import { type Fleet, type FleetHost, type Proposed, proposeFor } from './helpers/fleet.ts';

const GOLDEN = path.resolve('test/fixtures/propose');
const ADMIN = '192.0.2.9';

/** A host of a site: a public and a private side. */
function server(number: number, more: Partial<FleetHost> = {}): FleetHost {
  return {
    interfaces: { eth0: [`203.0.113.${number}/24`], eth1: [`10.1.0.${number}/24`] },
    routes: ['eth0'],
    path: [ADMIN, `203.0.113.${number}`],
    ...more,
  };
}

const WEB = 'web-admin-firewalld-2.3';
const SIP = 'dispatching-sbc-firewalld-1.3';

const FLEETS: Readonly<Record<string, Fleet>> = {
  'a-site': {
    ini: ['[web]', 'web1', 'web2', '[db]', 'db1', '[switches]', 'sw1 ansible_connection=network_cli', '[late]', 'gone'],
    hosts: {
      web1: server(21, { recording: WEB, ssh: ['10.1.0.99', '198.51.100.66', '10.1.0.22'] }),
      web2: server(22, { recording: WEB, ssh: ['10.1.0.99'] }),
      db1: {
        recording: 'radius-firewalld-2.3',
        interfaces: { ens3: ['10.1.0.31/24'] },
        routes: ['ens3'],
        path: ['10.1.0.9', '10.1.0.31'],
      },
    },
    missed: { gone: 'no answer within 10 s' },
  },
  'two-sites-and-a-cluster': {
    ini: ['[east]', 'e1', 'e2', '[west]', 'w1', 'w2', 'w3'],
    hosts: {
      e1: server(1, {
        recording: SIP,
        processes: ['keepalived'],
        interfaces: { eth0: ['203.0.113.1/24'], eth1: ['10.1.0.1/24'], 'vrrp.51': ['203.0.113.200/32'] },
        links: { 'vrrp.51': { kind: 'macvlan', parent: 'eth0' } },
      }),
      e2: server(2, {
        recording: SIP,
        processes: ['keepalived'],
        interfaces: { eth0: ['203.0.113.2/24'], eth1: ['10.1.0.2/24'], 'vrrp.51': [] },
        links: { 'vrrp.51': { kind: 'macvlan', parent: 'eth0' } },
      }),
      w1: {
        interfaces: { eth0: ['198.51.100.1/24', '198.51.100.9/24'], eth1: ['10.2.0.1/24'] },
        routes: ['eth0'],
        processes: ['pacemakerd'],
      },
      w2: {
        interfaces: { eth0: ['198.51.100.2/24'], eth1: ['10.2.0.2/24'] },
        routes: ['eth0'],
        processes: ['pacemakerd'],
      },
      w3: { interfaces: { eth0: ['198.51.100.3/24'], eth1: ['10.2.0.3/24', '10.2.0.33/24'] }, routes: ['eth0'] },
    },
  },
};

const of = ({ inventory }: Proposed, host: string, variable: string) =>
  inventory.hosts.get(host)?.variables.get(variable)?.plain;

const choices = ({ proposals }: Proposed, host: string): Extract<Proposal, { kind: 'choice' }>[] =>
  proposals.flatMap((one) =>
    one.kind === 'choice' && one.scope.kind === 'host' && one.scope.name === host ? [one] : [],
  );

describe('the file', () => {
  it.each(Object.entries(FLEETS))('%s', async (name, fleet) => {
    const { file } = proposeFor(fleet);
    await expect(file.text).toMatchFileSnapshot(path.join(GOLDEN, `${name}.yaml`));
    // Each thing that is open is on the line that is named.
    const lines = file.text.split('\n');
    for (const item of file.open) expect(lines[item.line - 1]).toMatch(/portfw_\w+:|TO DECIDE/);
    expect(lines.filter((line) => line.length > 130)).toEqual([]);
  });
});

describe('interfaces', () => {
  it('are public where the default route is, and private where another host is too', () => {
    const seen = proposeFor(FLEETS['a-site']!);
    const both = { public: ['203.0.113.0/24'], private: ['10.1.0.0/24'] };
    expect([of(seen, 'web1', 'portfw_interfaces'), of(seen, 'web2', 'portfw_interfaces')]).toEqual([both, both]);
    // The only interface is what its network is on the others.
    expect(of(seen, 'db1', 'portfw_interfaces')).toEqual({ private: ['10.1.0.0/24'] });
  });

  it('are never private where the internet can reach them, where nobody else is, or where the default route leads', () => {
    const open = (hosts: Fleet['hosts']) => {
      const seen = proposeFor({ ini: Object.keys(hosts), hosts });
      return Object.keys(hosts).map((host) => of(seen, host, 'portfw_interfaces'));
    };
    // An address of the internet beside the way out, which has one too: only the way out is certain.
    const global = { eth0: ['8.8.4.1/24'], eth1: ['8.8.8.1/24'] };
    const other = { eth0: ['8.8.4.2/24'], eth1: ['8.8.8.2/24'] };
    expect(open({ a: { interfaces: global, routes: ['eth0'] }, b: { interfaces: other, routes: ['eth0'] } })).toEqual([
      undefined,
      undefined,
    ]);
    expect(open({ a: server(1) })).toEqual([{ public: ['203.0.113.0/24'] }]);
    // No default route at all, or behind private addresses while the other side is global.
    expect(open({ a: server(1, { routes: [] }), b: server(2, { routes: [] }) })).toEqual([undefined, undefined]);
    const nat = (n: number) => ({
      interfaces: { eth0: [`8.8.4.${n}/24`], eth1: [`10.1.0.${n}/24`] },
      routes: ['eth1'],
    });
    expect(open({ a: nat(1), b: nat(2) })).toEqual([undefined, undefined]);
  });

  it('of engines and tunnels are left alone', () => {
    const interfaces = {
      lo: ['127.0.0.1/8'],
      eth0: ['203.0.113.1/24'],
      docker0: ['172.17.0.1/16'],
      wg0: ['10.9.0.1/24'],
    };
    const seen = proposeFor({
      ini: ['a'],
      hosts: { a: { interfaces, links: { wg0: { kind: 'wireguard' } }, routes: ['eth0'] } },
    });
    expect(of(seen, 'a', 'portfw_interfaces')).toEqual({ public: ['203.0.113.0/24'] });
    expect(choices(seen, 'a').map(({ variable }) => variable)).toEqual(['portfw_roles']);
  });

  it('are named where a network would take in another interface too', () => {
    const wide = (n: number) => ({
      interfaces: { eth0: [`10.1.0.${n}/8`], eth1: [`10.2.0.${n}/24`] },
      routes: ['eth0'],
    });
    const seen = proposeFor({ ini: ['a', 'b'], hosts: { a: wide(1), b: wide(2) } });
    expect(of(seen, 'a', 'portfw_interfaces')).toEqual({ public: ['eth0'], private: ['eth1'] });
  });

  it('that the inventory has already are not proposed again', () => {
    const seen = proposeFor({
      ini: ['a', "b portfw_interfaces=\"{'public': 'eth9'}\""],
      hosts: { a: server(1), b: server(2) },
    });
    expect(of(seen, 'b', 'portfw_interfaces')).toEqual({ public: 'eth9' });
    expect(choices(seen, 'b').map(({ variable }) => variable)).not.toContain('portfw_interfaces');
  });
});

describe('virtual addresses', () => {
  it('go to the hosts with the same VRRP id, and are asked about elsewhere', () => {
    const seen = proposeFor(FLEETS['two-sites-and-a-cluster']!);
    const vips = ['e1', 'e2', 'w1', 'w2', 'w3'].map((host) => of(seen, host, 'portfw_vips'));
    expect(vips).toEqual([['203.0.113.200'], ['203.0.113.200'], ['198.51.100.9'], undefined, undefined]);
    // Pacemaker runs on w2 as well, and nothing on w3 moves its second address.
    const asked = ['w2', 'w3'].map((host) => choices(seen, host).find(({ variable }) => variable === 'portfw_vips'));
    expect(asked.map((one) => one?.options)).toEqual([
      [{ variable: 'portfw_vips', vips: ['198.51.100.9'] }],
      [{ variable: 'portfw_vips', vips: ['10.2.0.33'] }],
    ]);
  });

  it('are proposed without a program that moves them only where a role needs one', () => {
    const interfaces = { eth0: ['203.0.113.1/24', '203.0.113.200/24'], eth1: ['10.1.0.1/24'] };
    const with_ = (recording: string) => proposeFor({ ini: ['a'], hosts: { a: server(1, { recording, interfaces }) } });
    expect(of(with_('dispatching-node-firewalld-0.9'), 'a', 'portfw_vips')).toEqual(['203.0.113.200']);
    expect(of(with_(WEB), 'a', 'portfw_vips')).toBeUndefined();
  });
});

describe('management', () => {
  it('is where portfw comes from and who is inside; a connection from elsewhere is no login yet', () => {
    const seen = proposeFor(FLEETS['a-site']!);
    expect(of(seen, 'web1', 'portfw_management')).toEqual(['10.1.0.9', '10.1.0.99', ADMIN]);
    expect(seen.file.text).toContain('not in the list: 198.51.100.66, an established SSH connection, seen on 1 host');
    // A host of the fleet is no administrator.
    expect(seen.file.text).not.toContain('10.1.0.22:');
  });
});

describe('roles and playbooks', () => {
  it('follow the matrix that finds them; a host of another system gets its own line', () => {
    const seen = proposeFor({
      ini: ['a', 'b', 'c'],
      hosts: {
        a: server(1, { recording: WEB }),
        b: server(2, { recording: 'ocs-firewalld-1.3' }),
        c: server(3, { recording: 'gcems-firewalld-0.9' }),
      },
    });
    expect(['a', 'b', 'c'].map((host) => of(seen, host, 'portfw_playbook'))).toEqual([
      'portaswitch-ocs',
      'portaswitch-ocs',
      'img-gcems',
    ]);
    expect(of(seen, 'a', 'portfw_roles')).toBeUndefined();
  });

  it('are asked about where nothing was found', () => {
    const seen = proposeFor({ ini: ['a'], hosts: { a: server(1) } });
    expect(choices(seen, 'a').find(({ variable }) => variable === 'portfw_roles')?.options).toEqual([
      { variable: 'portfw_roles', roles: [] },
    ]);
  });
});
