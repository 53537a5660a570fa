import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { firewalldProgram, installProgram, reachProgram } from '../../../src/host/programs.ts';
import { listedPrograms, sudoersFile, sudoersSetup, sudoHelper } from '../../../src/host/sudo-helper.ts';
import { createMarkers, programInput, unframe } from '../../../src/transport/program-framing.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-helper-'));
afterAll(() => rmSync(folder, { recursive: true }));

const helper = path.join(folder, 'portfw-run');
writeFileSync(helper, sudoHelper('1.2.3'));
chmodSync(helper, 0o755);

const CONNECTION = '192.0.2.1 50000 192.0.2.2 22';

/** What `portfw-run` makes of an input. */
function ask(input: Buffer | string, args: readonly string[] = [], environment: NodeJS.ProcessEnv = process.env) {
  const markers = createMarkers();
  const given = typeof input === 'string' ? Buffer.from(input) : input;
  const words = args.length === 0 ? [CONNECTION, markers.nonce] : args;
  const result = spawnSync(helper, words, { input: given, env: environment, timeout: 10_000 });
  return { ...result, markers, unframed: unframe(result.stdout, result.stderr, markers) };
}

function inputOf(program: string, data = ''): Buffer {
  return Buffer.concat(programInput(program, data, 5000, createMarkers('0'.repeat(32))).helper);
}

describe('portfw-run', () => {
  it('carries out a program of ours, with its data', () => {
    const { status, stderr, markers, unframed } = ask(inputOf(reachProgram(), '127.0.0.1 1 1\n'));
    expect(stderr.toString()).toContain(`[portfw:${markers.nonce}:listed]`);
    expect(status).not.toBe(95);
    expect(unframed.kind).toBe('complete');
  });

  it('carries out only what a plan takes for an account that may only plan', () => {
    const limited = path.join(folder, 'portfw-run-limited');
    writeFileSync(limited, sudoHelper('1.2.3', 'ci'));
    chmodSync(limited, 0o755);
    const asked = (user: string, program: string, data: string) => {
      const markers = createMarkers();
      const env = { ...process.env, SUDO_USER: user };
      const result = spawnSync(limited, [CONNECTION, markers.nonce], { input: inputOf(program, data), env });
      return { ...result, said: `${result.stdout}${result.stderr}` };
    };
    expect(asked('ops', reachProgram(), '127.0.0.1 1 1\n').status).not.toBe(95);
    expect(asked('ci', reachProgram(), '127.0.0.1 1 1\n')).toMatchObject({ status: 95 });
    expect(asked('ci', installProgram(), '')).toMatchObject({ status: 95 });
    // What it asks is refused on hosts, by the program itself (privilege.test.ts).
    expect(asked('ci', firewalldProgram(), '{}').status).not.toBe(95);
  });

  it.each([
    ['another program', inputOf('id -u')],
    ['one of ours with something added', inputOf(`${reachProgram()}\nid -u`)],
    ['one of ours with something before it', inputOf(`id -u\n${reachProgram()}`)],
    ['one of ours, with a function that is redefined', inputOf(`portfw_program() { id -u; }\n${reachProgram()}`)],
    ['nothing', inputOf('')],
  ])('refuses %s', (_what, input) => {
    const { status, stdout, stderr } = ask(input);
    expect(stderr.toString()).toContain('portfw-run: this program is not listed');
    expect([status, stdout.toString()]).toEqual([95, '']);
  });

  it.each([
    ['a bootstrap', 'umask 022; id -u\n'],
    ['no number', `$(id) 0 5\n`],
    ['a command after the numbers', '1 0 5;id\n'],
    ['too little', '10 0 5\nabc'],
    ['no time limit', '1 0 0\nx'],
    ['another way to say no limit', '1 0 0.0\nx'],
    ['more than memory holds', '99999999999999999999 0 5\nx'],
    ['an end of file', ''],
  ])('refuses %s in place of the lengths', (_what, input) => {
    const { status, stdout } = ask(input);
    expect([95, 96]).toContain(status);
    expect(stdout.toString()).toBe('');
  });

  it.each([
    [['a', 'b', 'c']],
    [[CONNECTION, '$(id)']],
    [['$(id)', 'ab12']],
    [[`${CONNECTION}\nX=1`, 'ab12']],
    [[CONNECTION]],
  ])('refuses the arguments %j', (args) => {
    expect(ask(inputOf(reachProgram()), args).status).toBe(95);
  });

  it('takes its programs from the system, whatever PATH the account has', () => {
    const trap = path.join(folder, 'bin');
    spawnSync('mkdir', ['-p', trap]);
    for (const name of ['env', 'timeout', 'head', 'sha256sum', 'base64', 'sh']) {
      writeFileSync(path.join(trap, name), `#!/bin/sh\ntouch ${folder}/trapped\n`, { mode: 0o755 });
    }
    const { unframed } = ask(inputOf(reachProgram(), '127.0.0.1 1 1\n'), [], { PATH: `${trap}:/usr/bin:/bin` });
    expect(unframed.kind).toBe('complete');
    expect(spawnSync('test', ['-e', path.join(folder, 'trapped')]).status).toBe(1);
  });

  it("keeps the account's home from the programs, which read files there and run what is in them", () => {
    const version = spawnSync('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
      .stdout.toString()
      .trim();
    const site = path.join(folder, 'home/.local/lib', `python${version}`, 'site-packages');
    mkdirSync(site, { recursive: true });
    const trapped = path.join(folder, 'trapped-at-home');
    writeFileSync(path.join(site, 'trap.pth'), `import os; open(${JSON.stringify(trapped)}, "w")\n`);
    const environment = { PATH: '/usr/bin:/bin', HOME: path.join(folder, 'home') };
    // The trap does work on a Python that has this home.
    spawnSync('python3', ['-c', ''], { env: environment });
    expect(existsSync(trapped)).toBe(true);
    rmSync(trapped);
    expect(ask(inputOf(reachProgram(), '127.0.0.1 1 1\n'), [], environment).unframed.kind).toBe('complete');
    expect(existsSync(trapped)).toBe(false);
  });

  it('lists every program that runs on hosts, each by another sum', () => {
    expect(new Set(listedPrograms()).size).toBe(4);
    for (const sum of listedPrograms()) expect(sudoHelper('1.2.3')).toContain(sum);
    expect(sudoHelper('1.2.3', 'ci')).not.toMatch(/@[A-Z_]+@/);
  });
});

describe('the sudoers file', () => {
  it('allows one program', () => {
    expect(sudoersFile({ user: 'ops', planner: null, password: false })).toBe(
      `# ops may run portfw's own programs as root, and nothing else.
Defaults!/usr/local/libexec/portfw-run !requiretty, env_reset, always_set_home
ops ALL=(root) NOPASSWD: /usr/local/libexec/portfw-run
`,
    );
    expect(sudoersFile({ user: 'ops', planner: 'ci', password: true })).toContain(
      '\nops ALL=(root) /usr/local/libexec/portfw-run\n',
    );
  });

  it('is set up by a script that a shell understands', () => {
    expect(
      spawnSync('sh', ['-n'], { input: sudoersSetup({ user: 'ops', planner: 'ci', password: false }, '1.2.3') }).status,
    ).toBe(0);
  });
});
