import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { KEY_CHECKS } from '../../../src/cli/lint-keys.ts';
import type { Problem } from '../../../src/core/problem.ts';
import { LINT_CHECKS } from '../../../src/lint/lint.ts';
import { MATRIX_CHECKS } from '../../../src/lint/lint-matrix.ts';

const FOLDER = 'test/fixtures/lint';
/** The day of all cases. */
const TODAY = '2026-06-01';
const CODES = [...LINT_CHECKS.map(({ code }) => code), ...MATRIX_CHECKS, ...KEY_CHECKS, 'unread-variables'];

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
