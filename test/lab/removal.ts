import { setTimeout as sleep } from 'node:timers/promises';
import type { Docker } from './engine.ts';

/** To remove what another process has just removed, or is removing, is no failure; anything else is. */
export async function ignoreGone(removal: Promise<unknown>): Promise<void> {
  await removal.catch((error: { readonly statusCode?: number }) => {
    if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
  });
}

/**
 * Removes a network once its containers are gone. Engine 20.10 sometimes miscounts, and says until it is restarted that a
 * network without a single container is in use: such a network remains, and the caller continues.
 */
export async function removeNetwork(docker: Docker, id: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ignoreGone(docker.getNetwork(id).remove());
      return;
    } catch (error) {
      if ((error as { readonly statusCode?: number }).statusCode !== 403) throw error;
      if (attempt === 5) return;
      await sleep(200);
    }
  }
}
