import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/problem.ts';
import {
  ansibleEnvironment,
  askAnsible,
  type InventoryAnswer,
  type InventoryCall,
} from '../helpers/ansible-inventory.ts';
import { type InventoryCase, inventoryCases, listOf } from '../helpers/inventory-cases.ts';
import { DIFFERENCES } from '../helpers/inventory-differences.ts';
import { randomInventory } from '../helpers/random-inventories.ts';
import { supported } from '../helpers/supported.ts';
import { portfw } from './helpers/portfw-cli.ts';

/**
 * portfw's inventories beside Ansible's, as Ansible is installed here. All of Ansible's answers come from one process, which
 * runs the very code of ansible-inventory; that they are those of the command itself is tested too.
 */

const FIXTURES = join(import.meta.dirname, '../fixtures/inventory');
const CASES = [...inventoryCases(join(FIXTURES, 'list')), ...inventoryCases(join(FIXTURES, 'live'))];
const RANDOM = 50;
const folder = mkdtempSync(join(tmpdir(), 'portfw-ansible-'));

const HOSTS: readonly (readonly [string, string])[] = [
  ['precedence', 'h1'],
  ['ini-vars-files', 'w1'],
  ['script-without-meta', 'd1'],
  ['simple', 'web1.example.net'],
];
const GRAPHS = ['graph-nasty', 'ini-order', 'folder-mixed', 'nested-children', 'host-list'];

function write(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [file, text] of Object.entries(files)) {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (file.endsWith('.sh')) chmodSync(path, 0o755);
  }
  return root;
}

function caseOf(name: string, files: Readonly<Record<string, string>>, sources: readonly string[]): InventoryCase {
  const root = write(name, files);
  return { name, folder: root, sources: sources.map((source) => join(root, source)) };
}

const named = (name: string): InventoryCase => CASES.find((one) => one.name === name)!;
const call = ({ folder: cwd, sources }: InventoryCase, ...args: readonly string[]): InventoryCall => ({
  cwd,
  args: [...sources.flatMap((source) => ['-i', source]), ...args],
});

const random = fc
  .sample(randomInventory, { numRuns: RANDOM, seed: 20_261_122 })
  .map(({ files, sources }, index) => caseOf(`random-${index}`, files, sources));
const differing = DIFFERENCES.map(({ files, sources }, index) =>
  caseOf(`difference-${index}`, files, sources ?? ['hosts.yaml']),
);

const calls = {
  cases: CASES.map((one) => call(one, '--list')),
  random: random.map((one) => call(one, '--list')),
  differing: differing.map((one) => call(one, '--list')),
  hosts: HOSTS.map(([name, host]) => call(named(name), '--host', host)),
  graphs: GRAPHS.map((name) => call(named(name), '--graph')),
};
const answers = {} as Record<keyof typeof calls, readonly InventoryAnswer[]>;

beforeAll(() => {
  const all = askAnsible(Object.values(calls).flat());
  let from = 0;
  for (const kind of Object.keys(calls) as (keyof typeof calls)[]) {
    answers[kind] = all.slice(from, from + calls[kind].length);
    from += calls[kind].length;
  }
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('the list of an inventory', () => {
  it(
    supported('Inventory files', '`--list` prints the very document that `ansible-inventory --list` prints'),
    async () => {
      expect(CASES.length).toBeGreaterThanOrEqual(40);
      for (const [index, one] of CASES.entries())
        expect(await listOf(one), one.name).toBe(answers.cases[index]!.stdout);
    },
  );

  it.each(random.map((one, index) => [one.name, index] as const))(
    'is what Ansible prints for %s',
    async (_name, index) => {
      expect(await listOf(random[index]!)).toBe(answers.random[index]!.stdout);
    },
  );

  it.each(['several-sources', 'mixed-keys', 'script'])('comes from Ansible as from its command: %s', (name) => {
    const index = CASES.findIndex((one) => one.name === name);
    const { args, cwd } = calls.cases[index]!;
    const printed = execFileSync('ansible-inventory', args, {
      cwd,
      env: ansibleEnvironment(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
    expect(answers.cases[index]!.stdout).toBe(printed);
  });
});

describe('the command', () => {
  it(
    supported('Inventory files', 'Inventories as arguments or with `-i`, several of both, in their order'),
    async () => {
      const { sources } = named('several-sources');
      const [one, two, three] = sources as [string, string, string];
      const { stdout, exitCode } = await portfw('inventory', one, two, '-i', three, '--list');
      const index = CASES.findIndex(({ name }) => name === 'several-sources');
      expect([exitCode, stdout]).toEqual([0, answers.cases[index]!.stdout]);
    },
  );

  it.each(HOSTS.map(([name, host], index) => [name, host, index] as const))(
    '--host prints what Ansible prints: %s, %s',
    async (name, host, index) => {
      const { stdout } = await portfw('inventory', ...named(name).sources, '--host', host);
      expect(stdout).toBe(answers.hosts[index]!.stdout);
    },
  );

  it.each(GRAPHS.map((name, index) => [name, index] as const))(
    '--graph prints what Ansible prints: %s',
    async (name, index) => {
      const { stdout } = await portfw(
        'inventory',
        ...named(name).sources.flatMap((source) => ['-i', source]),
        '--graph',
      );
      expect(stdout).toBe(answers.graphs[index]!.stdout);
    },
  );
});

describe('where portfw knowingly differs', () => {
  it('docs/reference/ansible-differences.md names it, with a test for each', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/reference/ansible-differences.md'), 'utf8');
    const shown = page.slice(page.indexOf('## Shown by tests'), page.indexOf('## Other settings'));
    const headings = [...shown.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading!.replaceAll('`', ''));
    expect(headings).toEqual(DIFFERENCES.map(({ title }) => title));
  });

  it.each(DIFFERENCES.map((one, index) => [one.title, index] as const))('%s', async (_title, index) => {
    const { ansible, portfw: expected } = DIFFERENCES[index]!;
    const printed = answers.differing[index]!.stdout;
    if (ansible === null) expect(printed).toBeNull();
    else expect(printed).toMatch(ansible);
    const ours = await listOf(differing[index]!).catch((error: unknown) => {
      if (error instanceof InputError) return error.message;
      throw error;
    });
    expect(ours).toMatch(expected);
    expect(ours).not.toBe(printed);
  });
});
