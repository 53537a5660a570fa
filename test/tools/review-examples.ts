/**
 * Writes the demo's plan in every format to `docs/review/`, from the plan that `npm run demo -- --record` has saved there:
 *
 *     node_modules/.bin/tsx test/tools/review-examples.ts
 */
import { writeFileSync } from 'node:fs';
import { EXAMPLE_FLAGS, EXAMPLES, exampleOf, recordedPlan } from '../helpers/review-examples.ts';

const saved = await recordedPlan();
for (const [file, flags] of Object.entries(EXAMPLE_FLAGS))
  writeFileSync(new URL(file, EXAMPLES), await exampleOf(saved, flags));
