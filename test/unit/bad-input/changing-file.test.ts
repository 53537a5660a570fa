import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/problem.ts';
import { readTextFile } from '../../../src/documents/read-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-changing-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const FIRST = `all:\n${'  # first\n'.repeat(100_000)}`;
const SECOND = `all:\n${'  # second one\n'.repeat(150_000)}`;

/** Another process writes one text over the other, in many small writes, until it is ended. */
const WRITER = `
const fs = require('node:fs');
const [file, ...texts] = process.argv.slice(1);
for (let round = 0; ; round += 1) {
  const text = texts[round % 2];
  const lines = Buffer.from('all:\\n' + text.repeat(round % 2 === 0 ? 100000 : 150000));
  const handle = fs.openSync(file, 'w');
  for (let at = 0; at < lines.length; at += 65536) fs.writeSync(handle, lines, at, Math.min(65536, lines.length - at));
  fs.closeSync(handle);
}
`;

describe('a file that another process writes meanwhile', () => {
  it('is read whole, or the change is noticed; never a mixture', { timeout: 30_000 }, async () => {
    const file = join(folder, 'inventory.yaml');
    writeFileSync(file, FIRST);
    const writer = spawn(process.execPath, ['-e', WRITER, file, '  # first\n', '  # second one\n'], {
      stdio: 'ignore',
    });
    const messages = new Set<string>();
    let noticed = 0;
    try {
      const end = performance.now() + 3_000;
      while (performance.now() < end && noticed < 5) {
        try {
          const text = readTextFile(file);
          // What has been written so far may be read while nobody writes for a moment: a beginning of one text.
          expect(FIRST.startsWith(text) || SECOND.startsWith(text)).toBe(true);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          for (const problem of error.problems) messages.add(problem.what);
          noticed += 1;
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      writer.kill('SIGKILL');
    }
    expect([...messages]).toEqual(['the file changed while it was read']);
  });
});
