/** Writes the JSON Schemas of matrix and playbook to `playbooks/schemas/`; run it after changing their validation. */
import { writeFileSync } from 'node:fs';
import { shippedSchemas } from './schemas/json-schemas.ts';

for (const { file, schema } of shippedSchemas()) {
  writeFileSync(new URL(`../playbooks/schemas/${file}`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
}
