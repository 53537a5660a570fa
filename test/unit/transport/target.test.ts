import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import { createTarget, type ReachableHost, type TargetOptions } from '../../../src/transport/target.ts';

const options: TargetOptions = {
  acceptNewHostKeys: false,
  becomePassword: null,
  sshPassword: null,
  agentSocket: '/run/agent',
  localUser: 'op',
};
const location = { file: 'hosts.yaml', line: 9, column: 5 };

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
      ...connection,
    },
    become: { enabled: true, user: 'root', method: 'sudo', password: null, ...become },
    locate: () => location,
  };
}

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
      knownHostsFiles: [],
      hostKeyAlias: null,
      acceptNewHostKeys: false,
      connectTimeoutMs: 10_000,
      become: { kind: 'sudo', password: null },
      agentSocket: '/run/agent',
      password: null,
    });
  });

  it('takes what the SSH arguments say', () => {
    const commonArgs =
      '-p 2222 -l args -i /keys/args -o UserKnownHostsFile=/kh -o StrictHostKeyChecking=accept-new -o ConnectTimeout=3 -o IdentityAgent=none -o HostKeyAlias=alias';
    expect(createTarget(host({ commonArgs }), options).target).toMatchObject({
      port: 2222,
      user: 'args',
      privateKeyFiles: ['/keys/args'],
      knownHostsFiles: ['/kh'],
      acceptNewHostKeys: true,
      connectTimeoutMs: 3000,
      agentSocket: null,
      hostKeyAlias: 'alias',
    });
  });

  it('lets the variables win over the SSH arguments', () => {
    const connection = {
      port: 22,
      user: 'var',
      privateKeyFile: '/keys/var',
      timeoutSeconds: 7,
      commonArgs: '-p 2222 -l args -i /keys/args -o ConnectTimeout=3',
    };
    expect(createTarget(host(connection), options).target).toMatchObject({
      port: 22,
      user: 'var',
      privateKeyFiles: ['/keys/var', '/keys/args'],
      connectTimeoutMs: 7000,
    });
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
    const { target, problems } = createTarget(host({ commonArgs: '-J bastion' }), options);
    expect(target).toBeNull();
    expect(problems[0]).toMatchObject({ code: 'unsupported-ssh-argument', location });
  });

  it('does not look at SSH arguments for a local connection', () => {
    const { target, problems } = createTarget(host({ kind: 'local', commonArgs: '-J bastion' }), options);
    expect(problems).toEqual([]);
    expect(target?.kind).toBe('local');
  });
});
