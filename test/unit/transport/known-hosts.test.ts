import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decideHostKey,
  fingerprint,
  hostKeyAlgorithms,
  hostKeyNames,
  ignoredFor,
  knownHostsLine,
  matchesHost,
  parseKnownHosts,
  wireKeyType,
} from '../../../src/transport/ssh2/known-hosts.ts';
import { requireOpenSsh } from '../../helpers/openssh.ts';
import { supported } from '../../helpers/supported.ts';

const fixtures = new URL('../../fixtures/transport/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, fixtures), 'utf8');
const key = (name: string) => Buffer.from(read(`keys/${name}.pub`).split(' ')[1] ?? '', 'base64');

/** OpenSSH's own tool for keys and known hosts. */
const KEYGEN = ['ssh', 'keygen'].join('-');

const plain = parseKnownHosts(read('known_hosts'), 'known_hosts');
const hashed = parseKnownHosts(read('known_hosts_hashed'), 'known_hosts_hashed');
const known = {
  entries: [...plain.entries, ...hashed.entries],
  ignored: [...plain.ignored, ...hashed.ignored],
};
const names = (address: string, port = 22, name = address, alias: string | null = null) =>
  hostKeyNames(address, port, name, alias);

describe('decideHostKey', () => {
  it.each([
    ['a recorded key', names('web1.example.net'), 'ed25519', 'known'],
    ['its second recorded type', names('web1.example.net'), 'rsa', 'known'],
    ['upper case', names('WEB1.Example.NET'), 'ed25519', 'known'],
    ['the address beside the name', names('192.0.2.11'), 'ed25519', 'known'],
    ['an IPv6 address', names('2001:db8::11'), 'ed25519', 'known'],
    ['a host nobody recorded', names('new.example.net'), 'ed25519', 'unknown'],
    ['another key', names('web1.example.net'), 'ed25519-other', 'known_hosts:3'],
    ['a type that was never recorded for the host', names('rsa-only.example.net'), 'ed25519', 'known_hosts:6'],
    ['a port of its own', names('sip1.example.net', 2222), 'ed25519', 'known'],
    ['another key on that port', names('sip1.example.net', 2222), 'rsa', 'known_hosts:5'],
    ['the same name on another port', names('sip1.example.net', 2223), 'ed25519', 'unknown'],
    ['a port, with the key recorded without it', names('web1.example.net', 2222), 'ed25519', 'known'],
    ['a port, with another key recorded without it', names('web1.example.net', 2222), 'ecdsa', 'unknown'],
    ['a wildcard', names('a.lab.example.net'), 'ecdsa', 'known'],
    ['a name that negation excludes', names('odd.lab.example.net'), 'ecdsa', 'unknown'],
    ['a question mark', names('db7.example.net'), 'ed25519-other', 'known'],
    ['a question mark for two characters', names('db77.example.net'), 'ed25519-other', 'unknown'],
    ['a revoked key on an unknown host', names('new.example.net'), 'ed25519-revoked', 'revoked known_hosts:9'],
    ['a revoked key on a known host', names('web1.example.net'), 'ed25519-revoked', 'revoked known_hosts:9'],
    ['a certificate authority, which is no host key', names('a.ca.example.net'), 'rsa', 'unknown'],
    ['a malformed line', names('broken.example.net'), 'ed25519', 'unknown'],
    ['a hashed name', names('hashed.example.net'), 'ed25519', 'known'],
    ['a hashed name with another key', names('hashed.example.net'), 'rsa', 'known_hosts_hashed:1'],
    ['a hashed name with a port', names('hashed.example.net', 2222), 'ecdsa', 'known'],
    ['a hashed address', names('198.51.100.7'), 'rsa', 'known'],
    [
      'the inventory name when the address is not recorded',
      names('203.0.113.9', 22, 'web1.example.net'),
      'ed25519',
      'known',
    ],
    ['another key under the inventory name', names('203.0.113.9', 22, 'web1.example.net'), 'ecdsa', 'known_hosts:3'],
    [
      'the address before the inventory name',
      names('db1.example.net', 22, 'web1.example.net'),
      'ed25519',
      'known_hosts:8',
    ],
    [
      'an alias instead of everything else',
      names('web1.example.net', 22, 'x', 'db1.example.net'),
      'ed25519-other',
      'known',
    ],
  ] as const)('%s', (_what, hostNames, keyName, expected) => {
    const decision = decideHostKey(known, hostNames, key(keyName));
    const where = 'recorded' in decision ? `${decision.recorded.file}:${decision.recorded.line}` : '';
    const said = decision.kind === 'changed' ? where : `${decision.kind} ${where}`.trim();
    expect(said).toBe(expected);
  });
});

describe('ssh-keygen -F finds the same lines', () => {
  const patterns = [
    'a.example.net,192.0.2.1',
    '*.wild.example.net,!not.wild.example.net',
    '!only.example.net',
    'w?b.example.net',
    '[a.example.net]:2222',
    '[*.ports.example.net]:2222',
    '2001:db8::1',
    '[2001:db8::1]:2222',
    'UPPER.example.net',
    '*',
  ];
  const asked = [
    'a.example.net',
    'A.Example.NET',
    '192.0.2.1',
    'x.wild.example.net',
    'not.wild.example.net',
    'only.example.net',
    'web.example.net',
    'weeb.example.net',
    '[a.example.net]:2222',
    '[b.ports.example.net]:2222',
    '[a.example.net]:2223',
    '2001:db8::1',
    '[2001:db8::1]:2222',
    'upper.example.net',
    'nobody.example.org',
  ];

  const folder = mkdtempSync(join(tmpdir(), 'portfw-known-'));
  let written = 0;
  beforeAll(requireOpenSsh, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    [supported('Host keys', 'Names, addresses, `[host]:port`, wildcards and negation in known_hosts'), false],
    [supported('Host keys', 'Hashed names in known_hosts'), true],
  ] as const)('%s', (_title, hashed) => {
    const file = join(folder, `known_hosts-${++written}`);
    const encoded = key('ed25519').toString('base64');
    const lines = [
      '# a comment',
      ...patterns.map((hosts) => `${hosts} ssh-ed25519 ${encoded}`),
      `@revoked a.example.net ssh-ed25519 ${key('ed25519-revoked').toString('base64')}`,
      `@cert-authority *.example.net ssh-ed25519 ${encoded}`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    if (hashed) execFileSync(KEYGEN, ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const { entries, ignored } = parseKnownHosts(readFileSync(file, 'utf8'), file);
    for (const name of asked) {
      const { stdout } = spawnSync(KEYGEN, ['-F', name.toLowerCase(), '-f', file], { encoding: 'utf8' });
      const theirs = [...stdout.matchAll(/found: line (\d+)/g)].map(([, line]) => Number(line));
      const ours = [...entries, ...ignored]
        .filter(({ hosts }) => matchesHost(hosts, name.toLowerCase()))
        .map(({ line }) => line);
      expect(
        ours.sort((a, b) => a - b),
        name,
      ).toEqual(theirs);
    }
  });

  it(supported('Host keys', 'Keys of several types for one host, and a `@cert-authority` line, which is named'), () => {
    const web = names('web1.example.net');
    for (const type of ['ed25519', 'rsa']) expect(decideHostKey(known, web, key(type)).kind).toBe('known');
    expect(ignoredFor(known, names('b.ca.example.net')).map(({ reason }) => reason)).toEqual(['cert-authority']);
  });

  it(supported('Host keys', '`HashKnownHosts`: new names are recorded as hashes'), () => {
    const file = join(folder, `known_hosts-${++written}`);
    const line = (name: string, port: number) =>
      knownHostsLine(hostKeyNames(name, port, name, null), key('ed25519'), true);
    writeFileSync(file, line('secret.example.net', 22) + line('192.0.2.7', 2222), { mode: 0o600 });
    expect(readFileSync(file, 'utf8')).not.toMatch(/secret|192/);
    const found = (name: string) => spawnSync(KEYGEN, ['-F', name, '-f', file], { encoding: 'utf8' }).stdout;
    expect(found('secret.example.net')).toContain('found: line 1');
    expect(found('[192.0.2.7]:2222')).toContain('found: line 2');
    expect(found('192.0.2.7')).toBe('');
  });
});

describe('hostKeyAlgorithms', () => {
  it('keeps to those that are allowed, recorded ones first', () => {
    const allowed = ['ecdsa-sha2-nistp256', 'rsa-sha2-256', 'ssh-ed25519'];
    expect(hostKeyAlgorithms(known, names('rsa-only.example.net'), allowed)).toEqual([
      'rsa-sha2-256',
      'ecdsa-sha2-nistp256',
      'ssh-ed25519',
    ]);
  });

  it('asks for the recorded types first', () => {
    expect(hostKeyAlgorithms(known, names('rsa-only.example.net')).slice(0, 3)).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
    ]);
    expect(hostKeyAlgorithms(known, names('hashed.example.net', 2222))[0]).toBe('ecdsa-sha2-nistp256');
  });

  it('never asks for SHA-1 signatures', () => {
    expect(hostKeyAlgorithms(known, names('rsa-only.example.net'))).not.toContain('ssh-rsa');
  });

  it('prefers Ed25519 for a new host', () => {
    expect(hostKeyAlgorithms(known, names('new.example.net'))[0]).toBe('ssh-ed25519');
  });
});

describe('matchesHost', () => {
  it.each([
    ['*', 'anything', true],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'abcdf', false],
    ['', '', false],
    ['!a', 'b', false],
    ['!a,*', 'b', true],
    ['*,!a', 'a', false],
    ['|2|c2FsdA==|aGFzaA==', 'a', false],
    ['|1|c2FsdA==', 'a', false],
  ])('%s for %s', (hosts, name, matches) => {
    expect(matchesHost(hosts, name)).toBe(matches);
  });

  it('does not take exponential time over stars', () => {
    const startedAt = performance.now();
    expect(matchesHost(`${'*a'.repeat(200)}b`, 'a'.repeat(2000))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

describe('parseKnownHosts', () => {
  it('says which lines it passes over, and why', () => {
    expect(plain.ignored.map(({ line, reason }) => [line, reason])).toEqual([
      [10, 'cert-authority'],
      [11, 'unsupported-key-type'],
      [12, 'malformed'],
    ]);
    expect(ignoredFor(known, names('b.ca.example.net')).map(({ line }) => line)).toEqual([10]);
    expect(ignoredFor(known, names('web1.example.net'))).toEqual([]);
  });

  it.each(['@unknown-mark web1 ssh-ed25519 AAAA', 'only-a-host', 'web1 ssh-rsa', 'web1 ssh-ed25519 !!!', '@revoked'])(
    'survives the line "%s"',
    (line) => {
      const parsed = parseKnownHosts(`${line}\n`, 'f');
      expect(parsed.entries).toEqual([]);
      expect(parsed.ignored).toHaveLength(1);
    },
  );

  it('reads CRLF, tabs and leading space', () => {
    const encoded = key('ed25519').toString('base64');
    expect(parseKnownHosts(`\t web1\tssh-ed25519  ${encoded}\r\n`, 'f').entries).toHaveLength(1);
  });
});

describe('keys', () => {
  it('have the fingerprint that ssh-keygen prints', () => {
    // ssh-keygen -lf test/fixtures/transport/keys/ed25519.pub
    expect(fingerprint(key('ed25519'))).toBe('SHA256:43tK6svisOcv+nWJ7w6FoMqS2dEqZgHkTTy+D1NxIoc');
  });

  it('name their type', () => {
    expect(wireKeyType(key('ecdsa'))).toBe('ecdsa-sha2-nistp256');
    expect(wireKeyType(Buffer.from([0, 0, 255, 255, 1]))).toBe('');
    expect(wireKeyType(Buffer.alloc(0))).toBe('');
  });

  it('are recorded under the name with its port', () => {
    const line = knownHostsLine(names('New.example.net', 2200), key('ed25519'));
    expect(line).toMatch(/^\[new\.example\.net\]:2200 ssh-ed25519 AAAA\S+\n$/);
    const again = parseKnownHosts(line, 'f');
    expect(decideHostKey(again, names('new.example.net', 2200), key('ed25519')).kind).toBe('known');
  });
});
