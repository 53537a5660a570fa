import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerRuntimeClient } from 'testcontainers';
import { LAB_DIRECTORY } from './paths.ts';
import { lastLines, run } from './run.ts';
import type { Say } from './say.ts';

/** The Docker client that everything in the lab shares. */
export type Docker = ContainerRuntimeClient['container']['dockerode'];

const SOCKET = '/var/run/docker.sock';
const HOW_TO_HELP =
  'Install and start Docker (on Debian or Ubuntu: apt-get install docker.io), or set DOCKER_HOST to an engine that this machine can reach';

/**
 * Makes sure that a Docker engine answers: a running one is used as it is; otherwise, on a Debian machine and as root,
 * the distribution's `docker.io` is installed and `dockerd` started in the background.
 *
 * Throws with a way out when there is no engine and none can be made.
 */
export async function ensureEngine(say: Say): Promise<Docker> {
  if (process.env['DOCKER_HOST'] === undefined && existsSync(SOCKET) && (await socketAnswers())) return connect();
  if (process.env['DOCKER_HOST'] !== undefined) return connect();
  const elsewhere = await connect().catch(() => undefined); // a rootless engine, or one that testcontainers is told of
  if (elsewhere !== undefined) return elsewhere;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error(`No Docker engine answers, and only root can start one here. ${HOW_TO_HELP}.`);
  }
  if ((await run('dockerd', ['--version'])).exitCode !== 0) await installEngine(say);
  await startEngine(say);
  return connect();
}

/** The shared client, once {@link ensureEngine} has seen to it that an engine answers. */
export async function connect(): Promise<Docker> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient().catch((error: unknown) => {
    throw new Error(`The Docker engine cannot be used: ${String(error)}. ${HOW_TO_HELP}.`);
  });
  return client.container.dockerode;
}

async function installEngine(say: Say): Promise<void> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release)) {
    throw new Error(`No Docker engine answers, and this is no Debian machine to install one on. ${HOW_TO_HELP}.`);
  }
  say('no Docker engine here: installing docker.io with apt-get');
  await installPackages(['docker.io']);
}

/** Installs Debian packages on this machine; throws with apt-get's last words when it cannot. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update'], env); // a stale or unreachable source among others need not stop the installation
  const result = await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], env);
  if (result.exitCode !== 0) {
    throw new Error(`apt-get could not install ${packages.join(' ')}:\n${lastLines(result.output)}`);
  }
}

async function startEngine(say: Say): Promise<void> {
  if (await waitForSocket(2_000)) return; // the package may have started it
  if (existsSync('/run/systemd/system')) {
    say('starting Docker through systemd');
    await run('systemctl', ['start', 'docker.service']);
    if (await waitForSocket(30_000)) return;
  }
  await mkdir(LAB_DIRECTORY, { recursive: true });
  const path = join(LAB_DIRECTORY, 'dockerd.log');
  say(`starting dockerd in the background (its log: ${path})`);
  const log = await open(path, 'a');
  const child = spawn('dockerd', [], { detached: true, stdio: ['ignore', log.fd, log.fd] });
  let ended = false;
  child.on('error', () => {
    ended = true;
  });
  child.on('exit', () => {
    ended = true;
  });
  child.unref();
  await log.close();
  const answers = await waitForSocket(60_000, () => ended);
  if (answers) return;
  const why = await readFile(path, 'utf8').catch(() => '');
  throw new Error(`dockerd does not answer. Its last words:\n${lastLines(why)}\n${HOW_TO_HELP}.`);
}

/** Polls the socket until it answers; gives up after `milliseconds`, or once `givenUp` says so. */
async function waitForSocket(milliseconds: number, givenUp: () => boolean = () => false): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end && !givenUp()) {
    if (await socketAnswers()) return true;
    await sleep(100);
  }
  return false;
}

function socketAnswers(): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath: SOCKET, path: '/_ping', timeout: 3_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('timeout', () => ping.destroy());
    ping.on('error', () => resolve(false));
    ping.end();
  });
}
