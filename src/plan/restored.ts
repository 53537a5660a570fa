import type { PermanentFile, RunningFirewalld } from '../facts/facts.ts';
import { eachKind, emptyLayer, type FirewalldConfig } from '../firewalld/kinds/kinds.ts';
import { isOurs } from '../firewalld/model.ts';
import { type ObservedFirewalld, observedFirewalld } from '../firewalld/observed.ts';
import type { GenerationLook } from './generation-look.ts';

/** A host's firewalld after a rollback. */
export interface Restored {
  readonly firewalld: RunningFirewalld;
  readonly observed: ObservedFirewalld;
}

/** A file of portfw, as the host's program takes it. */
const OUR_FILE = /^(?:zones|services|ipsets)\/portfw-[^/]*\.xml$/;

/**
 * What a host's firewalld is after a rollback: its files with those of the generation in place of portfw's and of the zones that
 * runs have edited, all of them loaded anew, and every interface in the zone that the host says. Pure.
 */
export function restoredFirewalld(
  firewalld: RunningFirewalld,
  { files, foreign, bindings, connections }: GenerationLook,
): Restored {
  const theirs = new Set(foreign);
  const stay = firewalld.files.filter(({ path }) => !OUR_FILE.test(path) && !theirs.has(path));
  const back = files.map(({ path, text }): PermanentFile => {
    const held = firewalld.files.find((file) => file.path === path);
    return { mode: '0644', owner: '0:0', sha256: '', ...held, path, text };
  });
  const after: RunningFirewalld = {
    ...firewalld,
    files: [...stay, ...back].sort((one, other) => (one.path < other.path ? -1 : 1)),
    networkManager: firewalld.networkManager.map((one) => ({ ...one, zone: connections.get(one.uuid) ?? one.zone })),
  };
  const observed = observedFirewalld(after);
  return { firewalld: after, observed: { ...observed, runtime: loaded(observed, bindings) } };
}

/** The runtime once the files are loaded anew. Built-in definitions are known from the runtime before only. */
function loaded({ permanent, runtime }: ObservedFirewalld, bindings: ReadonlyMap<string, string>): FirewalldConfig {
  const layer = emptyLayer();
  eachKind((_, folder) => {
    // A foreign object without a file is a built-in one, or one that the reload removes: whatever uses it needs it to be known.
    for (const [name, item] of runtime[folder]) if (!isOurs(name)) layer[folder].set(name, item);
    for (const [name, item] of permanent[folder]) layer[folder].set(name, item);
  });
  for (const [name, zone] of layer.zones) {
    const named = zone.interfaces.filter((one) => (bindings.get(one) ?? name) === name);
    const bound = [...bindings].filter(([, home]) => home === name).map(([one]) => one);
    layer.zones.set(name, { ...zone, interfaces: [...new Set([...named, ...bound])].sort() });
  }
  return layer;
}
