import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expandHostNames, MAX_HOSTS } from '../../../src/ansible/graph/host-names.ts';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { InputError } from '../../../src/core/problem.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/list');

describe('where a value comes from', async () => {
  const folder = join(FIXTURES, 'precedence');
  const host = (await loadInventory(join(folder, 'hosts.yaml'))).hosts.get('h1')!;

  it.each([
    ['v1', 'all inline', 'hosts.yaml', 3, 9],
    ['v2', 'parent inline', 'hosts.yaml', 13, 13],
    ['v3', 'child inline', 'hosts.yaml', 22, 17],
    ['v4', 'all file', 'group_vars/all.yml', 2, 5],
    ['v5', 'parent file', 'group_vars/parent.yaml', 1, 5],
    ['v6', 'host inline', 'hosts.yaml', 25, 19],
    ['v7', 'host file', 'host_vars/h1', 1, 5],
    ['v8', 'child file', 'group_vars/child.json', 1, 8],
  ])('%s is set at its place', (name, value, file, line, column) => {
    expect(host.variables.get(name)?.plain).toBe(value);
    expect(host.origin(name)).toEqual({ file: join(folder, file), line, column, secret: null });
  });

  it('knows the place of the key and of inner parts', async () => {
    const inventory = await loadInventory(join(FIXTURES, 'portaswitch-site', 'hosts.yaml'));
    const sip = inventory.hosts.get('sip2.example.net')!;
    const file = join(FIXTURES, 'portaswitch-site', 'hosts.yaml');
    expect(sip.origin('portfw_interfaces', ['private', 1])).toEqual({ file, line: 9, column: 59, secret: null });
    expect(sip.origin('portfw_interfaces', [], 'key')).toEqual({ file, line: 9, column: 9, secret: null });
    expect(sip.origin('portfw_interfaces', ['private', 7])).toEqual({ file, line: 9, column: 52, secret: null });
    expect(sip.origin('nothing')).toBeNull();
  });

  it("sets Ansible's own variables over everything", async () => {
    const hosts = (await loadInventory(join(FIXTURES, 'internal-names', 'hosts.yaml'))).hosts;
    const variables = hosts.get('h1.example.net')!.variables;
    expect(variables.get('inventory_hostname')?.plain).toBe('h1.example.net');
    expect(variables.get('inventory_hostname_short')?.plain).toBe('h1');
    expect(variables.get('group_names')?.plain).toEqual(['ungrouped']);
    expect(variables.get('inventory_dir')?.plain).toBe(join(FIXTURES, 'internal-names'));
  });

  it('lists groups sorted, and the hosts of a group level by level', async () => {
    const inventory = await loadInventory(join(FIXTURES, 'nested-children', 'hosts.yaml'));
    expect(inventory.hosts.get('db1.example.net')!.groups).toEqual(['core', 'databases', 'edge', 'site']);
    expect(inventory.groups.get('site')!.allHosts).toEqual(['sip1.example.net', 'db1.example.net', 'db2.example.net']);
    expect(inventory.groups.get('site')!.hosts).toEqual([]);
    expect([...inventory.hosts.keys()][0]).toBe('lonely.example.net');
  });
});

describe('files on disk', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'portfw-inventory-'));
    writeFileSync(join(folder, 'hosts.yaml'), 'web:\n  hosts:\n    w1:\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const messages = async (path: string | string[]): Promise<string[]> => {
    try {
      await loadInventory(path);
      return [];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return error.problems.map((problem) => `${problem.location?.file.slice(folder.length)}: ${problem.what}`);
    }
  };

  it('says what is wrong with a file that is none', async () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    expect(await messages(join(folder, 'fifo'))).toEqual(['/fifo: this is not a regular file']);
    expect(await messages(join(folder, 'missing.yaml'))).toEqual(['/missing.yaml: there is no such file']);
    expect(await messages(join(folder, 'hosts.yaml', 'x'))).toEqual(['/hosts.yaml/x: there is no such file']);
    symlinkSync('loop', join(folder, 'loop'));
    expect(await messages(join(folder, 'loop'))).toEqual(['/loop: the symbolic link leads back to itself']);
    writeFileSync(join(folder, 'huge.yaml'), Buffer.alloc(5 * 1024 * 1024 + 1, '#'));
    expect(await messages(join(folder, 'huge.yaml'))).toEqual(['/huge.yaml: the file is larger than 5 MiB']);
    mkdirSync(join(folder, 'nothing'));
    expect(await messages(join(folder, 'nothing'))).toEqual(['/nothing: there is no inventory in this folder']);
  });

  it('reports broken files of variables, even beside a broken inventory', async () => {
    mkdirSync(join(folder, 'group_vars'));
    mkdirSync(join(folder, 'host_vars', 'w1'), { recursive: true });
    writeFileSync(join(folder, 'group_vars', 'web.yml'), '- a list\n');
    writeFileSync(join(folder, 'group_vars', 'all.yml'), '$ANSIBLE_VAULT;1.1;AES256\n00\n');
    execFileSync('mkfifo', [join(folder, 'host_vars', 'w1', 'pipe.yml')]);
    const broken = [
      '/group_vars/all.yml: the whole file is encrypted with ansible-vault',
      '/group_vars/web.yml: a file of variables is a mapping, not a list',
      '/host_vars/w1/pipe.yml: this is not a regular file',
    ];
    expect(await messages(join(folder, 'hosts.yaml'))).toEqual(broken);
    writeFileSync(join(folder, 'hosts.yaml'), 'web:\n  hosts:\n    w1:\n  bogus: 1\n');
    expect(await messages(join(folder, 'hosts.yaml'))).toEqual([
      ...broken,
      '/hosts.yaml: unknown key "bogus" in the group "web"',
    ]);
  });

  it('follows links to folders of variables, but not in circles', async () => {
    mkdirSync(join(folder, 'group_vars', 'web'), { recursive: true });
    symlinkSync('.', join(folder, 'group_vars', 'web', 'again'));
    expect(await messages(join(folder, 'hosts.yaml'))).toEqual([
      expect.stringContaining('folders of variables are nested more than 16 deep'),
    ]);
  });

  it('merges several inventories in their order', async () => {
    mkdirSync(join(folder, 'second', 'group_vars'), { recursive: true });
    mkdirSync(join(folder, 'group_vars'));
    writeFileSync(join(folder, 'second', 'more.yaml'), 'web:\n  hosts:\n    w2:\ndb:\n  hosts:\n    w1:\n');
    writeFileSync(join(folder, 'group_vars', 'web.yml'), 'source: first\nfirst: true\n');
    writeFileSync(join(folder, 'second', 'group_vars', 'web.yml'), 'source: second\n');
    const inventory = await loadInventory([join(folder, 'hosts.yaml'), join(folder, 'second', 'more.yaml')]);
    expect([...inventory.hosts.keys()]).toEqual(['w1', 'w2']);
    expect(inventory.hosts.get('w1')!.variables.get('source')?.plain).toBe('second');
    expect(inventory.hosts.get('w1')!.variables.get('first')?.plain).toBe(true);
    expect(inventory.hosts.get('w1')!.groups).toEqual(['db', 'web']);
  });

  it('holds as many hosts as an inventory may, in good time', async () => {
    writeFileSync(join(folder, 'hosts.yaml'), `all:\n  vars: {a: 1}\n  hosts:\n    h[1:${MAX_HOSTS}]:\n`);
    const started = performance.now();
    expect((await loadInventory(join(folder, 'hosts.yaml'))).hosts.size).toBe(MAX_HOSTS);
    expect(performance.now() - started).toBeLessThan(20_000);
    writeFileSync(join(folder, 'hosts.yaml'), `all:\n  hosts:\n    h[1:${MAX_HOSTS}]:\n    one-more:\n`);
    expect(await messages(join(folder, 'hosts.yaml'))).toEqual([
      '/hosts.yaml: the inventory holds more than 65536 hosts',
    ]);
  }, 60_000);

  it('never fails otherwise than by saying what is wrong', async () => {
    const name = fc.oneof(
      fc.constantFrom('all', 'hosts', 'children', 'vars', 'web', 'portfw_roles', 'ansible_host', 'a[1:3]', '<<'),
      fc.string(),
    );
    const value = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, 5, 'x', '{{ y }}', '10.1', [], 1.5, -1),
        fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
    })).tree;
    const junk = fc.array(
      fc.constantFrom(
        'all',
        ':',
        ' ',
        '\n',
        '  ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        '&a',
        '*a',
        '!vault',
        '"',
        "'",
        '|',
        '#',
        '\t',
        'hosts',
        'vars',
        '?',
        '<<',
        '1:30',
        '\u0000',
        'é',
      ),
      { maxLength: 40 },
    );
    const texts = fc.oneof(
      value.map((tree) => JSON.stringify({ all: tree })),
      junk.map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        writeFileSync(join(folder, 'hosts.yaml'), text);
        try {
          readSettings(await loadInventory(join(folder, 'hosts.yaml')));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as InputError).problems.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

describe('ranges of hosts', () => {
  it('stand for as many names as they count, each once', async () => {
    const bound = fc.integer({ min: 0, max: 300 });
    fc.assert(
      fc.property(bound, bound, fc.integer({ min: 1, max: 9 }), (a, b, step) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)];
        const found = expandHostNames(`n[${first}:${last}:${step}].example.net`, MAX_HOSTS);
        if ('what' in found) throw new Error(found.what);
        expect(new Set(found.names).size).toBe(Math.floor((last - first) / step) + 1);
        expect(found.names[0]).toBe(`n${first}.example.net`);
      }),
    );
  });

  it.each([
    ['gw:2200', ['gw'], 2200],
    ['[2001:db8::7]:2204', ['2001:db8::7'], 2204],
    ['2001:db8::7', ['2001:db8::7'], null],
    ['::1', ['::1'], null],
    ['gw[1:2]:22', ['gw1', 'gw2'], 22],
    ['a:b', ['a:b'], null],
  ])('%s', (key, names, port) => {
    expect(expandHostNames(key, MAX_HOSTS)).toEqual({ names, port });
  });
});
