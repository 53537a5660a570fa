import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunningFirewalld } from '../../../src/facts/facts.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';
import { NOTHING_RUNS } from '../plan/helpers/nothing.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/firewalld');
const VERSIONS = ['0.9.3', '1.3.3', '2.3.1'];

function read<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(FIXTURES, name), 'utf8')) as T;
}

interface Recorded {
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly runtime: Pick<RunningFirewalld['runtime'], 'zones' | 'services' | 'ipsets'>;
}

function observe({ files, runtime }: Recorded) {
  return observedFirewalld({
    files,
    builtin: [],
    runtime: { ...NOTHING_RUNS, ...runtime },
  } as unknown as RunningFirewalld);
}

describe.each(VERSIONS)('files and D-Bus answers recorded from firewalld %s', (version) => {
  const { permanent, runtime, broken } = observe(read(`recorded-${version}.json`));

  it('reads everything', () => {
    expect(broken).toEqual([]);
    expect([...permanent.zones.keys()]).toEqual(['everything', 'plain']);
  });

  it('reads each file as what the daemon made of it', () => {
    expect(permanent.zones).toEqual(runtime.zones);
    expect(permanent.services).toEqual(runtime.services);
    expect(permanent.ipsets).toEqual(runtime.ipsets);
  });

  it('misses no element of a zone', () => {
    for (const [key, value] of Object.entries(permanent.zones.get('everything')!)) {
      expect(value, key).not.toEqual([]);
      expect(value, key).not.toEqual(false);
      expect(value, key).not.toEqual('');
    }
  });
});

interface PrintedRule {
  readonly xml: string;
  /** How each version that can load the rule prints it. */
  readonly printed: Readonly<Record<string, string>>;
}

const rules = read<PrintedRule[]>('rich-rules.json');

/** Versions differ in the case of a MAC, and a daemon knows its own rule by the very letters: that case is kept. */
function anyCase(text: string): string {
  return text.replace(/mac="[^"]*"/, (mac) => mac.toLowerCase());
}

describe('rich rules', () => {
  const cases = rules.flatMap(({ xml, printed }) =>
    Object.entries(printed).map(([version, text]): [string, string, string] => [version, text, xml]),
  );

  it('were recorded from all versions', () => {
    for (const version of VERSIONS) expect(cases.filter(([other]) => other === version).length).toBeGreaterThan(20);
  });

  it.each(cases)('as firewalld %s prints it: %s', (_version, text, xml) => {
    const [fromFile] = readZoneXml('z', `<zone>${xml}</zone>`).richRules;
    expect(anyCase(fromFile!.text)).toBe(anyCase(parseRichRule(text).text));
    expect(parseRichRule(fromFile!.text)).toEqual(fromFile);
  });

  it.each([
    ['rule family=ipv4 source address=192.0.2.1 accept', 'rule family="ipv4" source address="192.0.2.1" accept'],
    [
      '  rule   family="ipv4"\tsource not address="192.0.2.1"  drop ',
      'rule family="ipv4" source NOT address="192.0.2.1" drop',
    ],
    ['rule priority=0 service name=ssh accept', 'rule service name="ssh" accept'],
    ['rule priority="-0" service name=ssh accept', 'rule service name="ssh" accept'],
    ['rule priority=10 service name=ssh accept', 'rule priority="10" service name="ssh" accept'],
    [
      'rule log prefix="a  b=c" level=info limit value=2/minute accept',
      'rule log prefix="a  b=c" level="info" limit value="2/m" accept',
    ],
    [
      'rule service name=ssh accept limit value="10/second" burst=5',
      'rule service name="ssh" accept limit value="10/s" burst="5"',
    ],
    ['rule mark set=0x1/0xff', 'rule mark set="0x1/0xff"'],
  ])('in the spelling of people: %s', (given, canonical) => {
    expect(parseRichRule(given).text).toBe(canonical);
    expect(parseRichRule(given)).toEqual(parseRichRule(canonical));
  });

  it('are taken apart', () => {
    expect(
      parseRichRule(
        'rule family="ipv6" source ipset="a" destination address="2001:db8::1" port port="80-90" protocol="tcp" accept',
      ),
    ).toMatchObject({
      family: 'ipv6',
      action: 'accept',
      sourceIpset: 'a',
      destination: '2001:db8::1',
      port: { port: '80-90', protocol: 'tcp' },
      inverted: false,
      words: [],
    });
    expect(
      parseRichRule('rule source NOT mac="00:11:22:33:44:55" service name="ssh" log prefix="drop accept" drop'),
    ).toMatchObject({
      family: null,
      action: 'drop',
      sourceMac: '00:11:22:33:44:55',
      service: 'ssh',
      inverted: true,
      words: ['log'],
    });
    expect(parseRichRule('rule destination ipset="d" reject type="icmp-admin-prohibited"')).toMatchObject({
      destinationIpset: 'd',
      action: 'reject',
    });
    expect(parseRichRule('rule forward-port port="80" protocol="tcp" to-port="8080"').port).toBeNull();
  });
});
