/** Writes the JSON Schemas to `playbooks/schemas/`; run it after changing what users write, the events of `--json`, or the review of `--format json`. */
import { writeFileSync } from 'node:fs';
import { EVENTS_SCHEMA } from '../helpers/events-schema.ts';
import { PLAN_SCHEMA } from '../helpers/plan-schema.ts';
import { REVIEW_SCHEMA } from '../helpers/review-schema.ts';
import { shippedSchemas } from '../helpers/schemas/json-schemas.ts';

for (const { file, schema } of [...shippedSchemas(), EVENTS_SCHEMA, PLAN_SCHEMA, REVIEW_SCHEMA]) {
  writeFileSync(new URL(`../../playbooks/schemas/${file}`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
}
