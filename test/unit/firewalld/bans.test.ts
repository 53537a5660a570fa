import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isBan } from '../../../src/firewalld/bans.ts';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';

const RULE = 'rule family="ipv4" source address="203.0.113.7"';
const CASES: readonly (readonly [string, boolean])[] = [
  [`${RULE} port port="ssh" protocol="tcp" reject type="icmp-port-unreachable"`, true],
  [`${RULE} port port="22" protocol="tcp" reject`, true],
  [`${RULE} drop`, true],
  ['rule family="ipv6" source address="2001:db8::/64" service name="ssh" drop', true],
  ['rule priority="-5" family="ipv4" source address="203.0.113.0/24" reject', true],
  [`${RULE} port port="22" protocol="tcp" log prefix="f2b" level="info" limit value="1/m" reject`, true],
  [`${RULE} accept`, false],
  [`${RULE} service name="portfw-web-public" drop`, false],
  ['rule family="ipv4" source address="0.0.0.0/0" drop', false],
  ['rule family="ipv4" source NOT address="203.0.113.7" drop', false],
  ['rule family="ipv4" source mac="00:00:5E:00:53:01" drop', false],
  ['rule family="ipv4" source ipset="blocked" drop', false],
  ['rule port port="22" protocol="tcp" drop', false],
  [`${RULE} drop limit value="1/m"`, false],
  [`${RULE} masquerade`, false],
];

describe('what a ban is', () => {
  it.each(CASES)('%s: %s', (rule, expected) => {
    const parsed = parseRichRule(rule);
    expect(parsed.text).toBe(rule);
    expect(isBan(parsed)).toBe(expected);
  });

  it('is the same on the host', () => {
    const program = readFileSync(join(import.meta.dirname, '../../../src/host/remote/bans.py'), 'utf8');
    const script = `import json, re, sys\n${program}\nprint(json.dumps(bans_among(json.loads(sys.argv[1]))))\n`;
    const rules = CASES.map(([rule]) => rule);
    const found: unknown = JSON.parse(
      execFileSync('python3', ['-c', script, JSON.stringify(rules)], { encoding: 'utf8' }),
    );
    expect(found).toEqual(rules.filter((rule) => isBan(parseRichRule(rule))));
  });
});
