import type { AnsibleConfig } from '../../../../src/ansible/config/config-types.ts';
import type { ConfigWorld } from '../../../../src/ansible/config/config-world.ts';
import { readAnsibleConfig } from '../../../../src/ansible/config/read-config.ts';

/** A machine with these files, and `/work` as the current folder. */
export interface MadeWorld {
  /** What stands in `/work/ansible.cfg`. */
  readonly cfg?: string | null;
  /** Other files, by their paths; `null` for one that may not be read. */
  readonly files?: Readonly<Record<string, string | Uint8Array | null>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly worldWritable?: readonly string[];
}

/** The machine, as the reader of the configuration sees it. */
export function worldOf({ cfg = null, files = {}, environment = {}, worldWritable = [] }: MadeWorld): ConfigWorld {
  const there = new Map(Object.entries({ ...(cfg === null ? {} : { '/work/ansible.cfg': cfg }), ...files }));
  return {
    environment,
    currentFolder: '/work',
    home: '/home/op',
    systemFile: '/etc/ansible/ansible.cfg',
    look: (path) => {
      if (there.has(path)) return there.get(path) === null ? 'unreadable' : 'file';
      return [...there.keys()].some((name) => name.startsWith(`${path}/`)) ? 'folder' : 'absent';
    },
    isWorldWritable: (folder) => worldWritable.includes(folder),
    read: (path) => {
      const contents = there.get(path);
      if (contents === undefined || contents === null) throw new Error(`${path} was read`);
      return typeof contents === 'string' ? new TextEncoder().encode(contents) : contents;
    },
  };
}

/** What is read on such a machine. */
export function configOf(world: MadeWorld): AnsibleConfig {
  return readAnsibleConfig(worldOf(world));
}

/** The settings that an environment alone makes. */
export function settingsOf(environment: Readonly<Record<string, string>>): AnsibleConfig['settings'] {
  return configOf({ environment }).settings;
}
