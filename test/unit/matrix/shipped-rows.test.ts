import { describe, expect, it } from 'vitest';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { type FullRow, fullRows } from '../../../src/matrix/rows.ts';

/**
 * The vendors' tables, read by hand: role, then `interface protocol ports [from sender] [on public from sender]
 * [if feature]`. "managed" stands before what administers the hosts.
 */
const WEB_ADMIN = [
  'public tcp 25 80 443 8442 8443 8444 8445 8446 8447 8448 8449 8600 8601 8901 8903-8904 8943',
  'public udp 69',
];
const BILLING = ['public udp 1812 1813 5060', 'public tcp 3868 if diameter'];
const FIRST_TABLE_ONLY = {
  radius: BILLING,
  'processing-node': ['public udp 35000-65000'],
  'master-db': ['private tcp 3306 on public from database-clients'],
  'replica-db': ['private tcp 3307 on public from database-clients'],
  'oracle-db': ['private tcp 9521 on public from database-clients', 'private tcp 1158 on public from database-admins'],
};
const IMG_AND_GCEMS = ['control tcp 20 21 161 162 12610', 'control udp 2049 1812 1813 161 162 123'];

const TABLES: Record<string, Record<string, readonly string[]>> = {
  portaswitch: {
    server: ['managed public tcp 22'],
    configuration: [
      'private tcp 5667 5668 from site-servers',
      'private udp 5667 5668 from site-servers',
      'public tcp 8700',
    ],
    'web-admin': WEB_ADMIN,
    'dispatching-sbc': ['public udp 5060', 'public tcp 5061', 'public tcp 5051 if sip-tls'],
    'dispatching-node': ['vip udp 5060 5070', 'vip tcp 5060 2775 8101 8081 8091', 'vip tcp 5051 if sip-tls'],
    ...FIRST_TABLE_ONLY,
  },
  'portaswitch-ocs': {
    server: ['managed public tcp 22'],
    configuration: [
      'private tcp 5667 5668 from site-servers',
      'private udp 5667 5668 from site-servers',
      'private tcp 80',
      'public tcp 8700',
    ],
    'web-admin': [...WEB_ADMIN, 'private udp 5405'],
    ocs: [...BILLING, 'private udp 5405 if diameter-cluster'],
    'dispatching-sbc': [
      'public udp 5060',
      'public tcp 5061',
      'public tcp 5051 if sip-tls',
      'public tcp 9442 9443 9444 9445 9446 9447 9448 9449 9600 9601 if dual-version',
    ],
    'dispatching-node': ['vip udp 5060', 'vip tcp 5060 2775 8101 8081 8091', 'vip tcp 5051 if sip-tls'],
    ...FIRST_TABLE_ONLY,
  },
  'img-gcems': {
    gcems: [
      ...IMG_AND_GCEMS.map((line) => `${line} from img`),
      'control udp 111 rpc:mountd from img',
      'managed public tcp 22',
      'public tcp 5901 1312 from remote-access',
      'public tcp 80 from support',
      'public tcp 2623 2428-2433 2624 from clientview',
      'public tcp 1098 1099 from clientview if remote-clientview',
    ],
    img: [
      ...IMG_AND_GCEMS.map((line) => `${line} from gcems`),
      'control tcp 23 from gcems',
      'control udp 34867 from img if ss7',
    ],
  },
};

function expectedRows(table: Record<string, readonly string[]>): string[] {
  return Object.entries(table).flatMap(([role, lines]) =>
    lines.flatMap((line) => {
      const [, managed, place, protocol, ports, sender, onPublic, feature] =
        /^(managed )?(\w+) (\w+) ([\w: -]+?)(?: from ([\w-]+))?(?: on public from ([\w-]+))?(?: if ([\w-]+))?$/.exec(
          line,
        ) ?? [];
      const from = `from ${sender ?? 'any'}, on public ${onPublic ?? 'the same'}`;
      return ports!
        .split(' ')
        .map((port) => `${role} ${managed ?? ''}${place} ${protocol} ${port} ${from} if ${feature ?? 'always'}`);
    }),
  );
}

function rowText(row: FullRow): string {
  const managed = row.administration ? 'managed ' : '';
  const from = `from ${row.from}, on public ${row.from_public ?? 'the same'}`;
  return `${row.role} ${managed}${row.interface} ${row.protocol} ${row.port} ${from} if ${row.feature ?? 'always'}`;
}

describe.each(Object.entries(TABLES))('%s', (name, table) => {
  const matrix = loadMatrix(name);
  const rows = fullRows(matrix);

  it('has every row of the print, and none besides', () => {
    expect(rows.map(rowText).sort()).toEqual(expectedRows(table).sort());
  });

  it('has the roles of the print', () => {
    expect([...matrix.roles.keys()].sort()).toEqual(Object.keys(table).sort());
  });

  it('gives every rule an id of its own, a purpose and a source', () => {
    const rules = [...matrix.roles.values()].flatMap((role) => role.rules);
    expect(new Set(rules.map((rule) => rule.id)).size).toBe(rules.length);
    for (const rule of rules) {
      expect(rule.purpose).not.toBe('');
      expect(rule.source).toMatch(/^(?:PortaSwitch table [12], |IMG 1010 IP security, )/);
    }
  });

  it('carries its own name in every row', () => {
    expect(new Set(rows.map((row) => row.matrix))).toEqual(new Set([name]));
  });
});

describe('doubtful prints carry a note', () => {
  it.each([
    ['portaswitch', 'configuration/private/tcp/5667', /twice/],
    ['portaswitch', 'configuration/private/udp/5668', /twice/],
    ['portaswitch', 'web-admin/public/tcp/8443', /API/],
    ['portaswitch', 'web-admin/public/tcp/8901', /8902/],
    ['portaswitch', 'web-admin/public/tcp/8903-8904', /two descriptions/],
    ['portaswitch', 'radius/public/udp/5060', /billing/],
    ['portaswitch', 'dispatching-sbc/public/tcp/5061', /SIP over TLS/],
    ['portaswitch', 'dispatching-node/vip/tcp/5051', /TCP \(TLS\)/],
    ['portaswitch', 'dispatching-node/vip/tcp/2775', /no transport/],
    ['portaswitch', 'dispatching-node/vip/tcp/8101', /SMTP/],
    ['portaswitch', 'dispatching-node/vip/tcp/8081', /IMAP/],
    ['portaswitch', 'dispatching-node/vip/tcp/8091', /IMAPS/],
    ['portaswitch', 'master-db/private/tcp/3306', /3307/],
    ['portaswitch', 'replica-db/private/tcp/3307', /3306/],
    ['portaswitch', 'oracle-db/private/tcp/9521', /1521/],
    ['portaswitch', 'oracle-db/private/tcp/1158', /who comes/],
    ['portaswitch-ocs', 'web-admin/private/udp/5405', /RADIUS/],
    ['portaswitch-ocs', 'web-admin/public/tcp/8443', /9443/],
    ['portaswitch-ocs', 'dispatching-sbc/public/tcp/5061', /SIP over TLS/],
    ['portaswitch-ocs', 'dispatching-sbc/public/tcp/9442', /web interface/],
    ['portaswitch-ocs', 'dispatching-sbc/public/tcp/9443', /8443/],
    ['portaswitch-ocs', 'dispatching-sbc/public/tcp/9601', /web interface/],
    ['portaswitch-ocs', 'dispatching-node/vip/udp/5060', /5070/],
    ['portaswitch-ocs', 'dispatching-node/vip/tcp/2775', /no transport/],
    ['portaswitch-ocs', 'dispatching-node/vip/tcp/8091', /twice/],
    ['img-gcems', 'gcems/control/tcp/20', /active-mode/],
    ['img-gcems', 'gcems/control/tcp/161', /UDP/],
    ['img-gcems', 'gcems/control/udp/rpc:mountd', /no transport/],
    ['img-gcems', 'gcems/public/tcp/22', /in red/],
    ['img-gcems', 'gcems/public/tcp/2428-2433', /FTP/],
    ['img-gcems', 'img/control/tcp/12610', /no direction/],
  ])('%s %s', (name, id, note) => {
    const rule = [...loadMatrix(name).roles.values()]
      .flatMap((role) => role.rules)
      .find((candidate) => candidate.id === id);
    expect(rule?.note).toMatch(note);
  });
});

describe('what the tables say beside the ports', () => {
  it('turns connection tracking helpers on only for FTP and TFTP', () => {
    const helped = Object.keys(TABLES).flatMap((name) =>
      [...loadMatrix(name).roles.values()].flatMap((role) =>
        role.rules.filter((rule) => rule.helper !== null).map((rule) => `${name} ${rule.id} ${rule.helper}`),
      ),
    );
    expect(helped).toEqual([
      'portaswitch web-admin/public/udp/69 tftp',
      'portaswitch-ocs web-admin/public/udp/69 tftp',
      'img-gcems gcems/control/tcp/21 ftp',
      'img-gcems img/control/tcp/21 ftp',
    ]);
  });

  it('lets only databases choose between the private and the public interface', () => {
    for (const name of ['portaswitch', 'portaswitch-ocs']) {
      const choosing = [...loadMatrix(name).roles.values()].filter((role) => role.interfaceChoices.length > 0);
      expect(choosing.map((role) => [role.name, ...role.interfaceChoices])).toEqual([
        ['master-db', 'private', 'public'],
        ['replica-db', 'private', 'public'],
        ['oracle-db', 'private', 'public'],
      ]);
    }
  });

  it('knows the role of every host, and the appliance', () => {
    expect(loadMatrix('portaswitch').roles.get('server')?.everyHost).toBe(true);
    expect(loadMatrix('portaswitch-ocs').roles.get('server')?.everyHost).toBe(true);
    expect(loadMatrix('portaswitch').roles.get('radius')?.everyHost).toBe(false);
    expect(loadMatrix('img-gcems').roles.get('img')?.appliance).toBe(true);
    expect(loadMatrix('img-gcems').roles.get('gcems')?.appliance).toBe(false);
  });

  it('takes the peers of a role from its hosts, and the others from the inventory', () => {
    const peers = (name: string) =>
      [...loadMatrix(name).peers.values()].map(({ name: set, roles, site }) =>
        [set, ...(site ? ['of the site'] : []), ...roles].join(' '),
      );
    const sip = 'dispatching-sbc dispatching-node processing-node';
    expect(peers('img-gcems')).toEqual(['img img', 'gcems gcems', 'clientview', 'support', 'remote-access']);
    expect(peers('portaswitch')).toEqual([
      'site-servers of the site',
      `database-clients of the site radius web-admin ${sip}`,
      'database-admins',
    ]);
    expect(peers('portaswitch-ocs')).toEqual([
      'site-servers of the site',
      `database-clients of the site ocs radius web-admin ${sip}`,
      'database-admins',
    ]);
  });

  it('names the features that are off until they are turned on', () => {
    const features = (name: string): string[] => [...loadMatrix(name).features.keys()];
    expect(features('portaswitch')).toEqual(['sip-tls', 'diameter']);
    expect(features('portaswitch-ocs')).toEqual(['sip-tls', 'diameter', 'diameter-cluster', 'dual-version']);
    expect(features('img-gcems')).toEqual(['remote-clientview', 'ss7']);
  });

  it('keeps the origin of what the second table takes over from the first', () => {
    const roles = loadMatrix('portaswitch-ocs').roles;
    const origins = [...roles.values()].map((role) => [role.name, ...new Set(role.rules.map((rule) => rule.matrix))]);
    expect(Object.fromEntries(origins as [string, string][])).toEqual({
      server: 'portaswitch-ocs',
      configuration: 'portaswitch-ocs',
      'web-admin': 'portaswitch-ocs',
      ocs: 'portaswitch-ocs',
      'dispatching-sbc': 'portaswitch-ocs',
      'dispatching-node': 'portaswitch-ocs',
      radius: 'portaswitch',
      'processing-node': 'portaswitch',
      'master-db': 'portaswitch',
      'replica-db': 'portaswitch',
      'oracle-db': 'portaswitch',
    });
    for (const role of roles.values()) {
      for (const rule of role.rules) {
        expect(rule.source).toContain(rule.matrix === 'portaswitch' ? 'table 1' : 'table 2');
        expect(rule.location.file).toBe(`playbooks/matrices/${rule.matrix}.yaml`);
      }
    }
  });
});
