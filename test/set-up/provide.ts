import { existsSync } from 'node:fs';
import type { Say } from '../lab/say.ts';
import { findProgram, NEEDS, type Need, type NeedName } from './needs.ts';
import { canInstall, installPackages } from './packages.ts';
import { recordPackages } from './record.ts';

/**
 * Installs whatever of the given needs is missing, in one call of the package manager.
 *
 * @throws Error that names everything that is missing and how to get it, when it cannot be installed
 */
export async function provide(names: readonly NeedName[], say: Say): Promise<void> {
  const missing = missingOf(names);
  if (missing.length === 0) return;
  if (!canInstall()) throw new Error(howToGet(missing));
  const packages = missing.map((need) => need.packages);
  say(`missing on this machine: ${list(missing.map(({ what }) => what))}. Installing with apt-get`);
  const started = performance.now();
  await installPackages(packages, say, recordPackages);
  const still = missingOf(names);
  if (still.length > 0) throw new Error(`The packages are installed, but this is missing still:\n${howToGet(still)}`);
  say(`installed (${((performance.now() - started) / 1000).toFixed(0)} s)`);
}

/**
 * Where a program is that the set-up brings; for tests, which never install anything.
 *
 * @throws Error when it is missing
 */
export function requireProgram(name: string, need: NeedName): string {
  const path = findProgram(name);
  if (path === null) throw new Error(howToGet([NEEDS[need]]));
  return path;
}

/** Those of the given needs that this machine lacks. */
function missingOf(names: readonly NeedName[]): readonly Need[] {
  return [...new Set(names)].map((name): Need => NEEDS[name]).filter((need) => !need.isThere());
}

function howToGet(missing: readonly Need[]): string {
  const what = list(missing.map((need) => need.what));
  const packages = missing.map((need) => need.packages[0]);
  const engine = missing.some((need) => need === NEEDS.engine)
    ? ' Instead of installing an engine, DOCKER_HOST may name one that this machine can reach.'
    : '';
  const why = existsSync('/etc/debian_version')
    ? 'only root can install that'
    : 'that is installed only on Debian or Ubuntu';
  return (
    `Missing on this machine: ${what}; ${why}.${engine}\n` +
    `How to go on: install it (Debian's packages: ${packages.join(' ')}) and run this again.`
  );
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
