import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { Target } from '../../../src/transport/connection.ts';
import { SshConfigFiles } from '../../../src/transport/ssh-config/ssh-config-files.ts';
import { createTarget, type ReachableHost, type TargetOptions } from '../../../src/transport/target.ts';
import { supported } from '../../helpers/supported.ts';

const options: TargetOptions = {
  acceptNewHostKeys: false,
  becomePassword: null,
  sshPassword: null,
  agentSocket: '/run/agent',
  localUser: 'op',
};
const location = { file: 'hosts.yaml', line: 9, column: 5, secret: null };

function host(
  connection: Partial<ReachableHost['connection']> = {},
  become: Partial<ReachableHost['become']> = {},
): ReachableHost {
  return {
    name: 'web1',
    connection: {
      kind: 'ssh',
      address: '192.0.2.11',
      port: null,
      user: null,
      privateKeyFile: null,
      commonArgs: null,
      timeoutSeconds: null,
      sources: { commonArgs: { value: '', origin: { kind: 'variable', name: 'ansible_ssh_common_args', location } } },
      ...connection,
    },
    become: { enabled: true, user: 'root', method: 'sudo', password: null, ...become },
  };
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-target-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;

/** A configuration file with this text, as the only one. */
function configured(text: string, changes: Partial<TargetOptions> = {}): TargetOptions {
  const file = join(folder, `config-${++written}`);
  writeFileSync(file, text);
  return { ...options, sshConfig: new SshConfigFiles({ home: '/home/op', file }), ...changes };
}

/** The target of a host that must have one. */
function targetOf(reachable: ReachableHost, from: TargetOptions): Target {
  const { target, problems } = createTarget(reachable, from);
  if (target === null) throw new Error(JSON.stringify(problems));
  return target;
}

const alias = (address: string, connection: Partial<ReachableHost['connection']> = {}) =>
  ({ ...host({ address, ...connection }), name: address }) as ReachableHost;

describe('createTarget', () => {
  it('fills in defaults', () => {
    const { target, problems } = createTarget(host(), options);
    expect(problems).toEqual([]);
    expect(target).toEqual({
      name: 'web1',
      kind: 'ssh',
      address: '192.0.2.11',
      port: 22,
      user: 'op',
      privateKeyFiles: [],
      identitiesOnly: false,
      knownHostsFiles: [],
      hostKeyAlias: null,
      acceptNewHostKeys: false,
      connectTimeoutMs: 10_000,
      keepalive: { intervalMs: 1000, countMax: 3 },
      route: { kind: 'direct' },
      become: { kind: 'sudo', password: null },
      agentSocket: '/run/agent',
      password: null,
    });
  });

  it(
    supported(
      'ansible_ssh_common_args',
      'The options of ssh_config, with `-o` or their short flags: `-p`, `-l`, `-i`, `-J`, `-b`, `-4`, `-6`',
    ),
    () => {
      const commonArgs =
        '-p 2222 -l args -i /keys/args -o UserKnownHostsFile=/kh -o StrictHostKeyChecking=accept-new -o ConnectTimeout=3 -o IdentityAgent=none -o HostKeyAlias=alias -o IdentitiesOnly=yes -o ServerAliveInterval=7 -o ServerAliveCountMax=2 -4 -b 192.0.2.9 -J op@gate:2201';
      expect(targetOf(host({ commonArgs }), options)).toMatchObject({
        port: 2222,
        user: 'args',
        privateKeyFiles: ['/keys/args'],
        knownHostsFiles: ['/kh', '/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
        acceptNewHostKeys: true,
        connectTimeoutMs: 3000,
        agentSocket: null,
        hostKeyAlias: 'alias',
        identitiesOnly: true,
        keepalive: { intervalMs: 7000, countMax: 2 },
        addressFamily: 4,
        bindAddress: '192.0.2.9',
        route: { kind: 'jump', hops: [{ address: 'gate', port: 2201, user: 'op', privateKeyFiles: [] }] },
      });
    },
  );

  it(
    supported('ansible_ssh_common_args', '`ansible_*` variables win over the arguments, these over ssh_config'),
    () => {
      const connection = {
        port: 22,
        user: 'var',
        privateKeyFile: '/keys/var',
        timeoutSeconds: 7,
        commonArgs: '-p 2222 -l args -i /keys/args -o ConnectTimeout=3 -o HostKeyAlias=args',
      };
      const config = 'Port 3333\nUser config\nConnectTimeout 9\nHostKeyAlias config\nHashKnownHosts yes\n';
      expect(targetOf(host(connection), configured(config))).toMatchObject({
        port: 22,
        user: 'var',
        privateKeyFiles: ['/keys/var', '/keys/args'],
        connectTimeoutMs: 7000,
        hostKeyAlias: 'args',
        hashKnownHosts: true,
      });
    },
  );

  it('lets the account win over ssh_config, and ssh_args over both', () => {
    const config = configured('User config\n');
    expect(targetOf(host({ user: 'var' }), config).user).toBe('var');
    expect(targetOf(host({ user: 'var', commonArgs: '-l args' }), config).user).toBe('var');
    expect(targetOf(host({ user: 'var', sshArgs: '-l first', commonArgs: '-l args' }), config).user).toBe('first');
    expect(targetOf(host(), config).user).toBe('config');
  });

  it('offers keys in the order of the command line of OpenSSH, before those of ssh_config', () => {
    const key = join(folder, 'key');
    writeFileSync(key, '');
    const config = configured(`IdentityFile ${key}\n`);
    const own = { privateKeyFile: '/keys/var' };
    expect(targetOf(host(own), config).privateKeyFiles).toEqual(['/keys/var', key]);
    expect(targetOf(host({ ...own, commonArgs: '-i /keys/last' }), config).privateKeyFiles).toEqual([
      '/keys/var',
      '/keys/last',
      key,
    ]);
    expect(targetOf(host({ ...own, sshArgs: '-i /keys/first' }), config).privateKeyFiles).toEqual([
      '/keys/first',
      '/keys/var',
      key,
    ]);
  });

  it('takes the last -F', () => {
    const [one, two] = ['one', 'two'].map((name) => {
      const file = join(folder, `by-${name}`);
      writeFileSync(file, `User ${name}\n`);
      return `-F ${file}`;
    });
    expect(targetOf(host({ sshArgs: one! }), options).user).toBe('one');
    expect(targetOf(host({ sshArgs: one!, commonArgs: two! }), options).user).toBe('two');
  });

  it('leaves out key files of ssh_config that are not there, without the default ones in their stead', () => {
    const absent = createTarget(host(), configured('IdentityFile /keys/absent\n'));
    expect(absent.target).toMatchObject({ privateKeyFiles: [], noDefaultKeys: true });
    expect(absent.problems).toMatchObject([{ severity: 'warning', code: 'no-key-file', location: { line: 1 } }]);
    const held = join(folder, 'held');
    writeFileSync(`${held}.pub`, '');
    const present = createTarget(host(), configured(`IdentityFile /keys/absent\nIdentityFile ${held}\n`));
    expect(present).toMatchObject({ problems: [], target: { privateKeyFiles: [held] } });
    expect(targetOf(host(), configured('IdentityFile none\n'))).toMatchObject({ noDefaultKeys: true });
  });

  it('lets keepalives of 0 and none stand for its own', () => {
    const keepalive = (config: string) => targetOf(host(), configured(config)).keepalive;
    expect(keepalive('ServerAliveInterval 0\nServerAliveCountMax 9\n')).toEqual({ intervalMs: 1000, countMax: 3 });
    expect(keepalive('ServerAliveCountMax 9\n')).toEqual({ intervalMs: 1000, countMax: 3 });
    expect(keepalive('ServerAliveInterval 20\nServerAliveCountMax 0\n')).toEqual({ intervalMs: 20_000, countMax: 3 });
    expect(targetOf(host(), configured('ConnectTimeout 0\n')).connectTimeoutMs).toBe(10_000);
  });

  it('reads an alias: the inventory name is the Host of ssh_config', () => {
    const config = configured('Host web1\n  HostName 192.0.2.40\n  Port 2222\n  HostKeyAlias Web-One\n');
    expect(targetOf(alias('web1'), config)).toMatchObject({
      name: 'web1',
      address: '192.0.2.40',
      port: 2222,
      hostKeyAlias: 'web-one',
    });
  });

  it('narrows the ways to log in', () => {
    const methods = (config: string) => targetOf(host(), configured(config)).loginMethods;
    expect(methods('PubkeyAuthentication no\n')).toEqual(['password', 'keyboard-interactive']);
    expect(methods('PreferredAuthentications gssapi-with-mic,keyboard-interactive,publickey\n')).toEqual([
      'keyboard-interactive',
      'publickey',
    ]);
    expect(methods('PreferredAuthentications password,publickey\nPasswordAuthentication no\n')).toEqual(['publickey']);
    expect(methods('PasswordAuthentication yes\n')).toBeUndefined();
  });

  it('does without files that would forget host keys, and never opens the list to the usual files by accident', () => {
    const known = (config: string) => {
      const { knownHostsFiles, acceptNewHostKeys } = targetOf(host(), configured(config, { acceptNewHostKeys: true }));
      return { knownHostsFiles, acceptNewHostKeys };
    };
    expect(known('UserKnownHostsFile /dev/null\n')).toEqual({ knownHostsFiles: [], acceptNewHostKeys: true });
    expect(known('UserKnownHostsFile none\nGlobalKnownHostsFile none\n')).toEqual({
      knownHostsFiles: ['/dev/null'],
      acceptNewHostKeys: false,
    });
    expect(known('UserKnownHostsFile none\nGlobalKnownHostsFile /k\n')).toEqual({
      knownHostsFiles: ['/k'],
      acceptNewHostKeys: false,
    });
    expect(known('GlobalKnownHostsFile none\n').knownHostsFiles).toEqual([
      '/home/op/.ssh/known_hosts',
      '/home/op/.ssh/known_hosts2',
    ]);
  });

  it('lets the command line relax what the SSH arguments insist on', () => {
    const commonArgs = '-o StrictHostKeyChecking=yes';
    const relaxed = createTarget(host({ commonArgs }), { ...options, acceptNewHostKeys: true });
    expect(relaxed.target?.acceptNewHostKeys).toBe(true);
  });

  it('prefers a password given now over the inventory, and hides both', () => {
    const given = { ...options, becomePassword: new Secret('given') };
    const become = (target: ReturnType<typeof createTarget>) =>
      target.target?.become.kind === 'sudo' ? target.target.become.password?.reveal() : undefined;
    expect(become(createTarget(host({}, { password: new Secret('stored') }), given))).toBe('given');
    const stored = createTarget(host({}, { password: new Secret('stored') }), options);
    expect(become(stored)).toBe('stored');
    expect(inspect(stored, { depth: 9 }) + JSON.stringify(stored)).not.toContain('"stored"');
    expect(inspect(stored, { depth: 9 })).not.toContain("'stored'");
  });

  it('does without sudo where become is off', () => {
    expect(createTarget(host({}, { enabled: false, password: new Secret('x') }), options).target?.become).toEqual({
      kind: 'none',
    });
  });

  it('gives no target for arguments that it cannot honour, and says where they are', () => {
    const { target, problems } = createTarget(host({ commonArgs: '-N' }), options);
    expect(target).toBeNull();
    expect(problems[0]).toMatchObject({ code: 'unsupported-ssh-argument', location });
  });

  it('looks at neither SSH arguments nor ssh_config for a local connection', () => {
    const local = host({ kind: 'local', commonArgs: '-N' });
    const { target, problems } = createTarget(local, configured('ProxyJump bastion\nPort x\n'));
    expect(problems).toEqual([]);
    expect(target).toMatchObject({ kind: 'local', route: { kind: 'direct' } });
  });
});

describe('the way to a host', () => {
  it('leads through the machines of ProxyJump, the nearest first, each with its own settings', () => {
    const config = configured(`
Host gate
  HostName 198.51.100.1
  User gatekeeper
  HostKeyAlias the-gate
  IdentityAgent none
Host inner
  Port 2202
  ConnectTimeout 4
  ProxyJump elsewhere
Host web1
  ProxyJump gate,op2@inner
  HostKeyAlias web
Match all
  StrictHostKeyChecking accept-new
`);
    const { route, hostKeyAlias } = targetOf(alias('web1', { commonArgs: '-i /keys/args', user: 'root' }), {
      ...config,
      sshPassword: new Secret('of the host alone'),
    });
    expect(hostKeyAlias).toBe('web');
    expect(route).toMatchObject({
      kind: 'jump',
      hops: [
        { address: '198.51.100.1', port: 22, user: 'gatekeeper', hostKeyAlias: 'the-gate', agentSocket: null },
        { address: 'inner', port: 2202, user: 'op2', connectTimeoutMs: 4000, agentSocket: '/run/agent' },
      ],
    });
    for (const hop of route.kind === 'jump' ? route.hops : [])
      expect(hop).toMatchObject({ password: null, privateKeyFiles: [], acceptNewHostKeys: true });
  });

  it('goes on through the ProxyJump of the nearest machine', () => {
    const config = configured('Host a\n  ProxyJump b\nHost b\n  ProxyJump c,d\nHost d\n  ProxyJump never\n');
    expect(targetOf(host({ commonArgs: '-J a,z' }), config).route).toMatchObject({
      hops: ['c', 'd', 'b', 'a', 'z'].map((address) => ({ address })),
    });
  });

  it('begins with the ProxyCommand of the nearest machine', () => {
    const config = configured('Host a\n  ProxyCommand relay %h %p\n  HostName 192.0.2.1\n');
    expect(targetOf(host({ commonArgs: '-J a' }), config).route).toMatchObject({
      kind: 'jump',
      hops: [{ address: '192.0.2.1' }],
      firstHopCommand: 'relay 192.0.2.1 22',
    });
  });

  it(supported('ansible_ssh_common_args', '`-o ProxyCommand="ssh -W %h:%p -q user@bastion"`'), () => {
    const commonArgs = '-o ProxyCommand="ssh -W %h:%p -q op@bastion" -p 2222';
    expect(targetOf(host({ commonArgs }), options).route).toEqual({
      kind: 'command',
      command: 'ssh -W 192.0.2.11:2222 -q op@bastion',
    });
  });

  it('keeps the tokens of ProxyCommand apart', () => {
    const config = configured('Host web1\n  HostName 192.0.2.1\n  ProxyCommand x %h %n %p %r %k 100%% $HOME\n');
    expect(targetOf(alias('web1', { user: 'root' }), config).route).toEqual({
      kind: 'command',
      command: 'x 192.0.2.1 web1 22 root web1 100% $HOME',
    });
  });

  it.each([
    ['$(id)', {}],
    ['web1', { user: 'a b' }],
    ['-oProxyCommand=x', {}],
    ['web1', { user: '`id`' }],
    ['a;b', {}],
  ])('puts no %s with %o into a command line', (address, connection) => {
    const { target, problems } = createTarget(alias(address, connection), configured('ProxyCommand relay %r %n\n'));
    expect(target).toBeNull();
    expect(problems).toMatchObject([{ code: 'unsafe-proxy-command', location: { line: 1 } }]);
  });

  it.each([
    ['itself', 'ProxyJump web1\n'],
    ['a machine that is reached through the host', 'Host web1\n  ProxyJump a\nHost a\n  ProxyJump web1\n'],
    ['two machines in a ring', 'Host web1\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n'],
    ['a machine without an exception for itself', 'ProxyJump bastion\n'],
  ])('refuses a way through %s', (_what, config) => {
    const { target, problems } = createTarget(alias('web1'), configured(config));
    expect(target).toBeNull();
    expect(problems).toContainEqual(expect.objectContaining({ severity: 'error', code: 'jump-loop' }));
  });
});
