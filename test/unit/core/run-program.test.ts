import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ProgramRun, runProgram } from '../../../src/core/run-program.ts';

const sh = (script: string, more: Partial<ProgramRun> = {}) =>
  runProgram({ argv: ['sh', '-c', script], timeoutMs: 15_000, maxBytes: 1000, ...more });

/** What came of it, and that it came within the given time. */
async function within<Result>(ms: number, outcome: Promise<Result>): Promise<Result> {
  const began = performance.now();
  const result = await outcome;
  expect(performance.now() - began).toBeLessThan(ms);
  return result;
}

describe('a program that is run for its output', () => {
  it('is told by its exit code, what it prints and what it says', async () => {
    const exited = await sh('printf "a\\n"; echo b >&2; exit 3');
    expect(exited).toEqual({ kind: 'exited', exitCode: 3, stdout: Buffer.from('a\n'), said: 'b\n' });
  });

  it('is told by the signal that ended it', async () => {
    expect(await sh('echo b >&2; kill -9 $$')).toEqual({ kind: 'killed', signal: 'SIGKILL', said: 'b\n' });
  });

  it.each([
    [['/nonexistent'], 'ENOENT'],
    [[tmpdir()], 'EACCES'],
    [['echo', 'x'.repeat(300_000)], 'E2BIG'],
  ] as const)('that cannot be started is told by why: %#', async ([program, ...args], errno) => {
    const outcome = await runProgram({ argv: [program, ...args], timeoutMs: 5000, maxBytes: 1000 });
    expect(outcome).toMatchObject({ kind: 'not-started', errno, why: expect.stringContaining(errno) as unknown });
  });

  it('has no input, no shell between, and none of our passwords', async () => {
    process.env['PORTFW_SSH_PASSWORD'] = 'hunter2';
    try {
      const argv = ['printf', '%s', '$(id) "'] as const;
      expect(await runProgram({ argv, timeoutMs: 5000, maxBytes: 1000 })).toMatchObject({
        stdout: Buffer.from('$(id) "'),
      });
      const outcome = await sh(`cat; echo "$PORTFW_SSH_PASSWORD$MORE"; pwd`, {
        environment: { MORE: 'more' },
        directory: '/',
      });
      expect(outcome).toMatchObject({ stdout: Buffer.from('more\n/\n') });
    } finally {
      delete process.env['PORTFW_SSH_PASSWORD'];
    }
  });

  it('is ended when its time is up, by KILL where it shrugs off TERM', async () => {
    const slow = { timeoutMs: 300 };
    expect(await within(5000, sh('echo b >&2; exec sleep 20', slow))).toEqual({ kind: 'timeout', said: 'b\n' });
    expect(await within(5000, sh('trap "exit 0" TERM; while :; do sleep 0.1; done', slow))).toMatchObject({
      kind: 'timeout',
    });
    const stubborn = 'trap "" TERM; while :; do sleep 0.1; done';
    expect(await within(5000, sh(stubborn, slow))).toMatchObject({ kind: 'timeout' });
  });

  it.runIf(process.getuid?.() === 0 && existsSync('/usr/bin/setpriv'))(
    'is not waited for when its time is up and it may not be killed',
    async () => {
      // As with sudo: nobody's portfw starts it, and it makes itself root.
      const folder = mkdtempSync(join(tmpdir(), 'portfw-run-program-'));
      try {
        chmodSync(folder, 0o755);
        const setpriv = join(folder, 'setpriv');
        copyFileSync('/usr/bin/setpriv', setpriv);
        chmodSync(setpriv, 0o4755);
        const argv = [setpriv, '--reuid=0', 'sh', '-c', 'id -u; exec sleep 20'];
        const script = `const { runProgram } = await import('${new URL('../../../dist/core/run-program.js', import.meta.url).href}');
        process.setuid(65534);
        const began = performance.now();
        const outcome = await runProgram({ argv: ${JSON.stringify(argv)}, timeoutMs: 300, maxBytes: null });
        console.log(JSON.stringify({ ...outcome, inTime: performance.now() - began < 10_000 }));
        process.exit();`;
        const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
        expect(JSON.parse(told)).toEqual({ kind: 'timeout', said: '0\n', inTime: true });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('may print as much as it may, and is ended by one byte more', async () => {
    expect(await sh('head -c 1000 /dev/zero')).toMatchObject({ kind: 'exited', stdout: Buffer.alloc(1000) });
    expect(await sh('head -c 1001 /dev/zero')).toMatchObject({ kind: 'too-much' });
    const careless = 'trap "" PIPE TERM; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxx; done 2>/dev/null';
    expect(await within(5000, sh(careless))).toMatchObject({ kind: 'too-much' });
  });

  it('may close its output and go on', async () => {
    expect(await sh('exec >&-; sleep 0.5; exit 4')).toMatchObject({ kind: 'exited', exitCode: 4 });
  });

  it('is not waited for when it leaves a child behind that holds its streams', async () => {
    const outcome = await within(5000, sh('echo a; echo b >&2; sleep 20 &'));
    expect(outcome).toEqual({ kind: 'exited', exitCode: 0, stdout: Buffer.from('a\n'), said: 'b\n' });
    const slow = sh('sleep 20 & wait', { timeoutMs: 200 });
    expect(await within(5000, slow)).toMatchObject({ kind: 'timeout' });
  });

  it('has the end of its error output kept, however much there is', async () => {
    const outcome = await sh(`head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2`);
    expect(outcome).toMatchObject({ kind: 'exited', said: `${'x'.repeat(8188)}end\n` });
  });

  it('has both outputs kept together where nothing is collected', async () => {
    const outcome = await sh('echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c; head -c 2000 /dev/zero', {
      maxBytes: null,
    });
    expect(outcome).toMatchObject({
      kind: 'exited',
      stdout: Buffer.alloc(0),
      said: `a\nb\nc\n${'\0'.repeat(2000)}`,
    });
  });

  it.each([true, false])('is a process group of its own where it is asked for: %s', async (ownGroup) => {
    const outcome = await sh('ps -o pgid= -p $$; echo $$', { ownGroup });
    if (outcome.kind !== 'exited') throw new Error(outcome.kind);
    const [group, own] = outcome.stdout.toString().split('\n');
    expect(group?.trim() === own).toBe(ownGroup);
  });
});
