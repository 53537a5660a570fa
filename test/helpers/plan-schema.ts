import { z } from 'zod';
import { savedSchema } from '../../src/saved/saved-schema.ts';

const { $schema, ...rest } = z.toJSONSchema(savedSchema, { io: 'input', target: 'draft-7' });

/** The JSON Schema of a saved plan, as it ships in `playbooks/schemas/`. */
export const PLAN_SCHEMA = {
  file: 'plan.schema.json',
  schema: { $schema, $id: 'urn:portfw:schema:plan', title: 'portfw: a saved plan', ...rest },
};
