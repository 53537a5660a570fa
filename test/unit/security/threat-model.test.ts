import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.join(import.meta.dirname, '../../..');
const PAGE = 'docs/threat-model.md';

/** Every test that the page names: the file that a link leads to, and the names that follow it. */
function named(text: string): { file: string; name: string }[] {
  const flowing = text.replaceAll(/\s*\n\s+/g, ' ');
  return [...flowing.matchAll(/\]\(\.\.\/(test\/[^)]+)\)((?:,? “[^”]+”)+)/g)].flatMap(([, file = '', names = '']) =>
    [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => ({ file, name })),
  );
}

/** Whether a test file has a test of that name. */
function holds(file: string, name: string): boolean {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const text = existsSync(path.join(ROOT, file)) ? readFileSync(path.join(ROOT, file), 'utf8') : '';
  return new RegExp(`\\(\\s*(['"\`])${escaped}\\1,`).test(text);
}

describe(PAGE, () => {
  const text = readFileSync(path.join(ROOT, PAGE), 'utf8');
  const tests = named(text);

  it('names tests, all of which exist', () => {
    expect(tests.length).toBeGreaterThan(40);
    // Each pair of quotes is the name of a test: none is lost to a slip of the pen.
    expect(tests.length).toBe([...text.matchAll(/“/g)].length);
    expect(tests.filter(({ file, name }) => !holds(file, name))).toEqual([]);
  });

  it('has a test for every claim', () => {
    const claims = text.split(/\n(?=- \*\*|##|What it does not do)/).filter((part) => part.startsWith('- **'));
    expect(claims.length).toBeGreaterThan(20);
    expect(claims.filter((claim) => !/Held by/.test(claim))).toEqual([]);
  });

  it('leaves out no file of these tests', () => {
    for (const folder of ['test/unit/security', 'test/unit/adversarial']) {
      for (const name of readdirSync(path.join(ROOT, folder)).filter((entry) => entry.endsWith('.test.ts')))
        expect(text).toContain(`../${folder}/${name}`);
    }
  });
});
