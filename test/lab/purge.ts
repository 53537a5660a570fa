import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { trackAgain } from './conntrack.ts';
import type { Docker } from './engine.ts';
import { builtImage } from './images.ts';
import { LAB_LABEL, OWNER_LABEL } from './network.ts';
import { isRunning } from './owner.ts';
import { LAB_DIRECTORY } from './paths.ts';
import { ignoreGone, removeNetwork } from './removal.ts';

/**
 * Removes the containers and networks of labs whose owner no longer runs, and those of `owner` itself if one is given.
 * Labs that other processes are using stay.
 */
export async function purge(docker: Docker, owner?: string): Promise<void> {
  await removeLabs(docker, (value) => value === owner || !isRunning(value));
}

/**
 * Removes the containers, networks and files of the labs whose owner is meant, and of no other.
 *
 * @returns how many containers there were
 */
export async function removeLabs(docker: Docker, isMeant: (owner: string) => boolean): Promise<number> {
  const isLeft = (labels: Readonly<Record<string, string>> | undefined) => {
    const value = labels?.[OWNER_LABEL];
    return value !== undefined && isMeant(value);
  };
  const filters = { label: [OWNER_LABEL] };
  const containers = (await docker.listContainers({ all: true, filters })).filter(({ Labels }) => isLeft(Labels));
  await Promise.all(
    containers.map((container) => ignoreGone(docker.getContainer(container.Id).remove({ force: true, v: true }))),
  );
  const networks = await docker.listNetworks({ filters });
  const labs = new Set<string>();
  for (const network of networks.filter(({ Labels }) => isLeft(Labels))) {
    await removeNetwork(docker, network.Id);
    labs.add(network.Labels?.[LAB_LABEL] ?? '');
  }
  labs.delete('');
  const scanner = labs.size === 0 ? undefined : await builtImage(docker, 'scanner');
  if (scanner !== undefined) for (const lab of labs) await trackAgain(docker, scanner, lab);
  for (const lab of labs) await rm(join(LAB_DIRECTORY, lab), { recursive: true, force: true });
  return containers.length;
}
