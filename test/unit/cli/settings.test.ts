import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import stringWidth from 'string-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostKeyWarnings } from '../../../src/cli/host-key-checking.ts';
import { withoutPasswords } from '../../../src/cli/settings-of-host.ts';
import { formatProblem } from '../../../src/core/problem.ts';
import { hostGroups } from '../../../src/report/settings-view.ts';
import { wrapToWidth } from '../../../src/report/terminal/layout.ts';
import { settingsText } from '../../../src/report/terminal/settings-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { configOf } from '../ansible/helpers/config-world.ts';
import { BuiltPortfw } from './helpers/portfw.ts';

const CFG = `[defaults]
inventory = hosts.yaml
remote_user = cfg
timeout = 31
forks = 7
host_key_checking = False
vault_identity_list = prod@ROOT/prod.pass, dev@ROOT/dev.pass
[privilege_escalation]
become = True
[ssh_connection]
ssh_args = -o ProxyJump=gate.example.net -o UserKnownHostsFile=/dev/null -C
`;
const HOSTS = `web:
  hosts:
    web1: {ansible_host: 192.0.2.11}
    web2: {ansible_host: 192.0.2.12}
    db1:
      ansible_host: 192.0.2.21
      ansible_user: dba
      ansible_port: 2222
      ansible_become: false
      ansible_password: hunter2hunter2
      ansible_ssh_common_args: -o ProxyCommand="sshpass -p hunter3 ssh -W %h:%p gate"
    img: {portfw_managed: false}
`;
const SSH_CONFIG = `Host 192.0.2.1?
  IdentityFile ~/.ssh/site
  HostKeyAlias site
Host 192.0.2.21
  HostName db.example.net
`;

const folder = mkdtempSync(join(tmpdir(), 'portfw-settings-'));
const at = (name: string) => join(folder, name);
let built: BuiltPortfw;
beforeAll(() => {
  built = new BuiltPortfw();
  mkdirSync(at('.ssh'), { mode: 0o700 });
  writeFileSync(at('ansible.cfg'), CFG.replaceAll('ROOT', folder));
  writeFileSync(at('hosts.yaml'), HOSTS);
  writeFileSync(at('prod.pass'), 'of prod');
  writeFileSync(at('dev.pass'), 'of dev');
  writeFileSync(join(folder, '.ssh', 'config'), SSH_CONFIG, { mode: 0o600 });
}, 120_000);
afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
});

const BARE = { HOME: folder, SSH_AUTH_SOCK: '', PORTFW_SSH_PASSWORD: '', PORTFW_BECOME_PASSWORD: '' };

async function shown(args: readonly string[], environment: NodeJS.ProcessEnv = { ANSIBLE_CONFIG: at('ansible.cfg') }) {
  const { code, stdout, stderr } = await built.run(['inventory', ...args], { ...BARE, ...environment });
  const [, ...tables] = stdout.replaceAll(`${folder}/`, '').trimEnd().split('\n\n');
  const groups = new Map(
    tables.map((table) => {
      const [title = '', ...rows] = table.split('\n');
      // What a distribution sets for all users is not looked at.
      const own = rows.filter((row) => !row.includes('/etc/ssh/'));
      return [title, own.map((row) => row.trim().split(/ {2,}/))] as const;
    }),
  );
  return { code, stdout, stderr, groups };
}

describe('portfw inventory --settings', { timeout: 60_000 }, () => {
  it('shows each setting of the run with what set it', async () => {
    const { code, groups } = await shown(['--settings']);
    expect(code).toBe(0);
    expect(groups.get('the run')?.filter(([name]) => name !== 'ssh_config')).toEqual([
      ['inventory', 'hosts.yaml', '[defaults] inventory at ansible.cfg:2:13'],
      ['ansible.cfg', 'ansible.cfg', 'ANSIBLE_CONFIG'],
      ['forks', '7', '[defaults] forks at ansible.cfg:5:9'],
      ['hash_behaviour', 'replace', 'default'],
      ['vault password', 'prod@prod.pass', '[defaults] vault_identity_list at ansible.cfg:7:23'],
      ['vault password', 'dev@dev.pass', '[defaults] vault_identity_list at ansible.cfg:7:23'],
      ['host keys', 'checked', 'always; [defaults] host_key_checking at ansible.cfg:6:21 is not followed'],
    ]);
  });

  it('shows each setting of the hosts, once for those that share all but the address', async () => {
    const { groups } = await shown(['--settings']);
    expect([...groups.keys()]).toEqual(['the run', 'web1, web2', 'db1', 'img']);
    expect(groups.get('web1, web2')).toEqual([
      ['address of web1', '192.0.2.11', 'ansible_host at hosts.yaml:3:26'],
      ['address of web2', '192.0.2.12', 'ansible_host at hosts.yaml:4:26'],
      ['connection', 'ssh', 'default'],
      ['port', '22', 'default'],
      ['user', 'cfg', '[defaults] remote_user at ansible.cfg:3:15'],
      ['key', '.ssh/site (does not exist)', 'IdentityFile at .ssh/config:2:16'],
      ['agent', 'none', 'default: SSH_AUTH_SOCK is not set'],
      ['timeout', '31 s', '[defaults] timeout at ansible.cfg:4:11'],
      [
        'ssh args',
        '-o ProxyJump=gate.example.net -o UserKnownHostsFile=/dev/null -C',
        '[ssh_connection] ssh_args at ansible.cfg:11:12',
      ],
      ['route', 'ProxyJump gate.example.net', '-o ProxyJump at ansible.cfg:11:12'],
      ['HostKeyAlias', 'site', 'HostKeyAlias at .ssh/config:3:16'],
      ['become', 'on', '[privilege_escalation] become at ansible.cfg:9:10'],
      ['become user', 'root', 'default'],
      ['become method', 'sudo', 'default'],
      ['managed', 'yes', 'default'],
      ['playbook', 'none', 'default'],
    ]);
    const db = groups.get('db1')!;
    expect(db.slice(0, 4)).toEqual([
      ['address', 'db.example.net', 'HostName at .ssh/config:5:12'],
      ['connection', 'ssh', 'default'],
      ['port', '2222', 'ansible_port at hosts.yaml:8:21'],
      ['user', 'dba', 'ansible_user at hosts.yaml:7:21'],
    ]);
    expect(db).toContainEqual(['become', 'off', 'ansible_become at hosts.yaml:9:23']);
    expect(groups.get('img')).toEqual([
      ['address', 'img', 'the name of the host at hosts.yaml:12:5'],
      ['managed', 'no', 'portfw_managed at hosts.yaml:12:27'],
    ]);
  });

  it('says that a password is set, and never what it is', async () => {
    const { stdout, stderr, groups } = await shown(['--settings', 'db1'], {
      ANSIBLE_CONFIG: at('ansible.cfg'),
      PORTFW_BECOME_PASSWORD: 'hunter4hunter4',
      PORTFW_VAULT_PASSWORD: 'hunter5hunter5',
      PORTFW_KEY_PASSPHRASE: 'hunter6hunter6',
    });
    expect(groups.get('db1')).toContainEqual([
      'SSH password',
      '(set, not shown)',
      'ansible_password at hosts.yaml:10:25',
    ]);
    expect(groups.get('db1')).toContainEqual(['sudo password', '(set, not shown)', 'PORTFW_BECOME_PASSWORD']);
    expect(groups.get('the run')).toContainEqual(['vault password', '(set, not shown)', 'PORTFW_VAULT_PASSWORD']);
    expect(groups.get('the run')).toContainEqual(['key passphrase', '(set, not shown)', 'PORTFW_KEY_PASSPHRASE']);
    expect(stdout).toContain('sshpass -p (not shown) ssh -W');
    expect(stdout + stderr).not.toMatch(/hunter/);
  });

  it.each([
    ['sshpass -phunter2 ssh -W %h:%p -p 22 gate', 'sshpass -p(not shown) ssh -W %h:%p -p 22 gate'],
    ["sshpass -v -P 'pass word' -p 'hunter 2' ssh gate", "sshpass -v -P 'pass word' -p (not shown) ssh gate"],
    ['nc --proxy-auth me:hunter2 %h %p', 'nc --proxy-auth (not shown) %h %p'],
    ['ssh -p 22 gate', 'ssh -p 22 gate'],
  ])('shows no password of the command %s', (command, shownText) => {
    expect(withoutPasswords(command)).toBe(shownText);
  });

  it('takes a variable of the environment before the file, and the arguments before both', async () => {
    const environment = { ANSIBLE_CONFIG: at('ansible.cfg'), ANSIBLE_REMOTE_USER: 'env', ANSIBLE_FORKS: '9' };
    const { groups } = await shown([at('hosts.yaml'), '--settings', 'web1'], environment);
    expect(groups.get('the run')).toContainEqual(['inventory', 'hosts.yaml', 'argument']);
    expect(groups.get('the run')).toContainEqual(['forks', '9', 'ANSIBLE_FORKS']);
    expect(groups.get('web1')).toContainEqual(['user', 'env', 'ANSIBLE_REMOTE_USER']);
  });

  it('says where ansible.cfg was looked for when there is none', async () => {
    const { groups } = await shown(['-i', at('hosts.yaml'), '--settings'], { ANSIBLE_CONFIG: at('none.cfg') });
    const looked = groups.get('the run')!.filter(([name]) => name === 'ansible.cfg');
    expect(looked[0]).toEqual(['ansible.cfg', 'none', 'ANSIBLE_CONFIG: none.cfg does not exist']);
    expect(looked).toContainEqual(['ansible.cfg', 'none', 'home folder: .ansible.cfg does not exist']);
    expect(groups.get('web1, web2')).toContainEqual(['become', 'off', 'default']);
  });

  it('takes a file after --settings for the inventory, where no other is named', async () => {
    const { code, groups } = await shown(['--settings', at('hosts.yaml')], {});
    expect(code).toBe(0);
    expect([...groups.keys()]).toContain('web1, web2');
    const unknown = await shown(['--settings', 'web9']);
    expect(unknown.code).toBe(4);
    expect(unknown.stderr).toContain('web9');
  });

  it('goes on without the passwords of vaults', async () => {
    const args = ['-i', at('hosts.yaml'), '--vault-password-file', at('gone'), '--settings', 'web1'];
    const { code, stderr, groups } = await shown(args, {});
    expect(code).toBe(4);
    expect(stderr).toContain('there is no such file');
    expect(groups.get('the run')).toContainEqual(['vault password', 'gone', '--vault-password-file']);
    expect(groups.get('web1')).toContainEqual(['port', '22', 'default']);
  });

  it('shows what it can beside what is wrong, and ends with 4', async () => {
    writeFileSync(at('broken.yaml'), 'all: {hosts: {a: {ansible_port: x}, b: {ansible_host: 192.0.2.2}}}\n');
    const { code, stderr, groups } = await shown(['-i', at('broken.yaml'), '--settings'], {});
    expect(code).toBe(4);
    expect(stderr).toContain('port "x" is not between 1 and 65535');
    expect(groups.get('a, b')).toContainEqual([
      'address of b',
      '192.0.2.2',
      expect.stringContaining('ansible_host at'),
    ]);
  });
});

describe('the table', () => {
  const row = (name: string, value: string, from: string) => ({ name, value, from });

  it('stays within the terminal, and cuts nothing', () => {
    const groups = [
      {
        title: 'web1, 東京',
        rows: [row('key', `/home/op/${'k'.repeat(200)}`, 'ansible_user at /a/b/c.yaml:3:4 '.repeat(4))],
      },
    ];
    for (const width of [40, 60, 80, 200]) {
      const text = settingsText(groups, PLAIN_STYLE, width);
      for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      expect(text.match(/k/g)).toHaveLength(201);
    }
    expect(settingsText(groups, PLAIN_STYLE, null).trimEnd().split('\n')).toHaveLength(4);
  });

  it('shows no control character', () => {
    const groups = [{ title: 'a\u001b[31m', rows: [row('user', 'x\u001b[2J', 'ansible_user at /a\u0007:1:1')] }];
    expect(settingsText(groups, PLAIN_STYLE, 80)).not.toMatch(/[\u001b\u0007]/);
  });

  it('keeps hosts apart that differ in a value or in its origin', () => {
    const address = row('address', '192.0.2.1', 'default');
    const host = (name: string, from: string) => ({ host: name, address, rows: [row('user', 'op', from)] });
    expect(hostGroups([host('a', 'x'), host('b', 'y'), host('c', 'x')]).map(({ title }) => title)).toEqual([
      'a, c',
      'b',
    ]);
  });

  it.each([
    ['a bb ccc', 4, ['a bb', 'ccc']],
    ['abcdef gh', 4, ['abcd', 'ef', 'gh']],
    ['東京東京', 4, ['東京', '東京']],
    ['', 4, ['']],
  ])('wraps %j to %d columns', (text, columns, lines) => {
    expect(wrapToWidth(text, columns)).toEqual(lines);
  });
});

describe('host_key_checking = False', () => {
  const said = (world: Parameters<typeof configOf>[0]) => hostKeyWarnings(configOf(world).settings).map(formatProblem);

  it('is a warning with its place, and says what to do', () => {
    const [text = ''] = said({ cfg: '[defaults]\nhost_key_checking = False\n' });
    expect(text).toMatch(
      /^\/work\/ansible\.cfg:2:\d+: warning: \[defaults\] host_key_checking = False is not followed/,
    );
    expect(text).toMatch(/ssh-keyscan .*--accept-new-host-keys/);
  });

  it('is the same from the environment', () => {
    expect(said({ environment: { ANSIBLE_HOST_KEY_CHECKING: 'no' } })[0]).toMatch(
      /^warning: ANSIBLE_HOST_KEY_CHECKING = False is not followed: host keys are checked all the same/,
    );
  });

  it('is nothing to say where it is on, or not set', () => {
    expect(said({ cfg: '[defaults]\nhost_key_checking = True\n' })).toEqual([]);
    expect(said({})).toEqual([]);
  });
});
