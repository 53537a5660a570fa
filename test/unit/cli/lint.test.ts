import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import type { Problem } from '../../../src/core/problem.ts';
import { LINT_CHECKS } from '../../../src/lint/lint.ts';
import { MATRIX_CHECKS } from '../../../src/lint/lint-matrix.ts';

const FOLDER = 'test/fixtures/lint';
/** The day of all cases. */
const TODAY = '2026-06-01';
const CODES = [...LINT_CHECKS.map(({ code }) => code), ...MATRIX_CHECKS, 'missing-key', 'open-key', 'unread-variables'];

const cases = readdirSync(FOLDER).sort();

/** What is given to lint: the inventory or the matrix of the case, or the case as a folder. */
function given(name: string): string {
  const folder = path.join(FOLDER, name);
  const files = ['inventory.yaml', 'matrix.yaml'].map((file) => path.join(folder, file));
  return files.find((file) => existsSync(file)) ?? folder;
}

function lines(problems: readonly Problem[]): string {
  return problems
    .map(({ location, severity, code, what, solve }) => {
      const file = location === null ? '' : path.relative(FOLDER, location.file).split(path.sep).slice(1).join('/');
      return `${file}:${location?.line}:${location?.column}: ${severity} ${code}: ${what}\n    ${solve}\n`;
    })
    .join('')
    .replaceAll(process.cwd(), '/site');
}

describe('portfw lint', { timeout: 30_000 }, () => {
  // Git keeps no modes of this kind.
  chmodSync(path.join(FOLDER, 'open-key/site'), 0o640);
  chmodSync(path.join(FOLDER, 'open-key/own'), 0o600);

  it.each(cases)('%s', async (name) => {
    const { problems } = await lintFiles([given(name)], { today: TODAY });
    await expect(lines(problems)).toMatchFileSnapshot(path.resolve(FOLDER, name, 'expected.txt'));
    // What is expected is read by people; that it is about the check of that name is held here.
    if (CODES.includes(name)) expect(problems.map(({ code }) => code)).toContain(name);
    else expect(problems.length).toBeGreaterThan(1);
  });

  it('has a case for each check, and a section in docs/reference/lint.md', () => {
    expect(CODES.filter((code) => !cases.includes(code))).toEqual([]);
    expect(new Set(CODES).size).toBe(CODES.length);
    const page = readFileSync('docs/reference/lint.md', 'utf8');
    expect(CODES.filter((code) => !page.includes(`### \`${code}\`\n`))).toEqual([]);
    const sections = [...page.matchAll(/^### `([\w-]+)`$/gm)].map(([, code]) => code ?? '');
    expect(sections.filter((code) => !CODES.includes(code))).toEqual([]);
  });

  it('shows in docs/reference/lint.md what the cases say', () => {
    const page = readFileSync('docs/reference/lint.md', 'utf8');
    const said = cases
      .map((name) => path.join(FOLDER, name, 'expected.txt'))
      .map((file) => readFileSync(file, 'utf8'))
      .join('');
    const shown = [...page.matchAll(/^ {4}\S+?:\d+:\d+: warning: (.*)$/gm)].map(([, message]) => message ?? '');
    expect(shown.length).toBe(CODES.length);
    expect(shown.filter((message) => !said.includes(`: ${message}\n`))).toEqual([]);
  });

  it('has no doubts about what ships', async () => {
    const { problems, checked } = await lintFiles(['inventories', 'playbooks'], { today: TODAY });
    expect(problems).toEqual([]);
    expect(checked).toBeGreaterThanOrEqual(10);
  });

  it('asks once about what a group says for a thousand hosts', async () => {
    const { problems } = await lintFiles([given('many-hosts')], { today: TODAY });
    expect(problems.length).toBeLessThan(6);
    expect(statSync(given('many-hosts')).isFile()).toBe(true);
  });
});

describe('inventories that are given as plain arguments', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-lint-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const hosts = write('hosts.ini', '[web]\nweb1 ansible_host=203.0.113.11\nweb2 ansible_host=203.0.113.12\n');
  const additions = write(
    'portfw.yaml',
    'all: { vars: { portfw_playbook: portaswitch, portfw_management: [192.0.2.0/28] } }\nweb: { vars: { portfw_roles: [server] } }\n',
  );
  const some = write(
    'some.yaml',
    'all: { vars: { portfw_playbook: portaswitch, portfw_management: [192.0.2.0/28] }, hosts: { web1: { portfw_roles: [server] } } }\n',
  );
  const site = (name: string, vars: string): string =>
    write(`${name}.yaml`, `all: { vars: { ${vars} }, hosts: { ${name}1: { ansible_host: 203.0.113.21 } } }\n`);
  const found = async (paths: readonly string[], together: readonly string[] = []) =>
    (await lintFiles(paths, { today: TODAY, together })).problems.map(({ severity, code, what, solve }) =>
      code === 'inventories-apart' ? `${severity} ${code}: ${what}; ${solve}` : `${severity} ${code}`,
    );

  it('are named as one, where one only adds to the hosts of the other', async () => {
    for (const addition of [additions, some]) {
      const error = `error inventories-apart: "${addition}" only adds to the hosts of "${hosts}", and lint takes each argument as an inventory of its own`;
      const line = `Name them as one inventory: portfw lint -i ${hosts} -i ${addition}`;
      expect(await found([hosts, addition])).toEqual([`${error}; ${line}`]);
      expect(await found([hosts], [addition])).toEqual([`${error}; ${line}`]);
      // The line that it says is right.
      expect(await found([], [hosts, addition])).toEqual([]);
    }
  });

  it('stay apart otherwise', async () => {
    const right = site(
      'north',
      'portfw_playbook: portaswitch, portfw_roles: [server], portfw_management: [192.0.2.0/28]',
    );
    const wrong = site('south', 'portfw_roles: [server]');
    expect(await found([right, wrong])).toEqual(['error no-playbook']);
    // The same host in two inventories, each of which is right: a copy.
    const copy = write('copy.yaml', readFileSync(right, 'utf8'));
    expect(await found([right, copy])).toEqual([]);
  });
});
