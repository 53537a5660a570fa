/**
 * Runs portfw's command line many times in one process, as users run it: same arguments, same text. Beside what it says it
 * records whatever would reach beyond this machine's files: connections, look-ups, other programs.
 *
 * Takes the path of a JSON file with the runs, and one for the results.
 */
import childProcess from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import type { Recipe } from './recipes.ts';

/** One run of the command line. */
export interface CaseRun {
  readonly name: string;
  readonly folder: string;
  readonly argv: readonly string[];
  readonly recipe: Recipe;
}

/** How a run ended. */
export interface CaseResult {
  readonly name: string;
  readonly code: number;
  readonly output: string;
  /** What reached beyond this machine's files. */
  readonly calls: readonly string[];
  readonly milliseconds: number;
}

const [runsFile, resultsFile] = process.argv.slice(2) as [string, string];
const runs = JSON.parse(fs.readFileSync(runsFile, 'utf8')) as readonly CaseRun[];

let calls: string[] = [];
let meanwhile: Map<string, 'grows' | 'shrinks' | 'is rewritten'> = new Map();

/** Puts a recorder before a function. */
function record(owner: object, name: string): void {
  const functions = owner as Record<string, (...args: unknown[]) => unknown>;
  const original = functions[name]!;
  functions[name] = function (this: unknown, ...args: unknown[]): unknown {
    calls.push(`${name} ${JSON.stringify(args[0]) ?? ''}`);
    return original.apply(this, args);
  };
}
record(net.Socket.prototype, 'connect');
record(dgram.Socket.prototype, 'send');
record(childProcess.ChildProcess.prototype, 'spawn');
for (const name of ['spawnSync', 'execSync', 'execFileSync']) record(childProcess, name);
for (const name of ['lookup', 'resolve4', 'resolve6']) record(dns, name);

const opened = new Map<number, string>();
const { openSync, readSync } = fs;
fs.openSync = (path, ...rest) => {
  const handle = openSync(path, ...rest);
  opened.set(handle, String(path));
  return handle;
};
fs.readSync = ((handle: number, ...rest: unknown[]) => {
  const path = opened.get(handle) ?? '';
  // A look at a file's first bytes names its position; reading it all does not.
  const change = rest.at(-1) === null ? meanwhile.get(path) : undefined;
  if (change !== undefined) meanwhile.delete(path);
  if (change === 'grows') fs.appendFileSync(path, '# one line more\n');
  else if (change === 'shrinks') fs.truncateSync(path, 5);
  else if (change === 'is rewritten') fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replaceAll('a', 'b'));
  return (readSync as (...args: unknown[]) => number)(handle, ...rest);
}) as typeof fs.readSync;
syncBuiltinESMExports();

const { runProgram } = await import('../../../../src/cli/program.ts');

for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);

let output = '';
const write = (chunk: unknown, ...rest: unknown[]): boolean => {
  output += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('utf8');
  const done = rest.findLast((one) => typeof one === 'function') as (() => void) | undefined;
  done?.();
  return true;
};
process.stdout.write = write as typeof process.stdout.write;
process.stderr.write = write as typeof process.stderr.write;

const NOBODY = 65_534;
const results: CaseResult[] = [];
for (const { name, folder, argv, recipe } of runs) {
  process.chdir(folder);
  output = '';
  calls = [];
  meanwhile = new Map(Object.entries(recipe.meanwhile ?? {}));
  const environment = { ...process.env };
  Object.assign(process.env, recipe.environment);
  const asNobody = recipe.unprivileged === true && process.getuid?.() === 0;
  if (asNobody) process.seteuid!(NOBODY);
  const start = performance.now();
  const code = await runProgram(argv, '0.0.0');
  const milliseconds = performance.now() - start;
  if (asNobody) process.seteuid!(0);
  process.env = environment;
  results.push({ name, code, output, calls, milliseconds });
}
fs.writeFileSync(resultsFile, JSON.stringify(results));
process.exit(0);
