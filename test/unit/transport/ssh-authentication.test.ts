import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AuthenticationType } from 'ssh2';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { Target } from '../../../src/transport/connection.ts';
import { PrivateKeyStore } from '../../../src/transport/private-keys.ts';
import { AuthSequence, authFailureText, planAuthentication } from '../../../src/transport/ssh-authentication.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, ssh2.utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });

function target(changes: Partial<Target>): Target {
  return {
    name: 'web1',
    kind: 'ssh',
    address: '192.0.2.11',
    port: 22,
    user: 'op',
    privateKeyFiles: [keyFile],
    knownHostsFiles: [],
    hostKeyAlias: null,
    acceptNewHostKeys: false,
    connectTimeoutMs: 1000,
    become: { kind: 'none' },
    agentSocket: null,
    identitiesOnly: false,
    keepalive: { intervalMs: 1000, countMax: 3 },
    route: { kind: 'direct' },
    password: null,
    ...changes,
  };
}

async function sequenceFor(of: Target): Promise<AuthSequence> {
  const plan = await planAuthentication(of, new PrivateKeyStore({ passphrase: null, ask: null }));
  if (plan.kind === 'failed') throw new Error(plan.message);
  return new AuthSequence(plan.attempts);
}

/** The methods that are sent to a server which answers each attempt with what it still takes. */
async function methodsFor(of: Target, ...answers: readonly (readonly AuthenticationType[])[]): Promise<string[]> {
  const sequence = await sequenceFor(of);
  const sent: string[] = [];
  for (const allowed of [null, ...answers]) {
    const method = sequence.next(allowed);
    if (method === false) break;
    sent.push(method.type);
  }
  return sent;
}

const password = new Secret('s3cret');

describe('AuthSequence', () => {
  const both = ['publickey', 'password', 'keyboard-interactive'] as const;

  it.each([
    ['a key', target({}), [both, both], ['publickey']],
    ['a key, then the password', target({ password }), [both, both], ['publickey', 'password']],
    [
      'the password once, although two methods would take it',
      target({ password }),
      [both, both, both],
      ['publickey', 'password'],
    ],
    [
      'the password once, although the server then asks in another way',
      target({ password }),
      [both, ['keyboard-interactive']],
      ['publickey', 'password'],
    ],
    [
      'keyboard-interactive where there is no password method',
      target({ password }),
      [['keyboard-interactive'], ['keyboard-interactive']],
      ['publickey', 'keyboard-interactive'],
    ],
    ['no password where the server takes none', target({ password }), [['publickey']], ['publickey']],
    [
      'a second factor after the key',
      target({ password }),
      [['keyboard-interactive']],
      ['publickey', 'keyboard-interactive'],
    ],
  ] as const)('offers %s', async (_what, of, answers, methods) => {
    expect(await methodsFor(of, ...answers)).toEqual(methods);
  });

  it('learns first what the server takes when there is nothing but a password', async () => {
    vi.stubEnv('HOME', folder);
    const of = target({ password, privateKeyFiles: [] });
    expect(await methodsFor(of, ['password'], ['password'])).toEqual(['none', 'password']);
    expect(await methodsFor(target({ privateKeyFiles: [] }), ['password'])).toEqual(['none']);
    vi.unstubAllEnvs();
  });

  it('answers hidden questions with the password and others with nothing', async () => {
    const sequence = await sequenceFor(target({ password }));
    sequence.next(null);
    const method = sequence.next(['keyboard-interactive']);
    if (method === false || method.type !== 'keyboard-interactive') throw new Error('not offered');
    let answers: string[] = [];
    const prompts = [
      { prompt: 'Password: ', echo: false },
      { prompt: 'Token: ', echo: true },
    ];
    method.prompt('', '', '', prompts, (given) => (answers = given));
    expect(answers).toEqual(['s3cret', '']);
  });
});

describe('authFailureText', () => {
  it.each([
    ['nothing was at hand', [], ['publickey', 'password'], null, /ansible_ssh_private_key_file.*PORTFW_SSH_PASSWORD/],
    ['a key was refused', ['publickey'], ['publickey'], null, /authorized_keys/],
    ['a password would do', ['publickey'], ['publickey', 'password'], null, /PORTFW_SSH_PASSWORD/],
    ['a password was refused', ['password'], ['password'], password, /will not be tried again/],
  ] as const)('helps when %s', (_what, tried, offered, given, hint) => {
    const sequence = new AuthSequence([]);
    sequence.tried.push(...tried);
    sequence.offered = offered;
    const text = authFailureText(target({ password: given }), sequence, ['the agent at /x cannot be used']);
    expect(text.hint).toMatch(hint);
    expect(text.message).toContain('op@192.0.2.11 refused the login');
    expect(text.message).toContain('the agent at /x cannot be used');
    expect(text.message).not.toContain('s3cret');
  });
});
