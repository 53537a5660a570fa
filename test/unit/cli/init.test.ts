import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { type InitAnswers, type InitFile, initText, scalar } from '../../../src/cli/init-text.ts';
import { BuiltPortfw, type Ended } from './helpers/portfw.ts';

const FOLDER = path.resolve('test/fixtures/init');
const TODAY = '2026-06-01';
const portfw = new BuiltPortfw();
afterAll(() => portfw.remove());

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'portfw-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => path.join(folder, name);
const init = (...args: readonly string[]): Promise<Ended> => portfw.run(['init', ...args]);

const NOTHING: InitAnswers = {
  playbook: 'portaswitch',
  public: [],
  private: [],
  user: null,
  become: null,
  hosts: [],
  vips: [],
  management: [],
};
const NEW: InitFile = {
  file: 'inventory.yaml',
  from: [],
  schema: '/schemas/inventory.schema.json',
  playbooks: ['img-gcems', 'portaswitch'],
  addresses: [],
  leftOut: [],
};

const host = (group: string | null, name: string, address: string | null, ...roles: readonly string[]) => ({
  group,
  name,
  address,
  roles,
});

const TEXTS: Readonly<Record<string, readonly [InitAnswers, InitFile]>> = {
  'one-host': [{ ...NOTHING, user: 'root', hosts: [host(null, 'web1.example.net', null)] }, NEW],
  'a-site': [
    {
      ...NOTHING,
      public: ['203.0.113.0/24', '2001:db8:b::/64'],
      private: ['198.51.100.0/24'],
      user: 'ops',
      become: true,
      hosts: [
        host('web', 'web1.example.net', '198.51.100.20', 'web-admin', 'configuration'),
        host('sip', 'sip1', '198.51.100.41'),
        host('sip', 'sip2', '198.51.100.42'),
        host('rtp', 'rtp[1:3].example.net', null),
      ],
      vips: [
        { on: 'group', name: 'sip', address: '203.0.113.45' },
        { on: 'group', name: 'rtp', address: '2001:db8:b::45' },
      ],
      management: ['192.0.2.0/24'],
    },
    NEW,
  ],
  'beside-an-inventory': [
    {
      ...NOTHING,
      public: ['eth0'],
      hosts: [host(null, 'web1', null, 'web-admin')],
      vips: [{ on: 'group', name: 'sip', address: '203.0.113.45' }],
    },
    {
      ...NEW,
      file: 'portfw.yaml',
      from: ['hosts.ini', "the site's/more.yaml"],
      addresses: ['198.51.100.20', '198.51.100.21', '2001:db8:5:0:1::1', 'web9.example.net', '203.0.113.1'],
    },
  ],
  'in-group-vars': [
    NOTHING,
    { ...NEW, file: 'group_vars/all/portfw.yaml', from: ['hosts.ini'], schema: 'vars.schema.json' },
  ],
};

describe('the text', () => {
  it.each(Object.entries(TEXTS))('%s', async (name, [answers, context]) => {
    const text = initText(answers, context);
    await expect(text).toMatchFileSnapshot(path.join(FOLDER, `${name}.yaml`));
    expect(parse(text, { version: '1.1' })).toBeTypeOf('object');
    expect(text.split('\n').filter((line) => line.length > 130)).toEqual([]);
  });

  it.each([
    'yes',
    'no',
    'null',
    '010',
    '1_000',
    '1:30',
    '2001:db8::1',
    'a: b',
    "it's",
    '@x',
    '#x',
    '~',
    'a#b',
    '-a',
    '198.51.100.0/24',
    'sip[1:2]',
    'x:',
    '5',
  ])('writes %j so that it is read as the same text', (text) => {
    expect(parse(`${scalar(text)}: 1`, { version: '1.1' })).toEqual({ [text]: 1 });
    expect(parse(`a: ${scalar(text)}`, { version: '1.1' })).toEqual({ a: text });
  });
});

describe.concurrent('portfw init without a terminal', { timeout: 60_000 }, () => {
  it('writes an inventory that lint doubts only for what the table leaves open, from flags alone', async () => {
    const own = mkdtempSync(path.join(tmpdir(), 'portfw-init-'));
    const file = path.join(own, 'inventory.yaml');
    const flags = [
      '--playbook',
      'portaswitch',
      '--public',
      '203.0.113.0/24',
      '--private',
      '198.51.100.0/24',
      '--user',
      'ops',
    ];
    const hosts = [
      'web/web1.example.net=198.51.100.20',
      'sip/sip1=198.51.100.41',
      'sip/sip2=198.51.100.42',
      'db1.example.net',
    ];
    const { code, stdout, stderr } = await init(
      file,
      '--yes',
      ...flags,
      ...hosts.flatMap((one) => ['--host', one]),
      ...['--role', 'web1.example.net=web-admin', '--vip', 'sip=203.0.113.45', '--management', '192.0.2.0/24'],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Next:\n  portfw lint ${file}\n  portfw detect ${file}\n`);
    expect(readdirSync(own)).toEqual(['inventory.yaml']);
    const { problems } = await lintFiles([file], { today: TODAY });
    expect(problems.map(({ code, what }) => `${code}: ${what}`)).toEqual([
      'open-to-all: TFTP is open to anybody on the public side of "web1.example.net", by web-admin/public/udp/69',
    ]);
    const { hosts: found } = await loadInventory(file);
    expect([...found.keys()].sort()).toEqual(['db1.example.net', 'sip1', 'sip2', 'web1.example.net']);
    expect(found.get('web1.example.net')?.variables.get('portfw_roles')?.plain).toEqual(['web-admin']);
    expect(found.get('sip2')?.variables.get('portfw_cluster')?.plain).toBe('sip');
    const listed = await portfw.run(['inventory', file, '--list']);
    expect(listed.code).toBe(0);
    expect(JSON.parse(listed.stdout)._meta.hostvars['db1.example.net'].ansible_become).toBe(true);
    rmSync(own, { recursive: true });
  });
});

describe('portfw init', { timeout: 60_000 }, () => {
  const INI =
    '[web]\nweb1 ansible_host=198.51.100.20\nweb2 ansible_host=198.51.100.21\n\n[all:vars]\nansible_user=ops\n';

  it.each(['portfw.yaml', 'group_vars/all/portfw.yaml'])(
    '--from leaves the inventory as it is, and writes %s beside it',
    async (name) => {
      writeFileSync(at('hosts.ini'), INI);
      const { code, stdout, stderr } = await init(
        '--from',
        at('hosts.ini'),
        at(name),
        '--yes',
        '--role',
        'web1=radius',
        '--management',
        '192.0.2.0/24',
      );
      // Roles of hosts have no place in variables for all of them.
      if (name !== 'portfw.yaml') {
        expect(code).toBe(4);
        expect(stderr).toContain('--role');
        return;
      }
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(readFileSync(at('hosts.ini'), 'utf8')).toBe(INI);
      expect(readFileSync(at(name), 'utf8')).toContain('198.51.100.0/24 (2 hosts)');
      expect(stdout).toContain(`portfw plan -i ${at('hosts.ini')} -i ${at(name)}`);
      const together = await portfw.run(['lint', '--strict', '-i', at('hosts.ini'), '-i', at(name)]);
      expect(together).toMatchObject({ code: 0, stderr: '' });
      const { hosts } = await loadInventory([at('hosts.ini'), at(name)]);
      expect(hosts.get('web1')?.variables.get('portfw_playbook')?.plain).toBe('portaswitch');
      expect(hosts.get('web1')?.variables.get('portfw_roles')?.plain).toEqual(['radius']);
      expect(hosts.get('web2')?.variables.has('portfw_roles')).toBe(false);
    },
  );

  it('--from with a file of variables is read with the inventory as it is', async () => {
    writeFileSync(at('hosts.ini'), INI);
    const file = at('group_vars/all/portfw.yaml');
    const { code, stdout } = await init('--from', at('hosts.ini'), file, '--yes', '--management', '192.0.2.0/24');
    expect(code).toBe(0);
    expect(stdout).toContain(`portfw plan ${at('hosts.ini')}\n`);
    expect(await portfw.run(['lint', '--strict', at('hosts.ini')])).toMatchObject({ code: 0 });
    const { hosts } = await loadInventory(at('hosts.ini'));
    expect(hosts.get('web2')?.variables.get('portfw_playbook')?.plain).toBe('portaswitch');
  });

  it('--from reads encrypted files of variables, and writes nothing of them down', async () => {
    const vault = path.resolve('test/fixtures/inventory/vault');
    writeFileSync(at('hosts.ini'), '[web]\nweb1\nweb2 ansible_host=192.0.2.9\n');
    mkdirSync(at('host_vars'));
    const password = path.join(vault, 'default.password');
    copyFileSync(path.join(vault, 'address.vault'), at('host_vars/web1.yml'));
    const without = await init('--from', at('hosts.ini'), at('portfw.yaml'), '--yes');
    expect(without.code).toBe(4);
    expect(without.stderr).toContain('is encrypted with ansible-vault, and no password was given');
    expect(existsSync(at('portfw.yaml'))).toBe(false);
    const flags = ['--vault-password-file', password];
    const { code, stdout, stderr } = await init('--from', at('hosts.ini'), ...flags, at('portfw.yaml'), '--yes');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const written = readFileSync(at('portfw.yaml'), 'utf8');
    expect(written).toContain('192.0.2.0/24 (1 host)');
    expect(`${written}${stdout}`).not.toContain('198.51.100.20');
    expect(written).not.toContain('198.51.100.0/24 (');
  });

  it('--from marks hosts that their connection leaves out, and says so; lint then asks nothing', async () => {
    const others = [
      'win1 ansible_connection=winrm',
      'sw1 ansible_connection=network_cli',
      'localhost ansible_connection=local',
    ];
    writeFileSync(at('hosts.ini'), `${others.join('\n')}\n${INI}`);
    const { code, stdout, stderr } = await init(
      '--from',
      at('hosts.ini'),
      at('portfw.yaml'),
      '--yes',
      '--management',
      '192.0.2.0/24',
      '--role',
      'web1=radius',
      '--vip',
      'web1=203.0.113.45',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(
      'portfw_managed: false is written for win1 (ansible_connection: winrm); sw1 (ansible_connection: network_cli); localhost (ansible_connection: local, this machine)\n',
    );
    const { hosts } = await loadInventory([at('hosts.ini'), at('portfw.yaml')]);
    const managed = [...hosts].map(([name, { variables }]) => [name, variables.get('portfw_managed')?.plain]);
    expect(Object.fromEntries(managed)).toEqual({
      win1: false,
      sw1: false,
      localhost: false,
      web1: undefined,
      web2: undefined,
    });
    expect(hosts.get('web1')?.variables.get('portfw_vips')?.plain).toEqual(['203.0.113.45']);
    const lint = await portfw.run(['lint', '-i', at('hosts.ini'), '-i', at('portfw.yaml')]);
    expect(lint.stdout).not.toContain('leaves out');
    // A file of variables has no place for single hosts: lint asks.
    const variables = await init('--from', at('hosts.ini'), at('group_vars/all/portfw.yaml'), '--yes');
    expect(variables.stdout).not.toContain('portfw_managed: false is written');
    expect(variables.stdout).toContain('every run leaves out win1');
  });

  it('does not hide a file of variables that is there', async () => {
    writeFileSync(at('hosts.ini'), INI);
    mkdirSync(at('group_vars'));
    writeFileSync(at('group_vars/all.yml'), 'colour: blue\n');
    const { code, stderr } = await init('--from', at('hosts.ini'), at('group_vars/all/portfw.yaml'), '--yes');
    expect(code).toBe(4);
    expect(stderr).toContain('would hide');
    expect(readdirSync(at('group_vars'))).toEqual(['all.yml']);
  });

  it('never writes over a file, and does with --force', async () => {
    writeFileSync(at('inventory.yaml'), 'mine\n');
    const args = [at('inventory.yaml'), '--yes', '--host', 'web1'];
    const { code, stderr } = await init(...args);
    expect(code).toBe(4);
    expect(stderr).toContain('already exists');
    expect(readFileSync(at('inventory.yaml'), 'utf8')).toBe('mine\n');
    expect((await init(...args, '--force')).code).toBe(0);
    expect(readFileSync(at('inventory.yaml'), 'utf8')).toContain('portfw_playbook: portaswitch');
    expect(readdirSync(folder)).toEqual(['inventory.yaml']);
    writeFileSync(at('hosts.ini'), INI);
    const over = await init('--from', at('hosts.ini'), at('hosts.ini'), '--yes', '--force');
    expect(over.code).toBe(4);
    expect(readFileSync(at('hosts.ini'), 'utf8')).toBe(INI);
  });

  it.each([
    [['--yes'], '--host is missing'],
    [['--host', 'a b'], 'is no host'],
    [['--host', 'web/sip[1:2]=192.0.2.1'], 'a range of hosts cannot have one address'],
    [['--host', 'a', '--playbook', 'portaswich'], 'did you mean "portaswitch"?'],
    [['--host', 'a', '--playbook', './no.yaml'], 'no.yaml'],
    [['--host', 'a', '--public', '192.0.2.0/33'], '/33'],
    [['--host', 'a', '--role', 'a=web-admn'], 'Did you mean "web-admin"?'],
    [['--host', 'a', '--role', 'b=web-admin'], 'there is no host "b"'],
    [['--host', 'sip/a', '--vip', 'spi=192.0.2.1'], 'there is no group "spi"'],
    [['--host', 'sip/a', '--vip', 'sip=192.0.2.0/24'], 'is no virtual address'],
    [['--host', 'a', '--management', '10.1'], '10.1'],
    [['--host', 'a', '--user', 'a b'], 'is no user name'],
    [['--from', 'no-such-file'], 'no-such-file'],
  ])('refuses %j and writes nothing', async (args, message) => {
    const { code, stderr } = await init(at('x.yaml'), ...args);
    expect(stderr).toContain(message);
    expect(code).toBe(4);
    expect(readdirSync(folder)).toEqual([]);
  });

  /** Answers questions on a terminal; `null` is Ctrl-C. */
  function answer(...answers: readonly (string | null)[]): Promise<{ code: number | null; shown: string }> {
    const command = `'${process.execPath}' '${portfw.main}' init '${at('inventory.yaml')}'`;
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1' },
    });
    const left = [...answers];
    let shown = '';
    let asked = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      const questions = (shown.match(/\?(?: \[[^\]]*\])? /g) ?? []).length;
      if (questions <= asked) return;
      asked = questions;
      const next = left.shift();
      child.stdin.write(next === null ? '\u0003' : `${next ?? ''}\n`);
    });
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, shown })));
  }

  it('asks on a terminal, shows defaults, and asks again after an answer that cannot be', async () => {
    const { code, shown } = await answer(
      'portaswich',
      '',
      'web/web1=198.51.100.20',
      '203.0.113.0/24',
      '198.51.100.0/24',
      'ops',
      '',
      '',
      '',
    );
    expect(shown).toContain('did you mean "portaswitch"?');
    expect(shown).toContain('[portaswitch]');
    expect(shown).toContain('portfw plan');
    expect(code).toBe(0);
    const text = readFileSync(at('inventory.yaml'), 'utf8');
    expect(text).toContain('portfw_playbook: portaswitch\n');
    expect(text).toContain('ansible_user: ops\n    ansible_become: true\n');
    // Nobody said who administers the hosts, and web1's role is yet to be found.
    expect((await lintFiles([at('inventory.yaml')], { today: TODAY })).problems).toMatchObject([
      { code: 'open-to-all', what: expect.stringMatching(/^SSH is open to anybody/) },
    ]);
  });

  it('writes nothing when the user gives up', async () => {
    const { code, shown } = await answer('', 'web1', null);
    expect(shown).toContain('nothing was written');
    expect(code).toBe(130);
    expect(existsSync(at('inventory.yaml'))).toBe(false);
  });
});
