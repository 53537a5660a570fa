import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readYamlFile } from '../../../src/documents/read-file.ts';
import { parseYaml } from '../../../src/documents/yaml-document.ts';
import { readMatrix } from '../../../src/matrix/load-matrix.ts';
import { checkVarsFile } from '../../../src/settings/vars-file-check.ts';
import { shippedSchemas } from '../../helpers/schemas/json-schemas.ts';
import { fixture } from './helpers/fixtures.ts';
import { LanguageServer } from './helpers/language-server.ts';

const server = new LanguageServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

/** A text as a user has it, in a file beside the schemas. */
const FILE = 'playbooks/example.yaml';
const headed = (schema: string, text: string): string =>
  `# yaml-language-server: $schema=schemas/${schema}.schema.json\n${text}`;

/** `line:column message`, counted from 1, without the line that names the schema. */
async function found(schema: string, text: string): Promise<string[]> {
  const diagnostics = await server.check(FILE, headed(schema, text));
  return diagnostics.map(({ range: { start }, message }) => `${start.line}:${start.character + 1} ${message}`).sort();
}

const shipped = ['inventories', 'playbooks'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.join(folder, file)),
);

describe.concurrent('in an editor', { timeout: 60_000 }, () => {
  it.each(shipped)('%s names its schema, and nothing is wrong with it', async (file) => {
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(
      /^# yaml-language-server: \$schema=\S+\/schemas\/\w+\.schema\.json\n|^# yaml-language-server: \$schema=schemas\//,
    );
    expect(await server.check(file, text)).toEqual([]);
    // The server did look: a key that nobody knows is found in the same file.
    const broken = text.replace(/^(\s*)(?:portfw_[a-z_]+|matrix|- name):/m, '$1portfw_nonsense: 1\n$&');
    expect(broken).not.toBe(text);
    expect(await server.check(file, broken)).not.toEqual([]);
  });

  it.each([
    ['inventory', 'all:\n  vars:\n    portfw_privat: peers\n', ['3:5 Property portfw_privat is not allowed.']],
    ['inventory', 'all:\n  hsts:\n    web1:\n', ['2:3 Property hsts is not allowed.']],
    [
      'inventory',
      'all:\n  children:\n    web:\n      hosts:\n        web1: { ansible_port: 70000 }\n',
      ['5:31 Value is above the maximum of 65535.'],
    ],
    [
      'inventory',
      'all:\n  vars:\n    portfw_vips: [192.0.2.1, 010.0.0.1]\n',
      ['3:30 Write one address, such as 192.0.2.10 or 2001:db8::10'],
    ],
    ['vars', 'portfw_private: pears\n', ['1:17 Value is not accepted. Valid values: "trusted", "peers", "matrix".']],
    [
      'playbook',
      '- hosts: all\n  matrx: portaswitch\n',
      ['1:3 Missing property "matrix".', '2:3 Property matrx is not allowed.'],
    ],
    [
      'matrix',
      'matrix: m\ntitle: T\nprint: { document: D, edition: E }\nroles:\n  web:\n    title: W\n    rules:\n      - interface: outside\n        source: s\n        ports: [{ tcp: 443, purpose: p }]\n',
      ['8:20 Value is not accepted. Valid values: "public", "private", "vip", "control".'],
    ],
  ])('of %s %j it says where what is wrong', async (schema, text, expected) => {
    expect(await found(schema, text)).toEqual(expected);
  });

  it.each([
    ['inventory', 'all:\n  vars:\n    portfw_r|', 'portfw_roles', 'Declared roles win over detection.'],
    ['inventory', 'all:\n  hosts:\n    web1:\n      |', 'portfw_vips', 'Virtual addresses that may float'],
    ['inventory', 'all:\n  |', 'children', 'groups within the group'],
    ['inventory', 'all:\n  vars:\n    portfw_interfaces:\n      |', 'private', 'between the servers of a site'],
    ['vars', 'portfw_private: |', 'peers', ''],
    ['vars', 'portfw_extra_rules:\n  - name: a\n    |', 'expires', 'the last day on which the rule applies'],
    ['matrix', 'matrix: m\n|', 'drop_roles', 'roles of the base to leave out'],
    ['matrix', 'matrix: m\nroles:\n  web:\n    rules:\n      - interface: |', 'control', ''],
    ['playbook', '- hosts: all\n  |', 'max_fail_percentage', 'the run stops after a batch'],
  ])('of %s %j it offers %s', async (schema, text, label, documentation) => {
    const offered = await server.complete(FILE, headed(schema, text));
    const one = offered.find((item) => item.label === label);
    expect(one, offered.map((item) => item.label).join(' ')).toBeDefined();
    expect(one?.documentation).toContain(documentation);
  });

  it.each([
    ['inventory', 'all:\n  vars:\n    portfw_vi|ps: 192.0.2.1\n', 'Virtual addresses that may float to this host'],
    ['matrix', 'matr|ix: m\n', 'the name of the matrix'],
  ])('of %s %j it tells what the word means', async (schema, text, meaning) => {
    expect(await server.hover(FILE, headed(schema, text))).toContain(meaning);
  });
});

describe.concurrent('the schema and the validation', { timeout: 60_000 }, () => {
  const values = parse(readFileSync('test/fixtures/schemas/values.yaml', 'utf8'), { version: '1.1' }) as Record<
    'valid' | 'invalid' | 'beyond',
    Record<string, unknown>[]
  >;
  const text = (entry: Record<string, unknown>): string => stringify(entry, { version: '1.1' });
  const refused = (entry: Record<string, unknown>): boolean => checkVarsFile(parseYaml(text(entry), 'x')).length > 0;

  it.each(values.valid.map(text))('both take %j', async (one) => {
    expect(refused(parse(one))).toBe(false);
    expect(await found('vars', one)).toEqual([]);
  });

  it.each(values.invalid.map(text))('both refuse %j', async (one) => {
    expect(refused(parse(one, { version: '1.1' }))).toBe(true);
    expect(await found('vars', one)).not.toEqual([]);
  });

  it.each(values.beyond.map(text))('the validation alone refuses %j', async (one) => {
    expect(refused(parse(one, { version: '1.1' }))).toBe(true);
    expect(await found('vars', one)).toEqual([]);
  });

  it.each(['unknown-key-in-row', 'unknown-interface', 'purpose-missing', 'port-mapping', 'bad-names'])(
    'both refuse the matrix %s',
    async (name) => {
      const file = fixture('bad-matrices', `${name}.yaml`);
      expect(readMatrix(file).matrix).toBeNull();
      expect(await found('matrix', readFileSync(file, 'utf8'))).not.toEqual([]);
    },
  );
});

describe('descriptions', () => {
  const page = readFileSync('docs/reference/inventory-variables.md', 'utf8').replaceAll(/[`\s]+/g, ' ');
  const { schema } = shippedSchemas().find(({ name }) => name === 'vars')!;

  it.each(Object.entries(schema.properties ?? {}))('%s is described, in the words of the page', (_name, variable) => {
    const { description = '' } = variable as { description?: string };
    expect(description).not.toBe('');
    expect(page).toContain(description.replaceAll(/[`\s]+/g, ' '));
  });

  it('are in the schemas as YAML sees them', () => {
    for (const { file } of shippedSchemas())
      expect(readYamlFile(`playbooks/schemas/${file}`).value).toBeTypeOf('object');
  });
});
