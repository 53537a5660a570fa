import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareCase, type Recipe, readRecipe } from './helpers/recipes.ts';
import type { CaseResult, CaseRun } from './helpers/run-cases.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FIXTURES = join(ROOT, 'test/fixtures/bad-input');
const cases = readdirSync(FIXTURES).filter((name) => statSync(join(FIXTURES, name)).isDirectory());
const recipes = new Map<string, Recipe>(cases.map((name) => [name, readRecipe(join(FIXTURES, name))]));

let temporary: string;
let results: ReadonlyMap<string, CaseResult>;

beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'portfw-bad-input-'));
  // Somebody without privileges has to get in.
  spawnSync('chmod', ['755', temporary]);
  const runs = cases.map((name): CaseRun => {
    const recipe = recipes.get(name)!;
    const folder = join(temporary, name);
    mkdirSync(folder);
    prepareCase(join(FIXTURES, name), folder, recipe);
    return { name, folder, argv: recipe.argv ?? commandOf(name), recipe };
  });
  results = runAll([...runs, ...controls()]);
}, 120_000);

afterAll(() => {
  spawnSync('chmod', ['-R', 'u+rwx', temporary]);
  rmSync(temporary, { recursive: true, force: true });
});

/** The arguments of a case's `command.txt`, one a line; `apply inventory.yaml --yes` when there is none. */
function commandOf(name: string): readonly string[] {
  const file = join(FIXTURES, name, 'command.txt');
  if (!existsSync(file)) return ['apply', 'inventory.yaml', '--yes'];
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}

/** Runs that show the recorder at work: one that has to connect. */
function controls(): CaseRun[] {
  const folder = join(temporary, 'control');
  mkdirSync(folder);
  const host = 'all:\n  hosts:\n    here:\n      ansible_host: 127.0.0.1\n      ansible_port: 9\n';
  writeFileSync(join(folder, 'inventory.yaml'), host);
  const argv = ['facts', 'inventory.yaml', '--accept-new-host-keys'];
  return [{ name: 'control', folder, argv, recipe: { environment: { HOME: folder } } }];
}

function runAll(runs: readonly CaseRun[]): Map<string, CaseResult> {
  const [runsFile, resultsFile] = [join(temporary, 'runs.json'), join(temporary, 'results.json')];
  writeFileSync(runsFile, JSON.stringify(runs));
  const tsx = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
  const program = join(import.meta.dirname, 'helpers/run-cases.ts');
  const { NO_COLOR: _no, FORCE_COLOR: _force, SSH_AUTH_SOCK: _agent, ...environment } = process.env;
  const args = ['--max-old-space-size=512', tsx, program, runsFile, resultsFile];
  const ended = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000, env: environment });
  if (ended.status !== 0) throw new Error(`the runs ended with ${ended.status ?? ended.signal}: ${ended.stderr}`);
  const list = JSON.parse(readFileSync(resultsFile, 'utf8')) as CaseResult[];
  return new Map(list.map((result) => [result.name, result]));
}

/** What a user sees, with the folder of the case left out. */
function seen(result: CaseResult): string {
  const output = result.output.replaceAll(`${join(temporary, result.name)}/`, '').replaceAll(`${ROOT}/`, '');
  return `exit ${result.code}\n${output}`;
}

const PLACE = /^(?:(?<file>.+?):(?<line>\d+):(?<column>\d+): )?(?<severity>error|warning): (?<message>.+)$/;
/** Controls other than line feeds, marks that turn the direction of text, and characters without width. */
const INVISIBLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

describe('bad input', () => {
  it('has more than 150 cases', () => {
    expect(cases.length).toBeGreaterThan(150);
  });

  it('would be noticed if it reached a host', () => {
    const { code, calls } = results.get('control')!;
    expect(code).toBe(3);
    expect(calls.join('\n')).toMatch(/connect .*127\.0\.0\.1/);
  });

  describe.each(cases)('%s', (name) => {
    it('says what is wrong, where, and how to solve it', async () => {
      await expect(seen(results.get(name)!)).toMatchFileSnapshot(join(FIXTURES, name, 'expected.txt'));
    });

    it('ends before any host, in the right form', () => {
      const result = results.get(name)!;
      expect(result.calls).toEqual([]);
      expect(result.milliseconds).toBeLessThan(10_000);
      expect(result.output).not.toMatch(INVISIBLE);
      if (name.startsWith('accepted-')) expect(result.code).toBe(0);
      else {
        expect(result.code).toBe(4);
        checkForm(result);
      }
    });
  });
});

/** Each problem has its place, which exists, and a hint on the line after; the last line counts them. */
function checkForm(result: CaseResult): void {
  const lines = result.output.trimEnd().split('\n');
  let errors = 0;
  for (const [index, line] of lines.entries()) {
    const found = PLACE.exec(line)?.groups;
    if (found === undefined) continue;
    if (found['severity'] === 'error') errors += 1;
    expect(lines[index + 1], `the hint below: ${line}`).toMatch(/^ {4}\S/);
    expect(line.length, line).toBeLessThan(400);
    if (found['file'] === undefined) continue;
    const path = join(temporary, result.name, found['file']);
    const [at, column] = [Number(found['line']), Number(found['column'])];
    const text = readable(found['file'].startsWith('/') ? found['file'] : path);
    if (text === null) expect([at, column], line).toEqual([1, 1]);
    else {
      const written = text.split('\n')[at - 1];
      expect(written, `the line of: ${line}`).toBeDefined();
      expect(column, line).toBeLessThanOrEqual(Buffer.byteLength(written!) + 1);
    }
  }
  expect(errors).toBeGreaterThan(0);
}

/** A file's text; `null` for what is no file or may not be read. */
function readable(path: string): string | null {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}
