import { describe, expect, it } from 'vitest';
import { type CommonArgs, parseCommonArgs } from '../../../src/transport/common-args.ts';

const location = { file: 'hosts.yaml', line: 3, column: 7 };
const nothing: CommonArgs = {
  port: null,
  user: null,
  identityFiles: [],
  knownHostsFiles: [],
  hostKeyAlias: null,
  acceptNewHostKeys: null,
  connectTimeoutMs: null,
  identityAgent: null,
};
const parse = (text: string) => parseCommonArgs(text, location, '/home/op');

describe('parseCommonArgs', () => {
  it.each<readonly [text: string, args: Partial<CommonArgs>]>([
    ['', {}],
    ['  ', {}],
    ['-p 2222 -l admin -i ~/.ssh/site', { port: 2222, user: 'admin', identityFiles: ['/home/op/.ssh/site'] }],
    ['-p2222 -ladmin -i/keys/site', { port: 2222, user: 'admin', identityFiles: ['/keys/site'] }],
    ['-o Port=2222 -oUser=admin -o "ConnectTimeout 5"', { port: 2222, user: 'admin', connectTimeoutMs: 5000 }],
    ['-o port=1 -o PORT=2 -p 3', { port: 1 }],
    ['-i /a -o IdentityFile=/b -i %d/c', { identityFiles: ['/a', '/b', '/home/op/c'] }],
    ['-o IdentityFile=none', {}],
    [
      `-o UserKnownHostsFile='/keys/known hosts'`,
      // OpenSSH splits the value at white space: two files, the second relative.
      { knownHostsFiles: ['/keys/known', `${process.cwd()}/hosts`] },
    ],
    ['-o GlobalKnownHostsFile=/etc/kh -o UserKnownHostsFile=~/kh', { knownHostsFiles: ['/home/op/kh', '/etc/kh'] }],
    ['-o StrictHostKeyChecking=accept-new', { acceptNewHostKeys: true }],
    ['-o StrictHostKeyChecking=yes', { acceptNewHostKeys: false }],
    ['-o HostKeyAlias=web1.example.net', { hostKeyAlias: 'web1.example.net' }],
    ['-o IdentityAgent=none', { identityAgent: 'none' }],
    ['-o IdentityAgent=/run/agent', { identityAgent: '/run/agent' }],
    ['-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/tmp/%r@%h -C -q -vvv -o ServerAliveInterval=5', {}],
    [`-o 'User=o p'`, { user: 'o p' }],
    ['-o User=a\\ b', { user: 'a b' }],
    ['-o "User=\\"x\\""', { user: 'x' }],
  ])('reads %s', (text, args) => {
    expect(parse(text)).toEqual({ args: { ...nothing, ...args }, problems: [] });
  });

  it.each<readonly [text: string, code: string, named: RegExp]>([
    ['-J bastion', 'unsupported-ssh-argument', /argument -J|ProxyJump|-J/],
    ['-o ProxyJump=bastion', 'unsupported-ssh-argument', /-o ProxyJump/],
    ['-o ProxyCommand="ssh -W %h:%p bastion"', 'unsupported-ssh-argument', /-o ProxyCommand/],
    ['-o Ciphers=aes128-cbc', 'unsupported-ssh-argument', /-o Ciphers/],
    ['-F /dev/null', 'unsupported-ssh-argument', /-F/],
    ['-L 1:a:2', 'unsupported-ssh-argument', /-L/],
    ['-tt', 'unsupported-ssh-argument', /-tt/],
    ['bastion', 'unsupported-ssh-argument', /bastion/],
    ['-o StrictHostKeyChecking=no', 'host-keys-unchecked', /any host key/],
    ['-o StrictHostKeyChecking=off', 'host-keys-unchecked', /any host key/],
    ['-o UserKnownHostsFile=/dev/null', 'host-keys-unchecked', /forget every host key/],
    ['-o StrictHostKeyChecking=maybe', 'bad-ssh-argument', /maybe/],
    ['-p 99999', 'bad-ssh-argument', /1 to 65535/],
    ['-p 0x50', 'bad-ssh-argument', /0x50/],
    ['-o ConnectTimeout=never', 'bad-ssh-argument', /never/],
    ['-o Port', 'bad-ssh-argument', /Key=Value/],
    ['-i', 'bad-ssh-argument', /-i lacks its value/],
    ['-i ~root/key', 'bad-ssh-argument', /substitution/],
    ['-i /keys/%h', 'bad-ssh-argument', /substitution/],
    ['-o "User=x', 'bad-ssh-argument', /unclosed quote/],
    [`-o 'User=x`, 'bad-ssh-argument', /unclosed quote/],
  ])('refuses %s', (text, code, named) => {
    const { problems } = parse(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'error', code, location });
    expect(problems[0]?.message).toMatch(named);
    expect(problems[0]?.hint).not.toBe('');
  });

  it('tells a user who turned the check off which relaxation there is', () => {
    expect(parse('-o StrictHostKeyChecking=no').problems[0]?.hint).toContain('--accept-new-host-keys');
  });

  it('collects every problem', () => {
    expect(parse('-J a -o StrictHostKeyChecking=no -p x').problems).toHaveLength(3);
  });

  it('does not print what a file smuggles in', () => {
    expect(parse('-o \u001b[31mX').problems[0]?.message).not.toContain('\u001b');
  });
});
