import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import '../set-up/ansible-environment.ts';
import { setUpLab } from '../set-up/lab.ts';
import { ensureImages } from './images.ts';
import { type Lab, startLab } from './lab.ts';
import { openSession } from './owner.ts';
import { purge } from './purge.ts';

/*
 *   npm run demo:lockout               a wrong matrix cuts SSH on a live host, and the host comes back by itself
 *   npm run demo:lockout -- --record   the same, written down in docs/evidence/lockout.md and docs/evidence/lockout.cast (asciicast v2)
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COLUMNS = 110;
const WINDOW = '15s';
/** Time between two knocks on the host's port 22. */
const KNOCK_MS = 250;

/** What was shown, with the second at which it was. */
interface Frame {
  readonly at: number;
  readonly text: string;
}

class Recording {
  readonly frames: Frame[] = [];
  readonly #began = performance.now();

  show(text: string): void {
    this.frames.push({ at: (performance.now() - this.#began) / 1000, text });
    process.stdout.write(text);
  }

  say(line: string): void {
    this.show(`${line}\r\n`);
  }

  seconds(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(1)} s`;
  }
}

/** Says whenever port 22 of a host begins or ceases to answer, as seen from here. */
class Watch {
  readonly #recording: Recording;
  readonly #address: string;
  readonly #name: string;
  #answers: boolean | null = null;
  #stopped = false;

  constructor(recording: Recording, name: string, address: string) {
    this.#recording = recording;
    this.#name = name;
    this.#address = address;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const answers = await knock(this.#address);
      if (answers !== this.#answers && !this.#stopped) {
        this.#answers = answers;
        const what = answers ? 'answers' : 'DOES NOT ANSWER ANY MORE';
        this.#recording.say(`        [${this.#recording.seconds()}] port 22 of ${this.#name} ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, KNOCK_MS));
    }
  }
}

function knock(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22, timeout: 1000 });
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('data', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

/** Runs portfw on a pseudo-terminal; `dumb`, so that its lines and the watch's can stand among each other. */
function portfw(recording: Recording, args: readonly string[]): Promise<number> {
  recording.say(`$ portfw ${args.join(' ')}`);
  const words = [process.execPath, 'dist/cli/main.js', ...args];
  const command = `stty columns ${COLUMNS} rows 40; exec ${words.map((word) => `'${word}'`).join(' ')}`;
  const child: ChildProcess = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: ROOT,
    env: { ...process.env, TERM: 'dumb', SHELL: '/bin/sh', NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdout!.setEncoding('utf8').on('data', (text: string) => recording.show(text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      recording.say(`(exit code ${code ?? 128})\r\n`);
      resolve(code ?? 128);
    });
  });
}

const MATRIX = `matrix: wrong
title: A site whose matrix was edited in a hurry
extends: portaswitch
roles:
  server:
    # Somebody took this row for superfluous. It is the one that lets SSH in.
    drop: [tcp/22]
`;

async function prepare(lab: Lab): Promise<string> {
  const host = lab.host('web1');
  await writeFile(join(lab.directory, 'wrong.yaml'), MATRIX);
  await writeFile(join(lab.directory, 'playbook.yaml'), '- hosts: all\n  matrix: wrong.yaml\n');
  const inventory = {
    all: {
      vars: {
        ansible_user: 'root',
        ansible_ssh_private_key_file: lab.privateKeyFile,
        ansible_ssh_common_args: `-o UserKnownHostsFile=${lab.knownHostsFile}`,
        portfw_playbook: 'playbook.yaml',
        portfw_roles: ['web-admin'],
        portfw_private: 'matrix',
      },
      hosts: { web1: { ansible_host: host.publicAddress, portfw_interfaces: { public: host.publicAddress } } },
    },
  };
  const file = join(lab.directory, 'inventory.yaml');
  await writeFile(file, stringify(inventory));
  return relative(ROOT, file);
}

/** @returns what did not happen as it should */
async function tell(lab: Lab, recording: Recording): Promise<string[]> {
  const broken: string[] = [];
  const expect = (what: string, holds: boolean): void => {
    if (!holds) broken.push(what);
  };
  const inventory = await prepare(lab);
  const host = lab.host('web1');
  recording.say('# The matrix that is applied here lacks the row for SSH. First, portfw notices:\r\n');
  expect('the plan is refused', (await portfw(recording, ['plan', inventory])) === 1);
  recording.say('# Now somebody who knows better says so, and names the host. The guard is all that is left:\r\n');
  const watch = new Watch(recording, 'web1', host.publicAddress);
  const applied = await portfw(recording, [
    'apply',
    inventory,
    '--yes',
    '--accept-lockout',
    'web1',
    '--revert-after',
    WINDOW,
    '--connect-timeout',
    '5',
  ]);
  expect('the apply fails', applied === 1);
  recording.say('# Nobody has touched the host. It has its old configuration again, and it says what happened:\r\n');
  expect('the host can be asked again', (await portfw(recording, ['status', inventory])) === 0);
  watch.stop();
  expect(
    'the port was shut',
    recording.frames.some(({ text }) => text.includes('DOES NOT ANSWER ANY MORE')),
  );
  expect(
    'nothing is left of the wrong matrix',
    !(await host.run('firewall-cmd', '--get-active-zones')).includes('portfw'),
  );
  return broken;
}

/** The recording as lines of text, as they stood on the screen. */
function textOf(frames: readonly Frame[]): string {
  const text = frames.map((frame) => frame.text).join('');
  return text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
}

const BEGIN = '<!-- run -->';
const END = '<!-- end of run -->';

async function record(frames: readonly Frame[]): Promise<void> {
  const page = join(ROOT, 'docs/evidence/lockout.md');
  const before = await readFile(page, 'utf8');
  const [head, rest] = before.split(BEGIN);
  const tail = rest?.split(END)[1];
  if (head === undefined || tail === undefined) throw new Error(`docs/evidence/lockout.md has no place for the run`);
  const block = textOf(frames)
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`))
    .join('\n');
  await writeFile(page, `${head}${BEGIN}\n\n${block}\n\n${END}${tail}`);
  const header = { version: 2, width: COLUMNS, height: 40, title: 'A wrong matrix, and the rollback' };
  const events = frames.map(({ at, text }) => JSON.stringify([Number(at.toFixed(3)), 'o', text]));
  await writeFile(join(ROOT, 'docs/evidence/lockout.cast'), `${[JSON.stringify(header), ...events].join('\n')}\n`);
}

async function main(): Promise<number> {
  const say = (line: string): void => console.log(`lab: ${line}`);
  const docker = await setUpLab(say, { images: ['bookworm'] });
  openSession();
  await purge(docker);
  await ensureImages(docker, say, ['bookworm']);
  const lab = await startLab({ name: 'lockout', hosts: [{ name: 'web1', suite: 'bookworm' }] });
  const recording = new Recording();
  try {
    const broken = await tell(lab, recording);
    for (const what of broken) console.error(`lockout: this did not hold: ${what}`);
    if (broken.length === 0 && process.argv.includes('--record')) await record(recording.frames);
    return broken.length === 0 ? 0 : 1;
  } finally {
    await lab.stop();
  }
}

process.exit(await main());
