import { join } from 'node:path';
import type { LookedFile } from './config-types.ts';
import type { ConfigWorld } from './config-world.ts';
import { expandPath } from './expand-path.ts';

/**
 * The file that Ansible reads, with every file that was looked for before it. A set `ANSIBLE_CONFIG` may name a folder as
 * well, and when nothing is there the search goes on. One that is empty counts as absent, so that it never makes a
 * world-writable current folder a named one.
 */
export function findConfig(world: ConfigWorld): {
  readonly file: string | null;
  readonly looked: readonly LookedFile[];
} {
  const looked: LookedFile[] = [];
  for (const { path, place } of candidates(world)) {
    const outcome =
      place === 'current folder' && world.isWorldWritable(world.currentFolder ?? '')
        ? skipped(world, path)
        : outcomeOf(world, path);
    looked.push({ path, place, outcome });
    if (outcome === 'read') return { file: path, looked };
  }
  return { file: null, looked };
}

function candidates(world: ConfigWorld): readonly Pick<LookedFile, 'path' | 'place'>[] {
  const named = world.environment['ANSIBLE_CONFIG'] ?? '';
  const { currentFolder } = world;
  return [
    ...(named === ''
      ? []
      : [{ path: fileOf(world, expandPath(named, currentFolder ?? '/', world)), place: 'ANSIBLE_CONFIG' as const }]),
    ...(currentFolder === null ? [] : [{ path: join(currentFolder, 'ansible.cfg'), place: 'current folder' as const }]),
    { path: join(world.home, '.ansible.cfg'), place: 'home folder' },
    { path: world.systemFile, place: 'system' },
  ];
}

function fileOf(world: ConfigWorld, path: string): string {
  return world.look(path) === 'folder' ? join(path, 'ansible.cfg') : path;
}

function outcomeOf(world: ConfigWorld, path: string): LookedFile['outcome'] {
  const found = world.look(path);
  // Ansible takes a folder of this name too, and fails when it reads it.
  return found === 'file' || found === 'folder' ? 'read' : found;
}

function skipped(world: ConfigWorld, path: string): LookedFile['outcome'] {
  return world.look(path) === 'absent' ? 'absent' : 'world-writable';
}
