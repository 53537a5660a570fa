import { compareVersions } from '../facts/version.ts';

/** The folders of which firewalld loads the files, and what a name in them may be made of; it asks Python's `isalnum`. */
const NAMES = {
  zones: /^[\p{L}\p{N}_-]{1,17}$/u,
  services: /^[\p{L}\p{N}_-]+$/u,
  ipsets: /^[\p{L}\p{N}_:.-]+$/u,
  policies: /^[\p{L}\p{N}_-]{1,18}$/u,
  helpers: /^[\p{L}\p{N}.-]+$/u,
  icmptypes: /^[\p{L}\p{N}_-]+$/u,
} as const;

/** The rest of a name behind a folder's: it has no limit. */
const FILE_IN_FOLDER = /^[\p{L}\p{N}_-]+$/u;

export type ConfigFolder = keyof typeof NAMES;

/** What becomes of a file below /etc/firewalld when firewalld loads its configuration. */
export type LoadedFile =
  | { readonly kind: 'ignored' }
  | { readonly kind: 'broken'; readonly why: string }
  /** The object that it defines. Of a zone in a folder that is the folder's name: all files in it make one zone. */
  | { readonly kind: 'loaded'; readonly folder: ConfigFolder; readonly name: string; readonly inFolder: boolean }
  /** Direct rules and the whitelist of the lockdown. */
  | { readonly kind: 'single' };

/** A file as firewalld of a version takes it, by its path below /etc/firewalld alone. */
export function loadedFile(path: string, version: string): LoadedFile {
  if (path === 'direct.xml' || path === 'lockdown-whitelist.xml') return { kind: 'single' };
  const [folder = '', ...rest] = path.split('/');
  const file = rest.pop();
  if (!isConfigFolder(folder) || file === undefined || !file.endsWith('.xml')) return { kind: 'ignored' };
  const stem = file.slice(0, -'.xml'.length);
  const parent = rest.at(-1);
  if (parent === undefined) {
    if (NAMES[folder].test(stem)) return { kind: 'loaded', folder, name: stem, inFolder: false };
    return badName(stem, version);
  }
  if (folder !== 'zones') return { kind: 'ignored' };
  const bad = rest.find((name) => !NAMES.zones.test(name));
  if (bad !== undefined) return { kind: 'broken', why: `firewalld takes no folder of zones like ${bad}` };
  if (FILE_IN_FOLDER.test(stem)) return { kind: 'loaded', folder, name: parent, inFolder: true };
  return badName(stem, version);
}

function badName(stem: string, version: string): LoadedFile {
  // A byte that is no character arrives by its number. No firewalld survives to log such a name.
  if (/\\x[89a-f]/.test(stem)) return { kind: 'broken', why: 'firewalld ends when it reads a name that is not UTF-8' };
  return forgives(version) ? { kind: 'ignored' } : { kind: 'broken', why: `firewalld takes no name like ${stem}` };
}

function isConfigFolder(folder: string): folder is ConfigFolder {
  return Object.hasOwn(NAMES, folder);
}

/** Whether firewalld leaves out a file that it cannot take, rather than loading nothing at all; so it was before 1.0. */
export function forgives(version: string): boolean {
  return compareVersions(version, '1.0') < 0;
}
