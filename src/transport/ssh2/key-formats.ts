import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';

/**
 * Kinds of SSH keys, which of them can be used, and the conversion of private keys into a format that ssh2 reads. Nothing here
 * reads files or asks questions.
 */

const OPENSSH_BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const OPENSSH_END = '-----END OPENSSH PRIVATE KEY-----';
const OPENSSH_MAGIC = Buffer.from('openssh-key-v1\0', 'latin1');

/** The kind of a key that ssh2 cannot use, by its type name on the wire; `null` for a usable one. */
export function unusableKind(keyType: string): 'fido' | 'certificate' | 'dsa' | 'unknown' | null {
  if (keyType.includes('-cert-v')) return 'certificate';
  if (keyType.startsWith('sk-') || keyType.startsWith('webauthn-sk-')) return 'fido';
  if (keyType === 'ssh-dss') return 'dsa';
  return /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))$/.test(keyType) ? null : 'unknown';
}

/** For the user: why such a key cannot be used, and what to do instead. */
export function unusableText(kind: NonNullable<ReturnType<typeof unusableKind>>): { why: string; instead: string } {
  switch (kind) {
    case 'fido':
      return {
        why: 'it is a FIDO security key, which portfw cannot use: each login would need a touch',
        instead: `Use an ordinary key (Ed25519, ECDSA or RSA), or let OpenSSH make the connection: ${BY_OPENSSH}`,
      };
    case 'certificate':
      return {
        why: 'it is an SSH certificate, which portfw cannot use',
        instead: `Add the plain key to authorized_keys on the host, or let OpenSSH make the connection to a jump host that takes the certificate: ${BY_OPENSSH}`,
      };
    case 'dsa':
      return {
        why: 'it is a DSA key, which SSH servers have refused since OpenSSH 7.0',
        instead: 'Make a new key: ssh-keygen -t ed25519',
      };
    case 'unknown':
      return {
        why: 'it is of a type that portfw does not know',
        instead: 'Use an Ed25519, ECDSA or RSA key',
      };
  }
}

/** How OpenSSH can do what ssh2 cannot: it makes the connection, portfw logs in on the host. */
export const BY_OPENSSH =
  'a ProxyCommand such as "ssh -W %h:%p JUMP-HOST" logs in to the jump host with all that OpenSSH can do';

/** The public half of a key, if its file contains it without a passphrase. */
export interface PublicHalf {
  /** As on the wire: `ssh-ed25519`. */
  readonly type: string;
  /** In wire format. */
  readonly blob: Buffer;
}

/** Reads one line of a `.pub` file, of any type; `null` if it is not one. */
export function parsePublicLine(text: string): PublicHalf | null {
  const [, type, encoded] = /^\s*([a-z0-9@.-]+) ([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(text) ?? [];
  if (type === undefined || encoded === undefined) return null;
  const blob = Buffer.from(encoded, 'base64');
  return readField(blob, 0)?.value.toString('latin1') === type ? { type, blob } : null;
}

/**
 * The public half of a private key in OpenSSH's format, which is not encrypted even if the key is; `null` for any other
 * format.
 */
export function publicHalfOf(text: string): PublicHalf | null {
  const begin = text.indexOf(OPENSSH_BEGIN);
  const end = text.indexOf(OPENSSH_END);
  if (begin === -1 || end < begin) return null;
  const bytes = Buffer.from(text.slice(begin + OPENSSH_BEGIN.length, end), 'base64');
  if (!bytes.subarray(0, OPENSSH_MAGIC.length).equals(OPENSSH_MAGIC)) return null;
  let at = OPENSSH_MAGIC.length;
  // The cipher, the key derivation and its options.
  for (let skipped = 0; skipped < 3; skipped++) {
    const field = readField(bytes, at);
    if (field === null) return null;
    at = field.next;
  }
  // The number of keys, always 1.
  const blob = readField(bytes, at + 4)?.value;
  const type = blob === undefined ? undefined : readField(blob, 0)?.value.toString('latin1');
  return blob === undefined || type === undefined ? null : { type, blob };
}

/** A string of the SSH wire format: a length, then so many bytes. */
export function readField(bytes: Buffer, at: number): { readonly value: Buffer; readonly next: number } | null {
  if (at + 4 > bytes.length) return null;
  const next = at + 4 + bytes.readUInt32BE(at);
  return next > bytes.length ? null : { value: bytes.subarray(at + 4, next), next };
}

/** The result of reading a private key. */
export type ParsedPrivateKey =
  | { readonly kind: 'key'; readonly key: ParsedKey }
  | { readonly kind: 'needs-passphrase' | 'wrong-passphrase' | 'public' | 'putty' }
  | { readonly kind: 'unusable'; readonly of: NonNullable<ReturnType<typeof unusableKind>> }
  | { readonly kind: 'malformed'; readonly why: string };

/** Reads a private key: OpenSSH's own format, PEM (PKCS#1, SEC 1, PKCS#8), each plain or encrypted. */
export function parsePrivateKey(text: string, passphrase: string | null): ParsedPrivateKey {
  const half = publicHalfOf(text);
  const kind = half === null ? null : unusableKind(half.type);
  if (kind !== null) return { kind: 'unusable', of: kind };
  const line = parsePublicLine(text);
  if (line !== null) return { kind: 'public' };
  const pem = /-----BEGIN (?:(RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY-----/.exec(text);
  if (pem !== null) return pem[1] === 'DSA' ? { kind: 'unusable', of: 'dsa' } : parsePem(text, passphrase);
  const parsed = ssh2.utils.parseKey(text, passphrase ?? undefined);
  if (!(parsed instanceof Error)) {
    const key = first(parsed);
    const type = unusableKind(key.type);
    if (type !== null) return { kind: 'unusable', of: type };
    return key.isPrivateKey() ? { kind: 'key', key } : { kind: 'public' };
  }
  if (/no passphrase given/i.test(parsed.message)) return { kind: 'needs-passphrase' };
  if (passphrase !== null && /integrity check|bad passphrase|decrypt/i.test(parsed.message)) {
    return { kind: 'wrong-passphrase' };
  }
  if (text.startsWith('PuTTY-User-Key-File-')) return { kind: 'putty' };
  return { kind: 'malformed', why: parsed.message };
}

function parsePem(text: string, passphrase: string | null): ParsedPrivateKey {
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
  if (encrypted && passphrase === null) return { kind: 'needs-passphrase' };
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: 'pem', ...(passphrase === null ? {} : { passphrase }) });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    // A wrong passphrase usually breaks the padding; if not, the result is not a key.
    const undone =
      /BAD_DECRYPT|BAD_PASSWORD|CIPHERFINAL|PKCS12/i.test(code) || /bad decrypt|asn1|DECODER/i.test(message);
    return encrypted && undone ? { kind: 'wrong-passphrase' } : { kind: 'malformed', why: message };
  }
  if (key.asymmetricKeyType === 'dsa') return { kind: 'unusable', of: 'dsa' };
  const converted = inKnownFormat(key);
  if (converted === null) return { kind: 'unusable', of: 'unknown' };
  const parsed = ssh2.utils.parseKey(converted);
  return parsed instanceof Error ? { kind: 'malformed', why: parsed.message } : { kind: 'key', key: first(parsed) };
}

/** The key unencrypted in a format that ssh2 reads, only while it is parsed; `null` for another type. */
function inKnownFormat(key: KeyObject): string | null {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ type: 'pkcs1', format: 'pem' }).toString();
    case 'ec':
      return key.export({ type: 'sec1', format: 'pem' }).toString();
    case 'ed25519': {
      const { d, x } = key.export({ format: 'jwk' });
      return d === undefined || x === undefined
        ? null
        : openSshEd25519(Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url'));
    }
    default:
      return null;
  }
}

/** An Ed25519 key in OpenSSH's own format (PROTOCOL.key), without encryption. */
function openSshEd25519(seed: Buffer, publicKey: Buffer): string {
  const type = field('ssh-ed25519');
  const publicBlob = Buffer.concat([type, field(publicKey)]);
  const check = Buffer.alloc(8, 7);
  const secret = Buffer.concat([check, type, field(publicKey), field(Buffer.concat([seed, publicKey])), field('')]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const count = Buffer.from([0, 0, 0, 1]);
  const body = [
    OPENSSH_MAGIC,
    field('none'),
    field('none'),
    field(''),
    count,
    field(publicBlob),
    field(Buffer.concat([secret, padding])),
  ];
  const lines =
    Buffer.concat(body)
      .toString('base64')
      .match(/.{1,70}/g) ?? [];
  return [OPENSSH_BEGIN, ...lines, OPENSSH_END, ''].join('\n');
}

function field(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function first(parsed: ParsedKey | readonly ParsedKey[]): ParsedKey {
  return Array.isArray(parsed) ? (parsed as readonly ParsedKey[])[0]! : (parsed as ParsedKey);
}
