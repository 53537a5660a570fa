import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { heldLock, installPackages, purgePackages } from '../../set-up/packages.ts';

/** Notes how it was called; ends on the lock like the real one while another program holds it, and as OUTCOME says. */
const APT_GET = `#!/bin/sh
echo "$*" >>"$FAKE/calls"
exec 9>>"$FAKE/lock"
if ! flock --nonblock 9; then
  echo "E: Could not get lock $FAKE/lock. It is held by process $(cat "$FAKE/holder") (unattended-upgr)"
  exit 100
fi
case " $* " in *" update "*) exit 0 ;; esac
[ -e "$FAKE/outcome" ] || { echo "new-package" >>"$FAKE/installed"; exit 0; }
cat "$FAKE/outcome"
exit 100
`;
const DPKG_QUERY = `#!/bin/sh
while read -r name; do echo "installed $name"; done <"$FAKE/installed"
`;
/** Only newer releases have the package that is called so. */
const APT_CACHE = `#!/bin/sh
case $2 in ansible-core) echo '  Candidate: (none)' ;; *) echo '  Candidate: 1.0' ;; esac
`;

let folder: string;
const said: string[] = [];
/** What to do as soon as something is said. */
let onSaid = (): void => {};
const say = (line: string): void => {
  said.push(line);
  onSaid();
};
const brought: string[] = [];
const note = async (names: readonly string[]): Promise<void> => void brought.push(...names);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-packages-'));
  for (const [name, text] of [
    ['apt-get', APT_GET],
    ['dpkg-query', DPKG_QUERY],
    ['apt-cache', APT_CACHE],
  ] as const) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(join(folder, 'installed'), 'old-package\n');
  vi.stubEnv('FAKE', folder);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  onSaid = () => {};
  said.length = 0;
  brought.length = 0;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n');

/** Another program that holds the lock until it is told to release it. */
async function holdLock(): Promise<() => void> {
  const script = 'echo $$ >"$FAKE/holder"; exec 9>>"$FAKE/lock"; flock 9; echo held; exec sleep 60';
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return () => void child.kill('SIGKILL');
}

describe('installing packages', { timeout: 60_000 }, () => {
  it('takes one call for all of them, after one update of the lists', async () => {
    await installPackages([['docker.io'], ['mmdebstrap'], ['ansible-core', 'ansible']], say, note);
    const [update = '', install = '', ...more] = calls();
    expect(more).toEqual([]);
    expect(update).toMatch(/ update$/);
    expect(install).toMatch(/ install --no-install-recommends docker\.io mmdebstrap ansible$/);
    expect([brought, said]).toEqual([['new-package'], []]);
  });

  it('waits for a lock that another program holds, and says so once', async () => {
    const release = await holdLock();
    try {
      onSaid = () => void setTimeout(release, 300);
      await installPackages([['shellcheck']], say, note, { milliseconds: 60_000, step: 100 });
      const pid = readFileSync(join(folder, 'holder'), 'utf8').trim();
      expect(said).toEqual([
        `waiting for unattended-upgr (process ${pid}), which holds ${folder}/lock (for 60 s at most)`,
      ]);
      expect(calls().filter((call) => / install /.test(call))).toHaveLength(1);
    } finally {
      release();
    }
  });

  it('gives up after a while, and names who holds the lock', async () => {
    const release = await holdLock();
    try {
      const work = installPackages([['shellcheck']], say, note, { milliseconds: 500, step: 100 });
      await expect(work).rejects.toThrow(
        /^unattended-upgr \(process \d+\) has held \S+\/lock for 1 s: apt-get update cannot run\. Wait until it has ended/,
      );
      expect(calls().length).toBeGreaterThan(2);
    } finally {
      release();
    }
  });

  it.each([
    ['E: Unable to locate package mmdebstrap', /Add the component that does \(on Ubuntu: universe\)/],
    ['E: dpkg was interrupted, you must manually run ...', /Finish it: dpkg --configure -a\./],
    ['E: Failed to fetch http://mirror.example.net/x  Temporary failure resolving', /cannot be reached/],
    ["E: You don't have enough free space in /var/cache/apt/archives/.", /The disk is full/],
    ['E: Unmet dependencies. Try x.\nE: unmet dependencies', /apt-get --fix-broken install/],
    ['something that nobody has seen before', /How to go on: See what it says, run this again/],
  ])('that fails with %j says how to go on', async (output, advice) => {
    writeFileSync(join(folder, 'outcome'), `Reading package lists...\n${output}\n`);
    const error = await installPackages([['docker.io'], ['mmdebstrap']], say, note).catch((caught: Error) => caught);
    const { message } = error as Error;
    expect(message).toContain('apt-get install docker.io mmdebstrap failed:\n');
    expect(message).toContain(`  ${output.split('\n').at(-1)}`);
    expect(message).toMatch(advice);
    expect(message).toMatch(/or first by hand: apt-get install docker\.io mmdebstrap$/);
  });

  it('that fails half way notes what has come, so that it can be taken away', async () => {
    writeFileSync(join(folder, 'outcome'), 'E: Sub-process /usr/bin/dpkg returned an error code (1)\n');
    writeFileSync(
      join(folder, 'apt-get'),
      APT_GET.replace('cat "$FAKE/outcome"', 'echo half >>"$FAKE/installed"; cat "$FAKE/outcome"'),
    );
    await expect(installPackages([['docker.io']], say, note)).rejects.toThrow('returned an error code');
    expect(brought).toEqual(['half']);
  });
});

describe('removing packages', { timeout: 60_000 }, () => {
  it('takes one call, and none for nothing', async () => {
    await purgePackages(['docker.io', 'runc'], say);
    await purgePackages([], say);
    expect(calls()).toEqual([expect.stringMatching(/ purge docker\.io runc$/)]);
  });

  it('that fails says so', async () => {
    writeFileSync(join(folder, 'outcome'), 'E: Unable to locate package docker.io\n');
    await expect(purgePackages(['docker.io'], say)).rejects.toThrow(/^apt-get purge docker\.io failed:\n {2}E: Unable/);
  });
});

describe('a lock in what a package manager says', () => {
  const FRONTEND = '/var/lib/dpkg/lock-frontend';
  it.each([
    [
      `E: Could not get lock ${FRONTEND}. It is held by process 812 (unattended-upgr)\nN: Be aware`,
      { file: FRONTEND, holder: 'unattended-upgr (process 812)' },
    ],
    [
      'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 9\nE: Unable to lock directory /var/lib/apt/lists/',
      { file: '/var/lib/apt/lists/lock', holder: 'process 9' },
    ],
    [
      'E: Could not get lock /var/cache/apt/archives/lock. It is held by process 0',
      { file: '/var/cache/apt/archives/lock', holder: null },
    ],
    [
      `E: Could not get lock ${FRONTEND} - open (11: Resource temporarily unavailable)`,
      { file: FRONTEND, holder: null },
    ],
    [
      'dpkg: error: dpkg frontend lock was locked by another process with pid 77',
      { file: "dpkg's lock", holder: 'process 77' },
    ],
    [`E: Could not open lock file ${FRONTEND} - open (13: Permission denied)`, null],
    ['E: Unable to locate package mmdebstrap', null],
  ])('%j', (output, expected) => {
    expect(heldLock(output)).toEqual(expected);
  });
});
