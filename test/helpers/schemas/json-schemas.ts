import { z } from 'zod';
import { matrixSchema } from '../../../src/matrix/matrix-schema.ts';
import { playbookSchema } from '../../../src/matrix/playbook-schema.ts';
import { ANSIBLE_SCHEMAS, PORTFW_SCHEMAS } from '../../../src/settings/schema.ts';
import { TEMPLATE } from '../../../src/settings/schema-patterns.ts';
import { VARIABLE_DESCRIPTIONS } from './descriptions.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A JSON Schema that ships with portfw, for editors to complete and check what users write. */
export interface ShippedSchema {
  /** What it describes: `inventory`, `vars`, `playbook` or `matrix`. */
  readonly name: string;
  /** The file's name under `playbooks/schemas/`. */
  readonly file: string;
  readonly schema: JsonSchema;
}

const DRAFT_7 = 'http://json-schema.org/draft-07/schema#';

/** The JSON Schemas of what users write, made from the schemas that validate it. */
export function shippedSchemas(): readonly ShippedSchema[] {
  return [
    shipped('inventory', 'portfw inventory', inventorySchema()),
    shipped('matrix', 'portfw matrix', jsonSchema(matrixSchema)),
    shipped('playbook', 'portfw playbook', jsonSchema(playbookSchema)),
    shipped('vars', 'variables of an inventory (group_vars, host_vars)', variablesSchema()),
  ];
}

function shipped(name: string, title: string, schema: JsonSchema): ShippedSchema {
  const head = { $schema: DRAFT_7, $id: `urn:portfw:schema:${name}`, title };
  return { name, file: `${name}.schema.json`, schema: { ...head, ...schema } as JsonSchema };
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
  return rest;
}

/** A mapping of variables: portfw's and the used ones of Ansible are checked; of all others only `portfw_` names are refused. */
function variablesSchema(): JsonSchema {
  const properties = Object.fromEntries(
    Object.entries({ ...PORTFW_SCHEMAS, ...ANSIBLE_SCHEMAS }).map(([name, schema]) => [
      name,
      variableSchema(schema, VARIABLE_DESCRIPTIONS[name] ?? ''),
    ]),
  );
  return {
    type: ['object', 'null'],
    description: 'variables: those of portfw begin with "portfw_", all others are as Ansible has them',
    properties,
    patternProperties: { '^(?!portfw_)': {} },
    additionalProperties: false,
  } as JsonSchema;
}

/** One variable: its value, a template, or nothing, which unsets it. */
function variableSchema(schema: z.ZodType, description: string): JsonSchema {
  const value = jsonSchema(schema);
  const template = { type: 'string', pattern: TEMPLATE };
  const others: JsonSchema[] = [template, { type: 'null' }] as JsonSchema[];
  // All alternatives on one level: an editor then completes the value.
  const own = Array.isArray(value.anyOf) && Object.keys(value).length === 1 ? value.anyOf : [value];
  const alternatives = own.some(
    (one) =>
      typeof one === 'object' && one.type === 'string' && (one as { pattern?: string }).pattern?.includes(TEMPLATE),
  )
    ? [...own, { type: 'null' }]
    : [...own, ...others];
  return { description, anyOf: alternatives } as JsonSchema;
}

/** An inventory: groups at any depth, each with hosts, children and vars. */
function inventorySchema(): JsonSchema {
  const group = { $ref: '#/definitions/group' };
  const vars = { $ref: '#/definitions/vars' };
  const mapping = { type: ['object', 'null'] };
  return {
    type: ['object', 'null'],
    description: 'an Ansible inventory: groups, usually below "all"',
    properties: { all: { $ref: '#/definitions/group', description: 'the group of all hosts' } },
    additionalProperties: group,
    definitions: {
      vars: variablesSchema(),
      group: {
        ...mapping,
        description: 'a group: "hosts", "children" and "vars"',
        properties: {
          hosts: {
            ...mapping,
            description: 'hosts by name, or by range such as "web[1:3]", each with its own variables',
            additionalProperties: vars,
          },
          children: { ...mapping, description: 'groups within the group', additionalProperties: group },
          vars: { ...vars, description: 'variables for all hosts of the group' },
        },
        additionalProperties: false,
      },
    },
  } as JsonSchema;
}
