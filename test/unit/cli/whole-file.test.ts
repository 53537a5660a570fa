import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeWholeFile } from '../../../src/cli/whole-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-whole-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a file that is written as a whole', () => {
  const file = path.join(folder, 'file');

  it('replaces what was there, with its own mode, and leaves nothing beside it', () => {
    const umask = process.umask(0o077);
    try {
      writeWholeFile(file, 'first', 0o644);
      writeWholeFile(file, 'second', 0o644);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe('second');
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('does not replace what somebody else wrote, if it must be new', () => {
    expect(() => writeWholeFile(file, 'third', 0o644, true)).toThrow(/EEXIST/);
    expect(readFileSync(file, 'utf8')).toBe('second');
    const other = path.join(folder, 'other');
    writeWholeFile(other, 'new', 0o600, true);
    expect([readFileSync(other, 'utf8'), statSync(other).mode & 0o777]).toEqual(['new', 0o600]);
    expect(readdirSync(folder).sort()).toEqual(['file', 'other']);
  });
});
