import { describe, expect, it } from 'vitest';
import { TEXT_FIELDS } from '../../../src/firewalld/kinds/kind.ts';
import { eachKind, eachOurKind, emptyLayer, usedIn } from '../../../src/firewalld/kinds/kinds.ts';
import { POLICY } from '../../../src/firewalld/kinds/policy.ts';
import { readServiceXml } from '../../../src/firewalld/kinds/service.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { acceptRule, parseRichRule } from '../../../src/firewalld/rich-rule.ts';

describe('what is in use', () => {
  const zone = (name: string, inner: string) => [name, readZoneXml(name, `<zone>${inner}</zone>`)] as const;
  const used = usedIn({
    ...emptyLayer(),
    zones: new Map([
      zone('bound', '<interface name="eth0"/><service name="web"/>'),
      zone(
        'by-source',
        '<source ipset="office"/><rule><source ipset="peers"/><destination ipset="vips"/><service name="sip"/><accept/></rule>',
      ),
      zone('idle', '<service name="left"/>'),
    ]),
    services: new Map([['web', readServiceXml('web', '<service><include service="tls"/></service>')]]),
    policies: new Map([
      [
        'out',
        POLICY.readBus('out', {
          ingress_zones: ['idle'],
          services: ['dns'],
          rich_rules: ['rule source ipset="lan" service name="ntp" accept'],
        }),
      ],
    ]),
  });

  it.each([
    ['zones', ['bound', 'by-source'], ['idle', 'eth0']],
    ['services', ['web', 'sip', 'left', 'tls', 'dns', 'ntp'], ['bound', 'http']],
    ['ipsets', ['office', 'peers', 'vips', 'lan'], ['web', 'ipset:office']],
    ['policies', [], ['out']],
  ] as const)('%s', (folder, yes, no) => {
    expect(yes.filter((name) => !used(folder, name))).toEqual([]);
    expect(no.filter((name) => used(folder, name))).toEqual([]);
  });
});

describe('the list of kinds', () => {
  it('names each kind by its folder, and no two alike', () => {
    const named = eachKind((kind, folder) => [kind.folder === folder, kind.object]);
    expect(named.every(([right]) => right)).toBe(true);
    expect(new Set(named.map(([, object]) => object)).size).toBe(named.length);
  });

  it('has texts among the fields of each kind that portfw writes', () => {
    const parts = eachOurKind(({ object, readXml, fields }) => [
      ...fields(readXml('portfw-a', `<${object} type="hash:net"/>`)).keys(),
    ]);
    for (const fields of parts) expect(fields.filter((field) => TEXT_FIELDS.has(field))).toEqual([...TEXT_FIELDS]);
  });

  it('passes over a policy that firewalld would not load, and refuses one that is not XML', () => {
    expect(POLICY.readXml('a', '<policy><ingress-zone/></policy>')).toBeNull();
    expect(() => POLICY.readXml('a', '<policy>')).toThrow();
  });
});

it('a rule of ours is the value that its own text is read as', () => {
  const rule = acceptRule({
    family: 'ipv6',
    sourceIpset: 'portfw-a',
    destination: '2001:db8::80',
    service: null,
    port: { port: '22', protocol: 'tcp' },
  });
  expect(rule).toEqual(parseRichRule(rule.text));
  expect(rule).toMatchObject({
    family: 'ipv6',
    sourceIpset: 'portfw-a',
    destination: '2001:db8::80',
    action: 'accept',
  });
  expect(rule.text).toBe(
    'rule family="ipv6" source ipset="portfw-a" destination address="2001:db8::80" port port="22" protocol="tcp" accept',
  );
});
