import type { PermanentFile, RunningFirewalld } from '../facts/facts.ts';
import type { BusSettings } from './kinds/bus-parts.ts';
import {
  type Config,
  eachKind,
  emptyLayer,
  type FirewalldConfig,
  type Folder,
  KINDS,
  type Layer,
  perKind,
} from './kinds/kinds.ts';
import { forgives, isKnown, loadedFile } from './loaded.ts';
import { isOurs } from './model.ts';
import { parseXml, XmlError } from './xml.ts';

/** What a host's firewalld is: what it loads at boot, and what it does now. */
export interface ObservedFirewalld {
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  /** Zones with a file of their own below /etc/firewalld. portfw can take interfaces out of those. */
  readonly zoneFiles: ReadonlySet<string>;
  /** Zones that firewalld makes of all the files in a folder, with the paths of these files. portfw does not edit them. */
  readonly zoneFolders: ReadonlyMap<string, readonly string[]>;
  /** Files that would make firewalld's next reload fail, or that it would ignore silently. */
  readonly broken: readonly BrokenFile[];
}

/** A file that no plan can be made with. */
export interface BrokenFile {
  readonly path: string;
  readonly why: string;
}

/** What one file of a folder holds of the object that the folder makes. */
interface Part<F extends Folder> {
  readonly path: string;
  readonly item: Config<F>;
}

/** The permanent configuration while its files are read. */
interface Found {
  readonly version: string;
  readonly objects: Layer;
  /** Of each object that is made of the files in a folder, what each of them has, by kind and name. */
  readonly parts: { readonly [F in Folder]: Map<string, Part<F>[]> };
  readonly broken: BrokenFile[];
}

/** Reads the model out of the facts. Never throws because of what a host sent: what cannot be read is in `broken`. */
export function observedFirewalld(facts: RunningFirewalld): ObservedFirewalld {
  const { version } = facts;
  const found: Found = { version, objects: emptyLayer(), parts: perKind<Found['parts']>(() => new Map()), broken: [] };
  for (const { path, text } of facts.builtin) readInto(found, path, text);
  const standard = new Map(found.objects.zones);
  for (const file of facts.files) {
    const why = whyUnusable(file, version);
    if (why === null) readInto(found, file.path, file.text);
    else found.broken.push({ path: `/etc/firewalld/${file.path}`, why });
  }
  const zoneFiles = new Set(
    [...found.objects.zones].filter(([name, zone]) => standard.get(name) !== zone).map(([name]) => name),
  );
  unite(found, zoneFiles);
  const runtime = runtimeOf(facts, found.broken);
  return {
    permanent: found.objects,
    runtime,
    zoneFiles,
    zoneFolders: new Map([...found.parts.zones].map(([name, parts]) => [name, parts.map(({ path }) => path)])),
    broken: found.broken,
  };
}

/** Why no plan can be made with a file, whatever it holds; `null` when there is no reason. */
function whyUnusable(file: PermanentFile, version: string): string | null {
  if (file.folder === true)
    return forgives(version) ? 'firewalld before 1.0 cannot load its zones beside a folder of this name' : null;
  const loaded = loadedFile(file.path, version);
  if (loaded.kind === 'broken') return loaded.why;
  if (loaded.kind === 'ignored' && file.path.endsWith('.xml')) return null;
  if (file.unreadable !== undefined) return file.unreadable;
  if (loaded.kind !== 'loaded' || loaded.inFolder || !isOurs(loaded.name)) return null;
  if (file.link !== undefined) return `it is a link to ${file.link}: portfw writes its own files as plain ones`;
  return file.mounted === true ? 'something is mounted on it: portfw replaces its own files' : null;
}

function readInto(found: Found, path: string, text: string): void {
  const loaded = loadedFile(path, found.version);
  if (loaded.kind === 'ignored' || loaded.kind === 'broken') return;
  try {
    // portfw has no objects of other kinds, but a reload fails if such a file is malformed.
    if (loaded.kind === 'single' || !isKnown(loaded.folder)) parseXml(text, null);
    else if (loaded.inFolder) readPart(found, loaded.folder, loaded.name, { path, text });
    else readFile(found.objects, loaded.folder, loaded.name, text);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    found.broken.push({ path: `/etc/firewalld/${path}`, why: error.message });
  }
}

/** Reads an object's own file into a layer. @throws XmlError when no plan can be made with it */
function readFile<F extends Folder>(layer: Layer, folder: F, name: string, text: string): void {
  const item = KINDS[folder].readXml(name, text);
  if (item !== null) layer[folder].set(name, item);
}

function readPart<F extends Folder>(
  { parts }: Found,
  folder: F,
  name: string,
  { path, text }: { readonly path: string; readonly text: string },
): void {
  const item = KINDS[folder].readXml(name, text);
  if (item === null) return;
  const held: Part<F>[] = parts[folder].get(name) ?? [];
  held.push({ path, item });
  parts[folder].set(name, held);
}

/** Makes one object of all the files in each folder. */
function unite({ version, objects, parts }: Found, zoneFiles: ReadonlySet<string>): void {
  eachKind(({ united }, folder) => {
    if (united === undefined) return;
    for (const [name, files] of parts[folder]) {
      const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
      const last = folderOf(files.at(-1)!.path);
      // Before 1.0, of two folders of one name in different places, the later one counts.
      const items = files.filter(({ path }) => !forgives(version) || folderOf(path) === last).map(({ item }) => item);
      // Such an object takes the place of one with a file of its own; before 1.0, of one that is built in alone.
      const own = zoneFiles.has(name) && forgives(version) ? (objects[folder].get(name) ?? null) : null;
      objects[folder].set(name, united(name, items, own));
    }
  });
}

function runtimeOf(facts: RunningFirewalld, broken: BrokenFile[]): FirewalldConfig {
  const layer = emptyLayer();
  eachKind((kind, folder) => {
    const settings: Readonly<Record<string, BusSettings>> = facts.runtime[folder];
    for (const [name, item] of Object.entries(settings)) {
      try {
        layer[folder].set(name, kind.readBus(name, item));
      } catch (error) {
        if (!(error instanceof XmlError)) throw error;
        broken.push({ path: `runtime ${kind.object} ${name}`, why: error.message });
      }
    }
  });
  return layer;
}
