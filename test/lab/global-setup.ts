import { setUpLab } from '../set-up/lab.ts';
import { FOR_INTEGRATION_TESTS } from '../set-up/needs.ts';
import { ensureImages } from './images.ts';
import { allowManyHosts } from './inotify.ts';
import { openSession } from './owner.ts';
import { purge } from './purge.ts';
import { sayOnStderr } from './say.ts';

/**
 * Before the integration tests: an engine, the images, and nothing left of runs that were killed. The function it
 * returns removes, after them, whatever the tests left.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const owner = openSession();
  const docker = await setUpLab(sayOnStderr, { besides: FOR_INTEGRATION_TESTS });
  await purge(docker, owner);
  await allowManyHosts(sayOnStderr);
  await ensureImages(docker, sayOnStderr);
  return () => purge(docker, owner);
}
