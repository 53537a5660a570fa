import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Where a machine keeps the names of the packages that our set-up has brought; every clone shares it. */
const FILE = '/var/lib/portfw-lab/installed-packages';

/** The packages that a set-up has brought to this machine. */
export async function recordedPackages(file = FILE): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Adds packages to the record. */
export async function recordPackages(names: readonly string[], file = FILE): Promise<void> {
  if (names.length > 0) await write([...(await recordedPackages(file)), ...names], file);
}

/** Takes packages out of the record, and the record away once it is empty. */
export async function unrecordPackages(names: readonly string[], file = FILE): Promise<void> {
  const left = (await recordedPackages(file)).filter((name) => !names.includes(name));
  if (left.length > 0) await write(left, file);
  else await rm(dirname(file), { recursive: true, force: true });
}

async function write(names: readonly string[], file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${[...new Set(names)].sort().join('\n')}\n`);
}
