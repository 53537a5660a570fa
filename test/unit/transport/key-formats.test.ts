import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, describe, expect, it } from 'vitest';
import {
  parsePrivateKey,
  parsePublicLine,
  publicHalfOf,
  unusableKind,
} from '../../../src/transport/ssh2/key-formats.ts';
import { makeKeyPair } from '../../lab/keys.ts';
import { fidoKey, field } from './helpers/key-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-formats-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEYGEN = ['ssh', 'keygen'].join('-');

/** A key as OpenSSH's own tool writes it. */
function made(name: string, ...args: readonly string[]): { text: string; line: string } {
  const file = join(folder, name);
  execFileSync(KEYGEN, ['-q', ...args, '-f', file]);
  return { text: readFileSync(file, 'latin1'), line: readFileSync(`${file}.pub`, 'latin1') };
}

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('parsePrivateKey', () => {
  it.each([
    ['ed25519', '', {}],
    ['ecdsa', '', {}],
    ['rsa', '', {}],
    ['ed25519', 'opensesame', {}],
    ['rsa', 'opensesame', { pem: true }],
    ['ecdsa', 'opensesame', { pem: true }],
    ['rsa', 'opensesame', { pkcs8: true }],
    ['ecdsa', '', { pkcs8: true }],
  ] as const)(
    'reads %s with the passphrase "%s" %j, and tells a wrong passphrase from none',
    (type, phrase, format) => {
      const style = 'pkcs8' in format ? ['-m', 'PKCS8'] : 'pem' in format ? ['-m', 'PEM'] : [];
      const name = `${type}${phrase}${Object.keys(format).join('')}`;
      const { text, line } = made(name, '-t', type, '-N', phrase, '-a', '1', ...style);
      const parsed = parsePrivateKey(text, phrase === '' ? null : phrase);
      if (parsed.kind !== 'key') throw new Error(JSON.stringify(parsed));
      expect(parsed.key.getPublicSSH()).toEqual(parsePublicLine(line)?.blob);
      expect(parsed.key.isPrivateKey()).toBe(true);
      // It signs what it verifies, so its private half is right too.
      const signature = parsed.key.sign(Buffer.from('data'), type === 'rsa' ? 'sha256' : undefined);
      expect(parsed.key.verify(Buffer.from('data'), signature, type === 'rsa' ? 'sha256' : undefined)).toBe(true);
      if (phrase === '') return;
      expect(parsePrivateKey(text, null)).toEqual({ kind: 'needs-passphrase' });
      expect(parsePrivateKey(text, 'wrong')).toEqual({ kind: 'wrong-passphrase' });
    },
  );

  it('reads Ed25519 as PKCS#8, which OpenSSH writes only in its own format', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    for (const options of [{}, { cipher: 'aes-256-cbc', passphrase: 'open' }]) {
      const text = privateKey.export({ type: 'pkcs8', format: 'pem', ...options } as never).toString();
      const parsed = parsePrivateKey(text, 'open');
      const x = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
      expect(parsed.kind === 'key' && parsed.key.getPublicSSH()).toEqual(
        Buffer.concat([field('ssh-ed25519'), field(x)]),
      );
    }
  });

  it('knows what cannot be used, even where it is encrypted', () => {
    const dsa = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey;
    expect(parsePrivateKey(pkcs8(dsa), null)).toEqual({
      kind: 'unusable',
      of: 'dsa',
    });
    expect(parsePrivateKey('-----BEGIN DSA PRIVATE KEY-----\nAA==\n-----END DSA PRIVATE KEY-----\n', null)).toEqual({
      kind: 'unusable',
      of: 'dsa',
    });
    for (const type of ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com']) {
      expect(parsePrivateKey(fidoKey(type).text, null)).toEqual({ kind: 'unusable', of: 'fido' });
    }
    expect(parsePrivateKey(pkcs8(generateKeyPairSync('ed448').privateKey), null)).toEqual({
      kind: 'unusable',
      of: 'unknown',
    });
    expect(parsePrivateKey('PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n', null)).toEqual({ kind: 'putty' });
    expect(parsePrivateKey(fidoKey('sk-ssh-ed25519@openssh.com').line, null)).toEqual({ kind: 'public' });
  });

  it.each([
    '',
    'nothing',
    '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    '-----BEGIN OPENSSH PRIVATE KEY-----',
  ])('says that "%s" is none', (text) => {
    expect(parsePrivateKey(text, null).kind).toBe('malformed');
  });
});

describe('publicHalfOf', () => {
  it('finds the public half of an encrypted key, without its passphrase', () => {
    const { text, line } = made('half', '-t', 'ed25519', '-N', 'secret', '-a', '1');
    expect(publicHalfOf(text)).toEqual(parsePublicLine(line));
    for (let length = 0; length < text.length; length += 7) {
      expect(() => publicHalfOf(`${text.slice(0, length)}\n-----END OPENSSH PRIVATE KEY-----`)).not.toThrow();
    }
  });
});

describe('unusableKind', () => {
  it.each([
    ['ssh-ed25519', null],
    ['ssh-rsa', null],
    ['ecdsa-sha2-nistp521', null],
    ['ssh-dss', 'dsa'],
    ['sk-ssh-ed25519@openssh.com', 'fido'],
    ['ssh-ed25519-cert-v01@openssh.com', 'certificate'],
    ['sk-ssh-ed25519-cert-v01@openssh.com', 'certificate'],
    ['ssh-xmss@openssh.com', 'unknown'],
  ])('%s: %s', (type, kind) => {
    expect(unusableKind(type)).toBe(kind);
  });
});

it('makes no test key that is malformed, though ssh2 does now and then', () => {
  for (let made = 0; made < 600; made += 1)
    expect(ssh2.utils.parseKey(makeKeyPair().private)).not.toBeInstanceOf(Error);
});
