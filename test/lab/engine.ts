import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerRuntimeClient } from 'testcontainers';
import { findProgram } from '../set-up/needs.ts';
import { LAB_DIRECTORY } from './paths.ts';
import { lastLines, run } from './run.ts';
import type { Say } from './say.ts';

/** The Docker client that everything in the lab shares. */
export type Docker = ContainerRuntimeClient['container']['dockerode'];

const SOCKET = '/var/run/docker.sock';
const HOW_TO_HELP =
  'Install and start Docker (on Debian or Ubuntu, the package docker.io), or set DOCKER_HOST to an engine that this machine can reach';

/**
 * The Docker engine of this machine: one that answers is used as it is; otherwise, as root, an installed `dockerd` is
 * started in the background.
 *
 * @returns `null` when no engine answers and none is installed
 * @throws Error with a way out when there is one and it cannot be used
 */
export async function findEngine(say: Say): Promise<Docker | null> {
  const running = await runningEngine();
  if (running !== null) return running;
  if (findProgram('dockerd') === null) return null;
  return startEngine(say);
}

/** The engine that answers; `null` for none. Throws when `DOCKER_HOST` names one that does not. */
export async function runningEngine(): Promise<Docker | null> {
  if (process.env['DOCKER_HOST'] !== undefined || (existsSync(SOCKET) && (await socketAnswers()))) return connect();
  return connect().catch(() => null); // a rootless engine, or one that testcontainers is told of
}

/** The shared client, once the set-up has seen to it that an engine answers. */
export async function connect(): Promise<Docker> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient().catch((error: unknown) => {
    throw new Error(`The Docker engine cannot be used: ${String(error)}. ${HOW_TO_HELP}.`);
  });
  return client.container.dockerode;
}

/** Starts the engine that is installed here, and waits until it answers. */
export async function startEngine(say: Say): Promise<Docker> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error(`No Docker engine answers, and only root can start one here. ${HOW_TO_HELP}.`);
  }
  if (await waitForSocket(2_000)) return connect(); // the package may have started it
  if (existsSync('/run/systemd/system')) {
    say('starting Docker through systemd');
    await run('systemctl', ['start', 'docker.service']);
    if (await waitForSocket(30_000)) return connect();
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
  if (answers) return connect();
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
