import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommonArgs } from '../../../src/transport/ssh-config/common-args.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { supported } from '../../helpers/supported.ts';

const location = { file: 'hosts.yaml', line: 3, column: 7, secret: null };
const parse = (text: string) => parseCommonArgs(text, location, '/home/op');

/** Settings as `Name=value`, in their order. */
const settings = (text: string) => parse(text).settings.map(({ name, words }) => `${name}=${words.join(' ')}`);

describe('parseCommonArgs', () => {
  it.each<readonly [text: string, settings: readonly string[]]>(
    [
      ['', []],
      ['  ', []],
      ['-p 2222 -l admin -i ~/.ssh/site', ['Port=2222', 'User=admin', 'IdentityFile=~/.ssh/site']],
      ['-p2222 -ladmin -i/keys/site', ['Port=2222', 'User=admin', 'IdentityFile=/keys/site']],
      ['-Cqp 2222 -vvvl admin', ['Port=2222', 'User=admin']],
      ['-o Port=2222 -oUser=admin -o "ConnectTimeout 5"', ['Port=2222', 'User=admin', 'ConnectTimeout=5']],
      ['-o "port = 1" -o PORT=2', ['Port=1', 'Port=2']],
      ['-i "/keys/with space"', ['IdentityFile=/keys/with space']],
      [`-o UserKnownHostsFile='/keys/known hosts'`, ['UserKnownHostsFile=/keys/known hosts']],
      ['-J one,op@two:2222', ['ProxyJump=one,op@two:2222']],
      ['-o ProxyJump=none', ['ProxyJump=none']],
      [`-o ProxyCommand="ssh -W %h:%p -q op@bastion"`, ['ProxyCommand=ssh -W %h:%p -q op@bastion']],
      [`-o 'ProxyCommand ssh -W "[%h]:%p" gate'`, ['ProxyCommand=ssh -W "[%h]:%p" gate']],
      ['-4 -b 192.0.2.9', ['AddressFamily=inet', 'BindAddress=192.0.2.9']],
      ['-6', ['AddressFamily=inet6']],
      ['-P site', ['Tag=site']],
      ['-o StrictHostKeyChecking=off', ['StrictHostKeyChecking=no']],
      ['-A -T -tt -M -K -x', []],
    ].filter(([, expected]) => expected !== null) as [string, string[]][],
  )('reads %s', (text, expected) => {
    expect(parse(text).problems).toEqual([]);
    expect(settings(text)).toEqual(expected);
  });

  it(supported('ansible_ssh_common_args', '`-F FILE`: this configuration file instead of the usual ones'), () => {
    expect(parse('-F ~/site.conf -q')).toMatchObject({ configFile: '/home/op/site.conf', problems: [] });
    expect(parse('-Fnone').configFile).toBe('none');
  });

  it.each<readonly [text: string, code: string, named: RegExp]>([
    ['-L 1:a:2', 'unsupported-ssh-argument', /-L is not supported/],
    ['-N', 'unsupported-ssh-argument', /-N/],
    ['-W a:1', 'unsupported-ssh-argument', /-W/],
    ['bastion', 'unsupported-ssh-argument', /bastion/],
    ['--', 'unsupported-ssh-argument', /--/],
    ['-o Ciphers=aes128-cbc', 'unsupported-ssh-argument', /-o Ciphers is ignored/],
    ['-c aes128-cbc', 'unsupported-ssh-argument', /-c is ignored/],
    ['-o RemoteCommand=id', 'unsupported-ssh-argument', /-o RemoteCommand/],
    ['-o PKCS11Provider=/lib/x.so', 'unsupported-ssh-argument', /-o PKCS11Provider/],
    ['-o StrictHostKeyChecking=maybe', 'bad-ssh-argument', /maybe/],
    ['-p 99999', 'bad-ssh-argument', /1 to 65535/],
    ['-p 0x50', 'bad-ssh-argument', /0x50/],
    ['-o ConnectTimeout=never', 'bad-ssh-argument', /never/],
    ['-o User=a\\ b', 'bad-ssh-argument', /more words/],
    ['-o Port', 'bad-ssh-argument', /Key=Value/],
    ['-o Host=x', 'bad-ssh-argument', /not an option/],
    ['-o NoSuchOption=1', 'bad-ssh-argument', /NoSuchOption is not an option/],
    ['-J a,,b', 'bad-ssh-argument', /-J needs machines/],
    ['-J "a;b"', 'bad-ssh-argument', /-J needs machines/],
    ['-i', 'bad-ssh-argument', /-i needs a value/],
    ['-i ~root/key', 'bad-ssh-config', /another user's home folder/],
    ['-i /keys/%q', 'bad-ssh-config', /token %q/],
    [`-i \${NO_SUCH_VARIABLE_HERE}/key`, 'bad-ssh-config', /NO_SUCH_VARIABLE_HERE/],
    ['-o HostKeyAlias=*', 'bad-ssh-config', /not a host name/],
    ['-o "User=x', 'bad-ssh-argument', /unclosed quote/],
    [`-o 'User=x`, 'bad-ssh-argument', /unclosed quote/],
    [`-o 'User="x'`, 'bad-ssh-argument', /unclosed quote/],
  ])('refuses %s', (text, code, named) => {
    const { target, problems } = targetWith(text);
    expect(target).toBeNull();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'error', code, location });
    expect(problems[0]?.what).toMatch(named);
    expect(problems[0]?.solve).not.toBe('');
  });

  it.each([
    ['no', '-o StrictHostKeyChecking=no'],
    ['no', '-o StrictHostKeyChecking=off'],
    ['no', '-o stricthostkeychecking=false'],
    ['no', "-C -o 'StrictHostKeyChecking no'"],
  ])('checks host keys all the same, and says so: %s from %s', (word, text) => {
    const { target, problems } = targetWith(text);
    expect(target).toMatchObject({ acceptNewHostKeys: false, knownHostsFiles: [] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'warning', code: 'host-keys-unchecked', location });
    expect(problems[0]?.what).toBe(
      `-o StrictHostKeyChecking ${word} is not followed: host keys are checked all the same`,
    );
    expect(problems[0]?.solve).toContain('ssh-keyscan');
    expect(problems[0]?.solve).toContain('--accept-new-host-keys');
  });

  it.each(['-o UserKnownHostsFile=/dev/null', '-o UserKnownHostsFile=none', '-o "UserKnownHostsFile=/dev/null /kh"'])(
    'uses the usual known_hosts files, and says so: %s',
    (text) => {
      const { target, problems } = targetWith(text);
      expect(target).toMatchObject({ acceptNewHostKeys: false, knownHostsFiles: [] });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatchObject({ severity: 'warning', code: 'host-keys-unchecked', location });
      expect(problems[0]?.what).toMatch(
        /^-o UserKnownHostsFile .* is not followed: .* with the usual known_hosts files$/,
      );
    },
  );

  it('says both of them in one warning, where they are written together', () => {
    const both = '-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no';
    const { target, problems } = targetWith(both);
    expect(target?.acceptNewHostKeys).toBe(false);
    expect(target?.knownHostsFiles).toContain(join(homedir(), '.ssh', 'known_hosts'));
    expect(problems.map(({ what }) => what)).toEqual([
      '-o StrictHostKeyChecking no and -o UserKnownHostsFile /dev/null are not followed: host keys are checked all the same, with the usual known_hosts files',
    ]);
  });

  it('records new keys where another setting allows it', () => {
    const { target } = targetWith('-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new');
    expect(target).toMatchObject({ acceptNewHostKeys: true, knownHostsFiles: [] });
  });

  it('collects every problem', () => {
    expect(targetWith('-N -o StrictHostKeyChecking=no -p x').problems).toHaveLength(3);
  });

  it('does not print what a file smuggles in', () => {
    for (const text of ['-o \u001b[31mX', '-p \u001b[31mX', '-\u001b[31m', '-o StrictHostKeyChecking=\u001b[31m'])
      expect(JSON.stringify(parse(text).problems)).not.toContain('\\u001b');
  });

  it('warns of logins that portfw does not have, and goes on', () => {
    const { target, problems } = targetWith('-o GSSAPIAuthentication=yes -o CertificateFile=/keys/x-cert.pub');
    expect(problems.map(({ severity, what }) => [severity, what.split(' ')[1]])).toEqual([
      ['warning', 'GSSAPIAuthentication'],
      ['warning', 'CertificateFile'],
    ]);
    expect(target).not.toBeNull();
  });
});

function targetWith(commonArgs: string) {
  return createTarget(
    {
      name: 'web1',
      connection: {
        kind: 'ssh',
        address: '192.0.2.11',
        port: null,
        user: null,
        privateKeyFile: null,
        commonArgs,
        timeoutSeconds: null,
        sources: {
          commonArgs: { value: commonArgs, origin: { kind: 'variable', name: 'ansible_ssh_common_args', location } },
        },
      },
      become: { enabled: false, user: 'root', method: 'sudo', password: null },
    },
    { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null, localUser: 'op' },
  );
}
