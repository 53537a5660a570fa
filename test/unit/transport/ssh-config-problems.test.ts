import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatProblem } from '../../../src/core/problem.ts';
import { SshConfigFiles } from '../../../src/transport/ssh-config/ssh-config-files.ts';
import { resolveHost } from '../../../src/transport/ssh-config/ssh-config-resolve.ts';
import { OPTIONS, type OptionSpec } from '../../../src/transport/ssh-config/ssh-options-table.ts';
import { supported } from '../../helpers/supported.ts';
import { environment } from './helpers/ssh-config-oracle.ts';

let folder: string;
let home: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-ssh-problems-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  home = mkdtempSync(join(folder, 'home-'));
});

function write(name: string, text: string, mode = 0o600): string {
  const file = join(home, name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function resolve(host = 'web1', file: string | null = null) {
  const files = new SshConfigFiles({ home, file, systemFile: join(home, 'etc/ssh_config') });
  return resolveHost(host, [], null, {
    files,
    environment: { ...environment, home },
    defaults: {
      agentSocket: null,
      acceptNewHostKeys: false,
      connectTimeoutMs: 10_000,
      keepalive: { intervalMs: 1000, countMax: 3 },
      fileExists: () => true,
    },
  });
}

/** The problems with a user's configuration of this text, one a line, the file left out. */
function said(text: string, host = 'web1'): readonly string[] {
  const file = write('.ssh/config', text);
  return resolve(host).problems.map((problem) => formatProblem(problem).split('\n')[0]!.replace(`${file}:`, ''));
}

describe('a configuration that OpenSSH, too, would refuse', () => {
  it.each<readonly [text: string, said: string]>([
    ['Host web1\n  Port 0\n', '2:8: error: Port needs a number from 1 to 65535, not "0"'],
    ['Port 65536\n', '1:6: error: Port needs a number from 1 to 65535, not "65536"'],
    ['Port\n', '1:1: error: Port needs a value'],
    ['\tPort  22 23\n', '1:8: error: Port takes one value, and more words follow "22"'],
    ['User "op\n', '1:6: error: The value of User has an unclosed quote'],
    ['User ""\n', '1:6: error: User needs a value'],
    ['User # nobody\n', '1:6: error: User needs a value'],
    ['ConnectTimeout soon\n', '1:16: error: ConnectTimeout needs a time such as 30 or 2m, not "soon"'],
    ['ServerAliveCountMax many\n', '1:21: error: ServerAliveCountMax needs a whole number, not "many"'],
    ['IdentitiesOnly maybe\n', '1:16: error: IdentitiesOnly has no value "maybe"'],
    ['StrictHostKeyChecking sometimes\n', '1:23: error: StrictHostKeyChecking has no value "sometimes"'],
    [
      'ProxyJump a,,b\n',
      '1:11: error: ProxyJump needs machines of the form user@host:port, separated by commas, not "a,,b"',
    ],
    ['ProxyJump a:99999\n', '1:11: error: ProxyJump needs machines'],
    ['ProxyJump @a\n', '1:11: error: ProxyJump needs machines'],
    ['ProxyJump -oProxyCommand=x\n', '1:11: error: ProxyJump needs machines'],
    ['UserKnownHostsFile a none\n', '1:20: error: "none" must be the only value of UserKnownHostsFile'],
    ['Host\n', '1:1: error: Host needs a value'],
    ['Match\n', '1:1: error: Match needs a value'],
    ['Match host\n', '1:7: error: The criterion "host" needs a value'],
    ['Match all host web1\n', '1:7: error: The criterion "all" cannot be combined with others'],
    ['Match moon full\n', '1:7: error: Match has no criterion "moon"'],
    ['Include\n', '1:1: error: Include needs a value'],
    ['Include ~root/config\n', '1:1: error: Include cannot use the path "~root/config"'],
    ['HostName %z\n', '1:10: error: HostName uses the token %z, which is not allowed there'],
    ['HostName a;b\n', '1:10: error: HostName "a;b" is neither an address nor a host name'],
    ['HostName *\n', '1:10: error: HostName "*" is neither'],
    ['IdentityFile /keys/%y\n', '1:14: error: IdentityFile uses the token %y'],
    [
      `IdentityFile \${NOT_SET_ANYWHERE}/key\n`,
      '1:14: error: IdentityFile uses the environment variable NOT_SET_ANYWHERE',
    ],
    ['IdentityFile ${HOME/key\n', '1:14: error: IdentityFile uses a variable without its name or its closing brace'],
    ['ProxyCommand relay %u\n', '1:14: error: ProxyCommand uses the token %u'],
    ['ProxyCommand -\n', '1:14: error: A ProxyCommand that passes on an open socket'],
    ['ProxyCommand x\nProxyUseFdpass yes\n', '2:16: error: A ProxyCommand that passes on an open socket'],
    ['PreferredAuthentications gssapi-with-mic\n', '1:26: error: The SSH configuration allows no login method'],
    ['HostKeyAlgorithms ssh-rsa\n', '1:19: error: HostKeyAlgorithms "ssh-rsa" leaves no host key algorithm'],
    ['RefuseConnection "not from here"\n', '1:18: error: RefuseConnection: "not from here"'],
    ['AddressFamily inet6\nHostName 192.0.2.1\n', '1:15: error: AddressFamily allows only IPv6, but the host has'],
    ['User a-%n-%q\n', '1:6: error: User uses the token %q'],
  ])('%j', (text, expected) => {
    const lines = said(text);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
  });

  it('is told all at once, from every file', () => {
    write('.ssh/more', 'Port x\nUser "\n');
    expect(said('Include more\nPort y\nHost *\n  IdentitiesOnly z\n')).toHaveLength(4);
  });

  it('counts even where its block is for other hosts', () => {
    expect(said('Host other\n  Port x\n')).toHaveLength(1);
  });
});

describe('what cannot be had', () => {
  it.each<readonly [text: string, said: string]>([
    ['Host *\n  PKCS11Provider /usr/lib/token.so\n', '2:18: warning: PKCS11Provider is not supported'],
    ['SecurityKeyProvider /usr/lib/sk.so\n', '1:21: warning: SecurityKeyProvider is not supported'],
    [
      'CertificateFile ~/.ssh/id-cert.pub\n',
      '1:17: warning: CertificateFile is not supported: certificates are not sent',
    ],
    ['GSSAPIAuthentication yes\n', '1:22: warning: GSSAPIAuthentication is not supported: Kerberos'],
    ['HostbasedAuthentication yes\n', '1:25: warning: HostbasedAuthentication is not supported'],
    ['KnownHostsCommand /bin/keys %H\n', '1:19: warning: KnownHostsCommand is not run'],
    ['RemoteCommand tmux attach\n', '1:15: warning: RemoteCommand is not run'],
    ['RevokedHostKeys /etc/ssh/revoked\n', '1:17: warning: RevokedHostKeys is not read'],
    ['CanonicalizeHostname yes\n', '1:22: warning: CanonicalizeHostname is ignored'],
    ['BindInterface eth1\n', '1:15: warning: BindInterface is ignored'],
    ['Ciphers aes256-ctr\n', '1:9: warning: Ciphers is ignored'],
    [
      'StrictHostKeyChecking no\n',
      '1:23: warning: StrictHostKeyChecking no is not followed: host keys are checked all the same',
    ],
    [
      'UserKnownHostsFile none\nStrictHostKeyChecking no\n',
      '2:23: warning: StrictHostKeyChecking no is not followed: host keys are checked all the same',
    ],
    ['UserKnownHostsFile /dev/null\n', '1:20: warning: UserKnownHostsFile /dev/null is not followed: host keys'],
    ['Match exec "true"\n  User x\n', '1:1: warning: portfw runs no command to evaluate this Match line'],
    ['User a\nMatch exec "true"\n  User x\n  Port 1\n', '2:1: warning: portfw runs no command to evaluate'],
    ['Host web1\n  BrandNew value\n', '2:3: warning: "BrandNew" is not an option that portfw knows'],
  ])('is said and passed over: %j', (text, expected) => {
    const lines = said(text);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
  });

  it.each([
    ['PKCS11Provider none\n'],
    ['GSSAPIAuthentication no\nHostbasedAuthentication no\nCanonicalizeHostname no\n'],
    ['Host other\n  RemoteCommand tmux\n  StrictHostKeyChecking no\n'],
    ['RemoteCommand none\nKnownHostsCommand none\nSecurityKeyProvider internal\n'],
    ['LocalForward 8080 localhost:80\nDynamicForward 1080\n'],
    ['User first\nMatch exec "true"\n  User second\n'],
    ['Match host other exec "true"\n  User x\n'],
    ['Match exec "true" host other\n  User x\n'],
    ['Match exec "true"\n  ForwardAgent yes\n'],
    ['Host *\n  ControlMaster auto\n  UseKeychain yes\n  AddKeysToAgent yes\n  VerifyHostKeyDNS yes\n'],
    ['IgnoreUnknown brand*\nBrandNew value\n'],
  ])('is not worth a word where it asks for nothing: %j', (text) => {
    expect(said(text)).toEqual([]);
  });

  it('says a line that holds for a thousand hosts in the same words for each', () => {
    write('.ssh/config', 'StrictHostKeyChecking no\nRemoteCommand x\nMatch exec "true"\n  Port 1\n');
    const texts = Array.from({ length: 1000 }, (_, number) => resolve(`h${number}`).problems.map(formatProblem).join());
    expect(new Set(texts).size).toBe(1);
  });

  it('leaves the defaults of a distribution uncommented', () => {
    write('etc/ssh_config', 'Host *\n  GSSAPIAuthentication yes\n  SendEnv LANG\n  Ciphers aes256-ctr\n');
    expect(resolve().problems).toEqual([]);
  });
});

describe('the files', () => {
  it(supported('ssh_config', '`~/.ssh/config` first, then `/etc/ssh/ssh_config`'), () => {
    write('.ssh/config', 'Host web1\n  User own\n');
    write('etc/ssh_config', 'User system\nPort 2222\n', 0o666);
    expect(resolve()).toMatchObject({ endpoint: { user: 'own', port: 2222 }, problems: [] });
    expect(resolve('db1').endpoint.user).toBe('system');
  });

  it('need not exist', () => {
    expect(resolve()).toMatchObject({ endpoint: { port: 22 }, problems: [] });
  });

  it(supported('ssh_config', '`--ssh-config FILE` reads another file instead, `none` no file'), () => {
    write('.ssh/config', 'User own\n');
    write('etc/ssh_config', 'Port 2222\n');
    const other = write('other', 'IdentitiesOnly yes\n', 0o666);
    expect(resolve('web1', other).endpoint).toMatchObject({
      user: environment.localUser,
      port: 22,
      identitiesOnly: true,
    });
    expect(resolve('web1', 'none').endpoint).toMatchObject({ user: environment.localUser, port: 22 });
    expect(resolve('web1', join(home, 'absent')).problems).toMatchObject([
      { severity: 'error', code: 'ssh-config-unusable' },
    ]);
  });

  it(supported('ssh_config', 'A file that others may write is refused, as by OpenSSH'), () => {
    for (const mode of [0o620, 0o602]) {
      const file = write('.ssh/config', 'User op\n', mode);
      expect(resolve().problems).toMatchObject([
        {
          severity: 'error',
          code: 'ssh-config-unusable',
          location: { file },
          solve: expect.stringContaining('chmod go-w'),
        },
      ]);
    }
    write('.ssh/config', 'Include other\n');
    write('.ssh/other', 'User op\n', 0o666);
    expect(resolve().problems).toMatchObject([{ severity: 'error', code: 'ssh-config-unusable' }]);
  });

  it(supported('ssh_config', '`Include` relative to `~/.ssh`, with `~` and variables'), () => {
    write('.ssh/config', `Include rel/*.conf ~/tilde \${INCLUDED}/x\n`);
    write('.ssh/rel/a.conf', 'User rel\n');
    write('tilde', 'Port 2222\n');
    const files = new SshConfigFiles({ home, systemFile: '/nowhere' });
    const found = resolveHost('web1', [], null, {
      files,
      environment: { ...environment, home, variable: (name) => (name === 'INCLUDED' ? home : undefined) },
      defaults: {
        agentSocket: null,
        acceptNewHostKeys: false,
        connectTimeoutMs: 1,
        keepalive: { intervalMs: 1000, countMax: 3 },
        fileExists: () => true,
      },
    });
    expect(found).toMatchObject({ endpoint: { user: 'rel', port: 2222 }, problems: [] });
  });

  it('may not say ~ in the system file', () => {
    write('etc/ssh_config', 'Include ~/x\n');
    expect(resolve().problems).toMatchObject([{ severity: 'error', code: 'bad-ssh-config' }]);
  });

  it('that include each other end after sixteen, in good time', () => {
    write('.ssh/config', 'Include config config\nInclude config\n');
    const startedAt = performance.now();
    expect(resolve().problems).toMatchObject([
      { severity: 'error', what: 'Include is nested more than 16 files deep' },
    ]);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('are refused when they are a pipe, a folder or huge', () => {
    const pipe = join(home, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const huge = write('huge', '#'.repeat(5 * 1024 * 1024));
    for (const file of [pipe, home, huge])
      expect(resolve('web1', file).problems).toMatchObject([{ severity: 'error', code: 'ssh-config-unusable' }]);
  });

  it('are read once for all hosts', () => {
    const file = write('.ssh/config', 'User before\n');
    const files = new SshConfigFiles({ home, systemFile: '/nowhere' });
    const [first] = files.sources(null);
    writeFileSync(file, 'User after\n');
    expect(files.sources(null)[0]!.config).toBe(first!.config);
  });

  it('take no longer when they are long and strange', () => {
    const startedAt = performance.now();
    for (const value of [
      '1'.repeat(200_000),
      `${' '.repeat(1_000_000)}x`,
      '$'.concat('{'.repeat(100_000)),
      '%'.repeat(99_999),
    ])
      for (const name of ['ConnectTimeout', 'IdentityFile', 'ProxyJump', 'Host', 'Match host'])
        said(`${name} ${value}x\n`);
    said(`Host ${'*a'.repeat(5000)}b\n  User x\n`, 'a'.repeat(200));
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('may begin with a byte order mark and hold any bytes', () => {
    expect(said('\ufeffHost web1\n  User op\n')).toEqual([]);
    expect(resolve().endpoint.user).toBe('op');
    const lines = said('Host web1\n  \u001b[31mRed yes\n  User \u202eop\u0000\n');
    expect(lines.join()).not.toMatch(/\u001b|\u202e/);
  });

  it(supported('ssh_config', '`Match exec` runs nothing: the block is passed over, and that is said'), () => {
    const proof = join(home, 'ran');
    const lines = said(`Match exec "touch ${proof}"\n  User x\n`);
    expect(lines).toHaveLength(1);
    expect(() => execFileSync('test', ['-e', proof])).toThrow();
  });

  it('decide by the networks of this machine', () => {
    const local = { ...environment, home, localAddresses: () => ['192.0.2.7', '2001:db8::7'] };
    const user = (list: string): string => {
      const file = write('match', `Match localnetwork ${list}\n  User here\n`);
      const files = new SshConfigFiles({ home, file });
      const defaults = {
        agentSocket: null,
        acceptNewHostKeys: false,
        connectTimeoutMs: 1,
        keepalive: { intervalMs: 1, countMax: 1 },
        fileExists: () => true,
      };
      return resolveHost('web1', [], null, { files, environment: local, defaults }).endpoint.user;
    };
    expect(user('192.0.2.0/24')).toBe('here');
    expect(user('198.51.100.0/24,2001:db8::/64')).toBe('here');
    expect(user('198.51.100.0/24')).toBe(environment.localUser);
    expect(user('192.0.2.0/24,!192.0.2.7,!2001:db8::/32')).toBe(environment.localUser);
  });

  it('tell tags apart', () => {
    expect(said('Tag site\nMatch tagged site,other\n  Port 2201\nMatch tagged ""\n  User never\n')).toEqual([]);
    expect(resolve().endpoint).toMatchObject({ port: 2201, user: environment.localUser });
  });
});

describe('docs/ssh.md', () => {
  const page = readFileSync(new URL('../../../docs/ssh.md', import.meta.url), 'utf8');

  it('names every option that is used, and every one that cannot be', () => {
    const told = [...OPTIONS.values()].filter(({ treatment }) => treatment !== 'harmless');
    const silent = ({ treatment }: OptionSpec) => typeof treatment === 'object' && treatment.inFiles === 'silent';
    const names = [...new Set(told.filter((spec) => !silent(spec)).map(({ name }) => name))];
    expect(names.length).toBeGreaterThan(35);
    expect(names.filter((name) => !page.includes(name))).toEqual([]);
  });
});
