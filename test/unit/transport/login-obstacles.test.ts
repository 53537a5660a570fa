import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { Target } from '../../../src/transport/connection.ts';
import { NodeSshTransport } from '../../../src/transport/ssh2/adapter.ts';
import { supported } from '../../helpers/supported.ts';
import { makeKeyPair } from '../../lab/keys.ts';
import { fidoKey, field, startAgent } from './helpers/key-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-obstacles-'));
const home = join(folder, 'home');
const file = (name: string): string => join(folder, name);
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  vi.stubEnv('HOME', home);
  vi.stubEnv('KRB5CCNAME', '');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, '.ssh'), { recursive: true });
});
afterEach(() => vi.unstubAllEnvs());

const fido = fidoKey('sk-ssh-ed25519@openssh.com');
const plain = makeKeyPair();
const plainBlob = Buffer.from(plain.public.split(' ')[1] ?? '', 'base64');
writeFileSync(file('fido'), fido.text);
writeFileSync(file('plain'), plain.private);
writeFileSync(file('certified'), plain.private);
writeFileSync(file('certified-cert.pub'), 'ssh-ed25519-cert-v01@openssh.com AAAA me\n');
const written = (text: string): string => {
  writeFileSync(file('written'), text);
  return file('written');
};
const agentWith = async (name: string, ...keys: readonly (readonly [Buffer, string])[]): Promise<string> => {
  servers.push(await startAgent(file(name), keys));
  return file(name);
};

/** Nobody is there: a host that is contacted all the same cannot be reached. */
function target(changes: Partial<Target>): Target {
  return {
    name: 'web1',
    kind: 'ssh',
    address: '127.0.0.1',
    port: 9,
    user: 'op',
    privateKeyFiles: [],
    knownHostsFiles: [file('known_hosts')],
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
const look = (...targets: readonly Target[]) =>
  new NodeSshTransport({ passphrase: null, ask: null }).unlockKeys(targets);

describe('what ssh2 cannot do is said before any host is contacted', () => {
  it(
    supported(
      'Logging in',
      'FIDO keys are recognised and said before the attempt: in a file, by its public half, in the agent',
    ),
    async () => {
      writeFileSync(file('held.pub'), fido.line);
      const agentSocket = await agentWith('fido-agent', [fido.blob, 'my\u001b[31m token']);
      for (const to of [
        target({ privateKeyFiles: [file('fido')] }),
        target({ privateKeyFiles: [file('held')], agentSocket, identitiesOnly: true }),
        target({ agentSocket }),
      ]) {
        expect(await look(to)).toEqual([
          {
            severity: 'error',
            what: expect.stringMatching(/cannot be used: it is a FIDO security key/),
            solve: expect.stringContaining('ProxyCommand'),
            hosts: ['web1'],
          },
        ]);
        const by = new NodeSshTransport({ passphrase: null, ask: null });
        expect(await by.connect(to)).toMatchObject({ kind: 'local-problem', what: expect.stringContaining('FIDO') });
      }
      const named = target({ privateKeyFiles: [file('fido'), file('plain')] });
      expect(await look(named)).toMatchObject([{ severity: 'warning', what: expect.stringContaining('FIDO') }]);
    },
  );

  it('and the default FIDO and DSA files where there is no other key', async () => {
    writeFileSync(join(home, '.ssh', 'id_ecdsa_sk'), 'x');
    expect(await look(target({}))).toMatchObject([{ severity: 'error', what: expect.stringContaining('id_ecdsa_sk') }]);
    writeFileSync(join(home, '.ssh', 'id_ed25519'), plain.private);
    expect(await look(target({}))).toEqual([]);
  });

  it('as a warning where somebody can answer questions instead, unless the key was named', async () => {
    const agentSocket = await agentWith('asking-agent', [fido.blob, 'token']);
    const by = new NodeSshTransport({ passphrase: null, ask: null }, () => Promise.resolve(null));
    expect(await by.unlockKeys([target({ agentSocket })])).toMatchObject([{ severity: 'warning' }]);
    expect(await by.unlockKeys([target({ privateKeyFiles: [file('fido')] })])).toMatchObject([{ severity: 'error' }]);
  });

  it('and certificates that only the agent has', async () => {
    const certificate = Buffer.concat([field('ssh-ed25519-cert-v01@openssh.com'), field(Buffer.alloc(32))]);
    const agentSocket = await agentWith('certificate-agent', [certificate, 'me']);
    expect(await look(target({ agentSocket }))).toMatchObject([
      { severity: 'error', what: expect.stringContaining('it is an SSH certificate') },
    ]);
    const both = await agentWith('both-agent', [certificate, 'me'], [plainBlob, 'plain']);
    expect(await look(target({ agentSocket: both }))).toEqual([]);
  });

  it(
    supported(
      'Logging in',
      'Kerberos (GSSAPI) is said to be impossible before the attempt where there is a ticket and no key',
    ),
    async () => {
      writeFileSync(file('ticket'), '');
      vi.stubEnv('KRB5CCNAME', `FILE:${file('ticket')}`);
      expect(await look(target({}))).toMatchObject([{ severity: 'error', what: expect.stringContaining('Kerberos') }]);
      expect(await look(target({ privateKeyFiles: [file('plain')] }))).toEqual([]);
      expect(await look(target({ password: new Secret('x') }))).toEqual([]);
    },
  );
});

describe('keys that cannot be used', () => {
  it('are reported once for all hosts that name them, also as jump hosts', async () => {
    const missing = target({ privateKeyFiles: [file('missing')] });
    const { name, kind, become, route, ...hop } = missing;
    const behind = target({ name: 'db1', privateKeyFiles: [file('plain')], route: { kind: 'jump', hops: [hop] } });
    expect(await look(missing, { ...missing, name: 'web2' }, behind)).toEqual([
      {
        severity: 'error',
        what: `The private key ${file('missing')} does not exist`,
        solve: expect.stringContaining('ansible_ssh_private_key_file'),
        hosts: ['web1', 'web2', 'db1'],
      },
    ]);
  });

  it.each([
    ['a folder', () => folder, /it is not a file/],
    ['nonsense', () => written('x'), /cannot be used/],
    ['a PuTTY key', () => written('PuTTY-User-Key-File-3: ssh-ed25519\n'), /PuTTY/],
    ['far too big', () => written('x'.repeat(300_000)), /too big/],
  ] as const)('%s', async (_what, make, message) => {
    expect(await look(target({ privateKeyFiles: [make()] }))).toMatchObject([
      { severity: 'error', what: expect.stringMatching(message) },
    ]);
  });

  it('are passed over with a word where another key will do, or where a password stands in for one that is not there', async () => {
    const missing = { privateKeyFiles: [file('missing')] };
    const agentSocket = await agentWith('plain-agent', [plainBlob, 'plain']);
    const warning = [{ severity: 'warning', what: expect.stringContaining('does not exist') }];
    expect(await look(target({ ...missing, agentSocket }))).toMatchObject(warning);
    expect(await look(target({ ...missing, password: new Secret('x') }))).toMatchObject(warning);
    expect(await look(target({ ...missing, agentSocket, identitiesOnly: true }))).toMatchObject([
      { severity: 'error' },
    ]);
    expect(await look(target({ privateKeyFiles: [file('fido')], password: new Secret('x') }))).toMatchObject([
      { severity: 'error' },
    ]);
  });

  it('with a certificate beside one: the key is offered, and the certificate is not', async () => {
    expect(await look(target({ privateKeyFiles: [file('certified')] }))).toMatchObject([
      { severity: 'warning', what: expect.stringContaining('the key itself is offered without it') },
    ]);
  });
});

describe('an agent', () => {
  it.each([
    ['hangs', () => undefined, /does not answer/],
    ['hangs up', (socket: { end(): void }) => socket.end(), /closed the connection/],
    ['is locked', (socket: { write(bytes: Buffer): void }) => socket.write(field(Buffer.from([5]))), /may be locked/],
    [
      'lies about lengths',
      (socket: { write(bytes: Buffer): void }) => socket.write(field(Buffer.from([12, 255, 255, 255, 255, 9]))),
      /does not exist$/,
    ],
  ] as const)('that %s is named beside the key that is missing', async (_what, behave, message) => {
    const path = file(`agent-${servers.length}`);
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      behave(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const [obstacle] = await look(target({ privateKeyFiles: [file('missing')], agentSocket: path }));
    expect(obstacle?.what).toMatch(message);
  });
});
