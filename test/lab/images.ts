import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Docker, installPackages } from './engine.ts';
import { withLock } from './lock.ts';
import { IMAGE_DIRECTORY } from './paths.ts';
import { ignoreGone } from './removal.ts';
import { lastLines, run } from './run.ts';
import type { Say } from './say.ts';

/** The Debian releases that hosts run; firewalld is 0.9.3, 1.3.3 and 2.3.1 there. */
export const SUITES = ['bullseye', 'bookworm', 'trixie'] as const;
export type Suite = (typeof SUITES)[number];

/** An image of the lab: a host of one suite, or the machine that scans. */
export type ImageName = Suite | 'scanner';

/** All of them, in the order in which building them takes least time: the scanner stands on bookworm's base. */
const IMAGES: readonly ImageName[] = ['bookworm', 'bullseye', 'trixie', 'scanner'];

const SCANNER_SUITE: Suite = 'bookworm';
/** A pull that says nothing for so long is given up. */
const PULL_SILENCE_MS = 15_000;
const MIRRORS = ['http://deb.debian.org/debian', 'http://archive.debian.org/debian'];

interface Recipe {
  readonly name: ImageName;
  readonly suite: Suite;
  readonly dockerfile: string;
  readonly packages: readonly string[];
  /** Name and tag of the finished image; the tag is the hash of everything that goes into it. */
  readonly image: string;
  /** Name and tag of the base, if it has to be made here. */
  readonly base: string;
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

async function recipeFor(name: ImageName): Promise<Recipe> {
  const suite = name === 'scanner' ? SCANNER_SUITE : name;
  const list = await readFile(join(IMAGE_DIRECTORY, 'packages.txt'), 'utf8');
  const packages = list.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return {
    name,
    suite,
    packages,
    dockerfile: name === 'scanner' ? 'Dockerfile.scanner' : 'Dockerfile',
    image: `portfw-lab-${name}:${await hashOfDirectory(IMAGE_DIRECTORY)}`,
    base: `portfw-lab-base-${suite}:${hashOf([suite, ...packages, ...MMDEBSTRAP_OPTIONS])}`,
  };
}

async function buildAll(docker: Docker, say: Say, recipes: readonly Recipe[]): Promise<void> {
  const pullable = await canPull(docker, recipes);
  const bases = new Map<Suite, Promise<string>>();
  // Two at a time: a build is one processor's work, and two are what most machines have at least.
  const queue = [...recipes];
  const work = async () => {
    for (let recipe = queue.shift(); recipe !== undefined; recipe = queue.shift()) {
      const base = bases.get(recipe.suite) ?? baseFor(docker, say, recipe, pullable);
      bases.set(recipe.suite, base);
      await buildImage(docker, recipe, await base);
      say(`image ${recipe.image} is built`);
      await removeOld(docker, recipe);
    }
  };
  await Promise.all([work(), work()]);
}

/** Removes earlier builds of an image that are older than a day and that nothing runs on; bases stay. */
async function removeOld(docker: Docker, recipe: Recipe): Promise<void> {
  const yesterday = Date.now() / 1000 - 86_400;
  const images = await docker.listImages({ filters: { reference: [`portfw-lab-${recipe.name}`] } });
  for (const { RepoTags, Created } of images) {
    if (Created > yesterday) continue;
    for (const tag of RepoTags ?? []) if (tag !== recipe.image) await ignoreGone(docker.getImage(tag).remove());
  }
}

/** The image to build on: Debian's own where it can be pulled, otherwise one that mmdebstrap makes here. */
async function baseFor(docker: Docker, say: Say, recipe: Recipe, pullable: boolean): Promise<string> {
  const debian = `debian:${recipe.suite}-slim`;
  if (pullable && (await pull(docker, debian))) return debian;
  if (!(await imageExists(docker, recipe.base))) {
    const started = performance.now();
    say(`making a Debian ${recipe.suite} with mmdebstrap, since none can be pulled`);
    await makeBase(docker, recipe);
    say(`Debian ${recipe.suite} is made (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  }
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

/** Whether a registry can be reached at all: one pull of the smallest thing we need, given up after a while. */
async function canPull(docker: Docker, recipes: readonly Recipe[]): Promise<boolean> {
  const first = recipes[0];
  return first !== undefined && pull(docker, `debian:${first.suite}-slim`);
}

async function pull(docker: Docker, name: string): Promise<boolean> {
  if (await imageExists(docker, name)) return true;
  try {
    await follow(docker, (await docker.pull(name)) as Readable, PULL_SILENCE_MS);
    return await imageExists(docker, name);
  } catch {
    return false;
  }
}

async function buildImage(docker: Docker, recipe: Recipe, base: string): Promise<void> {
  const stream = await docker.buildImage(
    { context: IMAGE_DIRECTORY, src: await filesBelow(IMAGE_DIRECTORY) },
    { t: recipe.image, dockerfile: recipe.dockerfile, networkmode: 'host', buildargs: { BASE: base }, forcerm: true },
  );
  const output = await follow(docker, stream as Readable);
  // The engine may report a failed build only in passing, so look for the result.
  if (!(await imageExists(docker, recipe.image))) {
    throw new Error(`The image ${recipe.image} could not be built:\n${lastLines(output)}`);
  }
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
 * a minimal system and a second installation on top.
 */
async function makeBase(docker: Docker, recipe: Recipe): Promise<void> {
  if ((await run('mmdebstrap', ['--version'])).exitCode !== 0) {
    if (process.getuid?.() !== 0) {
      throw new Error(
        'No base image can be pulled, and mmdebstrap is missing. Install it: apt-get install mmdebstrap.',
      );
    }
    await installPackages(['mmdebstrap']);
  }
  const failures: string[] = [];
  for (const mirror of MIRRORS) {
    const failure = await debootstrap(docker, recipe, mirror);
    if (failure === null) return;
    failures.push(`${mirror}: ${failure}`);
  }
  throw new Error(`A Debian ${recipe.suite} could not be made with mmdebstrap:\n${failures.join('\n')}`);
}

/** Pipes mmdebstrap's tar straight into the engine; `null` when that worked, else what went wrong. */
async function debootstrap(docker: Docker, recipe: Recipe, mirror: string): Promise<string | null> {
  const directory = await mkdtemp(join(tmpdir(), 'portfw-lab-'));
  try {
    const args = [
      ...MMDEBSTRAP_OPTIONS,
      ...ARCHIVE_OPTIONS,
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
    const [repo, tag] = recipe.base.split(':') as [string, string];
    const incomplete = `${tag}-incomplete`;
    // A broken tar is still imported, so the tag that counts comes only after mmdebstrap has said that all is well.
    const imported = await docker
      .importImage(child.stdout, { repo, tag: incomplete })
      .then((stream) => follow(docker, stream as Readable))
      .then(() => null, String);
    const exitCode = await exit;
    if (exitCode !== 0) return `exit code ${exitCode}\n${lastLines(errors)}`;
    if (imported !== null) return imported;
    await docker.getImage(`${repo}:${incomplete}`).tag({ repo, tag });
    await docker.getImage(`${repo}:${incomplete}`).remove();
    return null;
  } finally {
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
