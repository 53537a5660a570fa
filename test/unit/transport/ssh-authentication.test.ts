import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthenticationType } from 'ssh2';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { Target } from '../../../src/transport/connection.ts';
import type { AnswerQuestion } from '../../../src/transport/logins.ts';
import { AuthSequence, authFailureText } from '../../../src/transport/ssh2/auth-sequence.ts';
import { Answers, asksForPassword } from '../../../src/transport/ssh2/keyboard-interactive.ts';
import { hostGoal } from '../../../src/transport/ssh2/login-words.ts';
import { PrivateKeyStore } from '../../../src/transport/ssh2/private-keys.ts';
import { planAuthentication } from '../../../src/transport/ssh2/ssh-authentication.ts';
import { makeKeyPair } from '../../lab/keys.ts';
import { startAgent } from './helpers/key-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, makeKeyPair().private, { mode: 0o600 });

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
  if (plan.kind === 'failed') throw new Error(plan.what);
  const answers = new Answers('op@web1', of.password, null);
  return new AuthSequence(of.user, plan.attempts, answers, () => undefined);
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
});

describe('the ways to log in', () => {
  const agentKeys = (count: number): (readonly [Buffer, string])[] =>
    Array.from({ length: count }, (_, index) => {
      const [, encoded = ''] = makeKeyPair().public.split(' ');
      return [Buffer.from(encoded, 'base64'), `key ${index}`] as const;
    });
  const methods = async (of: Target): Promise<string[]> => {
    const plan = await planAuthentication(of, new PrivateKeyStore({ passphrase: null, ask: null }));
    if (plan.kind === 'failed') throw new Error(plan.what);
    return plan.attempts.map(({ method }) => method.type);
  };

  it('leave the password its turn however many keys the agent has', async () => {
    const agentSocket = join(folder, 'agent');
    const server = await startAgent(agentSocket, agentKeys(9));
    const of = target({ agentSocket, password });
    expect(await methods(of)).toEqual([
      'publickey',
      ...Array.from({ length: 4 }, () => 'agent'),
      'password',
      'keyboard-interactive',
    ]);
    expect((await methods({ ...of, password: null })).filter((type) => type === 'agent')).toHaveLength(9);
    expect(await methods({ ...of, identitiesOnly: true, password: null })).toEqual([
      'publickey',
      'keyboard-interactive',
    ]);
    server.close();
  });

  it('are those that may be used, in the order that is preferred', async () => {
    expect(await methods(target({ password, loginMethods: ['password', 'publickey'] }))).toEqual([
      'password',
      'publickey',
    ]);
    expect(await methods(target({ loginMethods: ['publickey'] }))).toEqual(['publickey']);
    // A key that may not be used is not even looked for.
    const missing = { privateKeyFiles: [join(folder, 'missing')] };
    expect(await methods(target({ ...missing, password, loginMethods: ['password'] }))).toEqual(['password']);
  });

  it('without default keys where the user wants none', async () => {
    vi.stubEnv('HOME', join(folder, 'home'));
    mkdirSync(join(folder, 'home/.ssh'), { recursive: true });
    copyFileSync(keyFile, join(folder, 'home/.ssh/id_ed25519'));
    expect(await methods(target({ privateKeyFiles: [] }))).toEqual(['publickey', 'keyboard-interactive']);
    expect(await methods(target({ privateKeyFiles: [], noDefaultKeys: true }))).toEqual(['keyboard-interactive']);
    vi.unstubAllEnvs();
  });
});

describe('a server that wants several methods', () => {
  const sequence = async (of: Target, ask: AnswerQuestion | null = null): Promise<AuthSequence> => {
    const plan = await planAuthentication(of, new PrivateKeyStore({ passphrase: null, ask: null }));
    if (plan.kind === 'failed') throw new Error(plan.what);
    return new AuthSequence('op', plan.attempts, new Answers('op@web1', of.password, ask), () => undefined);
  };
  const type = (method: { type: string } | false): string => (method === false ? 'nothing' : method.type);

  it('gets the password after the key, and an answer after the password', async () => {
    const steps = await sequence(target({ password }));
    expect(type(steps.next(null))).toBe('publickey');
    expect(type(steps.next(['password'], true))).toBe('password');
    expect(type(steps.next(['keyboard-interactive'], true))).toBe('keyboard-interactive');
    expect(type(steps.next(['keyboard-interactive'], false))).toBe('nothing');
  });

  it('gets the key again that it would not judge before', async () => {
    const steps = await sequence(target({ password }));
    expect(type(steps.next(null))).toBe('publickey');
    expect(type(steps.next(['keyboard-interactive'], false))).toBe('keyboard-interactive');
    expect(type(steps.next(['publickey'], true))).toBe('publickey');
    expect(type(steps.next(['publickey'], false))).toBe('nothing');
  });

  it('is asked for its question where nobody can answer only once a factor was passed', async () => {
    const first = await sequence(target({}));
    first.next(null);
    expect(type(first.next(['keyboard-interactive'], false))).toBe('nothing');
    const second = await sequence(target({}));
    second.next(null);
    expect(type(second.next(['keyboard-interactive'], true))).toBe('keyboard-interactive');
    const asking = await sequence(target({}), () => Promise.resolve(null));
    asking.next(null);
    expect(type(asking.next(['keyboard-interactive'], false))).toBe('keyboard-interactive');
  });

  it('never makes us go round in circles, whatever it says', async () => {
    const steps = await sequence(target({ password }));
    const lists: readonly AuthenticationType[][] = [['publickey'], ['keyboard-interactive'], ['password'], []];
    let methods = 0;
    for (
      let turn = 0;
      turn < 200 && steps.next(turn === 0 ? null : lists[turn % 4]!, turn % 3 === 0) !== false;
      turn++
    ) {
      methods += 1;
    }
    expect(methods).toBeLessThan(10);
  });
});

describe('asksForPassword', () => {
  it.each([
    ['Password: ', true, true],
    ['admin@web1 password: ', true, true],
    ['Passwort: ', true, true],
    ['Mot de passe : ', true, true],
    ['Пароль: ', true, true],
    ['密码：', true, true],
    ['Password: ', false, false],
    ['New password: ', true, false],
    ['One-time password (OATH): ', true, false],
    ['Verification code: ', true, false],
    ['PIN: ', true, false],
    ['', true, false],
  ])('%s (hidden: %s): %s', (prompt, hidden, expected) => {
    expect(asksForPassword(prompt, hidden)).toBe(expected);
  });
});

describe('authFailureText', () => {
  it.each([
    ['nothing was at hand', [], ['publickey', 'password'], null, /ansible_ssh_private_key_file.*PORTFW_SSH_PASSWORD/],
    ['a key was refused', ['publickey'], ['publickey'], null, /authorized_keys/],
    ['a password would do', ['publickey'], ['publickey', 'password'], null, /PORTFW_SSH_PASSWORD/],
    ['a password was refused', ['password'], ['password'], password, /will not be tried again/],
  ] as const)('helps when %s', (_what, tried, offered, given, hint) => {
    const sequence = new AuthSequence('op', [], new Answers('op@web1', given, null), () => undefined);
    sequence.tried.push(...tried);
    sequence.offered = offered;
    const text = authFailureText(hostGoal(target({ password: given })), sequence, ['the agent at /x cannot be used']);
    expect(text.solve).toMatch(hint);
    expect(text.what).toContain('op@192.0.2.11 refused the login');
    expect(text.what).toContain('the agent at /x cannot be used');
    expect(text.what).not.toContain('s3cret');
  });
});
