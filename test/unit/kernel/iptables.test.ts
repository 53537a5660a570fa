import { describe, expect, it } from 'vitest';
import type { Approach } from '../../../src/kernel/flow.ts';
import { readIpsetSave } from '../../../src/kernel/read-ipset-save.ts';
import { combine, readIptablesSave } from '../../../src/kernel/read-iptables-save.ts';
import { readNft } from '../../../src/kernel/read-nft.ts';
import { ask, fixture, verdict } from './helpers/asking.ts';

const sets = readIpsetSave(fixture('ipset-save.txt'));
const four = readIptablesSave(fixture('iptables-save.txt'), 'ip', sets);
const six = readIptablesSave(fixture('ip6tables-save.txt'), 'ip6', sets);
const nft = readNft(fixture('iptables-nft.json'));

const DOCKER = { direction: 'forward', destination: '172.17.0.2', outInterface: 'docker0' } as const;

/** Source, port, what becomes of it; the rules are in iptables-save.txt. */
const VERDICTS: readonly (readonly [string, number, string, Partial<Approach>?])[] = [
  ['203.0.113.66', 22, 'reject'],
  ['203.0.113.66', 2222, 'reject'],
  ['203.0.113.66', 23, 'accept'],
  ['203.0.113.67', 22, 'accept'],
  ['192.0.2.5', 23, 'drop'],
  ['192.0.2.128', 23, 'accept'],
  ['203.0.113.5', 23, 'drop'],
  ['203.0.113.78', 90, 'drop'],
  ['203.0.113.79', 90, 'accept'],
  ['203.0.113.6', 8000, 'drop'],
  ['203.0.113.6', 8001, 'accept'],
  ['203.0.113.7', 8000, 'accept'],
  ['203.0.113.20', 23, 'drop'],
  ['203.0.113.29', 9011, 'drop'],
  ['203.0.113.29', 9010, 'accept'],
  ['198.51.100.9', 91, 'reject'],
  ['203.0.113.9', 91, 'accept'],
  ['203.0.113.30', 92, 'drop'],
  ['203.0.113.31', 92, 'accept'],
  // Within the rate it would be accepted: nobody knows.
  ['203.0.113.9', 93, 'drop'],
  ['203.0.113.9', 95, 'accept'],
  ['203.0.113.32', 95, 'drop'],
  ['203.0.113.9', 81, 'drop'],
  ['203.0.113.9', 8081, 'to 198.51.100.1 81: accept'],
  ['203.0.113.9', 8080, 'to 172.17.0.2 80: drop'],
  ['203.0.113.9', 8080, 'to 172.17.0.2 80: accept', { route: () => 'docker0' }],
  ['203.0.113.9', 8080, 'accept', { interface: 'docker0' }],
  ['203.0.113.9', 80, 'accept', DOCKER],
  ['203.0.113.9', 81, 'drop', DOCKER],
  ['203.0.113.9', 81, 'accept', { ...DOCKER, state: 'established' }],
  ['203.0.113.9', 81, 'accept', { ...DOCKER, interface: 'docker0', outInterface: 'eth1' }],
  ['203.0.113.66', 5005, 'reject', { protocol: 'udp' }],
  ['203.0.113.66', 5005, 'accept', { protocol: 'udp', interface: 'wan0' }],
  ['203.0.113.66', 5011, 'accept', { protocol: 'udp' }],
];

describe('iptables-save', () => {
  it('is read completely, except unknown parts', () => {
    expect([...four.problems, ...six.problems]).toEqual([]);
    const rules = four.tables.flatMap(({ chains }) => [...chains.values()].flatMap((chain) => chain.rules));
    const unknown = rules.filter(({ parts }) => parts.some(({ kind }) => kind.startsWith('unknown')));
    expect(unknown.map(({ text }) => text)).toEqual([
      '-p tcp -m tcp --dport 94 -m string --string "x y" --algo bm -j DROP',
    ]);
    expect(four.tables.map(({ name }) => name)).toEqual(['mangle', 'raw', 'filter', 'nat']);
  });

  it('gives the verdicts of the kernel', () => {
    const found = VERDICTS.map(([source, port, , given = {}]) => verdict(ask(four, { port, ...given }), source));
    expect(VERDICTS.map(([source, port], index) => [source, port, found[index]])).toEqual(
      VERDICTS.map(([source, port, expected]) => [source, port, expected]),
    );
  });

  it('keeps apart what is certain', () => {
    // An entry that expires, and a match that nobody here knows.
    expect(verdict(ask(four, { port: 90 }, true), '203.0.113.77')).toBe('drop');
    expect(verdict(ask(four, { port: 90 }, false), '203.0.113.77')).toBe('accept');
    expect(ask(four, { port: 94 }).unknown).toEqual(['-m string --string x y --algo bm']);
    expect(ask(four, { port: 94 }, true).accepted).toEqual([]);
    expect(verdict(ask(four, { port: 94 }, false), '203.0.113.9')).toBe('accept');
    expect(ask(four, { port: 22 }).refused.find(({ trail }) => trail.length === 2)).toMatchObject({
      table: 'ip filter',
      chain: 'f2b-sshd',
      rule: '-s 203.0.113.66/32 -j REJECT --reject-with icmp-port-unreachable',
      trail: ['INPUT', 'f2b-sshd'],
    });
  });

  it('knows ICMP and IPv6', () => {
    const ping = { protocol: 'icmp', port: null } as const;
    expect(ask(four, { ...ping, icmpType: 8 }).accepted).toEqual([]);
    expect(verdict(ask(four, { ...ping, icmpType: 3 }), '203.0.113.9')).toBe('accept');
    expect(verdict(ask(six, { family: 'ipv6' }), '2001:db8:bad::1')).toBe('drop');
    expect(verdict(ask(six, { family: 'ipv6' }), '2001:db8::1')).toBe('accept');
    expect(verdict(ask(four, { family: 'ipv6' }), '2001:db8:bad::1')).toBe('accept');
  });

  it('takes the place of the tables that nft cannot tell', () => {
    const rules = combine(nft, [four, six]);
    const names = rules.tables.map(({ family, name }) => `${family} ${name}`);
    expect(names.sort()).toEqual(['ip filter', 'ip mangle', 'ip nat', 'ip raw', 'ip6 filter']);
    for (const [source, port, expected, given = {}] of VERDICTS) {
      expect([source, port, verdict(ask(rules, { port, ...given }), source)]).toEqual([source, port, expected]);
    }
    // Without, nobody would know.
    expect(ask(nft, { port: 22 }).unknown.length).toBeGreaterThan(0);
    expect(ask(nft, { port: 22 }).accepted).toEqual([]);
  });

  it('leaves a table of nft in force beside one of the legacy iptables with its name', () => {
    const chain = {
      family: 'ip',
      table: 'filter',
      name: 'INPUT',
      type: 'filter',
      hook: 'input',
      prio: 0,
      policy: 'accept',
    };
    const dport = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 22 } };
    const rule = { family: 'ip', table: 'filter', chain: 'INPUT', expr: [dport, { drop: null }] };
    const native = readNft(
      JSON.stringify({ nftables: [{ table: { family: 'ip', name: 'filter' } }, { chain }, { rule }] }),
    );
    const legacy = readIptablesSave('*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n', 'ip');
    const both = combine(native, [legacy]);
    expect(verdict(ask(both, { port: 22 }), '203.0.113.5')).toBe('drop');
    expect(verdict(ask(both, { port: 23 }), '203.0.113.5')).toBe('accept');
  });

  it('knows no entry whose key the kernel cuts, and no interface that is only a part of a name', () => {
    const created = (type: string, entry: string, match = 'src,src') => {
      const known = readIpsetSave(`create s ${type}\nadd s ${entry}\n`);
      return readIptablesSave(
        `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m set --match-set s ${match} -j DROP\nCOMMIT\n`,
        'ip',
        known,
      );
    };
    for (const rules of [
      created('hash:net,iface family inet', '198.51.100.0/24,et wildcard'),
      created('hash:net,iface family inet', '198.51.100.0/24,physdev:eth0'),
      created('hash:ip,mark family inet markmask 0x000000ff', '198.51.100.7,0x00000001'),
    ]) {
      expect(verdict(ask(rules, { port: 22 }), '198.51.100.7')).toBe('drop');
      expect(verdict(ask(rules, { port: 22 }, false), '198.51.100.7')).toBe('accept');
    }
    const marked = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j SET --map-set s src --map-mark\n';
    const rules = readIptablesSave(`${marked}-A INPUT -m mark --mark 0x1 -j DROP\nCOMMIT\n`, 'ip');
    expect(verdict(ask(rules, { port: 22 }, true), '203.0.113.5')).toBe('drop');
  });

  it('never throws, and says what it could not read', () => {
    const broken =
      '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j\n-A NOWHERE -j DROP\nnonsense\n-A INPUT -m\n-A INPUT ! -s\nCOMMIT\n-A INPUT -j DROP';
    const read = readIptablesSave(broken, 'ip');
    expect(read.problems).toEqual([
      'a line that iptables does not write: -A NOWHERE -j DROP',
      'a line that iptables does not write: nonsense',
      'a line that iptables does not write: -A INPUT -j DROP',
    ]);
    expect(ask(read).accepted).toEqual([]);
    expect(readIpsetSave('add x y\ncreate\ncreate z hash:ip family inet\nadd z nonsense\n').size).toBe(1);
  });

  it('reads no comment as an option', () => {
    const text = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 192.0.2.1/32 -m comment --comment "-j" -j DROP\nCOMMIT\n';
    const rules = readIptablesSave(text, 'ip');
    expect([verdict(ask(rules), '192.0.2.1'), verdict(ask(rules), '192.0.2.2')]).toEqual(['drop', 'accept']);
  });
});
