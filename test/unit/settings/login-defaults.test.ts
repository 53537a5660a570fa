import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readInventoryFiles } from '../../../src/ansible/inventory.ts';
import { formatProblem } from '../../../src/core/problem.ts';
import { type LoginFlags, loginDefaults, originName } from '../../../src/settings/login-defaults.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { supported } from '../../helpers/supported.ts';
import { configOf, type MadeWorld } from '../ansible/helpers/config-world.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-defaults-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CFG = `[defaults]
remote_user = cfg
remote_port = 2201
private_key_file = keys/cfg
timeout = 31
[ssh_connection]
ssh_args = -o HostKeyAlias=first
  -4
ssh_common_args = -o HostKeyAlias=second -o ServerAliveInterval=7
ssh_extra_args = -o ServerAliveInterval=9
[privilege_escalation]
become = yes
`;
const BY_INVENTORY = `web:
  hosts:
    h1:
      ansible_host: 192.0.2.1
      ansible_user: var
      ansible_port: 2202
      ansible_private_key_file: /keys/var
      ansible_timeout: 32
      ansible_become: false
`;

/** The host h1, with what is wrong with it. */
function settingsOf(inventory: string, world: MadeWorld, flags: LoginFlags = {}) {
  const file = path.join(folder, 'hosts.yaml');
  writeFileSync(file, inventory);
  const defaults = loginDefaults(configOf(world).settings, flags);
  const { settings, partial, problems } = readSettings(readInventoryFiles(file), defaults);
  return { host: settings.get('h1') ?? partial.get('h1')!, said: problems.map(formatProblem).join('\n') };
}

const SILENT = 'web: {hosts: {h1: {ansible_host: 192.0.2.1}}}\n';

describe('how a host is reached where the inventory does not say it', () => {
  it(
    supported('ansible.cfg', '`remote_user`, `remote_port`, `private_key_file`, `timeout`, SSH arguments, `become`'),
    () => {
      const { host, said } = settingsOf(SILENT, { cfg: CFG });
      expect(said).toBe('');
      expect(host.connection).toMatchObject({
        user: 'cfg',
        port: 2201,
        privateKeyFile: '/work/keys/cfg',
        timeoutSeconds: 31,
        sshArgs: '-o HostKeyAlias=first -4',
        commonArgs: '-o HostKeyAlias=second -o ServerAliveInterval=7 -o ServerAliveInterval=9',
      });
      expect(host.become.enabled).toBe(true);
      const location = { file: '/work/ansible.cfg', line: 2, column: 15, secret: null };
      const origin = { kind: 'file', location, section: 'defaults', key: 'remote_user' };
      expect(host.connection.sources?.user).toEqual({ value: 'cfg', origin });
      expect(host.become.sources?.enabled?.origin).toMatchObject({ kind: 'file', location: { line: 12, column: 10 } });
    },
  );

  it(supported('ansible.cfg', '`ANSIBLE_…` variables win over the file, flags over both'), () => {
    const environment = { ANSIBLE_REMOTE_USER: 'env', ANSIBLE_PRIVATE_KEY_FILE: '/keys/env', ANSIBLE_BECOME: 'no' };
    const byEnvironment = settingsOf(SILENT, { cfg: CFG, environment }).host;
    expect(byEnvironment.connection).toMatchObject({ user: 'env', privateKeyFile: '/keys/env', port: 2201 });
    expect(byEnvironment.become.enabled).toBe(false);
    const flags = { user: 'flag', privateKey: '/keys/flag', become: true };
    const byFlags = settingsOf(SILENT, { cfg: CFG, environment }, flags).host;
    expect(byFlags.connection).toMatchObject({ user: 'flag', privateKeyFile: '/keys/flag' });
    expect(byFlags.become.enabled).toBe(true);
    const { user, privateKeyFile } = byFlags.connection.sources!;
    expect([user, privateKeyFile, byFlags.become.sources?.enabled].map((one) => originName(one!.origin))).toEqual([
      '--user',
      '--private-key',
      '--become',
    ]);
    expect(originName(byEnvironment.connection.sources!.user!.origin)).toBe('ANSIBLE_REMOTE_USER');
  });

  it('never wins over the inventory', () => {
    const { host } = settingsOf(BY_INVENTORY, { cfg: CFG }, { user: 'flag', privateKey: '/keys/flag', become: true });
    expect(host.connection).toMatchObject({ user: 'var', port: 2202, privateKeyFile: '/keys/var', timeoutSeconds: 32 });
    expect(host.become.enabled).toBe(false);
    expect(host.connection.sources?.user?.origin).toMatchObject({ kind: 'variable', name: 'ansible_user' });
  });

  it('takes each of the three kinds of SSH arguments from where it is set', () => {
    const inventory = 'web: {hosts: {h1: {ansible_host: 192.0.2.1, ansible_ssh_common_args: "-6"}}}\n';
    expect(settingsOf(inventory, { cfg: CFG }).host.connection).toMatchObject({
      sshArgs: '-o HostKeyAlias=first -4',
      commonArgs: '-6 -o ServerAliveInterval=9',
    });
  });

  it(
    supported(
      'ansible.cfg',
      '`ssh_args`, `ssh_common_args` and `ssh_extra_args`, in the order of Ansible’s command line',
    ),
    () => {
      const options = { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null };
      const { target, problems } = createTarget(settingsOf(SILENT, { cfg: CFG }).host, { ...options, localUser: 'op' });
      expect(problems).toEqual([]);
      expect(target).toMatchObject({
        user: 'cfg',
        port: 2201,
        privateKeyFiles: ['/work/keys/cfg'],
        connectTimeoutMs: 31_000,
        hostKeyAlias: 'first',
        addressFamily: 4,
        keepalive: { intervalMs: 7000, countMax: 3 },
        become: { kind: 'sudo', password: null },
      });
      const first = '[defaults]\nremote_user = cfg\n[ssh_connection]\nssh_args = -l args\n';
      const made = createTarget(settingsOf(SILENT, { cfg: first }).host, { ...options, localUser: 'op' });
      expect(made.target?.user).toBe('args');
      const last = first.replace('ssh_args', 'ssh_common_args');
      const other = createTarget(settingsOf(SILENT, { cfg: last }).host, { ...options, localUser: 'op' });
      expect(other.target?.user).toBe('cfg');
    },
  );

  it('says the place of SSH arguments in ansible.cfg that it cannot follow', () => {
    const options = { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null };
    const cfg = '[ssh_connection]\nssh_args = -o NoSuchOption=1\n';
    const { problems } = createTarget(settingsOf(SILENT, { cfg }).host, { ...options, localUser: 'op' });
    expect(problems).toMatchObject([
      { severity: 'error', code: 'bad-ssh-argument', location: { file: '/work/ansible.cfg', line: 2, column: 12 } },
    ]);
  });

  it.each([
    ['0', null],
    ['-5', null],
    ['1', 1],
    ['3600', 3600],
    ['86400', 3600],
  ])('takes a timeout of %s as %s', (timeout, seconds) => {
    const { host, said } = settingsOf(SILENT, { cfg: `[defaults]\ntimeout = ${timeout}\n` });
    expect([said, host.connection.timeoutSeconds]).toEqual(['', seconds]);
  });
});

describe('what ansible.cfg may not say', () => {
  const escalation = (lines: string) => ({ cfg: `[privilege_escalation]\nbecome = true\n${lines}\n` });

  it('is another user or method than root and sudo', () => {
    expect(settingsOf(SILENT, escalation('become_user = dba\nbecome_method = su')).said).toBe(
      `/work/ansible.cfg:3:15: error: [privilege_escalation] become_user is "dba", but only root can change a firewall
    Remove it, or write root
/work/ansible.cfg:4:17: error: [privilege_escalation] become_method is "su", and only sudo is supported
    Write sudo, or log in as root`,
    );
    const environment = { ANSIBLE_SUDO_USER: 'dba', ANSIBLE_BECOME: '1' };
    expect(settingsOf(SILENT, { environment }).said).toContain('error: ANSIBLE_SUDO_USER is "dba", but only root');
  });

  it('is no matter where the inventory says otherwise, or nobody becomes root', () => {
    const cfg = escalation('become_method = su');
    const sudo = 'web: {hosts: {h1: {ansible_host: 192.0.2.1, ansible_become_method: sudo}}}\n';
    expect(settingsOf(sudo, cfg).said).toBe('');
    expect(settingsOf(BY_INVENTORY, cfg).said).toBe('');
  });

  it('is what the variable of the inventory may not be either', () => {
    expect(settingsOf(SILENT, { cfg: '[defaults]\nremote_user = -oProxyCommand=x\n' }).said).toBe(
      `/work/ansible.cfg:2:15: error: [defaults] remote_user: "-oProxyCommand=x" is not a user name
    Write the name of an account on the host`,
    );
    const cfg = '[defaults]\nprivate_key_file = keys/\u0007bell\n';
    expect(settingsOf(SILENT, { cfg }).said).toContain('"/work/keys/\\u{7}bell" is not a path');
  });
});
