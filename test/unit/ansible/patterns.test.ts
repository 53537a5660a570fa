import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inventory, loadInventory } from '../../../src/ansible/inventory.ts';
import { matchHosts, matchLimit, requireHosts } from '../../../src/ansible/patterns/patterns.ts';
import { InputError } from '../../../src/core/problem.ts';
import { supported } from '../../helpers/supported.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/patterns');
const inventory = await loadInventory(join(FIXTURES, 'hosts.yaml'));
/** What `ansible -i hosts.yaml PATTERN --list-hosts` printed for each pattern. */
const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Record<string, string[]>;

describe('host patterns choose the hosts that Ansible chooses, in its order', () => {
  it.each(Object.entries(expected))('%s', (pattern, hosts) => {
    expect(matchHosts(inventory, pattern)).toEqual({ hosts, problems: [] });
  });
});

const REGEX = 'Correct it, or use a glob such as "sip*"';
const LOCALHOST = 'This machine has to be in the inventory too, with ansible_connection: local';
const PORT = 'Remove the port: a pattern has only names';

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
    ['~(web', 'the regular expression "(web" has a parenthesis that is never closed', REGEX],
    ['~web)', 'the regular expression "web)" closes a parenthesis that was never opened', REGEX],
    ['~[w', 'the pattern "~[w" has a "[" without its partner', 'Close the bracket, as in "web[0:2]" or "~we[bc]"'],
    ['web]', 'the pattern "web]" has a "]" without its partner', 'Close the bracket, as in "web[0:2]" or "~we[bc]"'],
    ['~web**', 'the regular expression "web**" repeats a repeat at "*"', REGEX],
    ['~*web', 'the regular expression "*web" has nothing to repeat at "*web"', REGEX],
    ['~[z-a]', 'the regular expression "[z-a]" has the range "z-a", which is reversed', REGEX],
    ['~we\\y', 'the regular expression "we\\y" has the escape "\\y", which means nothing here', REGEX],
    ['~(w)eb\\1', 'the regular expression "(w)eb\\1" refers back to a group, which is not supported', REGEX],
    ['~(?>web)', 'the regular expression "(?>web)" has an atomic group "(?>…)", which is not supported', REGEX],
    ['~(?<name>web)', 'the regular expression "(?<name>web)" has "(?<n", which is not supported', REGEX],
    ['~w{9999}', 'the regular expression "w{9999}" repeats something more than 1000 times', REGEX],
    [
      '~(w{1000}){1000}',
      'no group and no host matches "~(w{1000}){1000}"',
      'Check the name with "portfw inventory FILE"',
    ],
    ['localhost', 'no group and no host matches "localhost"', LOCALHOST],
    ['web1.example.net:22', 'no group and no host matches "web1.example.net:22"', PORT],
    ['x'.repeat(1_001), `the pattern "${'x'.repeat(60)}…" has more than 1000 characters`, 'Write several patterns'],
    ['!', 'there is nothing after "!"', 'Write a host, a group or a pattern after it'],
    ['~', 'there is nothing after "~"', 'Write a host, a group or a pattern after it'],
    ['', 'the pattern "" names no host', 'Name hosts or groups; "all" is every host'],
    [' , ', 'the pattern " , " names no host', 'Name hosts or groups; "all" is every host'],
    ['empty[0]', '"empty[0]" is beyond the last host', '"empty" has no hosts'],
    ['@list', 'no group and no host matches "@list"', 'A file of patterns can only be given to --limit'],
    ['empty', 'the pattern "empty" leaves no host', 'Check the groups that it names with "portfw inventory FILE"'],
    [
      'web:!web*',
      'the pattern "web:!web*" leaves no host',
      'Check the groups that it names with "portfw inventory FILE"',
    ],
  ])('%s', (pattern, message, hint) => {
    const location = { file: 'play.yaml', line: 3, column: 5, secret: null };
    const found = matchHosts(inventory, pattern, location);
    expect(found.problems).toMatchObject([{ severity: 'error', what: message, solve: hint, location }]);
    expect(() => requireHosts(found)).toThrow(InputError);
  });

  it('reports every part that matches nothing', () => {
    expect(matchHosts(inventory, 'wbe,bd,web').problems).toHaveLength(2);
  });

  it('says that separators end a regular expression too', () => {
    const { problems } = matchHosts(inventory, '~(?:web|db)');
    expect(problems[0]!.what).toBe('the regular expression "(?" has "(?", which is not supported');
    expect(problems[0]!.solve).toBe(
      'Correct it; a comma, colon or blank ends a pattern, within a regular expression too',
    );
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

  it('says where in the file something is wrong', () => {
    writeFileSync(join(folder, 'wrong.txt'), 'web\n# the databases\n   web,db\n');
    const { problems } = matchLimit(inventory, `@${folder}/wrong.txt`);
    const file = join(folder, 'wrong.txt');
    expect(problems).toMatchObject([
      {
        location: { file, line: 2, column: 1, secret: null },
        solve: 'A file of patterns has no comments: remove the line',
      },
      {
        location: { file, line: 3, column: 4, secret: null },
        solve: 'In a file, write one host, group or pattern a line',
      },
    ]);
  });

  it(supported('Patterns', 'an empty `@FILE` is an error, not every host (as it is to Ansible)'), () => {
    writeFileSync(join(folder, 'empty.txt'), ' \n\n');
    const { hosts, problems } = matchLimit(inventory, `@${folder}/empty.txt`);
    expect(hosts).toEqual([]);
    expect(problems).toMatchObject([{ what: 'the file names no host', location: { line: 1, column: 1 } }]);
  });

  it('does not tell a thousand times that a file is no list of patterns', () => {
    writeFileSync(join(folder, 'other.txt'), 'nothing of the kind\n'.repeat(1_000));
    expect(matchLimit(inventory, `@${folder}/other.txt`).problems).toHaveLength(50);
  });

  it('says when there is no such file', () => {
    expect(() => matchLimit(inventory, '@/nonexistent/list')).toThrow(
      '/nonexistent/list:1:1: error: there is no such file',
    );
  });
});

describe('patterns that would keep others busy for ever', () => {
  const many = [...Array(10_000)].map((_, index) => `${'a'.repeat(60)}${index}.example.net`);
  const crowd: Inventory = { ...inventory, asWritten: many };

  it.each([
    ['~(a+)+$', 'takes too long on the names of this inventory'],
    ['~(a|aa)+$', 'takes too long on the names of this inventory'],
    ['~((a*)*)*b', 'takes too long on the names of this inventory'],
    ['~(.*a){20}x', 'takes too long on the names of this inventory'],
    ['~(((((a?){20}){20}){20}){20}){20}', 'takes too long on the names of this inventory'],
    ['~(a?){900}a{900}', 'matches'],
    // Nothing could end this while it is compiled.
    [`~(${'a?'.repeat(120)})x${'a'.repeat(40)}c`, 'has too many optional parts or alternatives that follow each other'],
    ['*a*a*a*a*a*a*a*a*a*b', 'matches'],
    ['*[a-z]?*a?*[!b]?*a?*?a*?a*z', 'matches'],
  ])('%s', (pattern, says) => {
    const start = performance.now();
    const { problems } = matchHosts(crowd, pattern);
    expect(problems.map((problem) => problem.what).join()).toContain(says);
    expect(problems).toHaveLength(1);
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});
