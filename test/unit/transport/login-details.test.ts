import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginProblems } from '../../../src/cli/logins.ts';
import { lookedLines } from '../../../src/cli/looked.ts';
import { formatProblem, type SourceLocation } from '../../../src/core/problem.ts';
import type { SshEndpoint } from '../../../src/transport/connection.ts';
import { NodeSshTransport } from '../../../src/transport/ssh2/adapter.ts';
import { loginDetails } from '../../../src/transport/ssh2/login-details.ts';
import { hostGoal } from '../../../src/transport/ssh2/login-words.ts';
import { createTarget, sshConfigFiles } from '../../../src/transport/target.ts';
import { configOf } from '../ansible/helpers/config-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-details-'));
const key = join(folder, 'id');
beforeAll(() => writeFileSync(key, ''));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (file: string, line: number, secret: SourceLocation['secret'] = null): SourceLocation => ({
  file,
  line,
  column: 5,
  secret,
});

function endpoint(changes: Partial<SshEndpoint>): SshEndpoint & { readonly name: string } {
  return {
    name: 'web1',
    address: '192.0.2.11',
    port: 22,
    user: 'op',
    privateKeyFiles: [],
    identitiesOnly: false,
    agentSocket: null,
    knownHostsFiles: [],
    hostKeyAlias: null,
    acceptNewHostKeys: false,
    connectTimeoutMs: 1000,
    keepalive: { intervalMs: 1000, countMax: 3 },
    password: null,
    ...changes,
  };
}

const details = (changes: Partial<SshEndpoint>, agentKeys = 0) => loginDetails(hostGoal(endpoint(changes)), agentKeys);
const option = (name: string, value: string, by: string, location: SourceLocation | null) => ({
  option: name,
  value,
  by: { name: by, location },
});

describe('what a login was tried with', () => {
  it('names the account, the keys and the agent, and what set each', () => {
    const options = [
      option('User', 'op', 'ansible_user', at('hosts.yaml', 3)),
      option('IdentityFile', key, '[defaults] private_key_file', at('ansible.cfg', 7)),
      option('IdentityFile', join(folder, 'none'), 'IdentityFile', at('/home/op/.ssh/config', 2)),
    ];
    expect(details({ options, agentSocket: '/run/agent' }, 2)).toEqual([
      'user op: ansible_user at hosts.yaml:3:5',
      `key ${key}: [defaults] private_key_file at ansible.cfg:7:5`,
      `key ${join(folder, 'none')}: IdentityFile at /home/op/.ssh/config:2:5, and there is no such file`,
      'agent /run/agent: SSH_AUTH_SOCK, with 2 keys',
    ]);
  });

  it('names the defaults where nothing is set', () => {
    expect(details({})).toEqual([
      'user op: the account that runs portfw, as nothing names another',
      expect.stringMatching(/^key: none is named, /),
      'agent: none, as SSH_AUTH_SOCK is not set',
    ]);
  });

  it('names what switches keys or the agent off', () => {
    const options = [
      option('PubkeyAuthentication', 'no', '-o PubkeyAuthentication', at('hosts.yaml', 4)),
      option('IdentityAgent', 'none', 'IdentityAgent', at('config', 9)),
    ];
    expect(details({ options, loginMethods: ['password'] }).slice(1)).toEqual([
      'key: none is tried, because of -o PubkeyAuthentication at hosts.yaml:4:5',
      'agent: none: IdentityAgent at config:9:5',
    ]);
  });

  it('shows nothing of a vault, and no control character', () => {
    const secret = at('hosts.yaml', 3, { variable: 'ansible_user' });
    const options = [
      option('User', 'hidden', 'ansible_user', secret),
      option('IdentityFile', '/hidden/key', 'ansible_ssh_private_key_file', secret),
      option('IdentityAgent', '/a\u001b[31m', 'IdentityAgent', at('config\u0007', 1)),
    ];
    const text = details({ options, user: 'hidden', agentSocket: '/a\u001b[31m' }).join();
    expect(text).not.toMatch(/hidden|[\u001b\u0007]/);
    expect(text).toContain('user (from a vault, not shown): ansible_user at hosts.yaml:3:5');
  });

  it('is known of every setting, wherever it stands', () => {
    writeFileSync(join(folder, 'config'), `Host web1\n  HostName 192.0.2.7\n  IdentityFile ${key}\n`);
    const location = at('hosts.yaml', 8);
    const port = { value: 2222, origin: { kind: 'variable', name: 'ansible_port', location } } as const;
    const none = null;
    const sources = {
      port,
      user: none,
      privateKeyFile: none,
      timeoutSeconds: none,
      sshArgs: none,
      commonArgs: none,
      extraArgs: none,
    };
    const { target } = createTarget(
      {
        name: 'web1',
        connection: {
          kind: 'ssh',
          address: 'web1',
          port: 2222,
          user: null,
          privateKeyFile: null,
          commonArgs: null,
          timeoutSeconds: null,
          sources,
        },
        become: { enabled: false, user: 'root', method: 'sudo', password: null },
      },
      {
        acceptNewHostKeys: false,
        becomePassword: null,
        sshPassword: null,
        agentSocket: null,
        localUser: 'op',
        sshConfig: sshConfigFiles(join(folder, 'config')),
      },
    );
    const found = (target?.options ?? []).map((one) => [one.option, one.value, one.by.name, one.by.location?.line]);
    expect(found).toContainEqual(['Port', '2222', 'ansible_port', 8]);
    expect(found).toContainEqual(['HostName', '192.0.2.7', 'HostName', 2]);
    expect(found).toContainEqual(['IdentityFile', key, 'IdentityFile', 3]);
  });
});

describe('a named key that is missing', () => {
  it('is reported at the place that names it, with the name of the setting', async () => {
    const gone = join(folder, 'gone');
    const options = [option('IdentityFile', gone, '[defaults] private_key_file', at('ansible.cfg', 4))];
    const target = {
      ...endpoint({ privateKeyFiles: [gone], options }),
      kind: 'ssh',
      route: { kind: 'direct' },
      become: { kind: 'none' },
    } as const;
    const obstacles = await new NodeSshTransport({ passphrase: null, ask: null }).unlockKeys([
      target,
      { ...target, name: 'web2' },
    ]);
    expect(loginProblems(obstacles).map(formatProblem)).toEqual([
      `ansible.cfg:4:5: error: The private key ${gone} does not exist (for web1, web2)\n    Correct [defaults] private_key_file, or leave it out to use the agent and the default keys`,
    ]);
  });
});

describe('where settings were looked for', () => {
  it('is the inventory, ansible.cfg and ssh_config', () => {
    expect(lookedLines(['hosts.ini'], configOf({ cfg: '[defaults]\n' }), undefined)).toEqual([
      'looked at: the inventory hosts.ini; /work/ansible.cfg; ~/.ssh/config, /etc/ssh/ssh_config',
    ]);
  });

  it('names every place of an ansible.cfg that is not there, or not read', () => {
    const config = configOf({
      cfg: '[defaults]\n',
      worldWritable: ['/work'],
      environment: { ANSIBLE_CONFIG: '/x.cfg' },
    });
    expect(lookedLines(['a', 'b', 'c', 'd'], config, 'none')).toEqual([
      'looked at: the inventory a, b, c and 1 more; no ansible.cfg (looked for /x.cfg, /work/ansible.cfg, which is not read as everybody may write into its folder, /home/op/.ansible.cfg, /etc/ansible/ansible.cfg); no ssh_config',
    ]);
  });
});
