import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Target } from '../../../src/transport/connection.ts';
import { prepareHostKeyCheck } from '../../../src/transport/ssh2/host-key-check.ts';
import { KnownHostsStore } from '../../../src/transport/ssh2/known-hosts-files.ts';

const fixtures = new URL('../../fixtures/transport/', import.meta.url);
const key = (name: string) =>
  Buffer.from(readFileSync(new URL(`keys/${name}.pub`, fixtures), 'utf8').split(' ')[1] ?? '', 'base64');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-known-hosts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function target(changes: Partial<Target> = {}): Target {
  return {
    name: 'web1',
    kind: 'ssh',
    address: '192.0.2.11',
    port: 22,
    user: 'op',
    privateKeyFiles: [],
    knownHostsFiles: [join(folder, '.ssh', 'known_hosts')],
    hostKeyAlias: null,
    acceptNewHostKeys: true,
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

async function verify(of: Target, keyName: string, store = new KnownHostsStore()) {
  const prepared = await prepareHostKeyCheck(of, store);
  return prepared.kind === 'ready' ? prepared.check.verify(key(keyName)) : prepared;
}

/** What is said of the key, as the connection hands it on. */
const KNOWN = {
  kind: 'accepted',
  key: { type: 'ssh-ed25519', fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/) },
  note: null,
};

describe('a new host key', () => {
  it('is refused unless the target accepts it, and the hint says how to record it', async () => {
    const failure = await verify(target({ acceptNewHostKeys: false, port: 2222 }), 'ed25519');
    expect(failure).toMatchObject({
      kind: 'host-key-unknown',
      keyType: 'ssh-ed25519',
      what: expect.stringContaining('[192.0.2.11]:2222'),
      solve: expect.stringContaining(`ssh-keyscan -p 2222 192.0.2.11 >> ${folder}/.ssh/known_hosts`),
    });
    expect(failure).toMatchObject({ solve: expect.stringContaining('--accept-new-host-keys') });
    expect(existsSync(join(folder, '.ssh'))).toBe(false);
  });

  it('behind a jump host is not looked for with ssh-keyscan, which could not reach it', async () => {
    const command = { kind: 'command', command: 'ssh -W %h:%p gate' } as const;
    const failure = await verify(target({ acceptNewHostKeys: false, route: command }), 'ed25519');
    expect(failure).toMatchObject({ solve: expect.stringContaining('then trust keys on first contact') });
    expect(failure).toMatchObject({ solve: expect.not.stringContaining('ssh-keyscan') });
  });

  it('is worded for many hosts as well, with what they differ in apart', async () => {
    const failure = await verify(target({ acceptNewHostKeys: false, port: 2222 }), 'ed25519');
    expect(failure).toMatchObject({
      shared: {
        what: 'the host key is unknown',
        own: expect.stringMatching(/^\[192\.0\.2\.11\]:2222 ssh-ed25519 SHA256:\S+$/),
        solve: expect.stringMatching(/record the keys as below; or .*--accept-new-host-keys$/),
        command: { before: 'ssh-keyscan -p 2222', word: '192.0.2.11', after: `>> ${folder}/.ssh/known_hosts` },
      },
    });
  });

  it('under an alias is not looked for with ssh-keyscan, which would record another name', async () => {
    const failure = await verify(target({ acceptNewHostKeys: false, hostKeyAlias: 'site-web' }), 'ed25519');
    expect(failure).toMatchObject({ solve: expect.not.stringContaining('ssh-keyscan') });
    expect(failure).toMatchObject({ shared: { solve: expect.stringContaining('then trust keys on first contact') } });
    expect(failure).not.toMatchObject({ shared: { command: expect.anything() } });
  });

  it('is recorded with its name hidden where the target hashes names', async () => {
    expect(await verify(target({ hashKnownHosts: true }), 'ed25519')).toMatchObject({ kind: 'accepted' });
    const text = readFileSync(join(folder, '.ssh', 'known_hosts'), 'utf8');
    expect(text).toMatch(/^\|1\|[^|]+\|\S+ ssh-ed25519 /);
    expect(await verify(target({ acceptNewHostKeys: false }), 'ed25519')).toEqual(KNOWN);
  });

  it('is recorded, readable only by the owner, and known from then on', async () => {
    expect(await verify(target(), 'ed25519')).toMatchObject({
      kind: 'accepted',
      note: expect.stringContaining('was recorded in'),
    });
    const file = join(folder, '.ssh', 'known_hosts');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, '.ssh')).mode & 0o777).toBe(0o700);
    expect(await verify(target({ acceptNewHostKeys: false }), 'ed25519')).toEqual(KNOWN);
    expect(await verify(target(), 'ed25519-other')).toMatchObject({ kind: 'host-key-changed', file, line: 1 });
  });

  it('goes on a line of its own in a file whose last line is unfinished', async () => {
    const file = join(folder, 'known_hosts');
    writeFileSync(file, '# no line feed', { mode: 0o644 });
    await verify(target({ knownHostsFiles: [file] }), 'ed25519');
    expect(readFileSync(file, 'utf8')).toMatch(/^# no line feed\n192\.0\.2\.11 ssh-ed25519 \S+\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o644);
  });

  it('goes to the first file, and every file is looked at', async () => {
    const files = [join(folder, 'mine'), join(folder, 'system')];
    writeFileSync(files[1]!, `192.0.2.12 ssh-ed25519 ${key('ed25519').toString('base64')}\n`);
    const second = target({ knownHostsFiles: files, address: '192.0.2.12' });
    expect(await verify(second, 'ed25519')).toEqual(KNOWN);
    await verify(target({ knownHostsFiles: files }), 'ed25519');
    expect(readFileSync(files[0]!, 'utf8')).toContain('192.0.2.11');
  });

  it('is recorded once, and only one key wins, when many connections find it at the same time', async () => {
    const store = new KnownHostsStore();
    const one = Array.from({ length: 20 }, () => verify(target(), 'ed25519', store));
    const other = Array.from({ length: 20 }, () => verify(target(), 'ed25519-other', store));
    const outcomes = await Promise.all([...one, ...other]);
    expect(outcomes.slice(0, 20).every(({ kind }) => kind === 'accepted')).toBe(true);
    expect(outcomes.slice(20).every(({ kind }) => kind === 'host-key-changed')).toBe(true);
    expect(
      readFileSync(join(folder, '.ssh', 'known_hosts'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(1);
  });
});

describe('a key that is known to be wrong', () => {
  it('is refused loudly although new keys are accepted, and nothing is written', async () => {
    const file = join(folder, 'known_hosts');
    const text = `# a comment\n192.0.2.11 ssh-ed25519 ${key('ed25519').toString('base64')}\n`;
    writeFileSync(file, text);
    const failure = await verify(target({ knownHostsFiles: [file] }), 'ed25519-other');
    expect(failure).toMatchObject({
      kind: 'host-key-changed',
      file,
      line: 2,
      what: expect.stringContaining('HAS CHANGED'),
      solve: expect.stringContaining(`ssh-keygen -f ${file} -R 192.0.2.11`),
    });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('is refused when revoked, although it is recorded too', async () => {
    const file = join(folder, 'known_hosts');
    const encoded = key('ed25519').toString('base64');
    writeFileSync(file, `192.0.2.11 ssh-ed25519 ${encoded}\n@revoked * ssh-ed25519 ${encoded}\n`);
    expect(await verify(target({ knownHostsFiles: [file] }), 'ed25519')).toMatchObject({
      kind: 'host-key-revoked',
      line: 2,
    });
  });
});

describe('files', () => {
  it('that cannot be read are a problem of this machine, not a missing key', async () => {
    mkdirSync(join(folder, 'known_hosts'));
    const failure = await verify(target({ knownHostsFiles: [join(folder, 'known_hosts')] }), 'ed25519');
    expect(failure).toMatchObject({ kind: 'local-problem', what: expect.stringContaining('EISDIR') });
  });

  it('that cannot be written leave the key refused', async () => {
    writeFileSync(join(folder, 'file'), '');
    chmodSync(join(folder, 'file'), 0o400);
    const failure = await verify(target({ knownHostsFiles: [join(folder, 'file', 'known_hosts')] }), 'ed25519');
    expect(failure).toMatchObject({ kind: 'local-problem', what: expect.stringContaining('Cannot record') });
  });

  it('are read again after a change', async () => {
    const store = new KnownHostsStore();
    const file = join(folder, 'known_hosts');
    const strict = target({ knownHostsFiles: [file], acceptNewHostKeys: false });
    expect((await verify(strict, 'ed25519', store)).kind).toBe('host-key-unknown');
    writeFileSync(file, `192.0.2.11 ssh-ed25519 ${key('ed25519').toString('base64')}\n`);
    expect((await verify(strict, 'ed25519', store)).kind).toBe('accepted');
  });

  it('name a certificate authority that could have spoken for the host', async () => {
    const file = join(folder, 'known_hosts');
    writeFileSync(file, `@cert-authority 192.0.2.* ssh-ed25519 ${key('ed25519').toString('base64')}\n`);
    const failure = await verify(target({ knownHostsFiles: [file], acceptNewHostKeys: false }), 'ed25519');
    expect(failure).toMatchObject({ what: expect.stringContaining(`@cert-authority at ${file} line 1`) });
  });
});
