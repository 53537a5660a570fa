import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * known_hosts as OpenSSH's sshd(8) manual page describes it: parsing, and the decision about a host's key.
 * Pure; `known-hosts-files.ts` reads and writes the files.
 */

/** One usable line of a known_hosts file. */
export interface KnownHost {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly revoked: boolean;
  /** The first field as written: comma-separated patterns, or one hashed name. */
  readonly hosts: string;
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  readonly keyType: string;
  /** The public key in SSH wire format. */
  readonly key: Buffer;
}

/** A line that is not used for decisions. */
export interface IgnoredLine {
  readonly file: string;
  readonly line: number;
  readonly reason: 'cert-authority' | 'malformed' | 'unsupported-key-type';
  readonly hosts: string;
}

/** The contents of known_hosts files. */
export interface KnownHosts {
  readonly entries: readonly KnownHost[];
  readonly ignored: readonly IgnoredLine[];
}

/** The names one host's key may be recorded under. */
export interface HostKeyNames {
  /** As OpenSSH would record it: `host`, or `[host]:port` for another port than 22. Lower case. */
  readonly primary: string;
  /** Names whose record counts in the same way if the primary name has none. */
  readonly alternatives: readonly string[];
  /** Names whose record can only confirm a key (the host without its port). */
  readonly confirming: readonly string[];
}

/** The decision about a key. */
export type HostKeyDecision =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  /** Another key is recorded for the host; `recorded` is where. */
  | { readonly kind: 'changed'; readonly recorded: KnownHost }
  | { readonly kind: 'revoked'; readonly recorded: KnownHost };

/** Key types we can verify, most wanted first, each with the signature algorithms to ask the server for. */
const ALGORITHMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  // Never the SHA-1 signatures of "ssh-rsa": OpenSSH removed them in 8.8.
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** Every host key signature algorithm that we can check, most wanted first. */
export const HOST_KEY_ALGORITHMS: readonly string[] = [...ALGORITHMS.values()].flat();

/** Parses one file's text; `file` is its name for messages. */
export function parseKnownHosts(text: string, file: string): KnownHosts {
  const entries: KnownHost[] = [];
  const ignored: IgnoredLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const fields = content.split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [hosts = '', keyType = '', encoded = ''] = fields;
    const ignore = (reason: IgnoredLine['reason']): void => void ignored.push({ file, line, reason, hosts });
    if (marker === '@cert-authority') {
      ignore('cert-authority');
      continue;
    }
    const key = Buffer.from(encoded, 'base64');
    if ((marker !== undefined && marker !== '@revoked') || wireKeyType(key) !== keyType || keyType === '') {
      ignore('malformed');
    } else if (ALGORITHMS.has(keyType)) {
      entries.push({ file, line, revoked: marker === '@revoked', hosts, keyType, key });
    } else {
      ignore('unsupported-key-type');
    }
  }
  return { entries, ignored };
}

/** The type in a public key in wire format, or `''` if it is not one. */
export function wireKeyType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length > 64 || key.length <= 4 + length ? '' : key.toString('latin1', 4, 4 + length);
}

/** A key's fingerprint as `ssh-keygen -l` prints it: `SHA256:…`. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * The names to look a host up by.
 *
 * @param address what we connect to (`ansible_host`).
 * @param name its name in the inventory: keys are recorded under that name too, if `~/.ssh/config` knows it.
 * @param alias HostKeyAlias, which replaces all other names.
 */
export function hostKeyNames(address: string, port: number, name: string, alias: string | null): HostKeyNames {
  if (alias !== null) return { primary: alias.toLowerCase(), alternatives: [], confirming: [] };
  const withPort = (host: string): string => (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
  const primary = withPort(address);
  const alternative = withPort(name);
  return {
    primary,
    alternatives: alternative === primary ? [] : [alternative],
    confirming: port === 22 ? [] : [address.toLowerCase()],
  };
}

/** Whether a known_hosts host field (patterns or a hashed name) covers a name in lower case. */
export function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHashed(hosts, name);
  let matched = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue;
    // One negated match excludes the whole line, at any position.
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function matchesHashed(hosts: string, name: string): boolean {
  const [, scheme, salt = '', hash = ''] = hosts.split('|');
  if (scheme !== '1') return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` and `?` wildcards, in time proportional to the product of the lengths whatever the pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  if (pattern === '') return false;
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < name.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = position;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[position])) {
      at++;
      position++;
    } else if (star !== -1) {
      at = star + 1;
      position = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/**
 * Decides about a host's key.
 *
 * A host recorded with keys of other types only counts as changed: we ask for the recorded types first
 * ({@link hostKeyAlgorithms}), so a server that offers another one no longer has them.
 */
export function decideHostKey(known: KnownHosts, names: HostKeyNames, key: Buffer): HostKeyDecision {
  const everyName = [names.primary, ...names.alternatives, ...names.confirming];
  const revoked = known.entries.find(
    (entry) => entry.revoked && entry.key.equals(key) && everyName.some((name) => matchesHost(entry.hosts, name)),
  );
  if (revoked !== undefined) return { kind: 'revoked', recorded: revoked };
  for (const name of [names.primary, ...names.alternatives]) {
    const recorded = recordedFor(known, name);
    if (recorded.some((entry) => entry.key.equals(key))) return { kind: 'known' };
    const other = recorded.find((entry) => entry.keyType === wireKeyType(key)) ?? recorded[0];
    if (other !== undefined) return { kind: 'changed', recorded: other };
  }
  const confirmed = names.confirming.some((name) => recordedFor(known, name).some((entry) => entry.key.equals(key)));
  return { kind: confirmed ? 'known' : 'unknown' };
}

function recordedFor(known: KnownHosts, name: string): KnownHost[] {
  return known.entries.filter((entry) => !entry.revoked && matchesHost(entry.hosts, name));
}

/**
 * The host key algorithms to offer: those of recorded keys first, so that the server offers a key that can be compared.
 *
 * @param allowed the only ones that may be offered, most wanted first (HostKeyAlgorithms)
 */
export function hostKeyAlgorithms(
  known: KnownHosts,
  names: HostKeyNames,
  allowed: readonly string[] = HOST_KEY_ALGORITHMS,
): string[] {
  // Only the first name that has a record decides, as in decideHostKey.
  const recorded = new Set<string>();
  for (const name of [names.primary, ...names.alternatives, ...names.confirming]) {
    for (const { keyType } of recordedFor(known, name)) recorded.add(keyType);
    if (recorded.size > 0) break;
  }
  const preferred = new Set([...recorded].flatMap((type) => ALGORITHMS.get(type) ?? []));
  return [
    ...allowed.filter((algorithm) => preferred.has(algorithm)),
    ...allowed.filter((algorithm) => !preferred.has(algorithm)),
  ];
}

/** Lines for the host that are not supported: certificate authorities, other key types. */
export function ignoredFor(known: KnownHosts, names: HostKeyNames): readonly IgnoredLine[] {
  return known.ignored.filter(
    (line) =>
      line.reason !== 'malformed' &&
      [names.primary, ...names.alternatives].some((name) => matchesHost(line.hosts, name)),
  );
}

/**
 * The line to append for a new host key, with its line feed.
 *
 * @param hashed whether the name is hidden behind a salted hash (HashKnownHosts)
 */
export function knownHostsLine(names: HostKeyNames, key: Buffer, hashed = false): string {
  return `${hashed ? hashedName(names.primary) : names.primary} ${wireKeyType(key)} ${key.toString('base64')}\n`;
}

function hashedName(name: string): string {
  const salt = randomBytes(20);
  const hash = createHmac('sha1', salt).update(name).digest('base64');
  return `|1|${salt.toString('base64')}|${hash}`;
}
