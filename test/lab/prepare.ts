import { setUpLab } from '../set-up/lab.ts';
import { ensureImages } from './images.ts';
import { openSession } from './owner.ts';
import { purge } from './purge.ts';
import { sayOnStderr } from './say.ts';

// Makes this machine ready for a lab: an engine, the images, and nothing left of runs that were killed.
openSession();
const docker = await setUpLab(sayOnStderr);
await purge(docker);
await ensureImages(docker, sayOnStderr);
