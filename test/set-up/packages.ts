import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines, run } from '../lab/run.ts';
import type { Say } from '../lab/say.ts';
import { findProgram } from './needs.ts';

/*
 * The only file that calls the package manager of this machine. What is needed is found beforehand and installed by one
 * call, before anything runs side by side: two calls at once would end on each other's locks.
 */

/** How long a lock that another program holds is waited for. */
export interface Patience {
  readonly milliseconds: number;
  /** Between two tries. */
  readonly step: number;
}

/** A machine that has just booted may be updating itself: that takes minutes. */
const PATIENCE: Patience = { milliseconds: 600_000, step: 2_000 };

/** `DPkg::Lock::Timeout` covers only dpkg's lock, and waits without a word: so apt-get does not wait, and we do. */
const OPTIONS: readonly string[] = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=0', '-o', 'Dpkg::Options::=--force-confold'];
/** Messages are read below, so they must be in English. */
const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };

/** Whether packages can be installed here: a Debian machine or one of its kin, and root. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findProgram('apt-get') !== null;
}

/**
 * Updates the lists of packages and installs, in one call. Of each group, the first package that this machine's sources
 * have is taken.
 *
 * @param brought takes the names of all packages that are new on the machine, dependencies included, even if others failed
 * @throws Error that says what failed and how to go on
 */
export async function installPackages(
  groups: readonly (readonly string[])[],
  say: Say,
  brought: (names: readonly string[]) => Promise<void>,
  patience: Patience = PATIENCE,
): Promise<void> {
  // A stale or unreachable source among others need not stop the installation; what it said is shown if that fails.
  const update = await apt(['update'], say, patience);
  const names = await Promise.all(groups.map(firstAvailable));
  const before = new Set(await installedPackages());
  const install = await apt(['install', '--no-install-recommends', ...names], say, patience);
  await brought((await installedPackages()).filter((name) => !before.has(name)));
  if (install.exitCode !== 0) {
    const said = errorLines(update.exitCode === 0 ? install.output : `${update.output}${install.output}`);
    const command = `apt-get install ${names.join(' ')}`;
    throw new Error(`${command} failed:\n${said}\n${howToGoOn(said, command)}`);
  }
}

/**
 * Removes packages with their configuration.
 *
 * @throws Error that says what failed and how to go on
 */
export async function purgePackages(names: readonly string[], say: Say, patience: Patience = PATIENCE): Promise<void> {
  if (names.length === 0) return;
  const { exitCode, output } = await apt(['purge', ...names], say, patience);
  if (exitCode === 0) return;
  const said = errorLines(output);
  const command = `apt-get purge ${names.join(' ')}`;
  throw new Error(`${command} failed:\n${said}\n${howToGoOn(said, command)}`);
}

/** What would go with the given packages: those that need them, and dependencies that nothing else needs. */
export interface Removal {
  /** Packages that need one of those given, and are none of them. */
  readonly dependents: readonly string[];
  /** Those given, those that need them, and the dependencies that were installed for them alone. */
  readonly all: readonly string[];
}

/** Looks, without changing anything, what removing packages would take away. */
export async function removalOf(names: readonly string[]): Promise<Removal> {
  const simulate = async (...args: string[]): Promise<readonly string[]> => {
    const { output } = await run('apt-get', [...OPTIONS, '--simulate', ...args], ENVIRONMENT);
    return [...output.matchAll(/^(?:Remv|Purg) ([^\s:]+)/gm)].map(([, name = '']) => name);
  };
  const [alone, withDependencies, unneededAnyway] = await Promise.all([
    simulate('purge', ...names),
    simulate('purge', '--auto-remove', ...names),
    simulate('autoremove'),
  ]);
  const dependents = alone.filter((name) => !names.includes(name));
  const kept = new Set(unneededAnyway.filter((name) => !alone.includes(name)));
  return { dependents, all: [...new Set(withDependencies)].filter((name) => !kept.has(name)) };
}

/** The names of all packages that are installed on this machine; none where there is no dpkg. */
export async function installedPackages(): Promise<readonly string[]> {
  // dpkg's own notation, not a JavaScript template.
  const format = ['db:Status-Status', 'Package'].map((field) => `\${${field}}`).join(' ');
  const { exitCode, output } = await run('dpkg-query', ['-W', '-f', `${format}\\n`]);
  if (exitCode !== 0) return [];
  const names = output.split('\n').flatMap((line) => (line.startsWith('installed ') ? [line.slice(10)] : []));
  return [...new Set(names)];
}

/** One place that this machine's package configuration names. */
export interface PackageSource {
  readonly uri: string;
  /** Suite or code name, as configured. */
  readonly release: string;
  /** Who publishes it, as its release file says; `null` while the lists have not been fetched. */
  readonly origin: string | null;
  readonly label: string | null;
}

/** The package sources of this machine, in either format and with whatever apt makes of them; none where there is no apt. */
export async function packageSources(): Promise<readonly PackageSource[]> {
  const format = '$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(ORIGIN)\t$(LABEL)';
  const ask = async (...options: string[]): Promise<readonly PackageSource[]> => {
    const args = ['indextargets', ...options, '--format', format];
    const { exitCode, output } = await run('apt-get', args, ENVIRONMENT);
    if (exitCode !== 0) return [];
    return output.split('\n').flatMap((line): PackageSource[] => {
      const [kind, uri, release, origin, label] = line.split('\t');
      if (kind !== 'Packages' || uri === undefined || release === undefined) return [];
      return [{ uri: uri.replace(/\/+$/, ''), release, origin: known(origin), label: known(label) }];
    });
  };
  const fetched = await ask();
  return fetched.length > 0 ? fetched : ask('--no-release-info');
}

/** apt leaves a field as it was written where it knows nothing. */
function known(field: string | undefined): string | null {
  return field === undefined || field.startsWith('$(') ? null : field;
}

/** How this machine's apt is told to fetch (proxies, certificates, checks of dates), as `NAME "VALUE"`. */
export async function fetchSettings(): Promise<readonly string[]> {
  const { exitCode, output } = await run('apt-config', ['dump', '--no-empty', '--format', '%F "%v"%n', 'Acquire']);
  if (exitCode !== 0) return [];
  const wanted = /^Acquire::(?:https?|ftp|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime)\b/i;
  return output.split('\n').filter((line) => wanted.test(line) && !/["\\].*["\\].*["\\]/.test(line));
}

async function firstAvailable(group: readonly string[]): Promise<string> {
  for (const name of group.slice(0, -1)) {
    const { output } = await run('apt-cache', ['policy', name], ENVIRONMENT);
    if (/^ +Candidate: (?!\(none\))\S/m.test(output)) return name;
  }
  return group.at(-1)!;
}

/** Runs apt-get; while another program holds one of its locks it says so, waits and tries again. */
async function apt(args: readonly string[], say: Say, patience: Patience) {
  const end = performance.now() + patience.milliseconds;
  let told: string | null = null;
  for (;;) {
    const result = await run('apt-get', [...OPTIONS, ...args], ENVIRONMENT);
    const lock = result.exitCode === 0 ? null : heldLock(result.output);
    if (lock === null) return result;
    const holder = lock.holder ?? 'another program';
    if (performance.now() >= end) {
      throw new Error(
        `${holder} has held ${lock.file} for ${duration(patience.milliseconds)}: apt-get ${args.join(' ')} cannot run. ` +
          'Wait until it has ended, or end it, and run this again.',
      );
    }
    if (told !== holder) {
      say(`waiting for ${holder}, which holds ${lock.file} (for ${duration(patience.milliseconds)} at most)`);
      told = holder;
    }
    await sleep(patience.step);
  }
}

interface HeldLock {
  readonly file: string;
  readonly holder: string | null;
}

/** The lock on which apt-get or dpkg ended, and who holds it, as far as they say; `null` for any other failure. */
export function heldLock(output: string): HeldLock | null {
  const named = /Could not get lock (\S+?)\. It is held by process (\d+)(?: \(([^)\n]*)\))?/.exec(output);
  if (named !== null) {
    const [, file = '', pid = '', program = ''] = named;
    const name = program.replace(/[^\x20-\x7e]/g, '?');
    return { file, holder: Number(pid) === 0 ? null : name === '' ? `process ${pid}` : `${name} (process ${pid})` };
  }
  // Before apt 1.9.11, and dpkg itself.
  const unnamed = /Could not get lock (\S+) - open \(11: /.exec(output);
  if (unnamed !== null) return { file: unnamed[1] ?? '', holder: null };
  const dpkg =
    /dpkg (?:frontend lock|database lock|status database) (?:was|is) locked by another process(?: with pid (\d+))?/;
  const byDpkg = dpkg.exec(output);
  if (byDpkg === null) return null;
  return { file: "dpkg's lock", holder: byDpkg[1] === undefined ? null : `process ${byDpkg[1]}` };
}

/** The lines in which a package manager says what is wrong; its last ones where it marks none. */
function errorLines(output: string): string {
  const lines = output.split('\n').filter((line) => /^(?:E:|W: Failed|Err:|dpkg: error|Errors were)/.test(line));
  return [...new Set(lines.length > 0 ? lines.slice(-12) : lastLines(output).split('\n'))]
    .map((line) => `  ${line}`)
    .join('\n');
}

/** What each kind of failure asks for; the first that fits is used. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/dpkg was interrupted|dpkg --configure -a/, 'An earlier installation was cut off. Finish it: dpkg --configure -a.'],
  [/No space left on device|don't have enough free space/, 'The disk is full: make room.'],
  [
    /Unable to locate package|has no installation candidate/,
    'The package sources of this machine do not have it. Add the component that does (on Ubuntu: universe) to /etc/apt.',
  ],
  [
    /Failed to fetch|Temporary failure resolving|Could not (?:resolve|connect)|Connection (?:failed|timed out)|Unable to connect/,
    'The package sources in /etc/apt cannot be reached. See that apt-get update works: name resolution, proxy (Acquire::http::Proxy), mirror.',
  ],
  [
    /unmet dependencies|held broken packages|--fix-broken/,
    'The installed packages contradict each other: apt-get --fix-broken install.',
  ],
  [
    /NO_PUBKEY|is not signed|EXPKEYSIG|not valid yet|is expired/,
    'A package source is not trusted: see that apt-get update works.',
  ],
];

function howToGoOn(said: string, command: string): string {
  const advice = ADVICE.find(([pattern]) => pattern.test(said))?.[1];
  return `How to go on: ${advice === undefined ? 'See what it says, run' : `${advice} Then run`} this again, or first by hand: ${command}`;
}

function duration(milliseconds: number): string {
  return milliseconds < 120_000
    ? `${Math.ceil(milliseconds / 1000)} s`
    : `${Math.round(milliseconds / 60_000)} minutes`;
}
