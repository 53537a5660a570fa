import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAnsibleList, toAnsibleList } from '../../src/ansible/ansible-list.ts';
import type { AnsibleConfig, ConfigOrigin } from '../../src/ansible/config/config-types.ts';
import { thisMachine } from '../../src/ansible/config/config-world.ts';
import { readAnsibleConfig } from '../../src/ansible/config/read-config.ts';
import { loadInventory } from '../../src/ansible/inventory.ts';
import { formatProblem } from '../../src/core/problem.ts';
import { requireAnsible } from '../helpers/ansible.ts';
import { askConfig, type ConfigAnswer, type ConfigCall, type SettingAnswer } from '../helpers/ansible-config.ts';
import { RandomConfigs } from '../helpers/random-configs.ts';

/** `ansible.cfg` and `ANSIBLE_…` as the Ansible that is installed reads them, against what portfw reads. */

const SEED = 20261128;
const COUNT = 1500;

const root = mkdtempSync(path.join(tmpdir(), 'portfw-config-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => void requireAnsible());

/** What portfw reads in the same place. */
function readHere({ cwd, environment }: ConfigCall): AnsibleConfig {
  const home = environment['HOME'] ?? '/';
  return readAnsibleConfig({ ...thisMachine({ ...environment }), currentFolder: cwd, home });
}

/** The folders of random configurations. */
function lay(count: number, seed: number): readonly ConfigCall[] {
  const random = new RandomConfigs(seed);
  return Array.from({ length: count }, (_, index) => {
    const { files, environment, worldWritable } = random.make();
    const folder = path.join(root, `${seed}-${index}`);
    const cwd = path.join(folder, 'work');
    for (const name of ['work', 'home', 'named']) mkdirSync(path.join(folder, name), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes);
    if (worldWritable) chmodSync(cwd, 0o777);
    const filled = Object.entries(environment).map(([name, text]) => [name, text.replaceAll('ROOT', folder)]);
    return { cwd, environment: Object.fromEntries(filled) };
  });
}

/** How the two differ; empty when they agree. */
function differences(call: ConfigCall, theirs: ConfigAnswer): readonly string[] {
  const ours = readHere(call);
  const errors = ours.problems.filter(({ severity }) => severity === 'error');
  const said = errors.map(formatProblem).join('\n');
  if ('refused' in theirs)
    return errors.some(({ code }) => code !== 'bad-ansible-setting')
      ? []
      : [`taken, and refused by Ansible: ${theirs.refused}`];
  if (ours.file !== theirs.file) return [`the file: ${ours.file}, and with Ansible ${theirs.file}`];
  const found = errors.filter(({ code }) => code !== 'bad-ansible-setting');
  if (found.length > 0) return [`refused, and taken by Ansible: ${said}`];
  const skipped = ours.problems.some(({ code }) => code === 'ansible-cfg-skipped');
  const warned = theirs.warnings.some((text) => text.includes('world writable'));
  return [
    ...(skipped === warned ? [] : [`the warning: ${skipped}, and with Ansible ${warned}`]),
    ...Object.entries(ours.settings).flatMap(([name, setting]) => {
      const one = { value: setting?.value ?? null, origin: setting === null ? null : nameOf(setting.origin) };
      const base = setting?.origin.kind === 'file' ? path.dirname(ours.file ?? '') : call.cwd;
      return agree(one, theirs.settings[name]!, base, said)
        ? []
        : [`${name}: ${JSON.stringify([one, theirs.settings[name], said])}`];
    }),
  ];
}

interface Ours {
  readonly value: unknown;
  readonly origin: string | null;
}

function agree(ours: Ours, theirs: SettingAnswer, base: string, said: string): boolean {
  if ('error' in theirs) return ours.value === null && said !== '';
  if (theirs.origin === 'default') return ours.value === null;
  // What is set to nothing is not set: an empty text, and an empty path, of which Ansible makes a folder.
  const isNothing =
    theirs.value === '' ||
    isFolder(theirs.value) ||
    (Array.isArray(theirs.value) && theirs.value.every((one) => one === '' || isFolder(one)));
  if (ours.value === null) return isNothing || outOfBounds(theirs.value, said);
  if (ours.origin !== theirs.origin) return false;
  const own = (value: unknown) => (Array.isArray(value) ? value.filter((one) => one !== base) : value);
  return JSON.stringify(own(ours.value)) === JSON.stringify(own(theirs.value));
}

function isFolder(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith(root) && /\/(?:work|home|named)$/.test(value);
}

/** Numbers that Ansible takes here and refuses, or OpenSSH does, when they are used. */
function outOfBounds(value: unknown, said: string): boolean {
  return typeof value === 'number' && (value < 1 || value > 65_535) && /which is too (?:small|great)/.test(said);
}

function nameOf(origin: ConfigOrigin): string {
  return origin.kind === 'environment' ? `env: ${origin.name}` : origin.location.file;
}

describe('Ansible’s configuration', () => {
  it(`is read as Ansible reads it: ${COUNT} of them, made at random`, { timeout: 240_000 }, () => {
    const calls = lay(COUNT, SEED);
    const answers = askConfig(calls);
    const different = calls.flatMap((call, index) => {
      const found = differences(call, answers[index]!);
      return found.length === 0 ? [] : [`${call.cwd}\n${found.join('\n')}`];
    });
    expect(different.slice(0, 5)).toEqual([]);
    const taken = answers.flatMap((answer) => ('settings' in answer ? [answer] : []));
    const set = taken
      .flatMap(({ settings }) => Object.values(settings))
      .filter((one) => 'origin' in one && one.origin !== 'default');
    console.info(
      `${answers.length} compared, ${answers.length - taken.length} of them refused; ${set.length} values were set`,
    );
    expect(taken.length).toBeGreaterThan(COUNT / 2);
    expect(answers.length - taken.length).toBeGreaterThan(COUNT / 20);
    expect(set.length).toBeGreaterThan(COUNT * 3);
  });
});
