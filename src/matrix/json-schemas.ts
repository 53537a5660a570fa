import { z } from 'zod';
import { matrixSchema } from './matrix-schema.ts';
import { playbookSchema } from './playbook-schema.ts';

/** A JSON Schema that ships with portfw, for editors to complete and check what users write. */
export interface ShippedSchema {
  /** The file's name under `playbooks/schemas/`. */
  readonly file: string;
  readonly schema: z.core.JSONSchema.BaseSchema;
}

/** The JSON Schemas of what users write, made from the very schemas that validate it. */
export function shippedSchemas(): readonly ShippedSchema[] {
  return [
    { file: 'matrix.schema.json', schema: describe(matrixSchema, 'urn:portfw:schema:matrix', 'portfw matrix') },
    { file: 'playbook.schema.json', schema: describe(playbookSchema, 'urn:portfw:schema:playbook', 'portfw playbook') },
  ];
}

function describe(schema: z.ZodType, id: string, title: string): z.core.JSONSchema.BaseSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
  return { $schema, $id: id, title, ...rest } as z.core.JSONSchema.BaseSchema;
}
