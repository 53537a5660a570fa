import { describe, expect, it } from 'vitest';
import { type Case, from, PUBLIC_OPEN, verdict } from './helpers/proof-case.ts';

function refusal(given: Case) {
  return verdict(given).refusals[0] ?? null;
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
      {
        desired: { 'portfw-private': '<zone><interface name="eth0"/><rule priority="32767"><accept/></rule></zone>' },
      },
    ],
    [
      'our zone accepts everything before its target drops the rest',
      {
        desired: {
          'portfw-private':
            '<zone target="DROP"><interface name="eth0"/><rule priority="32767"><accept/></rule></zone>',
        },
      },
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
    expect(refusal({ path: null, desired: OURS(''), runtime: {}, reload: true })).toBeNull();
  });
});

it('says how to keep the way open, in words that fit the inventory', () => {
  const refused = refusal({ desired: OURS(''), path: ['203.0.113.7', '192.0.2.10', 2222] });
  expect(refused?.what).toBe(
    'zone portfw-public would not let SSH in again: 203.0.113.7 to 192.0.2.10 port 2222/tcp on eth0; it does not open 2222/tcp',
  );
  expect(refused?.solve).toContain(
    'portfw_extra_rules: [{ name: ssh-2222, interface: public, protocol: tcp, port: 2222, from: [203.0.113.7]',
  );
});

it('one that is in portfw_management as well is refused once', () => {
  const { refusals } = verdict({ desired: OURS(''), management: from('203.0.113.7') });
  expect(refusals.map(({ what }) => what)).toEqual([
    'zone portfw-public would not let SSH in again: 203.0.113.7 to 192.0.2.10 port 22/tcp on eth0; it does not open 22/tcp',
  ]);
});
