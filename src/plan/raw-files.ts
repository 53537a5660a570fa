import type { PermanentFile } from '../facts/facts.ts';
import {
  eachOurKind,
  type FirewalldConfig,
  OUR_KINDS,
  type OurConfig,
  type OurFolder,
  ourFolderOf,
} from '../firewalld/kinds/kinds.ts';
import { isOurs } from '../firewalld/model.ts';
import { withoutInterface } from '../firewalld/without-interface.ts';
import type { RawFile } from './plan.ts';
import type { Step } from './steps.ts';

/** What is known of a host's permanent configuration before and after the steps of a plan. */
export interface RawInput {
  readonly steps: readonly Step[];
  /** Files below /etc/firewalld now. */
  readonly files: readonly PermanentFile[];
  readonly before: FirewalldConfig;
  readonly after: FirewalldConfig;
}

/**
 * The files below /etc/firewalld that a plan's steps write, edit or delete, sorted by path. Where the daemon itself writes a file
 * (a `settings` step), both texts are in portfw's layout, so that a difference is one of meaning.
 */
export function rawFiles({ steps, files, before, after }: RawInput): readonly RawFile[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const foreign = steps.flatMap((step): RawFile[] => {
    if (step.kind !== 'edit-zone' || isOurs(step.zone)) return [];
    const path = `zones/${step.zone}.xml`;
    const text = texts.get(path) ?? null;
    return [{ path, before: text, after: text === null ? null : released(text, step.interfaces) }];
  });
  const ours = eachOurKind((_, folder) =>
    [...touchedBy(steps, folder)].map(([name, byDaemon]): RawFile => {
      const path = `${folder}/${name}.xml`;
      const text = texts.get(path) ?? null;
      const written = byDaemon && text !== null ? xmlOf(folder, before, name) : null;
      return { path, before: written ?? text, after: xmlOf(folder, after, name) };
    }),
  ).flat();
  return [...foreign, ...ours].filter((file) => file.before !== file.after).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The files that a rollback changes: those of before, and those of after it; sorted by path. */
export function restoredRawFiles(
  before: readonly PermanentFile[],
  after: readonly PermanentFile[],
): readonly RawFile[] {
  const [old, now] = [before, after].map((files) => new Map(files.map(({ path, text }) => [path, text])));
  const paths = [...new Set([...before, ...after].map(({ path }) => path))].sort();
  return paths
    .map((path) => ({ path, before: old!.get(path) ?? null, after: now!.get(path) ?? null }))
    .filter((file) => file.before !== file.after);
}

/** The portfw objects of a kind whose files steps change; true if the daemon writes the file in the end. */
function touchedBy(steps: readonly Step[], folder: OurFolder): ReadonlyMap<string, boolean> {
  const touched = new Map<string, boolean>();
  for (const step of steps) {
    const name = nameIn(step, folder);
    if (name !== null) touched.set(name, touched.get(name) === true || step.kind === 'settings');
  }
  return touched;
}

/** The portfw object of a kind whose file a step changes; `null` for none. */
function nameIn(step: Step, folder: OurFolder): string | null {
  switch (step.kind) {
    case 'file':
      return step.path.startsWith(`${folder}/`) ? step.path.slice(folder.length + 1).replace(/\.xml$/, '') : null;
    case 'settings':
      return ourFolderOf(step.object) === folder ? step.settings.name : null;
    case 'delete':
      return ourFolderOf(step.object) === folder ? step.name : null;
    case 'edit-zone':
      return folder === 'zones' && isOurs(step.zone) ? step.zone : null;
    case 'reload':
    case 'call':
    case 'connection':
    case 'remember':
    case 'start-firewalld':
      return null;
  }
}

function xmlOf<F extends OurFolder>(folder: F, layer: FirewalldConfig, name: string): string | null {
  const item = (layer[folder] as ReadonlyMap<string, OurConfig<F>>).get(name);
  return item === undefined ? null : OUR_KINDS[folder].writeXml(item);
}

/** A foreign zone's file without interfaces; every other byte stays. */
function released(text: string, interfaces: readonly string[]): string {
  return interfaces.reduce((rest, name) => withoutInterface(rest, name) ?? rest, text);
}
