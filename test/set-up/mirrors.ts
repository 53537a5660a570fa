import { readFile } from 'node:fs/promises';
import { type PackageSource, packageSources } from './packages.ts';

/** Names mirrors of Debian, separated by blanks, that come before those of the machine's own package configuration. */
export const MIRROR_VARIABLE = 'PORTFW_LAB_MIRROR';

/** Where Debian systems may be fetched from. */
export interface Mirrors {
  /** Whether a person chose them. */
  readonly chosen: boolean;
  readonly urls: readonly string[];
}

/** Mirrors of Debian: those that `PORTFW_LAB_MIRROR` names, otherwise those that this machine's own apt uses. */
export async function debianMirrors(): Promise<Mirrors> {
  const chosen = (process.env[MIRROR_VARIABLE] ?? '').split(/\s+/).filter((url) => url !== '');
  if (chosen.length > 0) return { chosen: true, urls: chosen };
  return { chosen: false, urls: await mirrorsOf(await packageSources()) };
}

/**
 * The mirrors of Debian among package sources, each followed by the paths at which it may keep releases that have left
 * its pool. @param read reads a file of mirrors, as `mirror+file:` sources name them
 */
export async function mirrorsOf(
  sources: readonly PackageSource[],
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8').catch(() => ''),
): Promise<readonly string[]> {
  const known = sources.some(({ origin }) => origin !== null);
  const debian = sources.filter(({ origin, label, release }) =>
    known ? origin === 'Debian' && label === 'Debian' : !/security|\/$/.test(release),
  );
  const found: string[] = [];
  for (const { uri } of debian) {
    const file = /^mirror\+file:(?:\/\/)?(\/[^?#]*)$/.exec(uri)?.[1];
    const lines = file === undefined ? [uri] : (await read(file)).split('\n').filter((line) => !line.startsWith('#'));
    for (const line of lines) {
      const url = line.trim().split(/\s/)[0]?.replace(/\/+$/, '') ?? '';
      if (/^(?:https?|ftp|file|copy):/.test(url)) found.push(url);
    }
  }
  return [...new Set(found.flatMap((url) => [url, ...archivePaths(url)]))];
}

function archivePaths(url: string): readonly string[] {
  return /\/debian$/.test(url) ? [url.replace(/\/debian$/, '/debian-archive/debian')] : [];
}

/** A URL as it may be shown: without a name and a password. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

/** What to say when no mirror has a release. @param failures each mirror that was tried, with what mmdebstrap said of it */
export function noMirrorHas(suite: string, failures: readonly (readonly [url: string, why: string])[]): string {
  const what =
    failures.length === 0
      ? `No Debian ${suite} can be made: the package sources of this machine (/etc/apt) name no mirror of Debian.`
      : `No mirror could be used to make a Debian ${suite}:\n${failures.map(([url, why]) => `${shownUrl(url)}: ${why}`).join('\n')}`;
  return (
    `${what}\nHow to go on: name a mirror or an archive of Debian that has ${suite}, with ` +
    `${MIRROR_VARIABLE}=https://mirror.example.net/debian (several are separated by blanks), or let the Docker engine pull ` +
    `debian:${suite}-slim: then no mirror is needed.`
  );
}
