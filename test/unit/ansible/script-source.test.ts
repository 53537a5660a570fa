import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type InventoryOptions, loadInventory, readInventoryFiles } from '../../../src/ansible/inventory.ts';
import { formatProblem, InputError } from '../../../src/core/problem.ts';
import { supported } from '../../helpers/supported.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-programs-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Writes an inventory program; its first line is that of a shell script. */
function program(name: string, lines: string, mode = 0o755): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${lines}\n`);
  chmodSync(file, mode);
  return file;
}

async function problemsOf(
  source: string | readonly string[],
  options: InventoryOptions = {},
): Promise<readonly string[]> {
  try {
    const { warnings } = await loadInventory(source, options);
    return warnings.map((one) => formatProblem(one).replaceAll(`${folder}/`, ''));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.map((one) => formatProblem(one).replaceAll(`${folder}/`, ''));
  }
}

describe('an inventory program', () => {
  it('is run with --list, and with --host where the list has no _meta', async () => {
    const file = program(
      'inv.sh',
      `echo "$@" >> '${folder}/calls'; test "$1" = --list && echo '{"web": ["w1", "w2"]}' || echo "{\\"me\\": \\"$2\\"}"`,
    );
    const { hosts } = await loadInventory(file);
    expect([...hosts.values()].map((host) => host.variables.get('me')?.plain)).toEqual(['w1', 'w2']);
  });

  it('tells every value by the program, the path in its JSON, and line and column of what it printed', async () => {
    const file = program(
      'inv.sh',
      `cat <<'END'\n{"web": {"hosts": ["w1"],\n  "vars": {"a": {"b": [1, 2]}}},\n "_meta": {"hostvars": {"w1": {"portfw_roles": "x"}}}}\nEND`,
    );
    const host = (await loadInventory(file)).hosts.get('w1')!;
    expect(host.location).toEqual({ file: `${file} --list (web.hosts.0)`, line: 1, column: 20, secret: null });
    expect(host.origin('a', ['b', 1])).toEqual({
      file: `${file} --list (web.vars.a.b.1)`,
      line: 2,
      column: 27,
      secret: null,
    });
    expect(host.origin('portfw_roles', [], 'key')).toMatchObject({
      file: `${file} --list (_meta.hostvars.w1.portfw_roles)`,
      line: 3,
    });
  });

  it(
    supported('Executable inventories and plugins', 'A time limit (`PORTFW_INVENTORY_TIMEOUT`, in seconds)'),
    async () => {
      // The child that it leaves behind holds its output open.
      const file = program('slow.sh', "echo 'still here' >&2; sleep 30 & wait");
      const started = performance.now();
      expect(await problemsOf(file, { programTimeoutMs: 300 })).toEqual([
        expect.stringContaining(
          'slow.sh:1:1: error: the program ("--list") did not end within 0.3 seconds: still here\n',
        ),
      ]);
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );

  it('is not waited for when it ends and leaves a child behind', async () => {
    const file = program('leaves.sh', 'sleep 20 & echo \'{"web": ["w1"], "_meta": {"hostvars": {}}}\'');
    const started = performance.now();
    expect([...(await loadInventory(file)).hosts.keys()]).toEqual(['w1']);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it.each([
    [
      'exit code',
      'echo "no such region" >&2; echo "giving up" >&2; exit 3',
      'ended with exit code 3: no such region / giving up',
    ],
    ['signal', 'kill -9 $$', 'was ended by SIGKILL'],
    ['no interpreter', null, 'cannot be started: the interpreter in its first line does not exist'],
    ['too much', 'yes 0123456789012345678901234567890123456789 | head -c 40000000', 'printed more than 32 MiB'],
  ])('says how it failed: %s', async (_how, lines, expected) => {
    const file = program('inv.sh', lines ?? '');
    if (lines === null) writeFileSync(file, '#!/nonexistent/interpreter\n');
    const [first, ...others] = await problemsOf(file);
    expect(first).toMatch(/^inv\.sh:1:1: error: the program \("--list"\) /);
    expect(first).toContain(expected);
    expect(others).toEqual([]);
  });

  it('says where its output is no JSON', async () => {
    const file = program('inv.sh', `printf '{"web": {\\n  "hosts": [w1]}}\\n'`);
    expect(await problemsOf(file)).toEqual([
      'inv.sh --list:2:13: error: this is not JSON: "w" is where a value should be\n    Correct it here',
    ]);
    const invalid = program('bytes.sh', "printf '\\377\\376'");
    expect(await problemsOf(invalid)).toEqual([expect.stringContaining('is not valid UTF-8')]);
  });

  it('has its names and shapes checked like any file, all at once', async () => {
    const list = {
      'we;b': ['w1'],
      web: { hosts: ['w 2', 5, 'ok'], vars: [], children: 'db' },
      db: 'd1',
      _meta: { hostvars: { ok: ['no'] } },
    };
    const file = program('inv.sh', `cat <<'END'\n${JSON.stringify(list)}\nEND`);
    expect((await problemsOf(file)).map((text) => text.replace(/\n[\s\S]*/, '').replace(/:\d+:\d+/, ''))).toEqual(
      [
        'inv.sh --list (we;b): error: the group name "we;b" holds the character ";"',
        'inv.sh --list (web.hosts.0): error: the host name "w 2" holds the character " "',
        'inv.sh --list (web.hosts.1): error: a host must be a name, not 5',
        'inv.sh --list (web.vars): error: "vars" of the group "web" must be a mapping, not a list',
        'inv.sh --list (web.children): error: "children" of the group "web" must be a list, not "db"',
        'inv.sh --list (db): error: the hosts of the group "db" must be a list, not "d1"',
        'inv.sh --list (_meta.hostvars.ok): error: the variables of the host "ok" must be a mapping, not a list',
      ].sort(),
    );
  });

  it(
    supported('Executable inventories and plugins', 'Programs run without input, and without the passwords of portfw'),
    async () => {
      vi.stubEnv('PORTFW_SSH_PASSWORD', 'secret');
      vi.stubEnv('SOMETHING_ELSE', 'kept');
      const file = program(
        'inv.sh',
        `cat > '${folder}/input'; env > '${folder}/env'; echo '{"web": ["w1"], "_meta": {"hostvars": {"w1": {"p": "'"$PORTFW_SSH_PASSWORD"'", "e": "'"$SOMETHING_ELSE"'"}}}}'`,
      );
      const { variables } = (await loadInventory(file)).hosts.get('w1')!;
      expect([variables.get('p')?.plain, variables.get('e')?.plain]).toEqual(['', 'kept']);
    },
  );

  it('is heard when it succeeds and complains', async () => {
    const file = program('inv.sh', `echo "careful \\033[31m" >&2; echo '{"web": ["w1"], "_meta": {"hostvars": {}}}'`);
    const [warning] = await problemsOf(file);
    expect(warning).toContain('inv.sh:1:1: warning: the program wrote to its error output: careful');
    expect(warning).not.toContain('\u001b');
  });

  it('is asked for by name when it is not executable', async () => {
    expect(await problemsOf(program('inv.sh', 'echo {}', 0o644))).toEqual([
      'inv.sh:1:1: error: this looks like an inventory program, but it is not executable\n    Make it executable with "chmod +x"',
    ]);
  });

  it('is never run to read files alone', () => {
    const file = program('inv.sh', `touch '${folder}/ran'`);
    expect(() => readInventoryFiles(file)).toThrow(InputError);
    expect(() => readInventoryFiles(join(folder, 'ran'))).toThrow('there is no such file');
  });
});

describe('what only Ansible can read', () => {
  it('says so when ansible-inventory is not installed', async () => {
    mkdirSync(join(folder, 'empty'));
    vi.stubEnv('PATH', join(folder, 'empty'));
    writeFileSync(join(folder, 'x.yml'), '# cloud\nplugin: amazon.aws.aws_ec2\n');
    writeFileSync(join(folder, 'hosts.toml'), '[web.hosts]\nw1 = {}\n');
    writeFileSync(join(folder, 'x.json'), '{"plugin": "amazon.aws.aws_ec2"}\n');
    expect(await problemsOf(['x.yml', 'hosts.toml', 'x.json'].map((name) => join(folder, name)))).toEqual([
      'hosts.toml:1:1: error: ansible-inventory is needed to read TOML, and it is not installed\n    Install ansible-core, or give portfw what "ansible-inventory -i FILE --list --yaml" prints elsewhere',
      expect.stringContaining('x.json:1:12: error: this configures the inventory plugin "amazon.aws.aws_ec2"'),
      'x.yml:2:9: error: ansible-inventory is needed to run the inventory plugin "amazon.aws.aws_ec2", and it is not installed\n    Install ansible-core, or give portfw what "ansible-inventory -i FILE --list --yaml" prints elsewhere',
    ]);
  });
});

describe('sources', () => {
  it('take a name with a comma for hosts, and say so where it is missing', async () => {
    expect([...(await loadInventory('web1:2222, [2001:db8::1]:22,')).hosts.keys()]).toEqual(['web1', '2001:db8::1']);
    expect(await problemsOf('web1')).toEqual([
      'web1:1:1: error: there is no such file\n    Check the path; a host in the place of a file has a comma after it: "web1,"',
    ]);
    expect(await problemsOf('a[1:3],b')).toEqual([expect.stringContaining('a list of hosts takes no ranges')]);
  });

  it('decrypt whole files where somebody can', async () => {
    const encrypted = '$ANSIBLE_VAULT;1.1;AES256\n6162\n';
    writeFileSync(join(folder, 'hosts.ini'), encrypted);
    mkdirSync(join(folder, 'group_vars'));
    writeFileSync(join(folder, 'group_vars', 'web.yml'), encrypted);
    const texts: Readonly<Record<string, string>> = { 'hosts.ini': '[web]\nw1\n', 'web.yml': 'a: 1\n' };
    const decrypt = (text: string, file: string): string => {
      expect(text).toBe(encrypted);
      return texts[file.split('/').at(-1)!]!;
    };
    const { hosts } = await loadInventory(join(folder, 'hosts.ini'), { decrypt });
    expect(hosts.get('w1')!.variables.get('a')?.plain).toBe(1);
    expect(await problemsOf(join(folder, 'hosts.ini'))).toEqual([
      expect.stringContaining('hosts.ini:1:1: error: the whole file is encrypted with ansible-vault'),
    ]);
  });

  it('name the place of every value in an INI inventory', async () => {
    const file = join(folder, 'hosts.ini');
    writeFileSync(file, '[web]\n  w1 a="x y" "b c"=[1]\n[web:vars]\n  v = {"k": 1}\n');
    const host = (await loadInventory(file)).hosts.get('w1')!;
    expect(host.location).toEqual({ file, line: 2, column: 3, secret: null });
    expect(host.origin('a', [], 'key')).toEqual({ file, line: 2, column: 6, secret: null });
    expect(host.origin('a')).toEqual({ file, line: 2, column: 9, secret: null });
    expect(host.origin('b c')).toEqual({ file, line: 2, column: 20, secret: null });
    expect(host.origin('v', ['k'])).toEqual({ file, line: 4, column: 7, secret: null });
  });

  it('warn of a name of both a group and a host, and of INI in a YAML file', async () => {
    const file = join(folder, 'hosts.yaml');
    writeFileSync(file, '[w1]\nw1\n');
    expect(await problemsOf(file)).toEqual([
      expect.stringContaining('hosts.yaml:1:1: warning: the file ends in .yaml, but holds an INI inventory'),
      expect.stringContaining('hosts.yaml:2:1: warning: "w1" is the name of a group and of a host'),
    ]);
  });

  it(
    supported(
      'Inventory files',
      '`group_vars` and `host_vars` in the current folder, over those beside the inventories',
    ),
    async () => {
      for (const [path, text] of [
        ['inv/hosts.yaml', 'web:\n  hosts:\n    w1:\n'],
        ['inv/group_vars/web.yml', 'a: beside\nb: beside\n'],
        ['play/group_vars/all.yml', 'b: all\nc: all\n'],
        ['play/group_vars/web.yml', 'a: play\n'],
        ['play/host_vars/w1.yml', 'd: play\n'],
      ] as const) {
        mkdirSync(join(folder, path, '..'), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const inventory = await loadInventory(join(folder, 'inv/hosts.yaml'), { playbookFolder: join(folder, 'play') });
      const { variables } = inventory.hosts.get('w1')!;
      expect(['a', 'b', 'c', 'd'].map((name) => variables.get(name)?.plain)).toEqual(['play', 'beside', 'all', 'play']);
    },
  );
});
