import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../src/core/unified-diff.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'portfw-diff-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const place = path.join(folder, name);
  writeFileSync(place, text);
  return place;
}

/** What patch(1) makes of a text. */
function patched(before: string, diff: readonly string[]): string {
  const place = file('patched', before);
  const run = spawnSync('patch', ['--quiet', '--no-backup-if-mismatch', '--fuzz=0', place], {
    input: `${diff.join('\n')}\n`,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}`);
  return readFileSync(place, 'utf8');
}

/** What diff -u says, without its head. */
function systemDiff(before: string, after: string): string {
  const run = spawnSync('diff', ['-u', '--minimal', file('a', before), file('b', after)], { encoding: 'utf8' });
  return run.stdout.split('\n').slice(2).join('\n');
}

const texts = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'dd', '', '  <x/>', '\\ n', '--- a', '+++ b'), { maxLength: 30 }),
    fc.boolean(),
  )
  .map(([lines, ended]) => (lines.length === 0 ? '' : `${lines.join('\n')}${ended ? '\n' : ''}`));

describe('a unified diff', () => {
  it('makes the second text of the first with patch(1)', () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const diff = unifiedDiff('zones/x.xml', before, after);
        if (before === after) expect(diff).toEqual([]);
        else expect(patched(before, diff)).toBe(after);
      }),
      { numRuns: 150 },
    );
  });

  it('has as few changed lines as diff -u --minimal', () => {
    const size = (lines: readonly string[]) => lines.filter((line) => /^[-+]/.test(line)).length;
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const ours = unifiedDiff('x', before, after).slice(2);
        expect(size(ours)).toBe(size(systemDiff(before, after).split('\n')));
      }),
      { numRuns: 100 },
    );
  });

  it('says what diff -u says of a file that is edited', () => {
    const before = Array.from({ length: 40 }, (_, at) => `line ${at}\n`).join('');
    const after = before
      .replace('line 3\n', '')
      .replace('line 20\n', 'line twenty\nand more\n')
      .replace('line 39\n', 'end');
    const diff = unifiedDiff('zones/x.xml', before, after);
    expect(diff.slice(0, 2)).toEqual(['--- a/zones/x.xml', '+++ b/zones/x.xml']);
    expect(`${diff.slice(2).join('\n')}\n`).toBe(systemDiff(before, after));
  });

  it('names a file that comes or goes as patch(1) wants it', () => {
    expect(unifiedDiff('x.xml', null, 'a\nb\n')).toEqual([
      '--- /dev/null',
      '+++ b/x.xml',
      '@@ -0,0 +1,2 @@',
      '+a',
      '+b',
    ]);
    expect(unifiedDiff('x.xml', 'a\n', null)).toEqual(['--- a/x.xml', '+++ /dev/null', '@@ -1 +0,0 @@', '-a']);
  });

  it('takes a hundred thousand lines that are all different', () => {
    const many = (word: string) => Array.from({ length: 100_000 }, (_, at) => `${word} ${at}\n`).join('');
    const started = performance.now();
    expect(unifiedDiff('x', many('a'), many('b'))).toHaveLength(200_003);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
