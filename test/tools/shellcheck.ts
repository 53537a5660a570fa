import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { FOR_CHECKS } from '../set-up/needs.ts';
import { provide } from '../set-up/provide.ts';

/**
 * Checks every shell file of the repository with shellcheck, and the syntax of the Python programs for the hosts.
 * Where shellcheck is missing and the machine is a Debian one with root, the set-up installs it first.
 */
const root = path.join(import.meta.dirname, '../..');
const PASSED_OVER = new Set(['.git', 'node_modules', 'dist', 'coverage', 'fixtures']);
/** The oldest Python that a supported firewalld runs on: Enterprise Linux 8 has 3.6. */
const PYTHON = '(3, 6)';

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.has(entry.name) ? [] : filesBelow(file);
    return entry.isFile() ? [file] : [];
  });
}

function firstLine(file: string): string {
  const handle = openSync(file, 'r');
  const buffer = Buffer.alloc(80);
  const length = readSync(handle, buffer);
  closeSync(handle);
  return buffer.toString('latin1', 0, length).split('\n', 1)[0]!;
}

/** The shell that a file is written for, or `null` for a file that is not a shell's. */
function dialect(file: string): 'sh' | 'bash' | null {
  const shebang = /^#! ?\S*?\b(sh|dash|ash|bash)\b/.exec(firstLine(file))?.[1];
  if (shebang !== undefined) return shebang === 'bash' ? 'bash' : 'sh';
  return file.endsWith('.sh') ? 'sh' : null;
}

function run(command: string, args: readonly string[], input = ''): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', input, stdio: ['pipe', 'inherit', 'inherit'] });
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

const files = filesBelow(root).map((file) => path.relative(root, file));
const shells = files.flatMap((file) => {
  const shell = dialect(path.join(root, file));
  return shell === null ? [] : [{ file, shell }];
});
if (shells.length === 0) fail('No shell file was found: the search must be wrong.');
await provide(FOR_CHECKS, console.log).catch((error: Error) => fail(error.message));
let sound = true;
for (const shell of ['sh', 'bash'] as const) {
  const ofShell = shells.filter((entry) => entry.shell === shell).map(({ file }) => file);
  if (ofShell.length > 0 && run('shellcheck', [`--shell=${shell}`, '--severity=style', ...ofShell]).status !== 0)
    sound = false;
}

const programs = files.filter((file) => /^src\/host\/.*\.py$/.test(file));
const parse = `
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name, feature_version=${PYTHON})
`;
if (programs.length > 0 && run('python3', ['-B', '-', ...programs], parse).status !== 0) sound = false;

if (!sound) process.exit(1);
console.log(`Checked ${shells.length} shell files and ${programs.length} Python programs`);
