import { compareVersions } from '../facts/version.ts';
import { type Folder, KINDS } from './kinds/kinds.ts';

/** Folders of which firewalld loads the files too. portfw does not look into these; what a file's name may be made of. */
const OTHER_NAMES = {
  helpers: /^[\p{L}\p{N}.-]+$/u,
  icmptypes: /^[\p{L}\p{N}_-]+$/u,
} as const;

/** The name of a file in a folder of its own: it has no limit. */
const FILE_IN_FOLDER = /^[\p{L}\p{N}_-]+$/u;

/** A folder below /etc/firewalld that firewalld loads. */
export type ConfigFolder = Folder | keyof typeof OTHER_NAMES;

/** What becomes of a file below /etc/firewalld when firewalld loads its configuration. */
export type LoadedFile =
  | { readonly kind: 'ignored' }
  | { readonly kind: 'broken'; readonly why: string }
  /** The object that it defines. `inFolder`: the name is the folder's, and all files in it make one object. */
  | { readonly kind: 'loaded'; readonly folder: ConfigFolder; readonly name: string; readonly inFolder: boolean }
  /** Direct rules and the whitelist of the lockdown. */
  | { readonly kind: 'single' };

/** A file as firewalld of a version takes it, by its path below /etc/firewalld alone. */
export function loadedFile(path: string, version: string): LoadedFile {
  if (path === 'direct.xml' || path === 'lockdown-whitelist.xml') return { kind: 'single' };
  const [folder = '', ...inside] = path.split('/');
  const file = inside.pop();
  if (!(isKnown(folder) || isOther(folder)) || file === undefined || !file.endsWith('.xml')) return { kind: 'ignored' };
  const stem = file.slice(0, -'.xml'.length);
  const fileName = isKnown(folder) ? KINDS[folder].fileName : OTHER_NAMES[folder];
  const parent = inside.at(-1);
  if (parent === undefined)
    return fileName.test(stem) ? { kind: 'loaded', folder, name: stem, inFolder: false } : badName(stem, version);
  if (!isKnown(folder) || KINDS[folder].united === undefined) return { kind: 'ignored' };
  const bad = inside.find((name) => !fileName.test(name));
  if (bad !== undefined) return { kind: 'broken', why: `firewalld takes no folder of ${folder} like ${bad}` };
  if (FILE_IN_FOLDER.test(stem)) return { kind: 'loaded', folder, name: parent, inFolder: true };
  return badName(stem, version);
}

function badName(stem: string, version: string): LoadedFile {
  // A byte that is not UTF-8 arrives as its number. firewalld ends when it logs such a name.
  if (/\\x[89a-f]/.test(stem)) return { kind: 'broken', why: 'firewalld ends when it reads a name that is not UTF-8' };
  return forgives(version) ? { kind: 'ignored' } : { kind: 'broken', why: `firewalld takes no name like ${stem}` };
}

/** Whether a folder holds objects of a kind that portfw knows. */
export function isKnown(folder: string): folder is Folder {
  return Object.hasOwn(KINDS, folder);
}

function isOther(folder: string): folder is keyof typeof OTHER_NAMES {
  return Object.hasOwn(OTHER_NAMES, folder);
}

/** Whether firewalld leaves out a file that it cannot take, rather than loading nothing at all: so do versions before 1.0. */
export function forgives(version: string): boolean {
  return compareVersions(version, '1.0') < 0;
}
