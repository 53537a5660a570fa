import { describe, expect, it } from 'vitest';
import type { ControllerPath, InterfaceFacts } from '../../../src/facts/facts.ts';
import type { FirewalldConfig, ZoneConfig } from '../../../src/firewalld/model.ts';
import { readIpsetXml, readServiceXml, readZoneXml } from '../../../src/firewalld/read-xml.ts';
import { lockout } from '../../../src/plan/lockout.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';

const INTERFACES: readonly InterfaceFacts[] = [
  { name: 'lo', up: true, loopback: true, addresses: [{ address: '127.0.0.1', prefix: 8, family: 'ipv4' }] },
  {
    name: 'eth0',
    up: true,
    loopback: false,
    addresses: [
      { address: '192.0.2.10', prefix: 24, family: 'ipv4' },
      { address: '2001:db8::10', prefix: 64, family: 'ipv6' },
    ],
  },
  { name: 'eth1', up: true, loopback: false, addresses: [{ address: '198.51.100.10', prefix: 24, family: 'ipv4' }] },
];

const SERVICES = new Map([['ssh', readServiceXml('ssh', '<service><port port="22" protocol="tcp"/></service>')]]);
const IPSETS = new Map([
  ['admins', readIpsetXml('admins', '<ipset type="hash:net"><entry>203.0.113.0/24</entry></ipset>')],
]);

function layer(zones: Readonly<Record<string, string>>): FirewalldConfig {
  return {
    zones: new Map(Object.entries(zones).map(([name, text]) => [name, readZoneXml(name, text)])),
    services: SERVICES,
    ipsets: IPSETS,
  };
}

interface Case {
  /** Client, server and port of the session. */
  readonly path?: readonly [string, string, number];
  /** Zone → its XML, as it is to be. */
  readonly desired?: Readonly<Record<string, string>>;
  readonly runtime?: Readonly<Record<string, string>>;
  /** The files of others; as runtime when left out. */
  readonly permanent?: Readonly<Record<string, string>>;
  readonly reload?: boolean;
}

const PUBLIC_OPEN = { public: '<zone><service name="ssh"/></zone>' };

function refusal(given: Case) {
  const [clientAddress, serverAddress, serverPort] = given.path ?? ['203.0.113.7', '192.0.2.10', 22];
  const path: ControllerPath = { clientAddress, clientPort: 40000, serverAddress, serverPort };
  const zones = [...layer(given.desired ?? {}).zones].map(([name, config]) => {
    const titled: ZoneConfig = { ...config, short: `portfw ${name.replace('portfw-', '')}` };
    return [name, { config: titled, reasons: [], interfaces: [], services: [], richRules: [] }] as const;
  });
  const desired: DesiredFirewalld = {
    zones: new Map(zones),
    services: new Map(),
    ipsets: new Map([['portfw-site', { value: { ...IPSETS.get('admins')!, name: 'portfw-site' }, reasons: [] }]]),
  };
  const runtime = layer(given.runtime ?? PUBLIC_OPEN);
  const permanent = layer(given.permanent ?? given.runtime ?? PUBLIC_OPEN);
  const observed = { runtime, permanent, zoneTexts: new Map(), broken: [] };
  const input = { desired, observed, defaultZone: 'public', reload: given.reload ?? false };
  return lockout({ ...input, facts: { controllerPath: path, interfaces: INTERFACES } });
}

const OURS = (inner: string) => ({ 'portfw-public': `<zone><interface name="eth0"/>${inner}</zone>` });
const SSH = '<port port="22" protocol="tcp"/>';

describe('a plan that would lock its own controller out is refused', () => {
  it.each<[string, Case]>([
    ['our zone opens nothing', { desired: OURS('') }],
    [
      'our zone opens another port than that of sshd',
      { desired: OURS(SSH), path: ['203.0.113.7', '192.0.2.10', 2222] },
    ],
    [
      'our zone lets in others only',
      { desired: OURS('<rule family="ipv4"><source address="198.51.100.0/24"/><accept/></rule>') },
    ],
    [
      'our zone lets in the address family that we do not use',
      {
        desired: OURS(`<rule family="ipv4"><port port="22" protocol="tcp"/><accept/></rule>`),
        path: ['2001:db8:9::1', '2001:db8::10', 22],
      },
    ],
    [
      'a rule for the destination of a virtual address does not help',
      { desired: OURS('<rule family="ipv4"><destination address="192.0.2.80"/><accept/></rule>') },
    ],
    [
      'the zone that is bound to our address is there until the next boot only',
      {
        desired: OURS(''),
        runtime: { ...PUBLIC_OPEN, admin: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>` },
        permanent: PUBLIC_OPEN,
      },
    ],
    [
      'the zone that will be bound to our address is not in force yet',
      {
        desired: OURS(''),
        permanent: { ...PUBLIC_OPEN, admin: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>` },
      },
    ],
    [
      'the reload loads a zone that is bound to our address and drops',
      {
        desired: OURS(SSH),
        permanent: { ...PUBLIC_OPEN, drop: '<zone target="DROP"><source address="203.0.113.7"/></zone>' },
        reload: true,
      },
    ],
    [
      'the reload loses an opening of the zone that we came in by',
      { desired: {}, runtime: PUBLIC_OPEN, permanent: { public: '<zone/>' }, reload: true },
    ],
    [
      'the reload moves our interface to the zone of its file',
      {
        desired: {},
        runtime: { ...PUBLIC_OPEN, admin: `<zone><interface name="eth0"/>${SSH}</zone>` },
        permanent: { public: '<zone/>', admin: `<zone>${SSH}</zone>` },
        reload: true,
      },
    ],
    [
      'the reload puts a refusal into force',
      {
        desired: {},
        permanent: {
          public:
            '<zone><service name="ssh"/><rule family="ipv4"><source address="203.0.113.7"/><reject/></rule></zone>',
        },
        reload: true,
      },
    ],
  ])('%s', (_what, given) => {
    expect(refusal(given)?.code).toBe('lockout');
  });
});

describe('a plan that leaves the way in open is not', () => {
  it.each<[string, Case]>([
    ['our zone opens the port', { desired: OURS(SSH) }],
    [
      'our zone accepts everything',
      { desired: { 'portfw-private': '<zone target="ACCEPT"><interface name="eth0"/></zone>' } },
    ],
    [
      'our zone opens the port that sshd has',
      { desired: OURS('<port port="2200-2299" protocol="tcp"/>'), path: ['203.0.113.7', '192.0.2.10', 2222] },
    ],
    [
      'a rule of ours lets our address in',
      { desired: OURS('<rule family="ipv4"><source ipset="portfw-site"/><accept/></rule>') },
    ],
    ['over IPv6', { desired: OURS(SSH), path: ['2001:db8:9::1', '2001:db8::10', 22] }],
    ['our interface is left alone', { desired: { 'portfw-private': '<zone><interface name="eth1"/></zone>' } }],
    [
      'our interface is left alone, and the reload changes nothing there',
      { desired: { 'portfw-private': '<zone><interface name="eth1"/></zone>' }, reload: true },
    ],
    [
      'a zone that is bound to our address lets us in',
      {
        desired: OURS(''),
        runtime: { ...PUBLIC_OPEN, admin: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>` },
      },
    ],
    [
      'a zone that is bound to our ipset lets us in',
      { desired: OURS(''), runtime: { ...PUBLIC_OPEN, admin: `<zone><source ipset="admins"/>${SSH}</zone>` } },
    ],
    ['what waits in the files of others is not loaded', { desired: {}, permanent: { public: '<zone/>' } }],
    ['we came in through the loopback', { desired: OURS(''), path: ['127.0.0.1', '127.0.0.1', 22] }],
    [
      'the address that we came to is on no interface, as behind a translation on the host',
      { desired: OURS(''), path: ['203.0.113.7', '10.0.0.10', 22] },
    ],
    [
      'the reload closes a zone that did not let us in before either, as far as can be told',
      { desired: {}, runtime: { public: '<zone/>' }, permanent: { public: '<zone target="DROP"/>' }, reload: true },
    ],
  ])('%s', (_what, given) => {
    expect(refusal(given)).toBeNull();
  });

  it('over a local connection', () => {
    const observed = { runtime: layer({}), permanent: layer({}), zoneTexts: new Map(), broken: [] };
    const desired = { zones: new Map(), services: new Map(), ipsets: new Map() };
    const facts = { controllerPath: null, interfaces: INTERFACES };
    expect(lockout({ facts, desired, observed, defaultZone: 'public', reload: true })).toBeNull();
  });
});

it('says how to keep the way open, in words that fit the inventory', () => {
  const refused = refusal({ desired: OURS(''), path: ['203.0.113.7', '192.0.2.10', 2222] });
  expect(refused?.text).toBe(
    'zone portfw-public would not let SSH in again: 203.0.113.7 to 192.0.2.10 port 2222/tcp on eth0',
  );
  expect(refused?.hint).toContain(
    'portfw_extra_rules: [{ name: ssh-2222, interface: public, protocol: tcp, port: 2222, from: [203.0.113.7]',
  );
});
