import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readYamlFile } from '../../../src/documents/read-file.ts';
import { shippedSchemas } from '../../helpers/schemas/json-schemas.ts';
import { fixture } from './helpers/fixtures.ts';

const FOLDER = 'playbooks/schemas';

/** Files that name a schema for editors in their first line, with that schema. */
const described = ['playbooks', 'playbooks/matrices', 'inventories/own-matrix'].flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml') && file !== 'inventory.yaml')
    .map((file) => path.join(folder, file)),
);

describe('shipped JSON Schemas', () => {
  it.each(shippedSchemas().map(({ file, schema }) => ({ file, schema })))(
    '$file is what the validation generates',
    ({ file, schema }) => {
      // When this fails: npx tsx test/tools/generate-schemas.ts
      expect(readFileSync(path.join(FOLDER, file), 'utf8')).toBe(`${JSON.stringify(schema, null, 2)}\n`);
    },
  );

  it('need no network and describe every key', () => {
    for (const { schema } of shippedSchemas()) {
      expect(schema.$id).toMatch(/^urn:portfw:schema:/);
      const keys = new Map<string, unknown>();
      JSON.stringify(schema, (_, value) => {
        if (typeof value === 'object' && value !== null && 'properties' in value) {
          for (const [key, property] of Object.entries(value.properties)) keys.set(key, property);
        }
        return value;
      });
      expect(keys.size).toBeGreaterThan(5);
      for (const [key, property] of keys) {
        if (key !== 'properties') expect(property, key).toHaveProperty('description');
      }
    }
  });
});

describe('YAML files that we ship', () => {
  it.each(described)('%s names its schema and fits it', (file) => {
    const reference = /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(file, 'utf8'))?.[1];
    expect(reference).toBeDefined();
    const target = path.join(path.dirname(file), reference!);
    expect(existsSync(target)).toBe(true);
    const schema = z.fromJSONSchema(JSON.parse(readFileSync(target, 'utf8')));
    expect(schema.safeParse(readYamlFile(file).value)).toMatchObject({ success: true });
  });

  it.each([
    ['tcp: 443', true],
    ["command: ['true']", true],
    ["tcp: 443, command: ['true']", false],
    ['name: nothing', false],
    ['tcp: 0', false],
  ])('of a probe { %s } the schema says %s', (probe, fits) => {
    const schema = JSON.parse(readFileSync(path.join(FOLDER, 'playbook.schema.json'), 'utf8'));
    const { properties, required, oneOf } = schema.items.properties.probes.items;
    const entry = parse(`{ ${probe} }`) as Record<string, unknown>;
    const parts = Object.entries(entry).every(
      ([key, value]) => z.fromJSONSchema(properties[key]).safeParse(value).success,
    );
    const branches = oneOf.filter((branch: { required: string[] }) => branch.required.every((key) => key in entry));
    expect(required).toBeUndefined();
    expect(parts && branches.length === 1).toBe(fits);
  });

  it('would be refused by the schema, were they wrong', () => {
    const schema = z.fromJSONSchema(JSON.parse(readFileSync(path.join(FOLDER, 'matrix.schema.json'), 'utf8')));
    for (const name of ['unknown-key-in-row', 'unknown-interface', 'purpose-missing', 'port-mapping', 'bad-names']) {
      expect(schema.safeParse(readYamlFile(fixture('bad-matrices', `${name}.yaml`)).value).success, name).toBe(false);
    }
  });
});
