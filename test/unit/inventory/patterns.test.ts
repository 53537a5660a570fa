import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/problem.ts';
import { loadInventory } from '../../../src/inventory/inventory.ts';
import { matchHosts, matchLimit, requireHosts } from '../../../src/inventory/patterns.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/patterns');
const inventory = await loadInventory(join(FIXTURES, 'hosts.yaml'));
/** What `ansible -i hosts.yaml PATTERN --list-hosts` printed for each pattern. */
const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Record<string, string[]>;

describe('host patterns choose the hosts that Ansible chooses, in its order', () => {
  it.each(Object.entries(expected))('%s', (pattern, hosts) => {
    expect(matchHosts(inventory, pattern)).toEqual({ hosts, problems: [] });
  });
});

describe('patterns that go wrong', () => {
  it.each([
    ['wbe', 'no group and no host matches "wbe"', 'Did you mean "web"?'],
    ['web:!db9.example.net', 'no group and no host matches "db9.example.net"', 'Did you mean "db1.example.net"?'],
    ['zzzzzz*', 'no group and no host matches "zzzzzz*"', 'Check the name with "portfw inventory FILE"'],
    ['web[4]', '"web[4]" is beyond the last host', 'Positions count from 0; "web" has 4'],
    ['web[-5]', '"web[-5]" is beyond the last host', 'Positions count from 0; "web" has 4'],
    ['web[7:9]', '"web[7:9]" is beyond the last host', 'Positions count from 0; "web" has 4'],
    ['web[2:1]', '"web[2:1]" ends before it begins', 'Positions count from 0; "web" has 4'],
    ['web[0-1]', '"web[0-1]" has a hyphen where a colon belongs', 'Positions count from 0; "web" has 4'],
    [
      '~(web',
      'the pattern "~(web" is not valid',
      'Write a name, a glob such as "sip*", or a regular expression after "~"',
    ],
    ['empty', 'the pattern "empty" leaves no host', 'Check the groups that it names with "portfw inventory FILE"'],
    [
      'web:!web*',
      'the pattern "web:!web*" leaves no host',
      'Check the groups that it names with "portfw inventory FILE"',
    ],
  ])('%s', (pattern, message, hint) => {
    const location = { file: 'play.yaml', line: 3, column: 5 };
    const found = matchHosts(inventory, pattern, location);
    expect(found.problems).toMatchObject([{ severity: 'error', message, hint, location }]);
    expect(() => requireHosts(found)).toThrow(InputError);
  });

  it('reports every part that matches nothing', () => {
    expect(matchHosts(inventory, 'wbe,bd,web').problems).toHaveLength(2);
  });
});

describe('--limit @FILE', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portfw-limit-'));
    writeFileSync(join(folder, 'retry.txt'), 'web2.example.net\r\n\n  db \n!db1.example.net\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('takes one pattern a line', () => {
    expect(requireHosts(matchLimit(inventory, `@${folder}/retry.txt`))).toEqual([
      'web2.example.net',
      'db2.example.net',
    ]);
  });

  it('says when there is no such file', () => {
    expect(() => matchLimit(inventory, '@/nonexistent/list')).toThrow(
      '/nonexistent/list:1:1: error: there is no such file',
    );
  });
});
