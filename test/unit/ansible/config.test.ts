import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AnsibleSettings } from '../../../src/ansible/config/config-types.ts';
import { thisMachine } from '../../../src/ansible/config/config-world.ts';
import { readAnsibleConfig } from '../../../src/ansible/config/read-config.ts';
import { formatProblem } from '../../../src/core/problem.ts';
import { supported } from '../../helpers/supported.ts';
import { configOf, type MadeWorld } from './helpers/config-world.ts';

const ROOT = mkdtempSync(path.join(realpathSync(tmpdir()), 'portfw-cfg-'));
afterAll(() => rmSync(ROOT, { recursive: true }));

const NAMED = '[defaults]\nremote_user = me\n';

/** What a setting has, and what is said besides. */
function settingOf(name: keyof AnsibleSettings, cfg: string, world: MadeWorld = {}): unknown {
  const { settings, problems } = configOf({ cfg, ...world });
  expect(problems.map(formatProblem)).toEqual([]);
  return settings[name]?.value ?? null;
}

function saidOf(world: MadeWorld): string {
  return configOf(world).problems.map(formatProblem).join('\n');
}

describe('the file', () => {
  const everywhere = { '/named/ansible.cfg': NAMED, '/home/op/.ansible.cfg': NAMED, '/etc/ansible/ansible.cfg': NAMED };
  const found = (world: MadeWorld) => {
    const { file, looked } = configOf(world);
    return [file, ...looked.map(({ place, outcome }) => `${place}: ${outcome}`)];
  };

  it(supported('ansible.cfg', 'It is found where Ansible finds it'), () => {
    const rest = { ...everywhere, '/named/ansible.cfg': NAMED };
    const environment = { ANSIBLE_CONFIG: '/named' };
    expect(found({ cfg: NAMED, files: rest, environment })).toEqual(['/named/ansible.cfg', 'ANSIBLE_CONFIG: read']);
    expect(found({ cfg: NAMED, files: rest })).toEqual(['/work/ansible.cfg', 'current folder: read']);
    expect(found({ files: rest })).toEqual(['/home/op/.ansible.cfg', 'current folder: absent', 'home folder: read']);
    expect(found({ files: { '/etc/ansible/ansible.cfg': NAMED } })[0]).toBe('/etc/ansible/ansible.cfg');
    expect(found({})).toEqual([null, 'current folder: absent', 'home folder: absent', 'system: absent']);
  });

  it.each([
    ['/named/ansible.cfg', '/named/ansible.cfg'],
    ['/named', '/named/ansible.cfg'],
    ['../named', '/named/ansible.cfg'],
    ['$HERE/ansible.cfg', '/named/ansible.cfg'],
    ['~/.ansible.cfg', '/home/op/.ansible.cfg'],
    ['/none.cfg', '/work/ansible.cfg'],
    ['', '/work/ansible.cfg'],
  ])('is what ANSIBLE_CONFIG names: %s', (name, file) => {
    const environment = { ANSIBLE_CONFIG: name, HERE: '/named' };
    expect(configOf({ cfg: NAMED, files: everywhere, environment }).file).toBe(file);
  });

  it('is not read where everybody may write, which is said', () => {
    const world = { cfg: NAMED, worldWritable: ['/work'] };
    expect(found(world)).toEqual([null, 'current folder: world-writable', 'home folder: absent', 'system: absent']);
    expect(configOf(world).settings.remoteUser).toBeNull();
    expect(
      saidOf(world),
    ).toBe(`/work/ansible.cfg:1:1: warning: everybody may write into the folder of this ansible.cfg, so it is not read
    Take the right from others with "chmod o-w", or name the file in ANSIBLE_CONFIG`);
    expect(saidOf({ worldWritable: ['/work'] })).toBe('');
    // An empty variable must not make it a file that is named.
    expect(configOf({ ...world, environment: { ANSIBLE_CONFIG: '' } }).file).toBeNull();
    expect(configOf({ ...world, environment: { ANSIBLE_CONFIG: '.' } }).file).toBe('/work/ansible.cfg');
    expect(saidOf({ ...world, environment: { ANSIBLE_CONFIG: '/work' } })).toBe('');
  });

  it('is passed over when it may not be read', () => {
    const files = { '/work/ansible.cfg': null, '/home/op/.ansible.cfg': NAMED };
    expect(found({ files })).toEqual(['/home/op/.ansible.cfg', 'current folder: unreadable', 'home folder: read']);
  });

  it.each(['/named/x.yml', '/named/x', '/named/x.CFG'])('has the ending .cfg or .ini: %s', (name) => {
    const world = { cfg: NAMED, files: { [name]: NAMED }, environment: { ANSIBLE_CONFIG: name } };
    expect(saidOf(world)).toBe(`${name}:1:1: error: the name of a file for Ansible's settings ends in ".cfg" or ".ini"
    Rename it, or correct ANSIBLE_CONFIG`);
  });

  it('is looked for on this machine', () => {
    const folder = path.join(ROOT, 'real');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'ansible.cfg'), NAMED);
    symlinkSync(path.join(folder, 'ansible.cfg'), path.join(folder, 'link.cfg'));
    symlinkSync(path.join(folder, 'gone'), path.join(folder, 'dangling.cfg'));
    const read = (environment: NodeJS.ProcessEnv) =>
      readAnsibleConfig({ ...thisMachine(environment), currentFolder: folder, home: ROOT, systemFile: '/none' });
    expect(read({}).settings.remoteUser?.value).toBe('me');
    expect(read({ ANSIBLE_CONFIG: 'link.cfg' }).file).toBe(path.join(folder, 'link.cfg'));
    expect(read({ ANSIBLE_CONFIG: 'dangling.cfg' }).looked).toMatchObject([{ outcome: 'absent' }, { outcome: 'read' }]);
    chmodSync(folder, 0o777);
    expect(read({})).toMatchObject({ file: null, problems: [{ severity: 'warning', code: 'ansible-cfg-skipped' }] });
    chmodSync(folder, 0o755);
    rmSync(path.join(folder, 'ansible.cfg'));
    mkdirSync(path.join(folder, 'ansible.cfg'));
    expect(read({}).problems.map(({ what }) => what)).toEqual(['this is a folder, not a file']);
  });
});

describe('its text', () => {
  const user = (cfg: string) => settingOf('remoteUser', cfg);

  it.each([
    ['equal signs and colons', '[defaults]\nremote_user: me\n', 'me'],
    ['the first of them', '[defaults]\nremote_user = a=b:c\n', 'a=b:c'],
    ['keys in any case', '[defaults]\nRemote_USER = me\n', 'me'],
    ['sections in their case only', '[Defaults]\nremote_user = me\n', null],
    ['text after a section', '[defaults] and more\nremote_user = me\n', 'me'],
    ['comments of both kinds', '# one\n; two\n[defaults]\n # three\nremote_user = me\n', 'me'],
    ['a comment after a value', '[defaults]\nremote_user = me ; not you\n', 'me'],
    ['no comment after a value', '[defaults]\nremote_user = me;you # they\n', 'me;you # they'],
    ['quotes', '[defaults]\nremote_user = "me"\n', 'me'],
    ['quotes of one side', '[defaults]\nremote_user = "me\n', '"me'],
    ['per cent signs', '[defaults]\nremote_user = %(x)s%\n', '%(x)s%'],
    ['CRLF', '[defaults]\r\nremote_user = me\r\n', 'me'],
    ['no end of the last line', '[defaults]\nremote_user = me', 'me'],
    ['blanks before keys', '[defaults]\n  remote_user = me\n', 'me'],
    ['deeper lines as more of the value', '[defaults]\nremote_user = me\n  and = you\n', 'me\nand = you'],
    ['lines that are deeper by one blank', '[defaults]\nremote_user = me\n and you\n', 'me\nand you'],
    ['comments between such lines', '[defaults]\nremote_user = me\n# no\n  and you\n', 'me\nand you'],
    ['empty lines between them', '[defaults]\nremote_user = me\n\n  and you\n', 'me\n\nand you'],
    ['what DEFAULT has', '[DEFAULT]\nremote_user = me\n[defaults]\n', 'me'],
    ['what DEFAULT has, only in a section that is there', '[DEFAULT]\nremote_user = me\n[other]\n', null],
    ['its own before that of DEFAULT', '[defaults]\nremote_user = me\n[DEFAULT]\nremote_user = you\n', 'me'],
    ['DEFAULT twice', '[DEFAULT]\nx = 1\n[defaults]\n[DEFAULT]\nremote_user = me\n', 'me'],
    ['an empty value as none', '[defaults]\nremote_user =\n', null],
    ['other sections in silence', '[galaxy]\nserver_list = x\n[defaults]\nnocows = 1\nremote_user = me\n', 'me'],
  ])('has %s', (_what, cfg, value) => {
    expect(user(cfg)).toBe(value);
  });

  it('may hold bytes that are no UTF-8, but not in a value that is used', () => {
    const bytes = (text: string) => Buffer.from(text, 'latin1');
    const cfg = (text: string) => configOf({ files: { '/work/ansible.cfg': bytes(text) } });
    expect(cfg('# caf\u00e9\n[defaults]\nremote_user = me\n')).toMatchObject({
      problems: [],
      settings: { remoteUser: { value: 'me' } },
    });
    expect(cfg('[defaults]\nremote_user = caf\u00e9\n').problems.map(formatProblem)).toEqual([
      '/work/ansible.cfg:2:15: error: [defaults] remote_user is not UTF-8\n    Save the file as UTF-8',
    ]);
  });

  it('is refused with every place where Ansible would stop', () => {
    const cfg = `[defaults]
timeout = 5
nothing here
TIMEOUT = 6
= 7
[ssh_connection]
[defaults]
timeout = 8
`;
    expect(saidOf({ cfg })).toBe(`/work/ansible.cfg:3:1: error: "nothing here" is neither a section nor "key = value"
    Correct the line, or begin it with "#"
/work/ansible.cfg:4:1: error: "timeout" stands twice in [defaults]
    Remove one of them: Ansible refuses the file
/work/ansible.cfg:5:1: error: a value has no key
    Correct the line, or begin it with "#"
/work/ansible.cfg:7:1: error: the section [defaults] stands twice
    Write both as one: Ansible refuses the file
/work/ansible.cfg:8:1: error: "timeout" stands twice in [defaults]
    Remove one of them: Ansible refuses the file`);
    expect(configOf({ cfg }).settings.timeoutSeconds).toBeNull();
    expect(
      saidOf({ cfg: '# all\ntimeout = 5\n[defaults]\n' }),
    ).toBe(`/work/ansible.cfg:2:1: error: a line stands before the first section: "timeout = 5"
    Write "[defaults]" above it`);
    expect(saidOf({ cfg: '\uFEFF[defaults]\n' })).toContain('before the first section: "\\u{feff}[defaults]"');
  });

  it('lets the environment count where the file is refused', () => {
    const { settings } = configOf({ cfg: 'x\n', environment: { ANSIBLE_REMOTE_USER: 'env' } });
    expect(settings.remoteUser?.value).toBe('env');
  });

  it('never takes long, however odd it is', () => {
    const blanks = ' '.repeat(200_000);
    const started = performance.now();
    expect(
      user(`[defaults]\nremote_user = me${blanks};${blanks}x\n${`${blanks.slice(0, 9)}x\n`.repeat(20_000)}`),
    ).toContain('me');
    configOf({ cfg: `${'['.repeat(200_000)}\n${';'.repeat(200_000)}\n${'a'.repeat(200_000)}` });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('values', () => {
  const defaults = (line: string) => `[defaults]\n${line}\n`;

  it.each([
    ['yes', true],
    ['TRUE', true],
    ['1', true],
    ['t', true],
    ['on ', true],
    ['no', false],
    ['0', false],
    ['', false],
    ['certainly', false],
    ['"yes"', false],
  ])('are yes or no: %s', (text, value) => {
    expect(settingOf('askPass', defaults(`ask_pass = ${text}`))).toBe(value);
  });

  it.each([
    ['30', 30],
    ['+30', 30],
    ['-3', -3],
    ['1_000', 1000],
    ['007', 7],
  ])('are whole numbers: %s', (text, value) => {
    expect(settingOf('timeoutSeconds', defaults(`timeout = ${text}`))).toBe(value);
  });

  it.each(['ten', '10.0', '1e3', '', '0x10', '1__0'])('are no other numbers: "%s"', (text) => {
    expect(saidOf({ cfg: defaults(`timeout = ${text}`) })).toBe(
      `/work/ansible.cfg:2:${text === '' ? 1 : 11}: error: [defaults] timeout is "${text}", not a whole number\n    Write a whole number`,
    );
  });

  it('have bounds where another number could not be used', () => {
    expect(
      saidOf({ cfg: defaults('forks = 0\nremote_port = 70000') }),
    ).toBe(`/work/ansible.cfg:2:9: error: [defaults] forks is 0, which is too small
    Write 1 or more
/work/ansible.cfg:3:15: error: [defaults] remote_port is 70000, which is too great
    Write 65535 or less`);
  });

  it.each([
    ['keys/id', '/work/keys/id'],
    ['./a/../id', '/work/id'],
    ['/abs/id', '/abs/id'],
    ['~/.ssh/id', '/home/op/.ssh/id'],
    ['$SOME/id', '/some/id'],
    ['\x24{SOME}/id', '/some/id'],
    ['$NONE/id', '/work/$NONE/id'],
    ['{{CWD}}/id', '/work/id'],
    ['"~/id"', '/work/"~/id"'],
    ['', null],
  ])('are paths: %s', (text, value) => {
    expect(
      settingOf('privateKeyFile', defaults(`private_key_file = ${text}`), { environment: { SOME: '/some' } }),
    ).toBe(value);
  });

  it('are paths relative to the file, and to the current folder in a variable', () => {
    const files = { '/etc/ansible/ansible.cfg': defaults('private_key_file = id\nvault_password_file = {{CWD}}/pass') };
    const { settings } = configOf({ files });
    expect([settings.privateKeyFile?.value, settings.vaultPasswordFile?.value]).toEqual([
      '/etc/ansible/id',
      '/work/pass',
    ]);
    expect(configOf({ files, environment: { ANSIBLE_PRIVATE_KEY_FILE: 'id' } }).settings.privateKeyFile?.value).toBe(
      '/work/id',
    );
  });

  it('are lists', () => {
    expect(settingOf('inventory', defaults('inventory = hosts, ../other,\n  ~/more'))).toEqual([
      '/work/hosts',
      '/other',
      '/home/op/more',
    ]);
    // Ansible knows no lists of hosts here.
    expect(settingOf('inventory', defaults('inventory = h1,h2,'))).toEqual(['/work/h1', '/work/h2']);
    expect(settingOf('inventory', defaults('inventory = '))).toBeNull();
    expect(settingOf('vaultIdentityList', defaults(`vault_identity_list = dev@~/dev, "prod@prompt"`))).toEqual([
      'dev@~/dev',
      'prod@prompt',
    ]);
  });

  it('are replace or merge', () => {
    expect(settingOf('hashBehaviour', defaults('hash_behaviour = merge'))).toBe('merge');
    expect(saidOf({ cfg: defaults('hash_behaviour = Merge') })).toBe(
      '/work/ansible.cfg:2:18: error: [defaults] hash_behaviour is "Merge"\n    Write replace or merge',
    );
  });
});

describe('what counts', () => {
  const cfg = `[defaults]
host_key_checking = True
timeout = 11
remote_user = file
[ssh_connection]
host_key_checking = False
timeout = 22
[privilege_escalation]
become_user = one
[sudo_become_plugin]
user = two
`;

  it('is the section of the plugin over the general one, but for the timeout, as with Ansible', () => {
    const { settings } = configOf({ cfg });
    expect(settings.hostKeyChecking).toMatchObject({
      value: false,
      origin: { kind: 'file', section: 'ssh_connection' },
    });
    expect(settings.becomeUser).toMatchObject({ value: 'two', origin: { section: 'sudo_become_plugin', key: 'user' } });
    expect(settings.timeoutSeconds).toMatchObject({ value: 11, origin: { location: { line: 3, column: 11 } } });
  });

  it('is a variable over the file, and the last of two variables', () => {
    const environment = { ANSIBLE_BECOME_USER: 'env', ANSIBLE_REMOTE_USER: 'env', ANSIBLE_HOST_KEY_CHECKING: 'yes' };
    const { settings } = configOf({ cfg, environment });
    expect(settings.becomeUser).toEqual({ value: 'env', origin: { kind: 'environment', name: 'ANSIBLE_BECOME_USER' } });
    expect(settings.hostKeyChecking?.value).toBe(true);
    expect(settings.remoteUser?.value).toBe('env');
    const both = configOf({ cfg, environment: { ...environment, ANSIBLE_SUDO_USER: 'sudo' } });
    expect(both.settings.becomeUser?.value).toBe('sudo');
  });

  it('is an empty variable too, which unsets the file', () => {
    const environment = { ANSIBLE_REMOTE_USER: '', ANSIBLE_TIMEOUT: '' };
    const { settings, problems } = configOf({ cfg, environment });
    expect([settings.remoteUser, settings.timeoutSeconds, problems]).toEqual([null, null, []]);
  });

  it('is named when it is wrong', () => {
    expect(saidOf({ environment: { ANSIBLE_FORKS: 'many' } })).toBe(
      'error: ANSIBLE_FORKS is "many", not a whole number\n    Write a whole number',
    );
  });
});
