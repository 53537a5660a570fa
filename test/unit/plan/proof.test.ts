import { describe, expect, it } from 'vitest';
import type { InterfaceFacts } from '../../../src/facts/facts.ts';
import { type Case, from, INTERFACES, PUBLIC_OPEN, verdict } from './helpers/proof-case.ts';

const OURS = (inner: string) => ({ 'portfw-public': `<zone><interface name="eth0"/>${inner}</zone>` });
const SSH = '<service name="ssh"/>';
const rule = (inner: string, priority = 0, family = 'ipv4') =>
  `<rule family="${family}"${priority === 0 ? '' : ` priority="${priority}"`}>${inner}</rule>`;
const US = '<source address="203.0.113.7"/>';

const policy = (given: Readonly<Record<string, unknown>>) => ({
  gate: { egress_zones: ['HOST'], ingress_zones: ['ANY'], priority: -10, target: 'CONTINUE', ...given },
});
const DROPS_US = ['rule family="ipv4" source address="203.0.113.0/24" drop'];

/** Zones of somebody else's beside ours, which the plan's reload puts into force. */
const beside = (zones: Readonly<Record<string, string>>): Case => ({
  desired: OURS(SSH),
  permanent: { ...PUBLIC_OPEN, ...zones },
  reload: true,
});

/** The same, in force already. */
const inForce = (zones: Readonly<Record<string, string>>): Case => ({
  desired: OURS(SSH),
  runtime: { ...PUBLIC_OPEN, ...zones },
});

describe('what would cut us', () => {
  it.each<[string, Case, RegExp]>([
    [
      'a source zone, by network',
      beside({ jail: '<zone target="DROP"><source address="203.0.113.0/28"/></zone>' }),
      /zone jail.* its target is DROP/,
    ],
    [
      'a source zone that opens nothing',
      beside({ jail: '<zone><source address="203.0.113.7"/></zone>' }),
      /zone jail.* does not open 22\/tcp/,
    ],
    ['a source zone, by ipset', beside({ jail: '<zone><source ipset="admins"/></zone>' }), /zone jail/],
    [
      'the first of two source zones, by name',
      beside({
        alpha: '<zone><source address="203.0.113.0/24"/></zone>',
        beta: `<zone><source address="203.0.113.7"/>${SSH}</zone>`,
      }),
      /zone alpha/,
    ],
    [
      'a zone of a lower priority (2.0)',
      {
        ...beside({
          alpha: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>`,
          beta: '<zone ingress-priority="-1"><source address="203.0.113.7"/></zone>',
        }),
        version: '2.3.1',
      },
      /zone beta/,
    ],
    [
      'a zone without an ingress priority, whose priority is lower (2.0)',
      {
        ...beside({
          alpha: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>`,
          beta: '<zone priority="-1"><source address="203.0.113.7"/></zone>',
        }),
        version: '2.3.1',
      },
      /zone beta/,
    ],
    [
      'a refusal before a permission, at equal priority',
      { desired: OURS(`${rule(`${US}<accept/>`)}${rule(`${US}<drop/>`)}`) },
      /portfw-public .* drops it/,
    ],
    ['a refusal below 0 before a service', { desired: OURS(`${SSH}${rule(`${US}<reject/>`, -1)}`) }, /rejects it/],
    [
      'a permission above 0 after a target',
      { desired: { 'portfw-public': '<zone target="DROP"><interface name="eth0"/></zone>' } },
      /its target is DROP/,
    ],
    [
      'a refusal of everybody but others',
      { desired: OURS(`${SSH}${rule('<source address="198.51.100.0/24" invert="True"/><drop/>')}`) },
      /drops it/,
    ],
    [
      'a permission of everybody but us',
      { desired: OURS(rule('<source address="203.0.113.0/24" invert="True"/><service name="ssh"/><accept/>')) },
      /does not open/,
    ],
    [
      'a permission at a rate',
      { desired: OURS('<rule><service name="ssh"/><accept><limit value="3/m"/></accept></rule>') },
      /does not open/,
    ],
    [
      'a permission by MAC',
      { desired: OURS('<rule><source mac="00:00:5E:00:53:01"/><accept/></rule>') },
      /does not open/,
    ],
    [
      'a permission for an ipset whose entries fade',
      { desired: OURS(rule('<source ipset="fading"/><accept/>')) },
      /does not open/,
    ],
    ['a service for another address', { desired: OURS('<service name="admin-elsewhere"/>') }, /does not open/],
    ['a service that is not known', { desired: OURS('<service name="nowhere"/>') }, /does not open/],
    [
      'a forward port on the port of sshd',
      { desired: OURS(`${SSH}<forward-port port="22" protocol="tcp" to-port="2222"/>`) },
      /forward port 22:tcp:2222: takes it elsewhere/,
    ],
    [
      'a forward port of a rich rule',
      {
        desired: OURS(`${SSH}${rule('<forward-port port="20-30" protocol="tcp" to-port="80" to-addr="192.0.2.77"/>')}`),
      },
      /takes it elsewhere/,
    ],
    [
      'a policy that the new zone brings into force',
      { desired: OURS(SSH), policies: policy({ ingress_zones: ['portfw-public'], rich_rules: DROPS_US }) },
      /policy gate .* drops it/,
    ],
    [
      'a policy of a file, in force with the binding alone',
      {
        desired: OURS(SSH),
        files: {
          'policies/gate.xml': `<policy target="DROP" priority="-5"><ingress-zone name="portfw-public"/><egress-zone name="HOST"/></policy>`,
        },
      },
      /policy gate .* its target is DROP/,
    ],
    [
      'a default zone that only the next boot has',
      {
        desired: { 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        reload: true,
        files: { 'firewalld.conf': 'DefaultZone=drop\n' },
      },
      /zone drop/,
    ],
    [
      'a connection of NetworkManager that names another zone at boot',
      { desired: {}, reload: true, runtime: { ...PUBLIC_OPEN, jail: '<zone/>' }, networkManager: { eth0: 'jail' } },
      /zone jail/,
    ],
  ])('%s', (_what, given, text) => {
    const { refusals } = verdict(given);
    expect(refusals.map((one) => one.what).join('\n')).toMatch(text);
    expect(refusals[0]!.code).toBe('lockout');
  });
});

describe('what does not cut us', () => {
  it.each<[string, Case]>([
    ['a source zone of others', beside({ jail: '<zone target="DROP"><source address="203.0.113.0/30"/></zone>' })],
    ['a source zone of the other family', beside({ jail: '<zone target="DROP"><source ipset="six"/></zone>' })],
    [
      'a source zone that opens the port',
      beside({
        alpha: `<zone><source address="203.0.113.0/24"/>${SSH}</zone>`,
        beta: '<zone target="DROP"><source address="203.0.113.7"/></zone>',
      }),
    ],
    [
      'a source zone that does not decide, where zones drift (0.9)',
      { ...beside({ jail: '<zone><source address="203.0.113.7"/></zone>' }), version: '0.9.3', drifting: true },
    ],
    [
      'an interface that is asked before any source (2.0)',
      {
        desired: {},
        reload: true,
        version: '2.3.1',
        runtime: {
          outer: `<zone priority="-10"><interface name="eth0"/>${SSH}</zone>`,
          jail: '<zone target="DROP"><source address="203.0.113.7"/></zone>',
        },
      },
    ],
    [
      'a permission below 0 before a refusal',
      { desired: OURS(`${rule(`${US}<accept/>`, -1)}${rule(`${US}<drop/>`)}`) },
    ],
    ['a refusal above 0 after the service', { desired: OURS(`${SSH}${rule(`${US}<drop/>`, 1)}`) }],
    ['a permission above 0 before the end', { desired: OURS(rule(`${US}<accept/>`, 5)) }],
    [
      'a log line with a limit',
      { desired: OURS('<rule><service name="ssh"/><log prefix="x"><limit value="1/m"/></log><accept/></rule>') },
    ],
    [
      'a refusal of ICMP',
      {
        desired: OURS(
          `${SSH}<rule><icmp-block name="echo-request"/></rule><rule><icmp-type name="echo-reply"/><drop/></rule>`,
        ),
      },
    ],
    ['a service within a service', { desired: OURS('<service name="admin"/>') }],
    ['a service for this address', { desired: OURS('<service name="admin-here"/>') }],
    ['the protocol as a whole', { desired: OURS('<protocol value="tcp"/>') }],
    [
      'a forward port of the other family',
      { desired: OURS(`${SSH}<forward-port port="22" protocol="tcp" to-port="22" to-addr="2001:db8::77"/>`) },
    ],
    ['a forward port to the very port', { desired: OURS('<forward-port port="22" protocol="tcp" to-port="22"/>') }],
    [
      'a policy that lets us in before a zone that opens nothing',
      {
        desired: OURS(''),
        policies: policy({ services: ['ssh'] }),
        files: {
          'policies/gate.xml':
            '<policy target="CONTINUE" priority="-10"><ingress-zone name="ANY"/><egress-zone name="HOST"/><service name="ssh"/></policy>',
        },
      },
    ],
    [
      'a policy about what is forwarded',
      { desired: OURS(SSH), policies: policy({ egress_zones: ['ANY'], target: 'DROP' }) },
    ],
    [
      'a policy that drops us now as well, as far as we can tell',
      { desired: {}, policies: policy({ rich_rules: DROPS_US }) },
    ],
    ['our own zone, named by NetworkManager', { desired: OURS(SSH), networkManager: { eth0: 'portfw-public' } }],
  ])('%s', (_what, given) => {
    expect(verdict(given).refusals).toEqual([]);
  });

  it('says of a MAC that is bound to a zone, before as after, that nothing is proved', () => {
    const { refusals, notes } = verdict(
      inForce({ jail: '<zone target="DROP"><source mac="00:00:5E:00:53:01"/></zone>' }),
    );
    expect(refusals).toEqual([]);
    expect(notes.map(({ code }) => code)).toContain('lockout-unproved');
  });

  it('does not hide behind such a doubt what is certain', () => {
    const jail = '<zone target="DROP"><source mac="00:00:5E:00:53:01"/></zone>';
    expect(verdict({ ...inForce({ jail }), desired: OURS('') }).refusals[0]?.what).toContain('zone portfw-public');
  });

  it('refuses a doubt that the plan itself makes', () => {
    const { refusals } = verdict({ desired: OURS(`${SSH}<rule><source mac="00:00:5E:00:53:01"/><drop/></rule>`) });
    expect(refusals[0]?.what).toContain('mac="00:00:5E:00:53:01"');
  });

  it('says of direct rules that they come first', () => {
    const direct = [
      "rule ipv4 filter INPUT 0 ['-p', 'tcp', '-j', 'DROP']",
      "rule ipv4 filter FORWARD 0 ['-j', 'DROP']",
    ];
    const file =
      '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="1">-s 192.0.2.1 -j DROP</rule></direct>';
    const { notes } = verdict({ desired: OURS(SSH), direct, files: { 'direct.xml': file } });
    expect(notes.at(-1)?.text).toBe(
      'direct rules are evaluated before all zones, and the proof does not cover what they do to SSH: rule ipv4 filter INPUT 0 -p tcp -j DROP, rule ipv4 filter INPUT 1 -s 192.0.2.1 -j DROP',
    );
  });

  it('notes what would cut us at the next boot without our doing', () => {
    const { refusals, notes } = verdict({ desired: {}, permanent: { public: '<zone/>' } });
    expect(refusals).toEqual([]);
    expect(notes[0]?.text).toMatch(/zone public might not let SSH in after a reload or reboot/);
  });
});

describe('portfw_management', () => {
  const texts = (given: Case) => verdict(given).refusals.map(({ what }) => what);

  it.each<[string, Case, RegExp]>([
    [
      'a network of which a rule lets in a half',
      {
        desired: OURS(rule('<source address="203.0.113.0/25"/><service name="ssh"/><accept/>')),
        management: from('203.0.113.0/24'),
      },
      /203\.0\.113\.128\/25 \(of 203\.0\.113\.0\/24 in portfw_management\) to 192\.0\.2\.10 port 22\/tcp on eth0; it does not open 22\/tcp/,
    ],
    [
      'a network with one banned address',
      { desired: OURS(`${SSH}${rule('<source ipset="banned"/><drop/>')}`), management: from('203.0.113.0/24') },
      /203\.0\.113\.66 \(of .*ipset="banned" drop" drops it/,
    ],
    [
      'a network that a source zone cuts through',
      {
        ...beside({ jail: '<zone target="DROP"><source address="203.0.113.128/26"/></zone>' }),
        management: from('203.0.113.0/24'),
      },
      /203\.0\.113\.128\/26/,
    ],
    [
      'IPv6, where the zone is open for IPv4',
      { desired: OURS(rule('<service name="ssh"/><accept/>')), management: from('2001:db8:9::/48') },
      /2001:db8:9::\/48 to 2001:db8::10 port 22/,
    ],
    [
      'the network of another interface',
      {
        desired: { ...OURS(SSH), 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        management: from('198.51.100.0/25'),
      },
      /198\.51\.100\.0\/29, .* to 198\.51\.100\.10 port 22\/tcp on eth1/,
    ],
    [
      'the part of a network that is behind another interface',
      {
        desired: { ...OURS(SSH), 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        management: from('198.51.100.0/23'),
      },
      /on eth1/,
    ],
    [
      "sshd's own port, over a local connection",
      {
        path: null,
        desired: OURS(SSH),
        management: from('203.0.113.9'),
        sshd: { 2222: '0.0.0.0' },
        interfaces: INTERFACES.slice(0, 2),
      },
      /port 2222\/tcp/,
    ],
    [
      'what somebody else cuts with or without the plan',
      {
        desired: { 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        runtime: { public: '<zone/>' },
        management: from('203.0.113.9'),
      },
      /zone public would not let SSH in again/,
    ],
  ])('is refused: %s', (_what, given, text) => {
    expect(texts(given).join('\n')).toMatch(text);
  });

  it.each<[string, Case]>([
    [
      'a network that two rules let in half each',
      {
        desired: OURS(
          `${rule('<source address="203.0.113.0/25"/><accept/>')}${rule('<source address="203.0.113.128/25"/><accept/>')}`,
        ),
        management: from('203.0.113.0/24'),
      },
    ],
    ['every address there is', { desired: OURS(SSH), management: from('0.0.0.0/1', '::/0') }],
    [
      'the network of another interface that is open',
      {
        desired: {
          ...OURS(SSH),
          'portfw-private': '<zone><interface name="eth1"/><rule priority="32767"><accept/></rule></zone>',
        },
        management: from('198.51.100.0/24'),
      },
    ],
    [
      'the rest of a network, by the way that the controller came',
      {
        desired: { ...OURS(SSH), 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        management: from('198.51.101.0/24'),
      },
    ],
    [
      "the host's own address",
      {
        desired: { ...OURS(SSH), 'portfw-private': '<zone><interface name="eth1"/></zone>' },
        management: from('198.51.100.10'),
      },
    ],
    [
      'over a local connection, by any interface',
      {
        path: null,
        desired: { ...OURS(''), 'portfw-private': `<zone><interface name="eth1"/>${SSH}</zone>` },
        management: from('203.0.113.9'),
      },
    ],
    ['a plan that changes nothing', { desired: OURS(''), management: from('203.0.113.9'), changes: false }],
  ])('is not refused: %s', (_what, given) => {
    expect(texts(given)).toEqual([]);
  });

  it('names all that one rule cuts in one refusal, with the line to add', () => {
    const { refusals } = verdict({
      path: null,
      desired: OURS(''),
      management: from('203.0.113.9', '2001:db8:9::/48'),
      interfaces: INTERFACES.slice(0, 2),
    });
    expect(refusals).toHaveLength(1);
    expect(refusals[0]!.solve).toBe(
      "add to the inventory: portfw_extra_rules: [{ name: ssh-22, interface: public, protocol: tcp, port: 22, from: [203.0.113.9, '2001:db8:9::/48'], owner: YOU, reason: administration }]",
    );
  });

  it('keeps the line short where a rule cuts many holes', () => {
    const every = Array.from({ length: 40 }, (_, at) => rule(`<source address="203.0.113.${at * 4}"/><accept/>`)).join(
      '',
    );
    const { refusals } = verdict({
      path: null,
      desired: OURS(every),
      management: from('203.0.113.0/24'),
      interfaces: INTERFACES.slice(0, 2),
    });
    expect(refusals[0]!.solve).toContain('from: [203.0.113.0/24]');
    expect(refusals[0]!.what.length).toBeLessThan(400);
  });

  it('is worked out in time for sets of tens of thousands of addresses', () => {
    const entries = Array.from({ length: 30_000 }, (_, at) => `10.${at >> 7}.${(at & 127) * 2}.1`);
    const began = performance.now();
    const { refusals } = verdict({
      desired: OURS(`${SSH}${rule('<source ipset="portfw-many"/><drop/>')}`),
      management: from('10.0.0.0/8'),
      many: entries,
    });
    expect(refusals[0]?.what).toContain('ipset="portfw-many"');
    expect(performance.now() - began).toBeLessThan(10_000);
  }, 30_000);

  it('says what nothing is known about', () => {
    const { refusals, notes } = verdict({
      desired: OURS(SSH),
      management: [{ given: 'office', addresses: [] }, ...from('2001:db8:9::1')],
      interfaces: INTERFACES.map(
        (item): InterfaceFacts => ({ ...item, addresses: item.addresses.filter(({ family }) => family === 'ipv4') }),
      ),
    });
    expect(refusals).toEqual([]);
    expect(notes.map(({ text }) => text)).toEqual([
      'portfw_management: no address of office is known',
      'portfw_management: 2001:db8:9::1 cannot connect over IPv6: the host has no IPv6 address',
    ]);
  });
});

describe('a rollback of a plan that reloads, on a host that cannot rehearse', () => {
  const shut = '<zone><interface name="eth0"/></zone>';
  const given: Case = {
    runtime: { public: `<zone><interface name="eth0"/>${SSH}</zone>` },
    permanent: { public: shut },
    desired: { 'portfw-public': `<zone><interface name="eth0"/>${SSH}</zone>` },
  };

  it('is refused where the files as they are shut SSH', () => {
    const { refusals } = verdict({ ...given, reload: true });
    expect(refusals.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^.*zone public.* would not let SSH in again after a rollback: 203\.0\.113\.7/),
    ]);
    expect(verdict({ ...given, reload: false }).refusals).toEqual([]);
  });
});

describe('an address on no interface, as behind a translation', () => {
  const path = ['203.0.113.7', '10.0.0.10', 22] as const;

  it('is proved where every interface lets us in', () => {
    const zones = { 'portfw-public': `<zone><interface name="eth0"/><interface name="eth1"/>${SSH}</zone>` };
    expect(verdict({ path, desired: zones })).toMatchObject({ refusals: [], notes: [] });
  });

  it('is noted where one does not', () => {
    const { refusals, notes } = verdict({ path, desired: OURS('') });
    expect(refusals).toEqual([]);
    expect(notes[0]).toMatchObject({ code: 'entrance-unknown', text: expect.stringContaining('on eth0') });
  });
});

describe('a plan that starts firewalld', () => {
  it('is refused where a zone of ours would cut us', () => {
    const { refusals } = verdict({ starts: true, desired: OURS(SSH), path: ['203.0.113.7', '192.0.2.10', 2222] });
    expect(refusals[0]?.solve).toContain('name: ssh-2222');
  });

  it('is refused where the stock zone would, which lets nothing in today either', () => {
    const { refusals } = verdict({
      starts: true,
      desired: { 'portfw-private': '<zone><interface name="eth1"/></zone>' },
      runtime: { public: '<zone><service name="ssh"/></zone>' },
      path: ['203.0.113.7', '192.0.2.10', 2222],
    });
    expect(refusals[0]?.what).toMatch(
      /^the plan must start firewalld, and zone public \(as in its file\) would not let SSH in again: /,
    );
    expect(refusals[0]?.solve).toContain('portfw_interfaces: { public: [eth0] }');
  });

  it('goes on where SSH gets in', () => {
    expect(verdict({ starts: true, desired: OURS(SSH), management: from('203.0.113.0/24') }).refusals).toEqual([]);
  });
});
