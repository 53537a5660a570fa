import { sayOnStderr } from '../lab/say.ts';
import { FOR_UNIT_TESTS } from './needs.ts';
import { canInstall } from './packages.ts';
import { provide } from './provide.ts';

/**
 * Before the unit tests: what they compare portfw with. Where nothing can be installed, the tests that need it fail, each
 * with how to get it, and the others can still be run.
 */
export default async function setup(): Promise<void> {
  if (canInstall()) await provide(FOR_UNIT_TESTS, sayOnStderr);
}
