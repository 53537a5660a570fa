import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { readBytes } from '../../documents/read-file.ts';

/** What Ansible's configuration is read from. */
export interface ConfigWorld {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `null` when it is gone. */
  readonly currentFolder: string | null;
  readonly home: string;
  /** The system's file. */
  readonly systemFile: string;
  /** What stands at a path, through links. */
  look(path: string): 'file' | 'folder' | 'unreadable' | 'absent';
  /** Whether everybody may write into a folder. */
  isWorldWritable(folder: string): boolean;
  /**
   * Reads a file.
   *
   * @throws InputError saying why it cannot be read
   */
  read(path: string): Uint8Array;
}

/** The machine that portfw runs on. */
export function thisMachine(environment: NodeJS.ProcessEnv = process.env): ConfigWorld {
  return {
    environment,
    currentFolder: currentFolder(),
    home: homedir(),
    systemFile: '/etc/ansible/ansible.cfg',
    look: lookAt,
    isWorldWritable: (folder) => ((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & constants.S_IWOTH) !== 0,
    read: readBytes,
  };
}

function currentFolder(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

function lookAt(path: string): 'file' | 'folder' | 'unreadable' | 'absent' {
  if (!existsSync(path)) return 'absent';
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'unreadable';
  }
}
