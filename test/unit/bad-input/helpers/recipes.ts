import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

/**
 * What a case needs beside plain files, from its `recipe.yaml`: files that no repository can hold, and what happens to them
 * while portfw reads.
 */
export interface Recipe {
  /** File → its text, made of pieces: `[repeat, text]` or text. For what is too large or too odd to be stored. */
  readonly write?: Readonly<Record<string, readonly (string | readonly [number, string])[]>>;
  /** File → its bytes in hexadecimal; what follows `#` in a line is a comment. */
  readonly bytes?: Readonly<Record<string, string>>;
  /** File → its size in MiB. */
  readonly size?: Readonly<Record<string, number>>;
  readonly fifo?: readonly string[];
  readonly socket?: readonly string[];
  readonly folder?: readonly string[];
  /** Link → what it leads to. */
  readonly link?: Readonly<Record<string, string>>;
  /** File or folder → its mode in octal digits, as text. */
  readonly mode?: Readonly<Record<string, string>>;
  /** Run as somebody who may not read everything. */
  readonly unprivileged?: boolean;
  /** File → what happens to it after it has been opened and before it is read. */
  readonly meanwhile?: Readonly<Record<string, 'grows' | 'shrinks' | 'is rewritten'>>;
  /** The arguments, when they hold what no text file can; else they are in `command.txt`. */
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What stands beside the input files of a case and is no input. */
const OWN = new Set(['expected.txt', 'command.txt', 'recipe.yaml']);

/** Reads a case's recipe; an empty one when it has none. */
export function readRecipe(folder: string): Recipe {
  try {
    return parse(readFileSync(join(folder, 'recipe.yaml'), 'utf8')) as Recipe;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Copies a case's input to a folder of its own, and makes what its recipe says. */
export function prepareCase(source: string, folder: string, recipe: Recipe): void {
  cpSync(source, folder, {
    recursive: true,
    filter: (path) => dirname(path) !== source || !OWN.has(path.slice(source.length + 1)),
  });
  const at = (file: string): string => {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  for (const file of recipe.folder ?? []) mkdirSync(at(file));
  for (const [file, pieces] of Object.entries(recipe.write ?? {})) {
    const text = pieces.map((piece) => (typeof piece === 'string' ? piece : piece[1].repeat(piece[0])));
    writeFileSync(at(file), text.join(''));
  }
  for (const [file, text] of Object.entries(recipe.bytes ?? {}))
    writeFileSync(at(file), Buffer.from(text.replaceAll(/#.*$|\s/gm, ''), 'hex'));
  for (const [file, mebibytes] of Object.entries(recipe.size ?? {})) grow(at(file), mebibytes);
  for (const file of recipe.fifo ?? []) run('mkfifo', [at(file)]);
  for (const file of recipe.socket ?? []) {
    // The socket's file stays behind when its process ends without closing it.
    const listen = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listen, at(file)], { timeout: 10_000 });
  }
  for (const [file, target] of Object.entries(recipe.link ?? {})) symlinkSync(target, at(file));
  for (const [file, mode] of Object.entries(recipe.mode ?? {})) chmodSync(join(folder, file), Number.parseInt(mode, 8));
}

/** Fills a file with sound YAML lines: what is wrong with it is its size alone. */
function grow(path: string, mebibytes: number): void {
  const line = '    # One of very many comment lines, each of sixty-four characters..\n'.slice(-64);
  const block = Buffer.from(line.repeat(1024));
  const handle = openSync(path, 'w');
  writeSync(handle, 'all:\n  hosts:\n    web1:\n');
  for (let written = 0; written < mebibytes * 1024 * 1024; written += block.length) writeSync(handle, block);
  ftruncateSync(handle, mebibytes * 1024 * 1024);
  closeSync(handle);
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', timeout: 10_000 });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} ended with ${status}`);
}
