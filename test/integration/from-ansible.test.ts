import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { supported } from '../helpers/supported.ts';
import { type Lab, startLab } from '../lab/lab.ts';

/**
 * The page docs/from-ansible.md, run as it stands: its files are the repository that is cloned, its commands run one after
 * the other in one shell, and what it shows of their output is in their output.
 */
const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/from-ansible.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'portfw-from-ansible-'));
const home = join(folder, 'home');

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'from-ansible',
    // The addresses of the page have these numbers: 11, 12 and 13.
    hosts: [
      { name: 'bastion', suite: 'bookworm', firewalld: 'stopped' },
      { name: 'web1', suite: 'bookworm', daemons: ['web-admin'] },
      { name: 'bill1', suite: 'bullseye', daemons: ['radius'] },
    ],
  });
  const us = lab.spareAddress('private', 100).v4.replace(/\.100$/, '.1');
  // Only the jump host reaches them.
  await Promise.all(['web1', 'bill1'].map((name) => lab.host(name).run('ip', 'route', 'add', 'blackhole', us)));
});
afterAll(async () => {
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The page's documentation networks, and the lab's. */
function networks(): readonly (readonly [page: string, lab: string])[] {
  const prefix = (address: string) => address.replace(/\d+$/, '');
  const { publicAddress, privateAddress } = lab.host('bastion');
  return [
    ['203.0.113.', prefix(publicAddress)],
    ['198.51.100.', prefix(privateAddress)],
  ];
}
const toLab = (text: string) => networks().reduce((done, [from, to]) => done.replaceAll(from, to), text);
const toPage = (text: string) => networks().reduce((done, [to, from]) => done.replaceAll(from, to), text);

/** The indented blocks of the page, each with the text before it. */
const blocks = [...page.matchAll(/^(.+\n)\n((?: {4}.*\n|\n(?= {4}))+)/gm)].map(([, before = '', text = '']) => ({
  before,
  text: text.replace(/^ {4}/gm, '').trimEnd(),
}));

/** A file of the repository: the block after the line that names it first. */
function fileOfPage(name: string): string {
  const found = blocks.find(({ before, text }) => before.startsWith(`Its \`${name}\``) && !text.startsWith('$ '));
  return `${found?.text}\n`;
}

/** Each command of the page, with the lines that it is shown to print. */
const commands = blocks
  .filter(({ text }) => text.startsWith('$ '))
  .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
  .map((text) => {
    const [command = '', ...printed] = text.trimEnd().split('\n');
    return { command, printed: printed.filter((line) => line.trim() !== '' && line.trim() !== '…') };
  });

/** The repository of the page behind its address, and the home of somebody who works with it. */
function layOut(): void {
  const remote = join(folder, 'remote');
  mkdirSync(join(remote, 'group_vars/all'), { recursive: true });
  for (const path of [join(home, '.ssh'), join(folder, 'bin')]) mkdirSync(path, { recursive: true });
  copyFileSync(lab.privateKeyFile, join(home, '.ssh/voice'));
  // A jump host gets the keys that `ssh` itself would try.
  copyFileSync(lab.privateKeyFile, join(home, '.ssh/id_ed25519'));
  for (const key of ['voice', 'id_ed25519']) chmodSync(join(home, '.ssh', key), 0o600);
  copyFileSync(lab.knownHostsFile, join(home, '.ssh/known_hosts'));
  writeFileSync(join(home, '.vault-voice'), 'only for this test\n', { mode: 0o600 });
  writeFileSync(
    join(home, '.gitconfig'),
    `[url "${remote}"]\n\tinsteadOf = https://git.example.net/voice.git\n[user]\n\tname = tester\n\temail = tester@example.net\n[safe]\n\tdirectory = *\n`,
  );
  for (const name of ['ansible.cfg', 'hosts.ini']) writeFileSync(join(remote, name), toLab(fileOfPage(name)));
  writeFileSync(join(remote, 'site.yml'), '- hosts: web\n  roles:\n    - nginx\n');
  const vault = join(remote, 'group_vars/all/vault.yml');
  writeFileSync(vault, `ansible_become_password: ${lab.sudoPassword}\n`);
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { cwd: remote, env: environment(), stdio: 'pipe' });
  // It takes the password from the same ansible.cfg.
  run('ansible-vault', 'encrypt', vault);
  run('git', 'init', '--quiet');
  run('git', 'add', '.');
  run('git', 'commit', '--quiet', '--message', 'The voice servers');
  writeFileSync(
    join(folder, 'bin/portfw'),
    `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'dist/cli/main.js')}" "$@"\n`,
    { mode: 0o755 },
  );
}

const environment = () => ({
  PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
  HOME: home,
  USER: 'tester',
  LC_ALL: 'C.UTF-8',
});

/** Runs the commands in one shell, which ends at the first that fails. Returns what each printed. */
function runAll(): readonly string[] {
  const mark = '=== next ===';
  const script = commands.map(({ command }) => `${toLab(command)}\necho '${mark}'`).join('\n');
  try {
    const output = execFileSync('bash', ['--norc', '-ec', `exec 2>&1\n${script}`], {
      cwd: folder,
      env: environment(),
      encoding: 'utf8',
      timeout: 150_000,
    });
    return output.split(`${mark}\n`).slice(0, -1);
  } catch (error) {
    throw new Error(`a command of the page failed:\n${(error as { stdout?: string }).stdout}`);
  }
}

/** A line of the page as an expression: `…` stands for what the page leaves out. */
function shownLine(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}

/** Columns are as wide as what stands in them, which is not the same on the page. */
const words = (line: string): string => line.trimEnd().replace(/(?<=\S) {2,}/g, ' ');

it(supported('ansible.cfg', 'With an INI inventory, a vault and a jump host: from `git clone` to a plan'), () => {
  expect(commands.map(({ command }) => command.split(' ')[0])).toEqual(expect.arrayContaining(['git', 'portfw']));
  layOut();
  const printed = runAll();
  expect(printed).toHaveLength(commands.length);
  for (const [at, { command, printed: shown }] of commands.entries()) {
    const lines = toPage(printed[at]!).replaceAll(home, '~').split('\n').map(words);
    for (const line of shown) expect.soft(lines, command).toContainEqual(expect.stringMatching(shownLine(words(line))));
  }
  expect(commands.at(-1)?.command).toMatch(/^portfw plan /);
}, 240_000);
