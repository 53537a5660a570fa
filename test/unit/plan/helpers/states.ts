import fc from 'fast-check';
import { aggregate } from '../../../../src/core/addresses.ts';
import type { IpsetConfig } from '../../../../src/firewalld/kinds/ipset.ts';
import type { ServiceConfig } from '../../../../src/firewalld/kinds/service.ts';
import type { OurZoneConfig, ZoneConfig } from '../../../../src/firewalld/kinds/zone.ts';
import { normalisePorts, normaliseStrings } from '../../../../src/firewalld/normalise.ts';
import { ACCEPT_ALL, NEEDED_ICMP, normaliseRules, parseRichRule } from '../../../../src/firewalld/rich-rule.ts';
import type { DesiredFirewalld, DesiredZone, Reasoned } from '../../../../src/policy/desired.ts';
import { NOTHING_DESIRED } from './nothing.ts';
import { Firewalld } from './simulator.ts';

const INTERFACES = ['eth0', 'eth1', 'eth2'];
/** The only zone of ours that may accept everything. */
const TRUSTED_ZONE = 'portfw-private';
const ZONES = ['portfw-public', 'portfw-private', 'portfw-control', 'portfw-pub-ctl'];
const SERVICES = ['portfw-server-public', 'portfw-web-admin-public', 'portfw-radius-private', 'portfw-extra-ssh'];
const SETS = ['portfw-site', 'portfw-peer-img', 'portfw-cluster-6'];
const PORTS = [22, 80, 443, 3306, 5060, 8442];
const ENTRIES = ['192.0.2.7', '192.0.2.0/24', '192.0.2.128/25', '198.51.100.4', '198.51.100.0/30', '203.0.113.9'];
const ENTRIES_6 = ['2001:db8::7', '2001:db8::/64', '2001:db8:1::/48', '2001:db8:2::1'];

const EMPTY_ZONE: Omit<OurZoneConfig, 'name'> = {
  short: '',
  description: '',
  target: 'default',
  interfaces: [],
  sources: [],
  services: [],
  ports: [],
  protocols: [],
  sourcePorts: [],
  icmpBlocks: [],
  icmpBlockInversion: false,
  masquerade: false,
  forward: false,
  forwardPorts: [],
  richRules: [],
};

function service(name: string, ports: readonly number[], text: string): ServiceConfig {
  return {
    name,
    short: name,
    description: text,
    ports: normalisePorts(ports.map((port) => ({ protocol: 'tcp', range: { first: port, last: port } }))),
    protocols: [],
    sourcePorts: [],
    helpers: [],
    modules: [],
    includes: [],
    destination: { ipv4: null, ipv6: null },
  };
}

function ipset(name: string, sources: readonly string[], text: string): IpsetConfig {
  const family = name.endsWith('-6') ? 'ipv6' : 'ipv4';
  return {
    name,
    short: name,
    description: text,
    type: 'hash:net',
    family,
    options: family === 'ipv6' ? { family: 'inet6' } : {},
    entries: normaliseStrings(aggregate(sources)[family]),
  };
}

const reasoned = <T>(value: T): Reasoned<T> => ({ value, reasons: [{ kind: 'site-ssh' }] });

interface ZoneChoice {
  readonly accept: boolean;
  readonly target: OurZoneConfig['target'];
  readonly text: string;
  readonly services: readonly string[];
  readonly rules: readonly { readonly service: string | null; readonly ipset: string | null; readonly vip: boolean }[];
}

/** Any desired configuration of the kind that the policy makes: all that zones use is defined. */
export const desiredArbitrary: fc.Arbitrary<DesiredFirewalld> = fc
  .record({
    homes: fc.array(fc.constantFrom(null, ...ZONES), { minLength: 3, maxLength: 3 }),
    zones: fc.array(
      fc.record<ZoneChoice>({
        accept: fc.boolean(),
        target: fc.constantFrom('default', 'default', 'DROP', '%%REJECT%%'),
        text: fc.constantFrom('a', 'b'),
        services: fc.uniqueArray(fc.constantFrom(...SERVICES)),
        rules: fc.array(
          fc.record({
            service: fc.constantFrom(null, ...SERVICES),
            ipset: fc.constantFrom(null, ...SETS),
            vip: fc.boolean(),
          }),
          { maxLength: 4 },
        ),
      }),
      { minLength: 4, maxLength: 4 },
    ),
    ports: fc.array(fc.uniqueArray(fc.constantFrom(...PORTS), { minLength: 1, maxLength: 3 }), {
      minLength: 4,
      maxLength: 4,
    }),
    texts: fc.constantFrom('one', 'two'),
    entries: fc.array(fc.uniqueArray(fc.constantFrom(...ENTRIES), { minLength: 1 }), { minLength: 2, maxLength: 2 }),
    entries6: fc.uniqueArray(fc.constantFrom(...ENTRIES_6), { minLength: 1 }),
  })
  .map(({ homes, zones, ports, texts, entries, entries6 }) => {
    const built = new Map<string, DesiredZone>();
    for (const [index, name] of ZONES.entries()) {
      const interfaces = INTERFACES.filter((_, at) => homes[at] === name);
      if (interfaces.length === 0) continue;
      const choice = zones[index]!;
      const rules = choice.rules
        .filter((rule) => rule.ipset !== null || rule.service !== null)
        .map((rule) => {
          const six = rule.ipset?.endsWith('-6') === true;
          const parts = [
            `rule family="${six ? 'ipv6' : 'ipv4'}"`,
            ...(rule.ipset === null ? [] : [`source ipset="${rule.ipset}"`]),
            ...(rule.vip ? [`destination address="${six ? '2001:db8::80' : '192.0.2.80'}"`] : []),
            ...(rule.service === null ? [] : [`service name="${rule.service}"`]),
            'accept',
          ];
          return parts.join(' ');
        });
      const config: OurZoneConfig = {
        ...EMPTY_ZONE,
        name,
        short: `portfw ${name}`,
        description: choice.text,
        target: choice.target,
        interfaces,
        services: normaliseStrings(choice.services),
        richRules: normaliseRules([
          ...rules.map(parseRichRule),
          ...(choice.accept && name === TRUSTED_ZONE ? [ACCEPT_ALL] : choice.target === 'default' ? [] : NEEDED_ICMP),
        ]),
      };
      built.set(name, {
        config,
        reasons: [],
        interfaces: config.interfaces.map(reasoned),
        services: config.services.map(reasoned),
        richRules: config.richRules.map(reasoned),
      });
    }
    const text = [...built.values()]
      .flatMap(({ config }) => [...config.services, ...config.richRules.map((rule) => rule.text)])
      .join(' ');
    const mentioned = (name: string) => new RegExp(`${name}(?![a-z0-9-])`).test(text);
    const services = SERVICES.map((name, index) => service(name, ports[index]!, texts)).filter(({ name }) =>
      mentioned(name),
    );
    const ipsets = SETS.map((name, index) =>
      ipset(name, name.endsWith('-6') ? entries6 : entries[index]!, texts),
    ).filter(({ name }) => mentioned(name));
    return {
      ...NOTHING_DESIRED,
      zones: built,
      services: new Map(services.map((item) => [item.name, reasoned(item)])),
      ipsets: new Map(ipsets.map((item) => [item.name, reasoned(item)])),
    };
  });

const OWNERS_ZONE = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
  <!-- kept by the owner: <interface name="eth0"/> was here once -->
  <interface name="eth0"/>
    <interface name='eth1'></interface>
  <service name="ssh"/>
  <service name="http"/>
  <forward/>
</zone>
`;

const INSIDE_ZONE =
  '<zone><interface name="eth2"/><source address="203.0.113.0/24"/><port port="8080" protocol="tcp"/></zone>\n';

/** Hosts as their owners left them, before portfw came. */
export const hostArbitrary: fc.Arbitrary<() => Firewalld> = fc
  .subarray([
    ['zones/public.xml', OWNERS_ZONE] as const,
    ['zones/inside.xml', INSIDE_ZONE] as const,
    ['ipsets/banned.xml', '<ipset type="hash:ip"><entry>198.51.100.66</entry></ipset>\n'] as const,
  ])
  .map((files) =>
    Object.assign(() => new Firewalld(files), { [fc.toStringMethod]: () => files.map(([path]) => path).join() }),
  );

/** Something that happened to a host behind portfw's back; it does nothing where it does not apply. */
export interface Mishap {
  readonly what: string;
  readonly at: (host: Firewalld) => void;
}

type Finder<T> = (host: Firewalld) => T | undefined;

function ourZone(index: number): Finder<string> {
  return (host) =>
    pick(
      [...host.runtime.zones.keys()].filter((name) => name.startsWith('portfw-')),
      index,
    );
}

function pick<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(items.length, 1)];
}

function atRuntime(
  what: string,
  zone: Finder<string>,
  change: (held: ZoneConfig, host: Firewalld) => Partial<ZoneConfig>,
): Mishap {
  return {
    what: `runtime: ${what}`,
    at: (host) => {
      const name = zone(host);
      const held = name === undefined ? undefined : host.runtime.zones.get(name);
      if (held !== undefined) host.runtime.zones.set(held.name, { ...held, ...change(held, host) });
    },
  };
}

/** A line more at the end of a file of ours, by hand: the daemon does not see it. */
function inFile(what: string, folder: string, index: number, line: string): Mishap {
  return {
    what: `file: ${what}`,
    at: (host) => {
      const path = pick(
        [...host.files.keys()].filter((name) => name.startsWith(`${folder}/portfw-`)),
        index,
      );
      if (path === undefined) return;
      const text = host.files.get(path)!;
      host.files.set(
        path,
        text.replace(/<\/(zone|service|ipset)>\s*$/, (end) => `${line}${end}`),
      );
    },
  };
}

const STRAYS: readonly Partial<ZoneConfig>[] = [
  { ports: [{ protocol: 'tcp', range: { first: 9999, last: 9999 } }] },
  { sourcePorts: [{ protocol: 'udp', range: { first: 5060, last: 5061 } }] },
  { protocols: ['esp'] },
  { sources: ['198.51.100.77'] },
  { masquerade: true },
  { icmpBlocks: ['echo-request'] },
  { icmpBlockInversion: true },
  { forwardPorts: ['80:tcp:8080:2001:db8::9'] },
  { richRules: [parseRichRule('rule family="ipv4" source address="203.0.113.5" drop')] },
  { services: ['http'] },
  { target: 'DROP' },
  { forward: true },
];

const STRAY_LINES = [
  '<port port="9999" protocol="tcp"/>',
  '<source-port port="5060-5061" protocol="udp"/>',
  '<protocol value="esp"/>',
  '<source address="198.51.100.77"/>',
  '<masquerade/>',
  '<icmp-block name="echo-request"/>',
  '<forward-port port="80" protocol="tcp" to-port="8080" to-addr="2001:db8::9"/>',
  '<rule family="ipv4"><source address="203.0.113.5"/><drop/></rule>',
  '<service name="http"/>',
  '<forward/>',
];

const anyMishap: fc.Arbitrary<Mishap> = fc.oneof(
  fc
    .tuple(fc.nat(5), fc.constantFrom(...STRAYS))
    .map(([at, stray]) => atRuntime(Object.keys(stray).join(), ourZone(at), () => stray)),
  fc
    .nat(5)
    .map((at) => atRuntime('a service of ours closed', ourZone(at), (held) => ({ services: held.services.slice(1) }))),
  fc
    .nat(5)
    .map((at) => atRuntime('a rule of ours gone', ourZone(at), (held) => ({ richRules: held.richRules.slice(1) }))),
  fc
    .nat(5)
    .map((at) => atRuntime('an interface let go', ourZone(at), (held) => ({ interfaces: held.interfaces.slice(1) }))),
  fc.constant(
    atRuntime(
      'a port opened by its owner',
      () => 'public',
      () => ({ ports: [{ protocol: 'udp', range: { first: 53, last: 53 } }] }),
    ),
  ),
  fc.tuple(fc.nat(5), fc.constantFrom(...INTERFACES)).map(
    ([at, name]): Mishap => ({
      what: `runtime: ${name} bound to another zone`,
      at: (host) => {
        const wanted = pick([...host.runtime.zones.keys()], at)!;
        for (const zone of host.runtime.zones.values())
          host.runtime.zones.set(zone.name, { ...zone, interfaces: zone.interfaces.filter((other) => other !== name) });
        const held = host.runtime.zones.get(wanted)!;
        host.runtime.zones.set(wanted, { ...held, interfaces: [...held.interfaces, name].sort() });
      },
    }),
  ),
  fc.tuple(fc.nat(2), fc.constantFrom('203.0.113.77', '2001:db8:9::9')).map(
    ([at, entry]): Mishap => ({
      what: `runtime: entry ${entry}`,
      at: (host) => {
        const held = pick([...host.runtime.ipsets.values()], at);
        if (held === undefined || held.entries.includes(entry) || (held.family === 'ipv6') !== entry.includes(':'))
          return;
        host.runtime.ipsets.set(held.name, { ...held, entries: [...held.entries, entry].sort() });
      },
    }),
  ),
  fc.nat(2).map(
    (at): Mishap => ({
      what: 'permanent: an entry taken out of an ipset',
      at: (host) => {
        const held = pick([...host.memory.ipsets.values()], at);
        if (held !== undefined) host.setPermanentIpset({ ...held, entries: held.entries.slice(1) });
      },
    }),
  ),
  fc.tuple(fc.nat(5), fc.constantFrom(...STRAY_LINES)).map(([at, line]) => inFile(line, 'zones', at, line)),
  fc
    .tuple(fc.nat(5), fc.constantFrom(...INTERFACES))
    .map(([at, name]) => inFile(`${name} in one more zone`, 'zones', at, `<interface name="${name}"/>`)),
  fc.tuple(fc.constantFrom('zones/public.xml', 'zones/inside.xml'), fc.constantFrom(...INTERFACES)).map(
    ([path, name]): Mishap => ({
      what: `file: ${path} names ${name} again`,
      at: (host) => {
        const text = host.files.get(path);
        // In the files of one owner an interface is named once: firewalld could not load them otherwise.
        const others = [...host.files].filter(([other]) => !other.includes('portfw-') && other !== path);
        if (text === undefined || others.some(([, other]) => new RegExp(`<interface name=.${name}`).test(other)))
          return;
        if (!new RegExp(`\\n *<interface name=.${name}`).test(text))
          host.files.set(path, text.replace('</zone>', `<interface name="${name}"/>\n</zone>`));
      },
    }),
  ),
  fc.nat(5).map((at) => inFile('a port more', 'services', at, '<port port="9999" protocol="tcp"/>')),
  fc.nat(5).map((at) => inFile('an entry more', 'ipsets', at, '<entry>203.0.113.200</entry>')),
  fc.nat(5).map((at) => inFile('an option', 'ipsets', at, '<option name="maxelem" value="1000"/>')),
  fc.tuple(fc.constantFrom('zones', 'services', 'ipsets'), fc.nat(5)).map(
    ([folder, at]): Mishap => ({
      what: `file: one of ${folder} deleted`,
      at: (host) => {
        const path = pick(
          [...host.files.keys()].filter((name) => name.startsWith(`${folder}/portfw-`)),
          at,
        );
        if (path !== undefined) host.files.delete(path);
      },
    }),
  ),
  fc
    .constantFrom(
      ['zones/portfw-old.xml', '<zone><service name="ssh"/><source address="198.51.100.99"/></zone>'] as const,
      ['zones/portfw-gone.xml', '<zone><rule><source ipset="portfw-gone"/><accept/></rule></zone>'] as const,
      ['services/portfw-old.xml', '<service><port port="1" protocol="tcp"/></service>'] as const,
      ['ipsets/portfw-old.xml', '<ipset type="hash:net"/>'] as const,
    )
    .map(
      ([path, text]): Mishap => ({ what: `file: ${path} put there`, at: (host) => void host.files.set(path, text) }),
    ),
  fc.constant<Mishap>({
    what: 'a reload',
    at: (host) => {
      try {
        host.reload();
      } catch {
        // A daemon that cannot load its files goes on with what it has.
      }
    },
  }),
);

/** Any mishap; a counterexample names what happened. */
export const mishapArbitrary = anyMishap.map((mishap) => ({ ...mishap, [fc.toStringMethod]: () => mishap.what }));
