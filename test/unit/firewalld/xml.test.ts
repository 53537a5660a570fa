import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PortRange } from '../../../src/core/ports.ts';
import type { RunningFirewalld } from '../../../src/facts/facts.ts';
import { type IpsetConfig, readIpsetXml, writeIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import { readServiceXml, type ServiceConfig, writeServiceXml } from '../../../src/firewalld/kinds/service.ts';
import { readZoneXml, writeZoneXml, type ZoneConfig } from '../../../src/firewalld/kinds/zone.ts';
import type { PortProtocol } from '../../../src/firewalld/model.ts';
import { normalisePorts, normaliseStrings } from '../../../src/firewalld/normalise.ts';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { ACCEPT_ALL, acceptRule, NEEDED_ICMP, normaliseRules } from '../../../src/firewalld/rich-rule.ts';
import { withoutInterface } from '../../../src/firewalld/without-interface.ts';
import { XmlError } from '../../../src/firewalld/xml.ts';
import { NOTHING_RUNS } from '../plan/helpers/nothing.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/);
/** Texts of matrices and inventories: anything but control characters, with nothing around it. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .map((given) => given.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ').trim())
  .filter((given) => !/[\uFFFE\uFFFF]/.test(given));
const range = fc
  .tuple(fc.integer({ min: 1, max: 65535 }), fc.nat(100))
  .map(([first, more]): PortRange => ({ first, last: Math.min(first + more, 65535) }));
const port: fc.Arbitrary<PortProtocol> = fc.record({ protocol: fc.constantFrom('tcp', 'udp'), range });
const strings = (item: fc.Arbitrary<string>) => fc.array(item, { maxLength: 4 }).map(normaliseStrings);

const rule = fc
  .record({
    family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
    sourceIpset: fc.option(name),
    destination: fc.option(fc.constantFrom('192.0.2.80', '2001:db8::80')),
    what: fc.oneof(fc.record({ service: name }), fc.record({ port: range })),
  })
  .map(({ what, ...rest }) =>
    acceptRule({
      ...rest,
      service: 'service' in what ? what.service : null,
      port: 'port' in what ? { port: String(what.port.first), protocol: 'udp' } : null,
    }),
  );

const anyRule = fc.oneof(rule, fc.constantFrom(ACCEPT_ALL, ...NEEDED_ICMP));

const zone: fc.Arbitrary<ZoneConfig> = fc.record({
  name,
  short: text,
  description: text,
  target: fc.constantFrom('default' as const, 'ACCEPT' as const, 'DROP' as const, '%%REJECT%%' as const),
  interfaces: strings(fc.stringMatching(/^[a-zA-Z0-9_.@-]{1,15}$/)),
  sources: fc.constant([]),
  services: strings(name),
  ports: fc.constant([]),
  protocols: fc.constant([]),
  sourcePorts: fc.constant([]),
  icmpBlocks: fc.constant([]),
  icmpBlockInversion: fc.constant(false),
  masquerade: fc.constant(false),
  forward: fc.boolean(),
  forwardPorts: fc.constant([]),
  richRules: fc.array(anyRule, { maxLength: 4 }).map(normaliseRules),
});

const service: fc.Arbitrary<ServiceConfig> = fc.record({
  name,
  short: text,
  description: text,
  ports: fc.array(port, { maxLength: 5 }).map(normalisePorts),
  protocols: fc.constant([]),
  sourcePorts: fc.constant([]),
  helpers: strings(fc.constantFrom('ftp', 'tftp')),
  modules: fc.constant([]),
  includes: fc.constant([]),
  destination: fc.constant({ ipv4: null, ipv6: null }),
});

const ipset: fc.Arbitrary<IpsetConfig> = fc.boolean().chain((six) =>
  fc.record({
    name,
    short: text,
    description: text,
    type: fc.constant('hash:net'),
    family: fc.constant(six ? ('ipv6' as const) : ('ipv4' as const)),
    options: fc.constant(six ? { family: 'inet6' } : ({} as Record<string, string>)),
    entries: strings(six ? fc.ipV6() : fc.ipV4()),
  }),
);

describe('what is written reads the same', () => {
  it('zones', () => {
    fc.assert(
      fc.property(zone, (given) => {
        expect(readZoneXml(given.name, writeZoneXml(given))).toEqual(given);
      }),
    );
  });
  it('services', () => {
    fc.assert(
      fc.property(service, (given) => {
        expect(readServiceXml(given.name, writeServiceXml(given))).toEqual(given);
      }),
    );
  });
  it('ipsets', () => {
    fc.assert(
      fc.property(ipset, (given) => {
        expect(readIpsetXml(given.name, writeIpsetXml(given))).toEqual(given);
      }),
    );
  });
});

it('writes a file that an admin can read', () => {
  expect(
    writeZoneXml({
      name: 'portfw-public',
      short: 'portfw public',
      description: "R&D's",
      target: 'default',
      interfaces: ['eth0'],
      sources: [],
      services: ['portfw-server-public'],
      ports: [],
      protocols: [],
      sourcePorts: [],
      icmpBlocks: [],
      icmpBlockInversion: false,
      masquerade: false,
      forward: false,
      forwardPorts: [],
      richRules: [
        acceptRule({
          family: 'ipv4',
          sourceIpset: 'portfw-peer-img',
          destination: '192.0.2.80',
          service: 'portfw-gcems-control',
          port: null,
        }),
      ],
    }),
  ).toBe(`<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>portfw public</short>
  <description>R&#38;D&#39;s</description>
  <interface name="eth0"/>
  <service name="portfw-server-public"/>
  <rule family="ipv4">
    <source ipset="portfw-peer-img"/>
    <destination address="192.0.2.80"/>
    <service name="portfw-gcems-control"/>
    <accept/>
  </rule>
</zone>
`);
});

describe('files that firewalld cannot use', () => {
  it.each([
    ['empty', ''],
    ['not XML', 'zone'],
    ['an element left open', '<zone><service name="ssh"></zone>'],
    ['the end missing', '<zone><service name="ssh"/>'],
    ['two roots', '<zone/><zone/>'],
    ['text behind the root', '<zone/>oops'],
    ['an attribute twice', '<zone><service name="a" name="b"/></zone>'],
    ['a bare ampersand', '<zone><short>R&D</short></zone>'],
    ['an entity nobody declared', '<zone><short>&who;</short></zone>'],
    ['a DOCTYPE', '<!DOCTYPE zone [<!ENTITY a "b">]><zone><short>&a;</short></zone>'],
    ['a DOCTYPE without entities', '<!DOCTYPE zone><zone/>'],
    ['a doctype in small letters', '<!doctype zone><zone/>'],
    ['another root', '<service/>'],
    ['an unknown target', '<zone target="MAYBE"/>'],
    ['an interface without a name', '<zone><interface/></zone>'],
    ['a service without a name', '<zone><service/></zone>'],
    ['a port without a protocol', '<zone><port port="80"/></zone>'],
    ['a port without a number', '<zone><port protocol="tcp"/></zone>'],
    ['a port too high', '<zone><port port="65536" protocol="tcp"/></zone>'],
    ['a reversed range', '<zone><port port="90-80" protocol="tcp"/></zone>'],
    ['a protocol without a value', '<zone><protocol/></zone>'],
    ['a source without anything', '<zone><source/></zone>'],
    ['an ICMP block without a name', '<zone><icmp-block/></zone>'],
  ])('a zone: %s', (_what, given) => {
    expect(() => readZoneXml('z', given)).toThrow(XmlError);
  });

  it.each([
    ['<zone><service name="ssh"', 'unexpected end of input'],
    ['<zone><service></zone>', 'Opening and ending tag mismatch: "service" != "zone"'],
  ])('and says why in one short sentence: %s', (given, why) => {
    expect(() => readZoneXml('z', given)).toThrow(new XmlError(why));
  });

  it.each([
    ['another root', '<zone/>'],
    ['a port that is none', '<service><port port="ssh" protocol="tcp"/></service>'],
    ['a port without a protocol', '<service><port port="22"/></service>'],
    ['a helper without a name', '<service><helper/></service>'],
  ])('a service: %s', (_what, given) => {
    expect(() => readServiceXml('s', given)).toThrow(XmlError);
  });

  it.each([
    ['no type', '<ipset/>'],
    ['an option without a name', '<ipset type="hash:ip"><option/></ipset>'],
    ['another root', '<zone/>'],
  ])('an ipset: %s', (_what, given) => {
    expect(() => readIpsetXml('i', given)).toThrow(XmlError);
  });

  it('throws nothing else for any text', () => {
    const soup = fc
      .array(
        fc.constantFrom(
          '<zone>',
          '</zone>',
          '<rule>',
          '</rule>',
          '<port port="1"',
          '/>',
          '"',
          '&',
          '<!--',
          '-->',
          '<![CDATA[',
          ']]>',
          '<?x',
          '\u0000',
          'a',
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join(''));
    for (const read of [readZoneXml, readServiceXml, readIpsetXml]) {
      fc.assert(
        fc.property(fc.oneof(soup, fc.string()), (given) => {
          try {
            read('x', given);
          } catch (error) {
            expect(error).toBeInstanceOf(XmlError);
          }
        }),
      );
    }
  });

  it('are values in what a host is: path and reason, and the rest is read', () => {
    const observed = observedFirewalld({
      files: [
        { path: 'zones/bad.xml', text: '<zone>' },
        { path: 'zones/good.xml', text: '<zone><service name="ssh"/></zone>' },
        { path: 'services/bad.xml', text: '<service><port port="x" protocol="tcp"/></service>' },
        { path: 'policies/bad.xml', text: '<policy>' },
        { path: 'policies/good.xml', text: '<policy target="CONTINUE"/>' },
        { path: 'direct.xml', text: '<direct><rule></direct>' },
        { path: 'zones/sub/folder.xml', text: '<zone>' },
        { path: 'services/sub/folder.xml', text: '<service>' },
        { path: 'firewalld.conf', text: 'DefaultZone=public' },
      ],
      version: '1.3.3',
      builtin: [{ path: 'zones/public.xml', text: '<zone><service name="ssh"/></zone>' }],
      runtime: {
        ...NOTHING_RUNS,
        zones: { odd: { services: 'ssh' }, odder: { ports: [['http', 'tcp']] }, fine: { services: ['ssh'] } },
        services: { odd: { ports: 5 } },
        ipsets: { odd: { entries: [1] } },
      },
    } as unknown as RunningFirewalld);
    expect(observed.broken.map(({ path }) => path)).toEqual([
      '/etc/firewalld/zones/bad.xml',
      '/etc/firewalld/services/bad.xml',
      '/etc/firewalld/policies/bad.xml',
      '/etc/firewalld/direct.xml',
      '/etc/firewalld/zones/sub/folder.xml',
      'runtime zone odd',
      'runtime zone odder',
      'runtime service odd',
      'runtime ipset odd',
    ]);
    expect([...observed.permanent.zones.keys()]).toEqual(['public', 'good']);
    expect([...observed.runtime.zones.keys()]).toEqual(['fine']);
    // A zone that is built in has no file that could be edited.
    expect([...observed.zoneFiles]).toEqual(['good']);
  });

  it('lets a file stand before the built-in one of its name', () => {
    const observed = observedFirewalld({
      version: '1.3.3',
      files: [{ path: 'zones/public.xml', text: '<zone><service name="http"/></zone>' }],
      builtin: [{ path: 'zones/public.xml', text: '<zone><service name="ssh"/></zone>' }],
      runtime: NOTHING_RUNS,
    } as unknown as RunningFirewalld);
    expect(observed.permanent.zones.get('public')?.services).toEqual(['http']);
  });
});

describe('taking an interface out of a zone file', () => {
  it.each([
    [
      'its line goes',
      '<zone>\n  <interface name="eth0"/>\n  <service name="ssh"/>\n</zone>\n',
      '<zone>\n  <service name="ssh"/>\n</zone>\n',
    ],
    ['Windows line ends', '<zone>\r\n\t<interface name="eth0"/>\r\n</zone>\r\n', '<zone>\r\n</zone>\r\n'],
    ['single quotes and spaces', "<zone>\n<interface  name = 'eth0' />\n</zone>", '<zone>\n</zone>'],
    ['a closing tag', '<zone>\n<interface name="eth0"></interface>\n</zone>', '<zone>\n</zone>'],
    ['over two lines', '<zone>\n<interface\n  name="eth0"\n/>\n</zone>', '<zone>\n</zone>'],
    [
      'between others on a line',
      '<zone><short>a</short> <interface name="eth0"/> <port port="1" protocol="tcp"/></zone>',
      '<zone><short>a</short>  <port port="1" protocol="tcp"/></zone>',
    ],
    ['last on a line', '<zone><interface name="eth0"/>\n</zone>', '<zone>\n</zone>'],
    ['named twice', '<zone><interface name="eth0"/><interface name="eth0"/></zone>', '<zone></zone>'],
    [
      'a comment stays',
      '<zone><!-- <interface name="eth0"/> -->\n<interface name="eth0"/>\n</zone>',
      '<zone><!-- <interface name="eth0"/> -->\n</zone>',
    ],
  ])('%s', (_what, given, wanted) => {
    expect(withoutInterface(given, 'eth0')).toBe(wanted);
  });

  it.each([
    '<zone><interface name="eth00"/></zone>',
    '<zone><interface name="xeth0"/></zone>',
    '<zone><!-- <interface name="eth0"/> --></zone>',
    '<zone><source address="eth0"/></zone>',
    '',
  ])('is null where it is not bound: %s', (given) => {
    expect(withoutInterface(given, 'eth0')).toBeNull();
  });

  it('takes a dot for a dot', () => {
    const given = '<zone><interface name="eth0x100"/><interface name="eth0.100"/></zone>';
    expect(withoutInterface(given, 'eth0.100')).toBe('<zone><interface name="eth0x100"/></zone>');
  });

  it('keeps what else the zone means', () => {
    fc.assert(
      fc.property(zone, fc.nat(3), (given, at) => {
        const gone = given.interfaces[at];
        if (gone === undefined) return;
        const rest = withoutInterface(writeZoneXml(given), gone);
        expect(readZoneXml(given.name, rest!)).toEqual({
          ...given,
          interfaces: given.interfaces.filter((other) => other !== gone),
        });
      }),
    );
  });
});

describe('characters', () => {
  it('U+FFFD in a text is a character like any other', () => {
    const text = '<?xml version="1.0" encoding="utf-8"?>\n<zone><short>a \uFFFD b</short></zone>\n';
    expect(readZoneXml('office', text).short).toBe('a \uFFFD b');
  });
  it('bytes that are no UTF-8 make a file unreadable', () => {
    expect(() => readZoneXml('office', '<zone><short>a \uDC80 b</short></zone>')).toThrow('it is not valid UTF-8');
  });
});
