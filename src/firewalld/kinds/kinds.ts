import { IPSET, type IpsetConfig } from './ipset.ts';
import type { Kind, OurKind } from './kind.ts';
import { POLICY, type PolicyConfig } from './policy.ts';
import { SERVICE, type ServiceConfig } from './service.ts';
import { type OurZoneConfig, ZONE, type ZoneConfig, type ZoneSettings } from './zone.ts';

/** The types of each kind that portfw writes: what one is called, any object, a portfw object, and its settings as JSON. */
interface OurTypes {
  zones: { object: 'zone'; config: ZoneConfig; ours: OurZoneConfig; settings: ZoneSettings };
  services: { object: 'service'; config: ServiceConfig; ours: ServiceConfig; settings: ServiceConfig };
  ipsets: { object: 'ipset'; config: IpsetConfig; ours: IpsetConfig; settings: IpsetConfig };
}

/** The types of every kind; those besides `OurTypes` are read only. */
interface Types extends OurTypes {
  policies: { object: 'policy'; config: PolicyConfig };
}

export type Folder = keyof Types;
export type OurFolder = keyof OurTypes;
/** What one object of each kind that portfw writes is called. */
export type ObjectNames = { readonly [F in OurFolder]: OurTypes[F]['object'] };
export type ObjectKind = ObjectNames[OurFolder];

export type Config<F extends Folder> = Types[F]['config'];
export type OurConfig<F extends OurFolder> = OurTypes[F]['ours'];
export type Settings<F extends OurFolder> = OurTypes[F]['settings'];

type KindIn<F extends Folder> = Kind<F, Types[F]['object'], Config<F>>;
type OurKindIn<F extends OurFolder> = OurKind<F, OurTypes[F]['object'], Config<F>, OurConfig<F>, Settings<F>>;

/** The kinds of which portfw writes objects, in the order in which a reviewer reads them: what refers to others comes first. */
export const OUR_KINDS: { readonly [F in OurFolder]: OurKindIn<F> } = {
  zones: ZONE,
  services: SERVICE,
  ipsets: IPSET,
};

/** Every kind of object that portfw knows, by its folder. Whatever is done for each kind walks this list. */
export const KINDS: { readonly [F in Folder]: KindIn<F> } = { ...OUR_KINDS, policies: POLICY };

/** One layer (permanent or runtime) of a host's firewalld: everybody's objects by kind and name. */
export type FirewalldConfig = { readonly [F in Folder]: ReadonlyMap<string, Config<F>> };

/** The same while it is filled. */
export type Layer = { readonly [F in Folder]: Map<string, Config<F>> };

/** portfw objects by kind and name. */
export type OurObjects = { readonly [F in OurFolder]: ReadonlyMap<string, OurConfig<F>> };

/** The same while it is filled. */
export type OurLayer = { readonly [F in OurFolder]: Map<string, OurConfig<F>> };

const FOLDERS = Object.keys(KINDS) as readonly Folder[];
const OUR_FOLDERS = Object.keys(OUR_KINDS) as readonly OurFolder[];

/** The folder of a kind that portfw writes, by what one object of it is called. */
export function ourFolderOf(object: ObjectKind): OurFolder {
  return OUR_FOLDERS.find((folder) => OUR_KINDS[folder].object === object)!;
}

/** Calls something for every kind, in their order. */
export function eachKind<R>(walk: <F extends Folder>(kind: KindIn<F>, folder: F) => R): R[] {
  return FOLDERS.map((folder) => at(folder));
  function at<F extends Folder>(folder: F): R {
    return walk<F>(KINDS[folder], folder);
  }
}

/** Calls something for every kind that portfw writes, in their order. */
export function eachOurKind<R>(walk: <F extends OurFolder>(kind: OurKindIn<F>, folder: F) => R): R[] {
  return OUR_FOLDERS.map((folder) => at(folder));
  function at<F extends OurFolder>(folder: F): R {
    return walk<F>(OUR_KINDS[folder], folder);
  }
}

/** An empty container for each kind, by its folder, to be filled in a walk. */
export function perKind<R extends { readonly [F in Folder]: object }>(empty: () => R[Folder]): R {
  return Object.fromEntries(FOLDERS.map((folder) => [folder, empty()])) as unknown as R;
}

/** An empty container for each kind that portfw writes. */
export function perOurKind<R extends { readonly [F in OurFolder]: object }>(empty: () => R[OurFolder]): R {
  return Object.fromEntries(OUR_FOLDERS.map((folder) => [folder, empty()])) as unknown as R;
}

/** A layer without objects. */
export function emptyLayer(): Layer {
  return perKind<Layer>(() => new Map());
}

/** A layer with the same objects, to be changed. */
export function copyOf(config: FirewalldConfig): Layer {
  const layer = emptyLayer();
  eachKind((_, folder) => {
    for (const [name, item] of config[folder]) layer[folder].set(name, item);
  });
  return layer;
}

/** Our objects as a layer that holds nothing else. */
export function asLayer(objects: OurObjects): FirewalldConfig {
  return { ...emptyLayer(), ...objects };
}

/** Answers whether an object is in use. */
export type InUse = (folder: Folder, name: string) => boolean;

/** What is in use in a layer: what other objects of it refer to, and what has an effect by itself. */
export function usedIn(layer: FirewalldConfig): InUse {
  const used = new Set<string>();
  eachKind((kind, folder) => {
    for (const item of layer[folder].values()) {
      for (const [other, names] of Object.entries(kind.refersTo(item)))
        for (const name of names) used.add(`${other}/${name}`);
      if (kind.inForce?.(item) === true) used.add(`${folder}/${item.name}`);
    }
  });
  return (folder, name) => used.has(`${folder}/${name}`);
}
