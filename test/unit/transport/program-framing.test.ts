import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import {
  commandLine,
  createMarkers,
  type Markers,
  programInput,
  unframe,
} from '../../../src/transport/program-framing.ts';

const markers = createMarkers('0123456789abcdef0123456789abcdef');
const scratch = mkdtempSync(join(tmpdir(), 'portfw-framing-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function runInput(input: Buffer, shell = '/bin/sh') {
  const result = spawnSync(shell, ['-c', commandLine({ kind: 'none' }, markers)], { input });
  return unframe(result.stdout, result.stderr, markers);
}

function run(program: string, data: string | Uint8Array = '', shell?: string) {
  const outcome = runInput(Buffer.concat(programInput(program, data, 10_000, markers).shell), shell);
  expect(outcome.kind).toBe('complete');
  if (outcome.kind !== 'complete') throw new Error(outcome.stderr.toString());
  return outcome;
}

/** The command lines of all processes on this machine. */
function runningCommands(): string {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .join('\n');
}

describe('a program', () => {
  // Every login shell of this machine that could stand at the other end.
  const shells = ['/bin/sh', '/bin/bash', '/bin/dash'].filter((shell) => existsSync(shell));
  it.each(shells)('runs through %s', (shell) => {
    const { stdout, stderr, exitCode } = run('cat; echo oops >&2; exit 7', 'data', shell);
    expect([stdout.toString(), stderr.toString(), exitCode]).toEqual(['data', 'oops\n', 7]);
  });

  it('gets its data byte for byte', () => {
    const data = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    expect(Buffer.compare(run('cat', data).stdout, Buffer.from(data))).toBe(0);
  });

  it('gets an empty input when there is no data', () => {
    expect(run('wc -c').stdout.toString().trim()).toBe('0');
  });

  it('may leave its data unread', () => {
    const { exitCode, stderr } = run('exit 0', 'x'.repeat(1_000_000));
    expect([exitCode, stderr.toString()]).toEqual([0, '']);
  });

  it('keeps every byte of its text', () => {
    // U+0081 to U+0088 carry bytes that dash uses for itself.
    const text = `é日本🙂\u0081\u0085\u0088 '"\\ $x \`y\``;
    expect(run(`cat <<'END'\n${text}\nEND\n`).stdout.toString()).toBe(`${text}\n`);
  });

  it('sees no arguments, no leftover variables and a clean environment', () => {
    const { stdout } = run('echo "$#"; set | grep -E "^[pdnlm]="; env | sort; umask; pwd');
    const lines = stdout.toString().trim().split('\n');
    expect(lines[0]).toBe('0');
    const names = lines.slice(1, -2).map((line) => line.split('=')[0]);
    expect(names.filter((name) => name !== '_' && name !== 'PWD' && name !== 'SHLVL' && name !== 'OLDPWD')).toEqual([
      'HOME',
      'LC_ALL',
      'PATH',
      'SSH_CONNECTION',
    ]);
    expect(lines.slice(-2)).toEqual(['0022', '/']);
  });

  it('may stop at a failure under set -e', () => {
    const { exitCode, stdout } = run('set -e; echo one; false; echo two');
    expect([exitCode, stdout.toString()]).toEqual([1, 'one\n']);
  });

  it('has its death by a signal reported as a shell does', () => {
    expect(run(`sh -c 'kill -KILL $$'; exit $?`).exitCode).toBe(137);
  });

  it('runs nothing at all when it has a syntax error', () => {
    const { exitCode, stdout } = run('echo started; if true; then echo unfinished');
    expect(exitCode).not.toBe(0);
    expect(stdout.toString()).toBe('');
  });

  it('may print without a line feed at the end, and none at all', () => {
    expect(run('printf "no line feed"').stdout.toString()).toBe('no line feed');
    expect(run('true').stdout.length).toBe(0);
  });

  it('may print something like our end marker', () => {
    const { stdout } = run(`printf 'portfw:${'0'.repeat(32)}:end:0\\n'`);
    expect(stdout.toString()).toBe(`portfw:${'0'.repeat(32)}:end:0\n`);
  });

  it('cannot contain NUL characters', () => {
    expect(() => programInput('a\0b', '', 1000, markers)).toThrow(TypeError);
  });

  it('is stopped at its deadline with everything that it started', () => {
    const input = Buffer.concat(programInput('sleep 61.5 & sleep 61.5', '', 300, markers).shell);
    const startedAt = performance.now();
    const outcome = runInput(input);
    expect(outcome.kind).toBe('partial');
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(runningCommands()).not.toContain('sleep 61.5 ');
  });

  it.each(['some data', ''])('never runs in part, wherever the line breaks (data: "%s")', (data) => {
    const proof = join(scratch, `ran with ${data}`);
    const whole = Buffer.concat(programInput(`echo ran >'${proof}'`, data, 10_000, markers).shell);
    const bootstrapLength = whole.indexOf('\n') + 1;
    // Each place inside the program and the data, and a few inside the bootstrap.
    const cuts = [1, 20, bootstrapLength - 1];
    for (let cut = bootstrapLength; cut < whole.length; cut += 5) cuts.push(cut);
    cuts.push(whole.length - 1);
    for (const cut of cuts) {
      expect(runInput(whole.subarray(0, cut)).kind).toBe('none');
      expect(existsSync(proof)).toBe(false);
    }
    expect(runInput(whole).kind).toBe('complete');
    expect(existsSync(proof)).toBe(true);
  });
});

describe('commandLine', () => {
  const password = new Secret('s3cret');
  const lines = (of: Markers) => [
    commandLine({ kind: 'none' }, of),
    commandLine({ kind: 'sudo', password: null }, of),
    commandLine({ kind: 'sudo', password: null }, of, true),
    commandLine({ kind: 'sudo', password }, of),
    commandLine({ kind: 'sudo', password }, of, true),
  ];

  it('varies only in the nonce', () => {
    const other = createMarkers();
    const theirs = lines(other).map((line) => line.replaceAll(other.nonce, 'N'));
    expect(theirs).toEqual(lines(markers).map((line) => line.replaceAll(markers.nonce, 'N')));
  });

  it('has nothing in it that csh, fish or a restricted shell read in another way', () => {
    for (const line of lines(markers)) {
      expect(line).not.toMatch(/[!\\`\n]/);
      expect(line).not.toContain('s3cret');
      // A restricted shell runs no command with a slash in its name.
      expect(line).toMatch(/^env /);
      // Outside single quotes: words, one double-quoted variable, nothing else.
      expect(line.replace(/'[^']*'/g, 'Q').replace('"$SSH_CONNECTION"', 'V')).toMatch(/^[\w/=. -]+$/);
    }
  });

  it('has sudo start the same text each time, so that a rule can name it', () => {
    const rootShell = /'(printf [^']*)'/;
    const texts = new Set(lines(createMarkers()).map((line) => rootShell.exec(line)?.[1]));
    expect(texts.size).toBe(2);
    expect([...texts].join('')).not.toMatch(/[0-9a-f]{32}/);
  });
});

describe('createMarkers', () => {
  it('makes others each time', () => {
    expect(createMarkers().nonce).not.toBe(createMarkers().nonce);
    expect(createMarkers().nonce).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('unframe', () => {
  const { begin, end } = markers;
  it.each([
    ['a whole answer', `${begin}out${end}0\n`, begin, 'complete', 'out', ''],
    ['a banner on both streams', `Welcome!${begin}out${end}3\nlogout`, `motd\n${begin}err`, 'complete', 'out', 'err'],
    ['no end', `${begin}half`, begin, 'partial', 'half', ''],
    ['an end without its exit code', `${begin}out${end}`, begin, 'partial', 'out', ''],
    ['an exit code cut short', `${begin}out${end}12`, begin, 'partial', 'out', ''],
    ['a beginning on standard error only', 'banner', `${begin}err`, 'partial', 'banner', 'err'],
    ['nothing of ours', 'This account is not available.\n', 'x', 'none', 'This account is not available.\n', 'x'],
    ['an end without a beginning', `${end}0\n`, '', 'none', `${end}0\n`, ''],
  ])('%s', (_what, stdout, stderr, kind, programStdout, programStderr) => {
    const result = unframe(Buffer.from(stdout), Buffer.from(stderr), markers);
    expect([result.kind, result.stdout.toString(), result.stderr.toString()]).toEqual([
      kind,
      programStdout,
      programStderr,
    ]);
  });
});
