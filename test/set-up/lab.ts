import { type Docker, findEngine, startEngine } from '../lab/engine.ts';
import { type ImageName, needBases } from '../lab/images.ts';
import type { Say } from '../lab/say.ts';
import { FOR_BASES, FOR_ENGINE, type NeedName } from './needs.ts';
import { provide } from './provide.ts';

/** What is wanted of a machine that is to run the lab. */
export interface LabWishes {
  /** The images that will be built if they are missing; all by default. */
  readonly images?: readonly ImageName[];
  /** What else the caller needs. */
  readonly besides?: readonly NeedName[];
}

/**
 * Makes this machine able to run the lab: finds everything that is missing, installs it in one call of the package manager,
 * and starts the engine. Builds no image.
 *
 * @throws Error with a way out when something is missing and cannot be had
 */
export async function setUpLab(say: Say, { images, besides = [] }: LabWishes = {}): Promise<Docker> {
  const engine = await findEngine(say);
  // Whether images can be pulled is known only once there is an engine: without one, be ready for both.
  const bases = engine === null || (await needBases(engine, images)) ? FOR_BASES : [];
  await provide([...(engine === null ? FOR_ENGINE : []), ...bases, ...besides], say);
  return engine ?? startEngine(say);
}
