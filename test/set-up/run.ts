import { sayOnStderr } from '../lab/say.ts';
import { setUpLab } from './lab.ts';
import { FOR_CHECKS, FOR_INTEGRATION_TESTS, FOR_UNIT_TESTS } from './needs.ts';

// Before `npm test`: everything that its parts need, in one call of the package manager.
try {
  await setUpLab(sayOnStderr, { besides: [...FOR_CHECKS, ...FOR_UNIT_TESTS, ...FOR_INTEGRATION_TESTS] });
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
process.exit(0);
