import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { appendToJournal, headPath, journalPath, readJournal } from '../../../src/cli/journal-file.ts';
import { lineDigest, readChain } from '../../../src/journal/chain.ts';
import { controllerLineText, readControllerLine } from '../../../src/journal/controller-line.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'portfw-journal-'));
afterAll(() => rmSync(folder, { recursive: true }));

const OF = { run: '20260301T100000Z-0123ab', who: 'ops@desk', command: 'apply', file: null, signers: [] };

function add(path: string): ReturnType<typeof appendToJournal> {
  const entry = { event: 'ended', outcomes: { changed: 1 }, interrupted: false } as const;
  return appendToJournal(path, (link) => controllerLineText(OF, entry, new Date(), link));
}

function checked(path: string): ReturnType<typeof readChain> {
  const { bytes, head } = readJournal(path);
  return readChain(bytes ?? Buffer.alloc(0), head);
}

describe('where the journal is', () => {
  it.each([
    ['/var/lib/x/j.jsonl', {}, '/var/lib/x/j.jsonl'],
    [undefined, { XDG_STATE_HOME: '/srv/state' }, '/srv/state/portfw/journal.jsonl'],
    ['j', { XDG_STATE_HOME: '/srv/state' }, join(process.cwd(), 'j')],
  ])('%j with %j', (given, environment, path) => expect(journalPath(given, environment)).toBe(path));

  it.each([{}, { XDG_STATE_HOME: '' }, { XDG_STATE_HOME: 'relative' }])('by default, with %j', (environment) =>
    expect(journalPath(undefined, environment)).toMatch(/^\/.*\/\.local\/state\/portfw\/journal\.jsonl$/),
  );
});

describe('adding a line', () => {
  it('makes a folder and a file that only their owner reads', () => {
    const path = join(folder, 'new', 'portfw', 'journal.jsonl');
    const first = add(path);
    const second = add(path);
    expect([first.seq, second.seq]).toEqual([1, 2]);
    expect(first.id).toBe(first.digest);
    expect(second.id).toBe(first.id);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(headPath(path)).mode & 0o777).toBe(0o600);
    const [line] = readFileSync(path, 'utf8').split('\n');
    expect(lineDigest(line!)).toBe(first.digest);
    expect(readControllerLine(line!)).toMatchObject({ ...OF, seq: 1, previous: null, outcomes: { changed: 1 } });
    expect(checked(path)).toMatchObject({ problems: [], notes: [] });
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('by many processes at once neither tears lines nor forks the chain', async () => {
    const path = join(folder, 'many.jsonl');
    const program = `
      const { appendToJournal } = await import('${ROOT}src/cli/journal-file.ts');
      const { controllerLineText } = await import('${ROOT}src/journal/controller-line.ts');
      const of = { run: process.argv[1], who: 'x'.repeat(500), command: 'apply', file: null, signers: [] };
      for (let count = 0; count < 25; count += 1)
        appendToJournal('${path}', (link) => controllerLineText(of, { event: 'started', hosts: Array(count * 40).fill('web') }, new Date(), link));`;
    const file = join(folder, 'adds.mts');
    writeFileSync(file, program.replace('process.argv[1]', 'process.argv[2]'));
    const tsx = join(ROOT, 'node_modules/.bin/tsx');
    await Promise.all(Array.from({ length: 8 }, (_, index) => promisify(execFile)(tsx, [file, `run-${index}`])));
    const { lines, problems, notes } = checked(path);
    expect([problems, notes, lines.length]).toEqual([[], [], 200]);
    const runs = lines.map(({ text }) => readControllerLine(text)!.run);
    for (let index = 0; index < 8; index += 1) expect(runs.filter((run) => run === `run-${index}`).length).toBe(25);
    expect(runs.join()).not.toBe([...runs].sort().join());
  }, 60_000);

  it('removes a lock that is left, although the process that was to remove it was killed as well', () => {
    const path = join(folder, 'twice-left.jsonl');
    const { pid } = spawnSync('true');
    writeFileSync(`${path}.lock`, `${pid} ${hostname()}\n`);
    mkdirSync(`${path}.lock.removing`);
    const old = new Date(Date.now() - 120_000);
    utimesSync(`${path}.lock.removing`, old, old);
    expect(add(path).seq).toBe(1);
    expect(existsSync(`${path}.lock.removing`)).toBe(false);
  });

  it('waits for a lock, and removes one that a killed process has left', async () => {
    const path = join(folder, 'locked.jsonl');
    const child = spawn('sleep', ['0.5']);
    const ended = new Promise((resolve) => child.on('close', resolve));
    writeFileSync(`${path}.lock`, `${child.pid} ${hostname()}\n`);
    const waiting = execFileSync('sh', ['-c', `kill -0 ${child.pid} && echo lives`], { encoding: 'utf8' });
    expect(waiting).toBe('lives\n');
    child.kill('SIGKILL');
    await ended;
    expect(add(path).seq).toBe(1);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it.each([
    ['a folder', (path: string) => mkdirSync(path), /EISDIR|not a regular file/],
    ['a FIFO', (path: string) => execFileSync('mkfifo', [path]), /not a regular file/],
    ['a device that is full', (path: string) => symlinkSync('/dev/full', path), /not a regular file/],
    ['below a file', (path: string) => writeFileSync(join(path, '..'), ''), /ENOENT|EISDIR|EEXIST/],
  ])('to %s fails at once, and says so', (what, make, why) => {
    const path = join(folder, `odd-${what.replaceAll(' ', '-')}`);
    expect(() => {
      make(path);
      add(path);
    }).toThrow(why);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('on a full disk adds nothing, not a part of a line', () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]);
    try {
      const path = join(disk, 'journal.jsonl');
      add(path);
      const before = readFileSync(path);
      const entry = { event: 'started', hosts: Array.from({ length: 5000 }, (_, index) => `host${index}`) } as const;
      expect(() => appendToJournal(path, (link) => controllerLineText(OF, entry, new Date(), link))).toThrow(
        /no space/i,
      );
      expect(readFileSync(path)).toEqual(before);
      expect(checked(path)).toMatchObject({ problems: [], notes: [] });
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
