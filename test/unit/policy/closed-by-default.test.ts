import { describe, expect, it } from 'vitest';
import { asLayer } from '../../../src/firewalld/kinds/kinds.ts';
import type { PolicyOutcome } from '../../../src/policy/build-desired.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import { desiredObjects } from '../../../src/policy/desired.ts';
import { letsIn } from '../../helpers/lets-in.ts';
import { inputOf } from './helpers/cases.ts';

/** Who knocks, by the address that he comes from. */
const WHO = {
  stranger: '203.0.113.200',
  billing: '203.0.113.31',
  web: '203.0.113.32',
  sbc: '203.0.113.33',
  node: '203.0.113.34',
  media: '203.0.113.35',
  ocs: '203.0.113.36',
  configuration: '203.0.113.37',
  'billing of another site': '203.0.113.41',
  office: '203.0.113.50',
  administrator: '203.0.113.60',
  'a server of the site': '198.51.100.37',
  'a neighbour of the private network': '198.51.100.200',
} as const;
type Who = keyof typeof WHO;

const server = (who: Who, role: string, variables: object = {}) => ({
  ansible_host: WHO[who],
  portfw_roles: [role],
  ...variables,
});

interface Given {
  readonly matrix: string;
  readonly roles: readonly string[];
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Whether the rest of the site is in the inventory. */
  readonly alone?: boolean;
}

/** The host `web1.example.net` with the public interface eth0 and the private (or control) one eth1, in a site of its kind. */
function outcomeOf({ matrix, roles, variables = {}, alone = false }: Given): PolicyOutcome {
  const billing = matrix === 'portaswitch-ocs' ? { ocs1: server('ocs', 'ocs') } : {};
  const site = {
    billing1: server('billing', 'radius'),
    web2: server('web', 'web-admin'),
    sbc1: server('sbc', 'dispatching-sbc'),
    node1: server('node', 'dispatching-node'),
    media1: server('media', 'processing-node'),
    conf1: server('configuration', 'configuration', {
      portfw_addresses: { private: ['198.51.100.37'] },
    }),
    ...billing,
  };
  const own = {
    ansible_host: '203.0.113.10',
    portfw_interfaces: { public: 'eth0', private: 'eth1', control: 'eth2' },
    ...variables,
  };
  return buildDesired(
    inputOf({
      matrix,
      roles,
      facts: {
        interfaces: { eth0: ['203.0.113.10/24'], eth1: ['198.51.100.10/24'], eth2: ['192.0.2.10/24'] },
        rpc: ['100005 3 udp 20048 mountd'],
      },
      inventory: {
        all: {
          vars: { portfw_playbook: matrix },
          children: {
            site: {
              vars: { portfw_site: 'site' },
              hosts: { 'web1.example.net': own, ...(alone ? {} : site) },
            },
            elsewhere: {
              vars: { portfw_site: 'elsewhere' },
              hosts: { far1: server('billing of another site', matrix === 'portaswitch-ocs' ? 'ocs' : 'radius') },
            },
            office: { hosts: { desk: { portfw_managed: false, ansible_host: WHO.office } } },
          },
        },
      },
    }),
  );
}

/** Everybody for whom a port is open on one interface, and the notes on rules that open nothing. */
function openTo(given: Given, at: 'public' | 'private', port: string): { who: Who[]; notes: string[] } {
  const outcome = outcomeOf(given);
  if (outcome.kind === 'refused') throw new Error(outcome.refusals.map(({ what }) => what).join('\n'));
  const config = asLayer(desiredObjects(outcome.desired));
  const device = at === 'public' ? 'eth0' : 'eth1';
  const zone = [...config.zones.values()].find(({ interfaces }) => interfaces.includes(device))!;
  const [protocol = '', number = ''] = port.split('/');
  const destination = at === 'public' ? '203.0.113.10' : '198.51.100.10';
  const who = (Object.keys(WHO) as Who[]).filter((name) =>
    letsIn(zone, config, { source: WHO[name], destination, protocol, port: Number(number) }),
  );
  return { who, notes: outcome.notes.filter(({ code }) => code === 'no-peers').map(({ text }) => text) };
}

const EVERYONE = Object.keys(WHO) as Who[];
const MOVED = (role: string) => ({ portfw_role_interfaces: { [role]: 'public' } });
const CLIENTS: Who[] = ['billing', 'web', 'sbc', 'node', 'media'];

/** Matrix, role, port, variables → for whom it is open on the public side. */
const PUBLIC: [string, string, string, Readonly<Record<string, unknown>>, Who[]][] = [
  ['portaswitch', 'master-db', 'tcp/3306', MOVED('master-db'), CLIENTS],
  ['portaswitch', 'replica-db', 'tcp/3307', MOVED('replica-db'), CLIENTS],
  ['portaswitch', 'oracle-db', 'tcp/9521', MOVED('oracle-db'), CLIENTS],
  ['portaswitch-ocs', 'master-db', 'tcp/3306', MOVED('master-db'), [...CLIENTS, 'ocs']],
  ['portaswitch-ocs', 'oracle-db', 'tcp/9521', MOVED('oracle-db'), [...CLIENTS, 'ocs']],
  // The set as the inventory has it wins, and portfw_allow_from narrows it further.
  [
    'portaswitch',
    'master-db',
    'tcp/3306',
    { ...MOVED('master-db'), portfw_peers: { 'database-clients': ['office'] } },
    ['office'],
  ],
  [
    'portaswitch',
    'master-db',
    'tcp/3306',
    { ...MOVED('master-db'), portfw_allow_from: { 'master-db': ['web2', 'office'] } },
    ['web'],
  ],
  [
    'portaswitch',
    'master-db',
    'tcp/3306',
    { ...MOVED('master-db'), portfw_allow_from: { 'master-db': ['any'] } },
    CLIENTS,
  ],
  // Nothing of the private side stands on the public one.
  ['portaswitch', 'master-db', 'tcp/3306', {}, []],
  ['portaswitch', 'oracle-db', 'tcp/1158', MOVED('oracle-db'), []],
  [
    'portaswitch',
    'oracle-db',
    'tcp/1158',
    { ...MOVED('oracle-db'), portfw_peers: { 'database-admins': [WHO.administrator] } },
    ['administrator'],
  ],
  ['img-gcems', 'gcems', 'tcp/5901', {}, []],
  ['img-gcems', 'gcems', 'tcp/1312', {}, []],
  ['img-gcems', 'gcems', 'tcp/5901', { portfw_peers: { 'remote-access': ['office'] } }, ['office']],
  ['img-gcems', 'gcems', 'tcp/1312', { portfw_peers: { 'remote-access': ['office'] } }, ['office']],
  ['img-gcems', 'gcems', 'tcp/22', {}, EVERYONE],
  ...[
    ['img-gcems', 'gcems'],
    ['portaswitch', 'server'],
    ['portaswitch-ocs', 'server'],
  ].flatMap(([matrix = '', role = '']): [string, string, string, Readonly<Record<string, unknown>>, Who[]][] => [
    [matrix, role, 'tcp/22', { portfw_management: ['office', WHO.administrator] }, ['office', 'administrator']],
    // An entry for the row itself says more than the list for all hosts, in both directions.
    [
      matrix,
      role,
      'tcp/22',
      { portfw_management: ['office'], portfw_allow_from: { [`${role}/tcp/22`]: [WHO.administrator] } },
      ['administrator'],
    ],
    [
      matrix,
      role,
      'tcp/22',
      { portfw_management: ['office'], portfw_allow_from: { [`${role}/tcp/22`]: ['any'] } },
      EVERYONE,
    ],
  ]),
  // Administrators of whom nothing is known would be a locked door: then it stays as printed.
  ['portaswitch', 'server', 'tcp/22', { portfw_management: ['nameless'] }, EVERYONE],
];

describe('on the public side', () => {
  it.each(PUBLIC)('%s %s %s %j', (matrix, role, port, variables, who) => {
    const nameless = JSON.stringify(variables).includes('nameless');
    const given = nameless ? { ...variables, portfw_management: ['web1.example.net'] } : variables;
    const own = nameless ? { ansible_host: 'web1.example.net', ...given } : given;
    expect(openTo({ matrix, roles: [role], variables: own }, 'public', port).who).toEqual(
      EVERYONE.filter((name) => who.includes(name)),
    );
  });
});

describe('where nobody is known who may come, the port is closed and a note says so', () => {
  it.each([
    [
      'portaswitch',
      'master-db',
      'tcp/3306',
      'master-db/private/tcp/3306',
      /"database-clients"; give the hosts that play radius, web-admin, .* their portfw_roles/,
    ],
    ['portaswitch', 'replica-db', 'tcp/3307', 'replica-db/private/tcp/3307', /"database-clients"/],
    ['portaswitch', 'oracle-db', 'tcp/9521', 'oracle-db/private/tcp/9521', /"database-clients"/],
    [
      'portaswitch',
      'oracle-db',
      'tcp/1158',
      'oracle-db/private/tcp/1158',
      /"database-admins"; name its machines in portfw_peers/,
    ],
    ['img-gcems', 'gcems', 'tcp/5901', 'gcems/public/tcp/5901', /"remote-access"; name its machines in portfw_peers/],
    ['img-gcems', 'gcems', 'tcp/1312', 'gcems/public/tcp/1312', /"remote-access"/],
  ])('%s %s %s', (matrix, role, port, rule, said) => {
    const variables = role === 'gcems' ? {} : MOVED(role);
    const { who, notes } = openTo({ matrix, roles: [role], variables, alone: true }, 'public', port);
    expect(who).toEqual([]);
    const note = notes.find((text) => text.startsWith(`${rule} opens nothing`));
    expect(note).toMatch(said);
  });
});

describe('on the private side', () => {
  it.each<[string, Who[]]>([
    ['trusted', EVERYONE],
    ['peers', [...CLIENTS, 'configuration', 'a server of the site']],
    ['matrix', [...CLIENTS, 'configuration', 'a server of the site']],
  ])('NSCA comes from the servers of the site: %s', (mode, who) => {
    for (const matrix of ['portaswitch', 'portaswitch-ocs']) {
      const given = { matrix, roles: ['configuration'], variables: { portfw_private: mode } };
      const senders = matrix === 'portaswitch-ocs' && mode !== 'trusted' ? [...who, 'ocs'] : who;
      for (const port of ['tcp/5667', 'tcp/5668', 'udp/5667', 'udp/5668'])
        expect(openTo(given, 'private', port).who).toEqual(EVERYONE.filter((name) => senders.includes(name)));
      // What the servers download is printed without a sender.
      const patches = openTo(given, 'private', 'tcp/80').who;
      if (mode === 'matrix') expect(patches).toEqual(matrix === 'portaswitch' ? [] : EVERYONE);
    }
  });

  it('a trusted side needs neither sets nor notes for the servers of the site', () => {
    const outcome = outcomeOf({ matrix: 'portaswitch', roles: ['configuration'], alone: true });
    if (outcome.kind === 'refused') throw new Error(outcome.refusals[0]!.what);
    expect([...outcome.desired.ipsets.keys()]).toEqual([]);
    expect(outcome.notes.map(({ code }) => code)).toEqual(['open-to-all']);
  });

  it.each([
    ['trusted', EVERYONE],
    ['matrix', EVERYONE],
  ])('databases stay as the mode has them: %s', (mode, who) => {
    const given = { matrix: 'portaswitch', roles: ['master-db'], variables: { portfw_private: mode } };
    expect(openTo(given, 'private', 'tcp/3306').who).toEqual(who);
  });
});
