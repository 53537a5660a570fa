import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for the journals of what this process starts, instead of that of whoever runs the tests. It goes with the process. */
export const STATE_HOME = mkdtempSync(join(tmpdir(), 'portfw-state-'));

process.on('exit', () => rmSync(STATE_HOME, { recursive: true, force: true }));
