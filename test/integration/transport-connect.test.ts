import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { ConnectOutcome, Target, Transport } from '../../src/transport/connection.ts';
import { NodeSshTransport } from '../../src/transport/ssh2/adapter.ts';
import { makeKeyPair } from '../lab/keys.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import {
  connected,
  ended,
  eventually,
  run,
  startSshd,
  targetOf,
  transport,
  withConnection,
} from './helpers/transport-lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'connect',
    hosts: [
      { name: 'new', suite: 'trixie', firewalld: 'stopped' },
      { name: 'old', suite: 'bullseye', firewalld: 'stopped' },
    ],
  });
});
afterAll(() => lab?.stop());

const target = (changes: Partial<Target> = {}, name = 'new') => targetOf(lab, lab.host(name), changes);
const file = (name: string) => join(lab.directory, name);
const written = (name: string, text: string) => {
  writeFileSync(file(name), text);
  return file(name);
};

/** One of OpenSSH's own tools: `keygen`, `agent`, `add`. */
const toolPath = (tool: string) => `ssh-${tool}`;
const openssh = (tool: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
  execFileSync(toolPath(tool), args, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });

/** Connects, closes at once, and returns the outcome. */
async function attempt(to: Target, by: Transport = transport): Promise<ConnectOutcome> {
  const outcome = await by.connect(to);
  if (outcome.kind === 'connected') await outcome.connection.close();
  return outcome;
}

describe('host keys', () => {
  const recorded = (type: string) => {
    const key = lab.host('new').hostKeys.find((line) => line.startsWith(type));
    if (key === undefined) throw new Error(`The host has no ${type} key`);
    return `${lab.host('new').publicAddress} ${key}\n`;
  };

  it('are refused when unknown', async () => {
    const outcome = await attempt(target({ name: 'x', knownHostsFiles: [file('absent')] }));
    expect(outcome).toMatchObject({ kind: 'host-key-unknown', keyType: 'ssh-ed25519' });
    expect(existsSync(file('absent'))).toBe(false);
  });

  it('are recorded on request, as ssh-keygen finds them, and then known', async () => {
    const port = await startSshd(lab.host('new'), '');
    const fresh = target({ name: 'x', port, knownHostsFiles: [file('fresh')], acceptNewHostKeys: true });
    const first = await attempt(fresh);
    expect(first.kind === 'connected' && first.connection.notes).toHaveLength(1);
    const name = `[${lab.host('new').publicAddress}]:${port}`;
    expect(openssh('keygen', ['-F', name, '-f', file('fresh')])).toContain('ssh-ed25519');
    const text = readFileSync(file('fresh'), 'utf8');
    const second = await attempt({ ...fresh, acceptNewHostKeys: false });
    expect(second.kind === 'connected' && second.connection.notes).toEqual([]);
    expect(readFileSync(file('fresh'), 'utf8')).toBe(text);
  });

  it('are found under hashed names', async () => {
    written('hashed', recorded('ssh-ed25519'));
    openssh('keygen', ['-q', '-H', '-f', file('hashed')]);
    expect(readFileSync(file('hashed'), 'utf8')).toMatch(/^\|1\|/);
    expect((await attempt(target({ knownHostsFiles: [file('hashed')] }))).kind).toBe('connected');
  });

  it('are compared with the recorded type, whichever the host would rather show', async () => {
    expect((await attempt(target({ knownHostsFiles: [written('ecdsa', recorded('ecdsa'))] }))).kind).toBe('connected');
  });

  it('are refused loudly when changed, with the file and line, although new ones are accepted', async () => {
    const other = lab.host('old').hostKeys.find((line) => line.startsWith('ssh-ed25519'));
    const changed = written('changed', `# comment\n${lab.host('new').publicAddress} ${other}\n`);
    const outcome = await attempt(target({ knownHostsFiles: [changed], acceptNewHostKeys: true }));
    expect(outcome).toMatchObject({
      kind: 'host-key-changed',
      file: changed,
      line: 2,
      what: expect.stringContaining(`${changed} line 2`),
    });
    expect(readFileSync(changed, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('are refused when revoked', async () => {
    const revoked = written(
      'revoked',
      `${recorded('ssh-ed25519')}@revoked ${recorded('ssh-ed25519').replace(/^\S+/, '*')}`,
    );
    expect(await attempt(target({ knownHostsFiles: [revoked] }))).toMatchObject({ kind: 'host-key-revoked', line: 2 });
  });
});

describe('logins', () => {
  it('are new connections each time', async () => {
    const [one, two] = await Promise.all([transport.connect(target()), transport.connect(target())]);
    const ports = [one, two].map((outcome) => connected(outcome).endpoints?.localPort);
    expect(ports[0]).not.toBe(ports[1]);
    await Promise.all([one, two].map((outcome) => connected(outcome).close()));
  });

  it('succeed thirty at a time', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        withConnection(target({}, index % 2 === 0 ? 'new' : 'old'), async (connection) =>
          ended(await run(connection, 'cat', { data: `${index}` })),
        ),
      ),
    );
    expect(outcomes.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 30 }, (_, index) => `${index}`));
  });

  it('work with an RSA key on both sides of OpenSSH 8.8', async () => {
    const rsa = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 });
    writeFileSync(file('rsa'), rsa.private, { mode: 0o600 });
    for (const host of lab.hosts) {
      await host.sh('mkdir -p /root/.ssh; printf "%s\n" "$1" >/root/.ssh/authorized_keys', rsa.public);
      expect((await attempt(target({ privateKeyFiles: [file('rsa')] }, host.name))).kind).toBe('connected');
    }
  });

  it('fail with what was tried and what the host would take', async () => {
    const port = await startSshd(lab.host('new'), 'PasswordAuthentication yes');
    const wrong = makeKeyPair();
    writeFileSync(file('wrong'), wrong.private, { mode: 0o600 });
    const to = target({ port, hostKeyAlias: 'new', privateKeyFiles: [file('wrong')] });
    expect(await attempt(to)).toMatchObject({
      kind: 'auth-failed',
      tried: [expect.stringContaining(file('wrong'))],
      offered: expect.arrayContaining(['publickey', 'password']),
      solve: expect.stringContaining('PORTFW_SSH_PASSWORD'),
    });
  });

  it('fail at once for a key file that is missing, public, encrypted or nonsense', async () => {
    const locked = makeKeyPair({ passphrase: 'open', cipher: 'aes256-ctr', rounds: 4 });
    const cases: readonly (readonly [string, RegExp])[] = [
      [file('missing'), /does not exist/],
      [written('public', locked.public), /is a public key/],
      [written('locked', locked.private), /is encrypted/],
      [written('nonsense', 'not a key'), /cannot be used/],
    ];
    for (const [privateKeyFile, message] of cases) {
      const outcome = await attempt(target({ privateKeyFiles: [privateKeyFile] }));
      expect(outcome).toMatchObject({ kind: 'local-problem', what: expect.stringMatching(message) });
    }
  });

  it('unlock an encrypted key once, by the passphrase at hand or by asking once', async () => {
    const key = makeKeyPair({ passphrase: 'open', cipher: 'aes256-ctr', rounds: 4 });
    const locked = written('locked-known', key.private);
    await lab.host('new').sh('printf "%s\n" "$1" >>/root/.ssh/authorized_keys', key.public);
    const to = target({ privateKeyFiles: [locked] });
    const withPassphrase = new NodeSshTransport({ passphrase: new Secret('open'), ask: null });
    expect((await attempt(to, withPassphrase)).kind).toBe('connected');
    const asked: string[] = [];
    const asking = new NodeSshTransport({
      passphrase: new Secret('wrong'),
      ask: (name) => {
        asked.push(name);
        return Promise.resolve(new Secret('open'));
      },
    });
    expect(await asking.unlockKeys([to, to])).toEqual([]);
    const outcomes = await Promise.all([attempt(to, asking), attempt(to, asking), attempt(to, asking)]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['connected', 'connected', 'connected']);
    expect(asked).toEqual([locked]);
    const refusing = new NodeSshTransport({ passphrase: null, ask: () => Promise.resolve(null) });
    expect(await refusing.unlockKeys([to])).toMatchObject([{ what: expect.stringContaining('is encrypted') }]);
  });

  it('use a password once, by either method, without hanging', async () => {
    const host = lab.host('new');
    const password = await startSshd(host, 'PasswordAuthentication yes\nPerSourcePenalties no');
    const interactive = await startSshd(
      host,
      'PasswordAuthentication no\nKbdInteractiveAuthentication yes\nPerSourcePenalties no',
    );
    for (const port of [password, interactive]) {
      const to = target({
        port,
        hostKeyAlias: 'new',
        user: 'admin',
        privateKeyFiles: [],
        password: new Secret('portfw-lab'),
      });
      expect((await attempt(to)).kind).toBe('connected');
      const refused = await attempt({ ...to, password: new Secret('wrong') });
      expect(refused).toMatchObject({ kind: 'auth-failed', solve: expect.stringContaining('will not be tried again') });
      expect(refused.kind === 'auth-failed' && refused.tried).toHaveLength(1);
      const startedAt = performance.now();
      const none = await attempt({ ...to, password: null });
      expect(none).toMatchObject({ kind: 'auth-failed', tried: [] });
      expect(performance.now() - startedAt).toBeLessThan(5000);
    }
  });
});

describe('an agent', () => {
  let agent: ChildProcess;
  beforeAll(async () => {
    agent = spawn(toolPath('agent'), ['-D', '-a', file('agent')], { stdio: 'ignore' });
    await eventually('the agent listens', () => existsSync(file('agent')));
    openssh('add', ['-q', lab.privateKeyFile], { SSH_AUTH_SOCK: file('agent') });
  });
  afterAll(() => agent?.kill());

  it('logs in where no key is named', async () => {
    expect((await attempt(target({ privateKeyFiles: [], agentSocket: file('agent') }))).kind).toBe('connected');
  });

  it('stands in for a named key that is encrypted', async () => {
    copyFileSync(lab.privateKeyFile, file('protected'));
    openssh('keygen', ['-q', '-p', '-N', 'secret', '-f', file('protected')]);
    written('protected.pub', openssh('keygen', ['-y', '-f', lab.privateKeyFile]));
    const to = target({ privateKeyFiles: [file('protected')], agentSocket: file('agent') });
    expect((await attempt(to)).kind).toBe('connected');
    expect((await attempt({ ...to, agentSocket: null })).kind).toBe('local-problem');
  });

  it('that is gone is passed over, and named when nothing else works', async () => {
    expect((await attempt(target({ agentSocket: file('nowhere') }))).kind).toBe('connected');
  });
});

describe('servers that do not let us in', () => {
  it('penalise us, which is reported as such and not as a dead host', async () => {
    const port = await startSshd(lab.host('new'), 'PerSourcePenalties authfail:60s min:60s');
    const wrong = makeKeyPair();
    writeFileSync(file('penalised'), wrong.private, { mode: 0o600 });
    const to = target({ port, hostKeyAlias: 'new', privateKeyFiles: [file('penalised')] });
    expect((await attempt(to)).kind).toBe('auth-failed');
    await eventually('the penalty', async () => (await attempt(to)).kind === 'turned-away');
    expect(await attempt(target({ port, hostKeyAlias: 'new' }))).toMatchObject({
      kind: 'turned-away',
      reason: 'penalty-or-overload',
      solve: expect.stringContaining('wait a minute'),
    });
  });

  it.each([
    ['new', 'penalty-or-overload'],
    ['old', 'too-many-connections'],
  ] as const)('have too many logins under way (%s)', async (name, reason) => {
    const port = await startSshd(lab.host(name), 'MaxStartups 1:100:1');
    const idle = createConnection(port, lab.host(name).publicAddress);
    await new Promise((resolve) => idle.once('data', resolve));
    const outcome = await attempt(target({ port, hostKeyAlias: name }, name));
    idle.destroy();
    expect(outcome).toMatchObject({ kind: 'turned-away', reason });
  });

  it('have no algorithm in common with us', async () => {
    const port = await startSshd(lab.host('new'), 'KexAlgorithms sntrup761x25519-sha512@openssh.com');
    const outcome = await attempt(target({ port, hostKeyAlias: 'new' }));
    expect(outcome).toMatchObject({ kind: 'protocol-failed', what: expect.stringContaining('key exchange') });
  });

  it('do not listen, or are not there', async () => {
    expect(await attempt(target({ port: 2 }))).toMatchObject({
      kind: 'unreachable',
      what: expect.stringContaining('nothing listens'),
    });
    const nobody = lab.spareAddress('public', 150).v4;
    expect((await attempt(target({ address: nobody, connectTimeoutMs: 1500 }))).kind).toBe('unreachable');
    const name = 'no-such-host.invalid';
    expect(await attempt(target({ address: name }))).toMatchObject({ kind: 'unreachable' });
  });

  it('are shut by a firewall, which looks like a missing route', async () => {
    const rule =
      'table inet shut { chain in { type filter hook input priority 0; tcp dport 3 reject with icmpx admin-prohibited; }; }';
    await lab.host('new').sh('nft "$1"', rule);
    expect(await attempt(target({ port: 3 }))).toMatchObject({
      kind: 'unreachable',
      what: expect.stringContaining('no route, or a firewall refuses the connection'),
      solve: expect.stringContaining('firewalls'),
    });
    await lab.host('new').sh('nft delete table inet shut');
  });

  it.each([
    ['say nothing', '', 'unreachable'],
    ['speak something else', '220 mail.example.net ESMTP\r\n', 'protocol-failed'],
  ])('%s', async (_what, greeting, kind) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (greeting !== '') socket.end(greeting);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const startedAt = performance.now();
    const outcome = await attempt(target({ address: '127.0.0.1', port, connectTimeoutMs: 1200 }));
    server.close();
    expect(outcome.kind).toBe(kind);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });

  it('hang up without a word', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const outcome = await attempt(target({ address: '127.0.0.1', port }));
    server.close();
    expect(outcome).toMatchObject({ kind: 'turned-away', reason: 'unknown' });
  });

  it('are given up when the caller says so', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const startedAt = performance.now();
    const outcome = await transport.connect(target({ address: '127.0.0.1', port }), AbortSignal.timeout(200));
    server.close();
    expect(outcome).toMatchObject({ kind: 'unreachable', what: expect.stringContaining('interrupted') });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});
