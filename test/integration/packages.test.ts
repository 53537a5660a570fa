import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { installedPackages, installPackages, packageSources, purgePackages, removalOf } from '../set-up/packages.ts';

/*
 * The real apt-get and dpkg of this machine, on a system of their own: an empty folder with a repository of three small
 * packages. Nothing of the machine is read or changed.
 */

const root = mkdtempSync(join(tmpdir(), 'portfw-apt-'));
const said: string[] = [];
/** What to do as soon as something is said. */
let onSaid = (): void => {};
const say = (line: string): void => {
  said.push(line);
  onSaid();
};

const SYSTEM = `
set -eu
cd "$1"
mkdir -p etc/apt/sources.list.d etc/apt/preferences.d etc/apt/trusted.gpg.d var/lib/apt/lists/partial var/cache/apt/archives/partial \\
  var/lib/dpkg/info var/lib/dpkg/updates var/lib/dpkg/triggers var/log/apt repository
: >var/lib/dpkg/status
cat >apt.conf <<CONFIG
Dir "$1/";
Dir::State::status "$1/var/lib/dpkg/status";
APT::Sandbox::User "root";
DPkg::Options { "--root=$1"; "--force-not-root"; "--log=/dev/null"; };
CONFIG
package() {
  mkdir -p "build/$1/DEBIAN"
  printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: lab <lab@example.net>\\nDescription: lab\\n%s' "$1" "$2" >"build/$1/DEBIAN/control"
  dpkg-deb --build --root-owner-group -Znone "build/$1" "repository/$1.deb" >/dev/null
  {
    dpkg-deb -f "repository/$1.deb"
    printf 'Filename: ./%s.deb\\nSize: %s\\nSHA256: %s\\n\\n' "$1" "$(stat -c %s "repository/$1.deb")" "$(sha256sum "repository/$1.deb" | cut -d ' ' -f 1)"
  } >>repository/Packages
}
package lab-engine 'Depends: lab-runtime
'
package lab-runtime ''
package lab-compose 'Depends: lab-engine
'
sum=$(sha256sum repository/Packages | cut -d ' ' -f 1)
printf 'Origin: Debian\\nLabel: Debian\\nCodename: lab\\nSHA256:\\n %s %s Packages\\n' "$sum" "$(stat -c %s repository/Packages)" >repository/Release
echo "deb [trusted=yes] file:$1/repository ./" >etc/apt/sources.list.d/lab.list
`;

/** Holds a lock as apt does, until it is ended. */
const HOLD = `
import fcntl, sys, time
handle = open(sys.argv[1], 'w')
fcntl.lockf(handle, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(60)
`;

beforeAll(() => {
  const { status, stderr } = spawnSync('sh', ['-c', SYSTEM, 'sh', root], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  vi.stubEnv('APT_CONFIG', join(root, 'apt.conf'));
  vi.stubEnv('DPKG_ADMINDIR', join(root, 'var/lib/dpkg'));
});
afterEach(() => void said.splice(0));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

async function whileHeld(file: string, work: () => Promise<void>): Promise<void> {
  const holder = spawn('python3', ['-c', HOLD, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const ended = once(holder, 'exit');
  onSaid = () => void setTimeout(() => holder.kill('SIGKILL'), 500);
  try {
    await work();
    expect(said).toEqual([expect.stringMatching(/^waiting for \S*python\S* \(process \d+\), which holds /)]);
    expect(said[0]).toContain(file);
    expect(said[0]).toContain(`(process ${holder.pid})`);
  } finally {
    onSaid = () => {};
    holder.kill('SIGKILL');
    await ended;
  }
}

describe('with the real apt-get', () => {
  const brought: string[] = [];
  const note = async (names: readonly string[]): Promise<void> => void brought.push(...names);
  const install = (...names: string[]) =>
    installPackages(
      names.map((name) => [name]),
      say,
      note,
      { milliseconds: 60_000, step: 200 },
    );

  it('the sources are read before any list has been fetched', async () => {
    writeFileSync(join(root, 'etc/apt/mirrors'), 'http://mirror.example.net/debian\n');
    const deb822 = `Types: deb deb-src\nURIs: mirror+file:${root}/etc/apt/mirrors\nSuites: bookworm\nComponents: main contrib\n`;
    writeFileSync(join(root, 'etc/apt/sources.list.d/other.sources'), deb822);
    const sources = await packageSources();
    rmSync(join(root, 'etc/apt/sources.list.d/other.sources'));
    const seen = sources.map(({ uri, release, origin }) => `${uri} ${release} ${origin}`);
    expect([...new Set(seen)].sort()).toEqual([
      `file:${root}/repository ./ null`,
      `mirror+file:${root}/etc/apt/mirrors bookworm null`,
    ]);
  });

  it('a lock on the lists is waited for', async () => {
    await whileHeld(join(root, 'var/lib/apt/lists/lock'), () => install('lab-engine'));
    expect([...brought].sort()).toEqual(['lab-engine', 'lab-runtime']);
  });

  it('a lock of dpkg is waited for', async () => {
    await whileHeld(join(root, 'var/lib/dpkg/lock-frontend'), () => install('lab-compose'));
    expect([...(await installedPackages())].sort()).toEqual(['lab-compose', 'lab-engine', 'lab-runtime']);
  });

  it('the sources say whose they are', async () => {
    expect(await packageSources()).toEqual([
      { uri: `file:${root}/repository`, release: './', origin: 'Debian', label: 'Debian' },
    ]);
  });

  it('a package that there is not is an error with a way out', async () => {
    await expect(install('lab-missing')).rejects.toThrow(
      /Unable to locate package lab-missing\n.*do not have it\. .*first by hand: apt-get install lab-missing$/,
    );
  });

  it('what goes with a package is known before it goes', async () => {
    const both = await removalOf(['lab-engine']);
    expect(both.dependents).toEqual(['lab-compose']);
    expect([...both.all].sort()).toEqual(['lab-compose', 'lab-engine', 'lab-runtime']);
    await purgePackages(['lab-compose'], say);
    const removal = await removalOf(['lab-engine']);
    expect({ ...removal, all: [...removal.all].sort() }).toEqual({
      dependents: [],
      all: ['lab-engine', 'lab-runtime'],
    });
    await purgePackages(removal.all, say);
    expect(await installedPackages()).toEqual([]);
  });
});
