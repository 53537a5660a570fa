import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SECTIONS } from '../helpers/supported.ts';
import { compatibilityPage, provedLines, supportedCalls } from '../tools/compatibility-page.ts';

describe('docs/evidence/compatibility.md', () => {
  const lines = provedLines();

  it('is what the tests say: `npm run compatibility` writes it', () => {
    const page = readFileSync(path.join(import.meta.dirname, '../../docs/evidence/compatibility.md'), 'utf8');
    expect(page).toBe(compatibilityPage());
  });

  it('has every section, and no other', () => {
    expect([...new Set(lines.map(({ section }) => section))].sort()).toEqual([...SECTIONS].sort());
  });

  it('loses no line to the way in which it is written', () => {
    expect(lines.filter(({ file }) => file.endsWith('.test.ts'))).toHaveLength(supportedCalls());
    expect(lines.filter(({ line }) => line.trim() === '')).toEqual([]);
  });

  it('says each thing once', () => {
    const inTests = lines
      .filter(({ file }) => file.endsWith('.test.ts'))
      .map(({ section, line }) => `${section}: ${line}`);
    expect(inTests.filter((line, index) => inTests.indexOf(line) !== index)).toEqual([]);
  });
});
