import type { Docker } from './engine.ts';
import { OWNER_LABEL } from './network.ts';
import { isRunning } from './owner.ts';

/**
 * Removes the containers and networks of labs whose owner no longer runs, and those of `owner` itself if one is given.
 * Labs that other processes are using stay.
 */
export async function purge(docker: Docker, owner?: string): Promise<void> {
  const isLeft = (labels: Readonly<Record<string, string>> | undefined) => {
    const value = labels?.[OWNER_LABEL];
    return value !== undefined && (value === owner || !isRunning(value));
  };
  const filters = { label: [OWNER_LABEL] };
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(
    containers
      .filter((container) => isLeft(container.Labels))
      .map((container) => ignoreGone(docker.getContainer(container.Id).remove({ force: true, v: true }))),
  );
  const networks = await docker.listNetworks({ filters });
  for (const network of networks) {
    if (isLeft(network.Labels)) await ignoreGone(docker.getNetwork(network.Id).remove());
  }
}

/** Removal of what somebody else has just removed, or is removing, is no failure. */
export async function ignoreGone(removal: Promise<unknown>): Promise<void> {
  await removal.catch((error: { readonly statusCode?: number }) => {
    if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
  });
}
