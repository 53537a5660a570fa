import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { debianMirrors, noMirrorHas, shownUrl } from '../set-up/mirrors.ts';
import { archiveKeys, findProgram } from '../set-up/needs.ts';
import { fetchSettings } from '../set-up/packages.ts';
import type { Docker } from './engine.ts';
import { withLock } from './lock.ts';
import { IMAGE_DIRECTORY } from './paths.ts';
import { ignoreGone } from './removal.ts';
import { lastLines } from './run.ts';
import type { Say } from './say.ts';

/** The Debian releases that hosts run; firewalld is 0.9.3, 1.3.3 and 2.3.1 there. */
export const SUITES = ['bullseye', 'bookworm', 'trixie'] as const;
export type Suite = (typeof SUITES)[number];

/** An image of the lab: a host of one suite, or the machine that scans. */
export type ImageName = Suite | 'scanner';

/** All of them, the longest builds first: so two at a time end together. */
export const IMAGES: readonly ImageName[] = ['bookworm', 'bullseye', 'trixie', 'scanner'];

/** Every image of the lab, with those that it stands on, has a name that begins so. */
export const IMAGE_PREFIX = 'portfw-lab-';

const SCANNER_SUITE: Suite = 'bookworm';
/** A pull that says nothing for so long is given up. */
const PULL_SILENCE_MS = 15_000;

interface Recipe {
  readonly name: ImageName;
  readonly suite: Suite;
  readonly dockerfile: string;
  readonly packages: readonly string[];
  /** Name and tag of the finished image; the tag is the hash of everything that goes into it. */
  readonly image: string;
  /** Name and tag of the base, if it has to be made here; it has the recipe's packages. */
  readonly base: string;
  /** Name and tag of the base, if it can be pulled. */
  readonly pulled: string;
}

/**
 * Builds the images that are missing (all by default) and returns each one's tag. What is there already is used:
 * an image's tag is the hash of its Dockerfile, its files and its package list.
 *
 * Throws with the build's last lines when one cannot be built.
 */
export async function ensureImages(
  docker: Docker,
  say: Say,
  names: readonly ImageName[] = IMAGES,
): Promise<ReadonlyMap<ImageName, string>> {
  const recipes = await Promise.all(names.map(recipeFor));
  const missing = async () => {
    const there = await Promise.all(recipes.map((recipe) => imageExists(docker, recipe.image)));
    return recipes.filter((_, index) => !there[index]);
  };
  if ((await missing()).length > 0) {
    await withLock('images', say, async () => buildAll(docker, say, await missing()));
  }
  return new Map(recipes.map((recipe) => [recipe.name, recipe.image]));
}

/** The tag of an image of the lab as it is now; `undefined` when it has not been built. */
export async function builtImage(docker: Docker, name: ImageName): Promise<string | undefined> {
  const { image } = await recipeFor(name);
  return (await imageExists(docker, image)) ? image : undefined;
}

/** Whether any of these images still has to be made from packages here, since Docker can pull nothing to build it on. */
export async function needBases(docker: Docker, names: readonly ImageName[] = IMAGES): Promise<boolean> {
  for (const recipe of await Promise.all(names.map(recipeFor))) {
    if ((await imageExists(docker, recipe.image)) || (await imageExists(docker, recipe.base))) continue;
    if (!(await pullBase(docker, recipe))) return true;
  }
  return false;
}

async function recipeFor(name: ImageName): Promise<Recipe> {
  const suite = name === 'scanner' ? SCANNER_SUITE : name;
  const file = name === 'scanner' ? 'packages-scanner.txt' : 'packages.txt';
  const list = await readFile(join(IMAGE_DIRECTORY, file), 'utf8');
  const packages = list.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return {
    name,
    suite,
    packages,
    dockerfile: name === 'scanner' ? 'Dockerfile.scanner' : 'Dockerfile',
    image: `${IMAGE_PREFIX}${name}:${await hashOfDirectory(IMAGE_DIRECTORY)}`,
    base: `${IMAGE_PREFIX}base-${name}:${hashOf([suite, ...packages, ...MMDEBSTRAP_OPTIONS])}`,
    pulled: `${IMAGE_PREFIX}base-${suite}:pulled`,
  };
}

async function buildAll(docker: Docker, say: Say, recipes: readonly Recipe[]): Promise<void> {
  // Two at a time: a build is one processor's work, and two are what most machines have at least. No build installs
  // anything on this machine, and none waits for another.
  const queue = [...recipes];
  const work = async () => {
    for (let recipe = queue.shift(); recipe !== undefined; recipe = queue.shift()) {
      const base = await baseFor(docker, say, recipe);
      await buildImage(docker, recipe, base);
      say(`image ${recipe.image} is built`);
      await removeOld(docker, recipe);
    }
  };
  await Promise.all([work(), work()]);
}

/** Removes earlier builds of an image that are older than a day and that nothing runs on; bases stay. */
async function removeOld(docker: Docker, recipe: Recipe): Promise<void> {
  const yesterday = Date.now() / 1000 - 86_400;
  const images = await docker.listImages({ filters: { reference: [`${IMAGE_PREFIX}${recipe.name}`] } });
  for (const { RepoTags, Created } of images) {
    if (Created > yesterday) continue;
    for (const tag of RepoTags ?? []) if (tag !== recipe.image) await ignoreGone(docker.getImage(tag).remove());
  }
}

/** The image to build on: Debian's own where it can be pulled, otherwise one that mmdebstrap makes here. */
async function baseFor(docker: Docker, say: Say, recipe: Recipe): Promise<string> {
  if (await imageExists(docker, recipe.base)) return recipe.base;
  if (await pullBase(docker, recipe)) return recipe.pulled;
  const started = performance.now();
  say(`making a Debian ${recipe.suite} for ${recipe.image} with mmdebstrap, since none can be pulled`);
  await makeBase(docker, recipe);
  say(`Debian ${recipe.suite} is made (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  return recipe.base;
}

async function imageExists(docker: Docker, name: string): Promise<boolean> {
  return docker
    .getImage(name)
    .inspect()
    .then(
      () => true,
      () => false,
    );
}

/** What has been tried by this process: asking a registry that cannot be reached takes its time. */
const pulls = new Map<string, Promise<boolean>>();

/** Pulls Debian's own image, if a registry can be reached, under a name of the lab's. */
async function pullBase(docker: Docker, recipe: Recipe): Promise<boolean> {
  if (await imageExists(docker, recipe.pulled)) return true;
  const others = [...pulls.values()];
  // Where one release cannot be had, no registry can be reached: the others are not asked for.
  if (others.length > 0 && !(await others[0])) return false;
  const pull = pulls.get(recipe.pulled) ?? pullAs(docker, `debian:${recipe.suite}-slim`, recipe.pulled);
  pulls.set(recipe.pulled, pull);
  return pull;
}

async function pullAs(docker: Docker, source: string, name: string): Promise<boolean> {
  const wasThere = await imageExists(docker, source);
  try {
    if (!wasThere) await follow(docker, (await docker.pull(source)) as Readable, PULL_SILENCE_MS);
    const [repo, tag] = name.split(':') as [string, string];
    await docker.getImage(source).tag({ repo, tag });
    // What was brought for the lab has the lab's name alone, so that it can be told from other people's.
    if (!wasThere) await docker.getImage(source).remove();
    return true;
  } catch {
    return false;
  }
}

async function buildImage(docker: Docker, recipe: Recipe, base: string): Promise<void> {
  const buildargs = { BASE: base, ...(base === recipe.pulled ? await networkOfBuild() : {}) };
  const stream = await docker.buildImage(
    { context: IMAGE_DIRECTORY, src: await filesBelow(IMAGE_DIRECTORY) },
    { t: recipe.image, dockerfile: recipe.dockerfile, networkmode: 'host', buildargs, forcerm: true },
  );
  const output = await follow(docker, stream as Readable);
  // The engine may report a failed build only in passing, so look for the result.
  if (!(await imageExists(docker, recipe.image))) {
    throw new Error(`The image ${recipe.image} could not be built:\n${lastLines(output)}`);
  }
}

/** How a build fetches packages: this machine's proxies, and its mirrors after or before those of the pulled image. */
async function networkOfBuild(): Promise<Record<string, string>> {
  const names = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]);
  const proxies = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const { chosen, urls } = await debianMirrors();
  // The arguments of a build stay readable in the image: no mirror with a password is among them.
  const usable = urls.filter((url) => /^https?:/.test(url) && shownUrl(url) === url);
  const mirrors = chosen ? [...usable, 'own'] : ['own', ...usable];
  return { ...(Object.fromEntries(proxies) as Record<string, string>), MIRRORS: mirrors.join(' ') };
}

/**
 * Reads the engine's progress to its end; throws the error it reports, with the lines before it, or gives up when it
 * says nothing for `silence` milliseconds.
 */
function follow(docker: Docker, stream: Readable, silence = 600_000): Promise<string> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      stream.destroy();
      reject(new Error(`no progress for ${silence / 1000} s\n${lastLines(lines.join(''))}`));
    };
    let timer = setTimeout(giveUp, silence);
    docker.modem.followProgress(
      stream,
      (error: Error | null) => {
        clearTimeout(timer);
        if (error === null) resolve(lines.join(''));
        else reject(new Error(`${error.message}\n${lastLines(lines.join(''))}`));
      },
      (event: { stream?: string; status?: string }) => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, silence);
        lines.push(event.stream ?? `${event.status ?? ''}\n`);
      },
    );
  });
}

const MMDEBSTRAP_OPTIONS: readonly string[] = [
  '--variant=apt',
  '--mode=root',
  '--aptopt=Acquire::Languages "none"',
  '--aptopt=Acquire::Retries "3"',
  '--aptopt=Apt::Install-Recommends "false"',
  '--dpkgopt=force-unsafe-io',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-exclude=/usr/share/man/*',
  '--dpkgopt=path-exclude=/usr/share/info/*',
];

/** A suite in the archive is not signed anew, so its signature's date has passed. */
const ARCHIVE_OPTIONS: readonly string[] = ['--aptopt=Acquire::Check-Valid-Until "false"'];

/**
 * Makes the base where none can be pulled, with the recipe's packages already in it: one pass of dpkg is faster than
 * a minimal system and a second installation on top, and no build needs a network then.
 */
async function makeBase(docker: Docker, recipe: Recipe): Promise<void> {
  const why = `No image debian:${recipe.suite}-slim can be pulled`;
  if (process.getuid?.() !== 0) throw new Error(`${why}, and only root can make one here with mmdebstrap.`);
  if (findProgram('mmdebstrap') === null) {
    throw new Error(`${why}, and mmdebstrap is missing: npm run demo installs it.`);
  }
  const { urls } = await debianMirrors();
  const failures: [url: string, why: string][] = [];
  for (const mirror of urls) {
    const failure = await debootstrap(docker, recipe, mirror);
    if (failure === null) return;
    failures.push([mirror, failure]);
  }
  throw new Error(`${why}. ${noMirrorHas(recipe.suite, failures)}`);
}

/** How this machine fetches packages, told to mmdebstrap, which reads none of the machine's settings by itself. */
async function machineOptions(): Promise<readonly string[]> {
  const keys = archiveKeys();
  const trusted = '/etc/apt/trusted.gpg.d';
  return [
    ...(await fetchSettings()).map((setting) => `--aptopt=${setting}`),
    ...(keys === null ? [] : [`--keyring=${keys}`]),
    ...(existsSync(trusted) ? [`--keyring=${trusted}`] : []),
    // Names and passwords for mirrors and proxies: there while packages are fetched, and not in the image.
    `--setup-hook=mkdir -p "$1/etc/apt"; cp -a /etc/apt/auth.conf* "$1/etc/apt/" 2>/dev/null || true`,
    `--customize-hook=rm -rf "$1"/etc/apt/auth.conf "$1"/etc/apt/auth.conf.d/*`,
    `--customize-hook=sed -i -E "/^Acquire::(https?|ftp)/Id" "$1/etc/apt/apt.conf.d/99mmdebstrap"`,
    `--customize-hook=sed -i -E "s#://[^/@ ]*@#://#" "$1/etc/apt/sources.list"`,
  ];
}

/** Pipes mmdebstrap's tar straight into the engine; `null` when that worked, else what went wrong. */
async function debootstrap(docker: Docker, recipe: Recipe, mirror: string): Promise<string | null> {
  const directory = await mkdtemp(join(tmpdir(), 'portfw-lab-'));
  const [repo, tag] = recipe.base.split(':') as [string, string];
  const incomplete = `${tag}-incomplete`;
  try {
    const args = [
      ...MMDEBSTRAP_OPTIONS,
      ...ARCHIVE_OPTIONS,
      ...(await machineOptions()),
      `--include=${recipe.packages.join(',')}`,
      recipe.suite,
      '-',
      mirror,
    ];
    const child = spawn('mmdebstrap', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory },
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString('utf8');
    });
    const exit = new Promise<number>((resolve) => {
      child.on('error', () => resolve(127));
      child.on('close', (code) => resolve(code ?? 128));
    });
    // A broken tar is still imported, so the tag that counts comes only after mmdebstrap has said that all is well.
    const imported = await docker
      .importImage(child.stdout, { repo, tag: incomplete })
      .then((stream) => follow(docker, stream as Readable))
      .then(() => null, String);
    const exitCode = await exit;
    if (exitCode !== 0) return `exit code ${exitCode}\n${lastLines(errors)}`;
    if (imported !== null) return imported;
    await docker.getImage(`${repo}:${incomplete}`).tag({ repo, tag });
    return null;
  } finally {
    await ignoreGone(docker.getImage(`${repo}:${incomplete}`).remove());
    await rm(directory, { recursive: true, force: true });
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
    .sort();
}

async function hashOfDirectory(directory: string): Promise<string> {
  const files = await filesBelow(directory);
  const contents = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  return hashOf(files.flatMap((file, index) => [file, contents[index] ?? '']));
}

function hashOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest('hex').slice(0, 12);
}
