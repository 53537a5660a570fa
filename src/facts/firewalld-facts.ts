import {
  type FirewalldFacts,
  type ManagedConnection,
  type PermanentFile,
  RUNTIME_OBJECTS,
  type RunningFirewalld,
  type RuntimeObjects,
} from './facts.ts';
import { JsonObject } from './json-shape.ts';
import { shortName, Unreadable } from './unreadable.ts';
import { compareVersions, firewalldRefusal, isVersion } from './version.ts';

const SHA256 = /^[0-9a-f]{64}$/;
const UUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
/** One firewalld file: an ipset of 65,536 entries takes about 3 MiB. */
const MAX_FILE = 8 * 1024 * 1024;
/** A path has at most 4096 bytes, and each may be escaped. */
const MAX_PATH = 4 * 4096;

/**
 * The version of the host's firewalld package, as `src/host/remote/probe.sh` prints it: `installed`, then `'2.3.1'`.
 *
 * @returns `null` when firewalld is not installed, an empty string when its version is not known
 */
export function parseInstalledVersion(lines: readonly string[]): string | null {
  if (lines[0] !== 'installed') return null;
  const versions = lines
    .slice(1)
    .map((line) => line.trim().replaceAll(/["']/g, ''))
    .filter(isVersion);
  // There is more than one only if files of an earlier Python were left behind.
  return versions.sort(compareVersions).at(-1) ?? '';
}

/** The collector's answer (`src/host/remote/collect.py`): one JSON document, or `null` if there is none. Throws `Unreadable`. */
export function collectedJson(lines: readonly string[]): JsonObject | null {
  return lines.every((line) => line.trim() === '') ? null : JsonObject.parse('firewalld', lines);
}

/**
 * The collector's report on firewalld. Texts of files are not changed, because plans are made from them; they are escaped
 * when shown. Throws `Unreadable`.
 */
export function parseFirewalld(installed: string | null, json: JsonObject | null, root: boolean): FirewalldFacts {
  if (installed === null) return { kind: 'absent' };
  if (json === null) {
    if (!root) return { kind: 'stopped', version: installed, reason: 'only root may read its configuration' };
    // An old firewalld, whose own interpreter is Python 2, cannot run the collector.
    const refusal = installed === '' ? null : firewalldRefusal(installed);
    if (refusal !== null) return { kind: 'stopped', version: installed, reason: refusal.what };
    throw new Unreadable('firewalld', 'firewalld is installed, but its configuration could not be collected');
  }
  const kind = json.text('kind');
  switch (kind) {
    case 'absent':
      return { kind: 'absent' };
    case 'stopped':
      return {
        kind: 'stopped',
        version: installed,
        reason: shortName(json.text('reason', 4096), 500),
        ...(json.has('offline')
          ? { offline: { firewalld: parseRunning(json.object('offline')), unit: shortName(json.text('unit', 64)) } }
          : {}),
      };
    case 'running':
      return parseRunning(json);
    case 'failed':
      throw new Unreadable('firewalld', shortName(json.text('reason', 4096), 500));
    default:
      throw new Unreadable('firewalld', `the collector answers with the unknown kind "${shortName(kind, 40)}"`);
  }
}

function parseRunning(json: JsonObject): RunningFirewalld {
  const version = json.text('version', 64);
  if (!isVersion(version)) throw new Unreadable('firewalld', 'version is not a version');
  const runtime = json.object('runtime');
  return {
    kind: 'running',
    version,
    state: shortName(json.text('state', 64)),
    backend: shortName(json.text('backend', 64)),
    defaultZone: shortName(json.text('defaultZone', 64)),
    panicMode: json.flag('panicMode'),
    zoneDrifting: json.flag('zoneDrifting'),
    ipsetsUsable: json.flag('ipsetsUsable'),
    helpers: json.texts('helpers', 10, 32).map((helper) => shortName(helper)),
    hash: json.matching('hash', SHA256, 'a SHA-256 hash'),
    permanentHash: json.matching('permanentHash', SHA256, 'a SHA-256 hash'),
    runtimeHash: json.matching('runtimeHash', SHA256, 'a SHA-256 hash'),
    files: json.objects('files', 20_000).map(parseFile),
    builtin: json
      .objects('builtin', 20_000)
      .map((file) => ({ path: parsePath(file), text: file.text('text', MAX_FILE) })),
    runtime: {
      ...runtimeObjects(runtime),
      direct: runtime.texts('direct', 200_000, 8192),
    },
    ...(json.has('otherFolder') ? { otherFolder: shortName(json.text('otherFolder', 4096)) } : {}),
    ...(json.has('denies') && json.flag('denies') ? { denies: true } : {}),
    networkManager: json.has('networkManager') ? json.objects('networkManager', 10_000).map(parseConnection) : [],
  };
}

function runtimeObjects(runtime: JsonObject): RuntimeObjects {
  return Object.fromEntries(RUNTIME_OBJECTS.map((kind) => [kind, runtime.records(kind, 10_000)])) as RuntimeObjects;
}

function parseConnection(connection: JsonObject): ManagedConnection {
  return {
    uuid: connection.matching('uuid', UUID, 'a UUID'),
    connection: shortName(connection.text('connection')),
    zone: shortName(connection.text('zone'), 64),
    interfaces: connection.texts('interfaces', 1000, 64).map((name) => shortName(name, 64)),
    unsaved: connection.flag('unsaved'),
  };
}

function parseFile(file: JsonObject): PermanentFile {
  return {
    path: parsePath(file),
    text: file.text('text', MAX_FILE),
    mode: file.matching('mode', /^[0-7]{3,5}$/, 'an octal mode'),
    owner: file.matching('owner', /^[^\p{Cc}\s]{1,128}$/u, 'an owner'),
    sha256: file.matching('sha256', SHA256, 'a SHA-256 hash'),
    ...(file.has('link') ? { link: shortName(file.text('link', 4096), 500) } : {}),
    ...(file.has('unreadable') ? { unreadable: shortName(file.text('unreadable', 64 * 1024), 500) } : {}),
    ...(file.has('mounted') ? { mounted: file.flag('mounted') } : {}),
    ...(file.has('folder') ? { folder: file.flag('folder') } : {}),
  };
}

/** A path relative to firewalld's folder, and inside it. */
function parsePath(file: JsonObject): string {
  const path = file.matching('path', /^[^\p{Cc}]+$/u, 'a path', MAX_PATH);
  if (path.startsWith('/') || path.split('/').some((part) => part === '..' || part === '.' || part === '')) {
    throw new Unreadable('firewalld', `the path "${shortName(path, 80)}" leads out of firewalld's folder`);
  }
  return path;
}
