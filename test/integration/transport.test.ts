import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../lab/lab.ts';
import {
  connected,
  ended,
  eventually,
  isRunning,
  run,
  runOn,
  startSshd,
  sudo,
  targetOf,
  transport,
  withConnection,
} from './helpers/transport-lab.ts';

const suites = ['bullseye', 'bookworm', 'trixie'] as const;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'transport',
    hosts: suites.map((suite) => ({ name: suite, suite, firewalld: 'stopped' })),
  });
});
afterAll(() => lab?.stop());

const host = (name: string) => lab.host(name);
const target = (name: string, changes: Parameters<typeof targetOf>[2] = {}) => targetOf(lab, host(name), changes);

describe.each(suites)('programs on %s', (suite) => {
  it('run with their data and give back both streams and the exit code', async () => {
    const data = Uint8Array.from({ length: 1_500_000 }, (_, index) => (index * 7) % 256);
    const outcome = await runOn(target(suite), 'echo to stderr >&2; cat; exit 42', {
      data,
      outputLimitBytes: 2_000_000,
    });
    expect(outcome).toMatchObject({ kind: 'exited', exitCode: 42 });
    expect(Buffer.compare(outcome.stdout, Buffer.from(data))).toBe(0);
    expect(outcome.stderr.toString()).toBe('to stderr\n');
  });

  it('have UTF-8 come back whole whatever the packets', async () => {
    const line = '€ äöü 日本語 🙂\n';
    const text = line.repeat(40_000);
    expect(ended(await runOn(target(suite), 'cat', { data: text, outputLimitBytes: 3_000_000 })).stdout).toBe(text);
  });

  it('become root without a password where sudoers says so', async () => {
    const program = 'id -u; echo "$SSH_CONNECTION"; env; cat';
    await withConnection(target(suite, { user: 'operator', become: sudo(null) }), async (connection) => {
      const { stdout } = ended(await run(connection, program, { data: 'data' }));
      const { localAddress, localPort, remoteAddress, remotePort } = connection.endpoints!;
      expect(stdout.split('\n').slice(0, 2)).toEqual([
        '0',
        `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`,
      ]);
      expect(stdout).toContain('LC_ALL=C\n');
      expect(stdout.endsWith('data')).toBe(true);
    });
  });

  it('never take a password that nobody asked for as input', async () => {
    const { stdout, stderr } = ended(
      await runOn(target(suite, { user: 'operator', become: sudo('touch /tmp/eaten') }), 'id -u; cat', {
        data: 'data',
      }),
    );
    expect([stdout, stderr]).toEqual(['0\ndata', '']);
    expect((await host(suite).exec(['test', '-e', '/tmp/eaten'])).exitCode).toBe(1);
  });

  it('become root with a password', async () => {
    const become = sudo(lab.sudoPassword);
    const { stdout, stderr } = ended(
      await runOn(target(suite, { user: 'admin', become }), 'id -u; head -c 5', { data: 'x'.repeat(1_200_000) }),
    );
    expect([stdout, stderr]).toEqual(['0\nxxxxx', '']);
  });

  it.each([
    ['admin', 'wrong', 'password-wrong'],
    ['admin', null, 'password-required'],
    ['nosudo', 'portfw-lab', 'not-allowed'],
  ] as const)('are not run for %s with the password %s', async (user, password, reason) => {
    const outcome = await runOn(target(suite, { user, become: sudo(password) }), 'touch /tmp/ran');
    expect(outcome).toMatchObject({ kind: 'become-failed', reason, mayHaveRun: false });
    expect((await host(suite).exec(['test', '-e', '/tmp/ran'])).exitCode).toBe(1);
  });

  it('are stopped at their deadline under sudo, with everything that they started', async () => {
    const program = `trap '' HUP; sleep 61.25 & sleep 61.25`;
    const outcome = await runOn(target(suite, { user: 'operator', become: sudo(null) }), program, { deadlineMs: 700 });
    expect(outcome).toMatchObject({ kind: 'deadline', mayHaveRun: true });
    expect(outcome.durationMs).toBeLessThan(4000);
    expect(await isRunning(host(suite), '61.25')).toBe(false);
  });

  it('are told apart from banners and profiles', async () => {
    await host(suite).sh(`
      useradd -m -s /bin/bash chatty
      printf 'echo "Wëlcome to $(hostname)"; printf "no line feed" >&2; export LC_ALL=de_DE IFS=x POSIXLY_CORRECT=1\n' >/home/chatty/.bashrc
      echo 'chatty ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/chatty
    `);
    for (const become of [{ kind: 'none' } as const, sudo(null)]) {
      const outcome = await runOn(target(suite, { user: 'chatty', become }), 'echo answer; echo complaint >&2');
      expect(ended(outcome)).toEqual({ exitCode: 0, stdout: 'answer\n', stderr: 'complaint\n' });
    }
  });
});

describe('a host whose sh is bash, as on Enterprise Linux', () => {
  beforeAll(() => host('bookworm').run('ln', '-sfn', 'bash', '/bin/sh'));
  afterAll(() => host('bookworm').run('ln', '-sfn', 'dash', '/bin/sh'));

  it('runs programs in the same way', async () => {
    const data = 'ä'.repeat(400_000);
    await withConnection(target('bookworm', { user: 'admin', become: sudo(lab.sudoPassword) }), async (connection) => {
      for (let round = 0; round < 10; round++) {
        const program = 'case $BASH_VERSION in "") exit 9 ;; esac; wc -c; echo é >&2; exit 4';
        expect(ended(await run(connection, program, { data }))).toEqual({
          exitCode: 4,
          stdout: '800000\n',
          stderr: 'é\n',
        });
      }
    });
  });

  it('stops them at their deadline and on demand', async () => {
    const program = 'sleep 64.25 & sleep 64.25';
    expect((await runOn(target('bookworm'), program, { deadlineMs: 400 })).kind).toBe('deadline');
    expect((await runOn(target('bookworm'), program, { signal: AbortSignal.timeout(700) })).kind).toBe('aborted');
    await eventually('the program is gone', async () => !(await isRunning(host('bookworm'), '64.25')));
  });

  it('runs nothing of a program with a syntax error', async () => {
    const { exitCode, stdout } = ended(await runOn(target('bookworm'), 'echo started; if true; then echo no end'));
    expect([exitCode === 0, stdout]).toEqual([false, '']);
  });
});

describe('a program on a host that does not cooperate', () => {
  it('is not run by a login shell that refuses', async () => {
    await host('bookworm').sh('useradd -m -s /usr/sbin/nologin closed');
    const outcome = await runOn(target('bookworm', { user: 'closed' }), 'touch /tmp/ran');
    expect(outcome).toMatchObject({
      kind: 'not-run',
      exitCode: 1,
      mayHaveRun: false,
      what: expect.stringContaining('currently not available'),
    });
  });

  it('is not run by a forced command that reads our input and answers "yes"', async () => {
    const port = await startSshd(host('bookworm'), 'ForceCommand cat >/dev/null; echo fine; exit 0');
    const connection = connected(await transport.connect(target('bookworm', { port, hostKeyAlias: 'bookworm' })));
    const running = run(connection, 'touch /tmp/ran', { deadlineMs: 1000 });
    expect(await running).toMatchObject({ kind: 'deadline' });
    await connection.close();
    const quick = await startSshd(host('bookworm'), 'ForceCommand echo fine');
    const outcome = await runOn(target('bookworm', { port: quick, hostKeyAlias: 'bookworm' }), 'touch /tmp/ran');
    expect(outcome).toMatchObject({ kind: 'not-run', exitCode: 0, mayHaveRun: false });
    expect((await host('bookworm').exec(['test', '-e', '/tmp/ran'])).exitCode).toBe(1);
  });

  it('is not run where there is no sudo', async () => {
    await host('bullseye').sh('mv /usr/bin/sudo /usr/bin/sudo.away');
    const outcome = await runOn(target('bullseye', { user: 'operator', become: sudo(null) }), 'touch /tmp/ran');
    await host('bullseye').sh('mv /usr/bin/sudo.away /usr/bin/sudo');
    expect(outcome).toMatchObject({ kind: 'become-failed', reason: 'no-sudo', mayHaveRun: false });
  });

  it('is not run where sudoers insists on a terminal and the host has nothing to make one with', async () => {
    await host('bookworm').writeFile('/etc/sudoers.d/tty', 'Defaults:operator requiretty\n', '440');
    await host('bookworm').sh('chmod a-x "$(readlink -f /usr/bin/python3)"');
    const outcome = await runOn(target('bookworm', { user: 'operator', become: sudo(null) }), 'touch /tmp/ran');
    await host('bookworm').sh('chmod a+x "$(readlink -f /usr/bin/python3)"; rm /etc/sudoers.d/tty');
    expect(outcome).toMatchObject({ kind: 'become-failed', reason: 'tty-required', mayHaveRun: false });
  });

  it('leaves a second program of the same connection alone when sshd allows only one', async () => {
    const port = await startSshd(host('bookworm'), 'MaxSessions 1');
    await withConnection(target('bookworm', { port, hostKeyAlias: 'bookworm' }), async (connection) => {
      const first = run(connection, 'sleep 1; echo first');
      expect(await run(connection, 'echo second')).toMatchObject({
        kind: 'not-run',
        mayHaveRun: false,
        solve: expect.stringContaining('MaxSessions'),
      });
      expect(ended(await first).stdout).toBe('first\n');
    });
  });
});

describe('a connection that goes away', () => {
  it('is noticed at once when sshd is killed, and the outcome is unknown', async () => {
    const connection = connected(await transport.connect(target('bookworm')));
    const running = run(connection, 'sleep 62.25');
    await eventually('the program runs', () => isRunning(host('bookworm'), '62.25'));
    const startedAt = performance.now();
    const peer = `dport = :${connection.endpoints?.localPort}`;
    const pids = (await host('bookworm').run('ss', '-Htnp', peer)).matchAll(/pid=(\d+)/g);
    await host('bookworm').run('kill', '-KILL', ...[...pids].map(([, pid]) => pid!));
    expect(await running).toMatchObject({ kind: 'lost', mayHaveRun: true });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(await run(connection, 'true')).toMatchObject({ kind: 'lost', mayHaveRun: false });
    await connection.close();
  });

  it('is noticed within seconds when the line is dead', async () => {
    const connection = connected(await transport.connect(target('trixie')));
    const running = run(connection, 'sleep 65.25');
    await eventually('the program runs', () => isRunning(host('trixie'), '65.25'));
    await host('trixie').sh(`
      nft add table inet dead
      nft add chain inet dead input '{ type filter hook input priority -300; policy drop; }'
      nft add chain inet dead output '{ type filter hook output priority -300; policy drop; }'
    `);
    const startedAt = performance.now();
    const outcome = await running;
    const noticedMs = performance.now() - startedAt;
    await host('trixie').run('nft', 'delete', 'table', 'inet', 'dead');
    expect(outcome).toMatchObject({ kind: 'lost', mayHaveRun: true, what: expect.stringMatching(/keepalive/i) });
    expect(noticedMs).toBeLessThan(6500);
    await connection.close();
  });

  it('is lost for programs still running when we close it', async () => {
    const connection = connected(await transport.connect(target('bookworm')));
    const running = run(connection, 'sleep 66.25');
    await eventually('the program runs', () => isRunning(host('bookworm'), '66.25'));
    await connection.close();
    await connection.close();
    expect(await running).toMatchObject({ kind: 'lost', mayHaveRun: true });
  });
});

describe('limits', () => {
  it('end a program that prints without end, on the host too', async () => {
    const outcome = await runOn(target('bookworm'), 'exec yes portfw-flood', { outputLimitBytes: 200_000 });
    expect(outcome).toMatchObject({ kind: 'too-much-output', mayHaveRun: true });
    expect(outcome.stdout.length).toBeLessThan(400_000);
    await eventually('the flood is over', async () => !(await isRunning(host('bookworm'), 'portfw-flood')));
  });

  it('end a program that drips', async () => {
    const program = 'while :; do echo drip; sleep 0.1; done';
    const outcome = await runOn(target('bookworm'), program, { deadlineMs: 800 });
    expect(outcome.kind).toBe('deadline');
    expect(outcome.stdout.toString()).toContain('drip');
  });

  it.each([
    ['root', 'root', { kind: 'none' }],
    ['an account', 'operator', { kind: 'none' }],
    ['sudo', 'operator', sudo(null)],
  ] as const)('end a program of %s that the caller gives up', async (_what, user, become) => {
    const controller = new AbortController();
    await withConnection(target('bookworm', { user, become }), async (connection) => {
      const running = run(connection, 'sleep 63.25 & sleep 63.25', { signal: controller.signal, data: 'data' });
      await eventually('the program runs', () => isRunning(host('bookworm'), '63.25'));
      controller.abort();
      expect(await running).toMatchObject({ kind: 'aborted', mayHaveRun: true });
      await eventually('the program is gone', async () => !(await isRunning(host('bookworm'), '63.25')));
      expect(ended(await run(connection, 'echo still here')).stdout).toBe('still here\n');
    });
  });

  it('let a program finish although its connection is gone', async () => {
    const connection = connected(await transport.connect(target('bookworm', { user: 'operator', become: sudo(null) })));
    const running = run(connection, 'touch /run/began; sleep 1; touch /run/finished');
    const exists = async (file: string) => (await host('bookworm').exec(['test', '-e', file])).exitCode === 0;
    await eventually('the program runs', () => exists('/run/began'));
    await connection.close();
    expect((await running).kind).toBe('lost');
    await eventually('the program has finished', () => exists('/run/finished'));
  });

  it('do not make us wait for a child that outlives its program', async () => {
    const outcome = await runOn(target('bookworm'), 'setsid sleep 5 & echo done');
    expect(ended(outcome).stdout).toBe('done\n');
    expect(outcome.durationMs).toBeLessThan(3000);
  });
});

describe('this machine', () => {
  const local = () => target('bookworm', { kind: 'local' });

  it('runs programs like any host', async () => {
    const data = Uint8Array.from({ length: 1_200_000 }, (_, index) => index % 256);
    const outcome = await runOn(local(), 'cat; echo oops >&2; exit 3', { data, outputLimitBytes: 2_000_000 });
    expect(outcome).toMatchObject({ kind: 'exited', exitCode: 3 });
    expect(Buffer.compare(outcome.stdout, Buffer.from(data))).toBe(0);
    expect(outcome.stderr.toString()).toBe('oops\n');
  });

  it('stops them at their deadline, at the limit of output and on demand', async () => {
    expect((await runOn(local(), 'sleep 30 & sleep 30', { deadlineMs: 300 })).kind).toBe('deadline');
    expect((await runOn(local(), 'yes', { outputLimitBytes: 100 })).kind).toBe('too-much-output');
    const signal = AbortSignal.timeout(300);
    expect((await runOn(local(), 'sleep 30', { signal })).kind).toBe('aborted');
  });
});
