import { describe, expect, it } from 'vitest';
import { parsePortRange } from '../../../src/core/ports.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import { doubtfulServices } from '../../../src/policy/open-to-all.ts';
import { inputOf } from './helpers/cases.ts';

describe('services that are worth a question', () => {
  it.each([
    ['SSH', 'tcp/22'],
    ['VNC', 'tcp/5901'],
    ['VNC', 'tcp/5800-5900'],
    ['Telnet', 'tcp/23'],
    ['FTP', 'tcp/20'],
    ['FTP', 'tcp/21'],
    ['TFTP', 'udp/69'],
    ['SNMP', 'tcp/161'],
    ['SNMP', 'udp/162'],
    ['the portmapper', 'udp/111'],
    ['the portmapper', 'tcp/111'],
    ['the monitoring web interface', 'tcp/8700'],
    ['MySQL', 'tcp/3306'],
    ['MySQL', 'tcp/3307'],
    ['the Oracle database', 'tcp/9521'],
    ['Oracle Enterprise Manager', 'tcp/1158'],
    ['FTP, SSH, Telnet', 'tcp/1-100'],
    ['TFTP, the portmapper, SNMP', 'udp/1-1000'],
    ['', 'udp/22'],
    ['', 'tcp/69'],
    ['', 'tcp/443'],
    ['', 'udp/35000-65000'],
    ['', 'tcp/24-110'],
  ])('%s: %s', (names, port) => {
    const [protocol = '', text = ''] = port.split('/');
    const range = parsePortRange(text);
    if (typeof range === 'string') throw new Error(range);
    expect(
      doubtfulServices(protocol, range)
        .map(({ name }) => name)
        .join(', '),
    ).toBe(names);
  });
});

/** The doubts of a plan for a host with these roles. */
function doubts(
  matrix: string,
  roles: readonly string[],
  variables: Readonly<Record<string, unknown>> = {},
  interfaces: Readonly<Record<string, string>> = { public: 'eth0', private: 'eth1' },
): string[] {
  const outcome = buildDesired(
    inputOf({
      matrix,
      roles,
      facts: {
        interfaces: { eth0: ['203.0.113.10/24'], eth1: ['198.51.100.10/24'] },
        rpc: ['100005 3 udp 20048 mountd'],
      },
      inventory: {
        all: {
          hosts: {
            'web1.example.net': { ansible_host: '203.0.113.10', portfw_interfaces: interfaces, ...variables },
          },
        },
      },
    }),
  );
  if (outcome.kind === 'refused') throw new Error(outcome.refusals.map(({ what }) => what).join('\n'));
  const found = outcome.notes.filter(({ code }) => code === 'open-to-all');
  expect(new Set(found.map(({ severity }) => severity))).toEqual(new Set(found.length === 0 ? [] : ['warning']));
  return found.map(({ text }) => text.replace(/ is open to anybody.*/, ''));
}

const extra = (name: string, protocol: string, ports: string, more: object = {}) => ({
  name,
  interface: 'public',
  protocol,
  ports: [ports],
  owner: 'ops',
  reason: 'test',
  ...more,
});
const MANAGED = { portfw_management: ['192.0.2.0/24'] };

describe('a plan asks once about each that anybody may reach', () => {
  it.each<[string, string[], string[], Readonly<Record<string, unknown>>]>([
    [
      'as the table has it',
      ['server', 'configuration', 'web-admin'],
      ['the monitoring web interface (tcp/8700)', 'SSH (tcp/22)', 'TFTP (udp/69)'],
      {},
    ],
    ['narrowed by portfw_management', ['server', 'web-admin'], ['TFTP (udp/69)'], MANAGED],
    [
      'narrowed by portfw_allow_from',
      ['server', 'web-admin'],
      ['TFTP (udp/69)'],
      { portfw_allow_from: { server: ['192.0.2.1'] } },
    ],
    ['narrowed to everybody', ['server'], ['SSH (tcp/22)'], { portfw_allow_from: { server: ['0.0.0.0/0'] } }],
    ['managed from everywhere', ['server'], ['SSH (tcp/22)'], { portfw_management: ['::/0'] }],
    [
      'said to be meant',
      ['server', 'web-admin'],
      [],
      { portfw_allow_from: { server: ['any'], 'web-admin/69': ['any'] } },
    ],
    [
      'a database towards its clients',
      ['server', 'master-db'],
      [],
      { ...MANAGED, portfw_role_interfaces: { 'master-db': 'public' } },
    ],
    [
      'a database towards everybody',
      ['server', 'master-db'],
      ['MySQL (tcp/3306)'],
      {
        ...MANAGED,
        portfw_role_interfaces: { 'master-db': 'public' },
        portfw_peers: { 'database-clients': ['0.0.0.0/1', '128.0.0.0/1'] },
      },
    ],
    [
      'a range',
      ['server'],
      ['VNC (tcp/5900-5950)'],
      { ...MANAGED, portfw_extra_rules: [extra('desktops', 'tcp', '5900-5950')] },
    ],
    [
      'two rules for one service',
      ['server'],
      ['SNMP (udp/161, tcp/161)'],
      { ...MANAGED, portfw_extra_rules: [extra('a', 'udp', '161'), extra('b', 'tcp', '161')] },
    ],
    [
      'an extra rule that limits who may connect',
      ['server'],
      [],
      { ...MANAGED, portfw_extra_rules: [extra('a', 'tcp', '23', { from: ['192.0.2.1'] })] },
    ],
    [
      'an extra rule that is meant',
      ['server'],
      [],
      { ...MANAGED, portfw_extra_rules: [extra('a', 'tcp', '23', { from: ['any'] })] },
    ],
    [
      'an extra rule that has expired',
      ['server'],
      [],
      { ...MANAGED, portfw_extra_rules: [extra('a', 'tcp', '23', { expires: '2026-01-01' })] },
    ],
    [
      'an extra rule on the private side',
      ['server'],
      [],
      { ...MANAGED, portfw_extra_rules: [extra('a', 'tcp', '23', { interface: 'private' })] },
    ],
    [
      'a virtual address',
      ['server'],
      ['Telnet (tcp/23)'],
      {
        ...MANAGED,
        portfw_vips: ['203.0.113.45'],
        portfw_extra_rules: [extra('a', 'tcp', '23', { interface: 'vip' })],
      },
    ],
  ])('%s', (_name, roles, expected, variables) => {
    expect(doubts('portaswitch', roles, variables)).toEqual(expected);
  });

  it('of a GCEMS asks about SSH alone', () => {
    const sides = { public: 'eth0', control: 'eth1' };
    expect(doubts('img-gcems', ['gcems'], {}, sides)).toEqual(['SSH (tcp/22)']);
    expect(doubts('img-gcems', ['gcems'], MANAGED, sides)).toEqual([]);
  });

  it('counts an interface that is public as well, and none that the host has not', () => {
    const shared = { public: 'eth0', private: 'eth0' };
    expect(doubts('portaswitch', ['server', 'master-db'], { ...MANAGED, portfw_private: 'matrix' }, shared)).toEqual([
      'MySQL (tcp/3306)',
    ]);
    expect(doubts('portaswitch', ['server', 'master-db'], {}, { private: 'eth1' })).toEqual([]);
  });

  it('gives the line that narrows it', () => {
    const outcome = buildDesired(
      inputOf({
        matrix: 'portaswitch',
        roles: ['server', 'web-admin'],
        facts: { interfaces: { eth0: ['203.0.113.10/24'] } },
        inventory: {
          all: {
            hosts: {
              'web1.example.net': {
                ansible_host: '203.0.113.10',
                portfw_extra_rules: [extra('console', 'tcp', '23')],
              },
            },
          },
        },
      }),
    );
    const lines = outcome.notes.map(({ text }) => /narrow it with (.*), or say with (.*) that/.exec(text)?.slice(1));
    expect(lines).toEqual([
      ['portfw_management: [NETWORKS]', 'portfw_allow_from: { server/tcp/22: [any] }'],
      ['portfw_allow_from: { web-admin/udp/69: [NETWORKS] }', 'portfw_allow_from: { web-admin/udp/69: [any] }'],
      ['from: [NETWORKS] in the extra rule console', 'from: [any] in the extra rule console'],
    ]);
  });
});
