import { describe, expect, it } from 'vitest';
import { lostOpenings, servicePorts } from '../../../src/firewalld/filter/openings.ts';
import { readIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { readServiceXml } from '../../../src/firewalld/kinds/service.ts';
import { readZoneXml, type ZoneConfig } from '../../../src/firewalld/kinds/zone.ts';
import { letsIn } from '../../helpers/lets-in.ts';

const CONFIG: FirewalldConfig = {
  ...emptyLayer(),
  services: new Map(
    Object.entries({
      ssh: '<service><port port="22" protocol="tcp"/></service>',
      web: '<service><port port="80" protocol="tcp"/><port port="443" protocol="tcp"/></service>',
      ipsec:
        '<service><port port="500" protocol="udp"/><protocol value="esp"/><source-port port="4500" protocol="udp"/></service>',
      both: '<service><include service="ssh"/><include service="web"/><include service="both"/></service>',
      nothing: '<service/>',
    }).map(([name, text]) => [name, readServiceXml(name, text)]),
  ),
  ipsets: new Map([
    ['admins', readIpsetXml('admins', '<ipset type="hash:net"><entry>192.0.2.0/28</entry></ipset>')],
    ['empty', readIpsetXml('empty', '<ipset type="hash:net"/>')],
  ]),
};

function zone(inner: string, target = ''): ZoneConfig {
  return readZoneXml('z', `<zone${target === '' ? '' : ` target="${target}"`}>${inner}</zone>`);
}

describe('what a move to another zone closes', () => {
  it.each([
    ['a service', '<service name="ssh"/>', '', ['22/tcp (service ssh)']],
    ['a port', '<port port="8080" protocol="tcp"/>', '', ['8080/tcp']],
    [
      'what is open in both',
      '<service name="ssh"/><port port="80" protocol="tcp"/>',
      '<port port="22" protocol="tcp"/><service name="web"/>',
      [],
    ],
    ['the same service', '<service name="ipsec"/>', '<service name="ipsec"/>', []],
    [
      'a part of a range',
      '<port port="8000-8010" protocol="tcp"/>',
      '<port port="8002-8005" protocol="tcp"/>',
      ['8000-8001/tcp', '8006-8010/tcp'],
    ],
    [
      'the same port of another protocol',
      '<port port="53" protocol="udp"/>',
      '<port port="53" protocol="tcp"/>',
      ['53/udp'],
    ],
    [
      'a service that includes others',
      '<service name="both"/>',
      '<service name="ssh"/>',
      ['80/tcp (service both)', '443/tcp (service both)'],
    ],
    [
      'protocols and source ports of a service',
      '<service name="ipsec"/>',
      '<port port="500" protocol="udp"/>',
      ['protocol esp (service ipsec)', 'source port 4500/udp (service ipsec)'],
    ],
    ['a service that nobody knows', '<service name="mystery"/>', '', ['service mystery']],
    ['a service without anything', '<service name="nothing"/>', '', ['service nothing']],
    ['a protocol', '<protocol value="gre"/>', '', ['protocol gre']],
    ['a source port', '<source-port port="53" protocol="udp"/>', '', ['source port 53/udp']],
    ['masquerading', '<masquerade/>', '', ['masquerading']],
    ['a forward port', '<forward-port port="80" protocol="tcp" to-port="8080"/>', '', ['forward port 80:tcp:8080:']],
    ['an accepting rule', '<rule><service name="ssh"/><accept/></rule>', '', ['rule service name="ssh" accept']],
    ['no refusing rule', '<rule family="ipv4"><source address="192.0.2.1"/><drop/></rule>', '', []],
    ['no ICMP block', '<icmp-block name="redirect"/><rule><icmp-block name="redirect"/></rule>', '', []],
    ['a forwarding rule', '<rule family="ipv4"><masquerade/></rule>', '', ['rule family="ipv4" masquerade']],
    [
      'forwarding between two interfaces',
      '<forward/><interface name="a"/><interface name="b"/>',
      '',
      ["forwarding between the zone's interfaces"],
    ],
    ['forwarding with nobody to forward to', '<forward/><interface name="a"/>', '', []],
  ])('%s', (_what, before, after, lost) => {
    expect(lostOpenings(zone(before), CONFIG, zone(after), CONFIG)).toEqual(lost);
  });

  it('says of a zone that accepts everything that all the rest is closed', () => {
    const [first, ...rest] = lostOpenings(zone('<service name="ssh"/>', 'ACCEPT'), CONFIG, zone(''), CONFIG);
    expect(first).toContain('the old one accepts all');
    expect(rest).toEqual(['22/tcp (service ssh)']);
    const byRule = zone(`<service name="ssh"/>${TRUSTED}`);
    expect(lostOpenings(byRule, CONFIG, zone(''), CONFIG)).toEqual([first, ...rest]);
  });

  it('closes no port where the new zone accepts everything, but still what is forwarded', () => {
    const before = zone(
      '<service name="ssh"/><protocol value="gre"/><masquerade/><forward-port port="80" protocol="tcp" to-port="8080"/><rule family="ipv4"><masquerade/></rule>',
    );
    for (const after of [zone('', 'ACCEPT'), zone(TRUSTED)]) {
      expect(lostOpenings(before, CONFIG, after, CONFIG)).toEqual([
        'masquerading',
        'forward port 80:tcp:8080:',
        'rule family="ipv4" masquerade',
      ]);
    }
  });
});

it('finds the ports of services that include each other, and of none that is missing', () => {
  expect(servicePorts('both', CONFIG).map(({ range }) => range.first)).toEqual([22, 80, 443]);
  expect(servicePorts('mystery', CONFIG)).toEqual([]);
});

/** What makes a zone of ours trusted. */
const TRUSTED = '<rule priority="32767"><accept/></rule>';

const RULE = (inner: string) => zone(`<rule family="ipv4">${inner}</rule>`);

describe('whether a zone lets SSH in', () => {
  it.each<[string, ZoneConfig, boolean]>([
    ['nothing open', zone(''), false],
    ['target ACCEPT', zone('', 'ACCEPT'), true],
    ['a rule that accepts all', zone(TRUSTED), true],
    ['a rule that accepts all before the target drops', zone(TRUSTED, 'DROP'), true],
    [
      'the ICMP that a target leaves open',
      zone('<rule family="ipv6"><source address="fe80::/10"/><protocol value="ipv6-icmp"/><accept/></rule>', 'DROP'),
      false,
    ],
    ['target DROP', zone('', 'DROP'), false],
    ['the service', zone('<service name="ssh"/>'), true],
    ['a service that includes it', zone('<service name="both"/>'), true],
    ['a service that nobody knows', zone('<service name="mystery"/>'), false],
    ['a range', zone('<port port="20-30" protocol="tcp"/>'), true],
    ['the wrong protocol', zone('<port port="22" protocol="udp"/>'), false],
    ['a rule for its source', RULE('<source address="192.0.2.0/24"/><service name="ssh"/><accept/>'), true],
    ['a rule for another source', RULE('<source address="198.51.100.0/24"/><service name="ssh"/><accept/>'), false],
    ['a rule for an ipset', RULE('<source ipset="admins"/><port port="22" protocol="tcp"/><accept/>'), true],
    ['a rule for an empty ipset', RULE('<source ipset="empty"/><accept/>'), false],
    ['a rule for an ipset that is missing', RULE('<source ipset="gone"/><accept/>'), false],
    ['a rule for a MAC', RULE('<source mac="00:11:22:33:44:55"/><accept/>'), false],
    ['a rule for everything', RULE('<accept/>'), true],
    ['a rule for a port range', RULE('<port port="1-1024" protocol="tcp"/><accept/>'), true],
    ['a rule for its address', RULE('<destination address="192.0.2.10"/><accept/>'), true],
    ['a rule for another address', RULE('<destination address="192.0.2.80"/><accept/>'), false],
    ['a rule for an ipset of destinations', RULE('<destination ipset="admins"/><accept/>'), false],
    ['a rule for all but others', RULE('<source address="198.51.100.0/24" invert="yes"/><accept/>'), false],
    ['a rule that accepts within a limit', RULE('<service name="ssh"/><accept><limit value="1/m"/></accept>'), false],
    ['a rule for a protocol', RULE('<protocol value="tcp"/><accept/>'), false],
    ['a rule of the other family', zone('<rule family="ipv6"><accept/></rule>'), false],
    ['a rule without a family', zone('<rule><service name="ssh"/><accept/></rule>'), true],
  ])('%s', (_what, given, open) => {
    const knock = { source: '192.0.2.7', destination: '192.0.2.10', protocol: 'tcp', port: 22 };
    expect(letsIn(given, CONFIG, knock)).toBe(open);
  });

  it.each([
    ['its source', '<source address="192.0.2.7"/><reject/>', false],
    ['its port', '<service name="ssh"/><drop/>', false],
    ['everything', '<drop/>', false],
    ['its ipset', '<source ipset="admins"/><drop/>', false],
    ['an ipset that is missing: it may be in it', '<source ipset="gone"/><drop/>', false],
    ['a service that nobody knows: it may be SSH', '<service name="mystery"/><drop/>', false],
    ['a MAC: it may be ours', '<source mac="00:11:22:33:44:55"/><drop/>', false],
    ['all but some', '<source address="192.0.2.0/24" invert="yes"/><drop/>', false],
    ['another source', '<source address="203.0.113.0/24"/><drop/>', true],
    ['another port', '<port port="23" protocol="tcp"/><drop/>', true],
    ['another service', '<service name="web"/><reject/>', true],
    ['another address', '<destination address="192.0.2.80"/><drop/>', true],
  ])('whatever else is open, unless a rule refuses %s', (_what, inner, open) => {
    const knock = { source: '192.0.2.7', destination: '192.0.2.10', protocol: 'tcp', port: 22 };
    const given = zone(`<service name="ssh"/><rule family="ipv4">${inner}</rule>`, 'ACCEPT');
    expect(letsIn(given, CONFIG, knock)).toBe(open);
  });
});
