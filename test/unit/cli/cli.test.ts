import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BuiltPortfw, type Ended } from './helpers/portfw.ts';

let built: BuiltPortfw;
beforeAll(() => {
  built = new BuiltPortfw();
}, 120_000);
afterAll(() => built.remove());

const portfw = (args: readonly string[]): Promise<Ended> => built.run(args);

const GOOD = 'test/fixtures/cli/good.yaml';
const BROKEN = 'test/fixtures/cli/broken.yaml';
const COMMANDS = [
  'inventory',
  'matrix',
  'facts',
  'detect',
  'plan',
  'apply',
  'confirm',
  'status',
  'history',
  'rollback',
  'lint',
  'init',
  'schema',
  'completion',
];

/** The modules that a run of the program loads, by V8's own account. */
function modulesOf(args: readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'portfw-modules-'));
  try {
    execFileSync(process.execPath, [built.main, ...args], { env: { ...process.env, NODE_V8_COVERAGE: folder } });
    return readdirSync(folder).flatMap((file) => {
      const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: readonly { url: string }[] };
      return result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('what is loaded', () => {
  it('--version loads nothing but its own file', () => {
    expect(modulesOf(['--version']).map((url) => url.replace(/.*\/dist\//, ''))).toEqual(['cli/main.js']);
  });

  it('--help loads no library but the one that reads arguments', () => {
    const libraries = modulesOf(['--help']).filter((url) => url.includes('/node_modules/'));
    expect(libraries.length).toBeGreaterThan(0);
    for (const url of libraries) expect(url).toContain('/node_modules/commander/');
  });

  it.each([
    [
      ['inventory', GOOD, '--list'],
      ['zod', 'string-width', 'ssh2', 'minijinja-js'],
    ],
    [
      ['lint', GOOD],
      ['string-width', 'ssh2', 'listr2'],
    ],
  ])('%j loads nothing that it does not need', (args, libraries) => {
    const loaded = modulesOf(args);
    for (const name of libraries) expect(loaded.filter((url) => url.includes(`/node_modules/${name}/`))).toEqual([]);
  });
});

describe.concurrent('portfw', { timeout: 30_000 }, () => {
  it.each(['--version', '-V'])('%s prints the version', async (flag) => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(await portfw([flag])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  it('--help teaches: every command, examples, exit codes, environment', async () => {
    const { code, stdout } = await portfw(['--help']);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    for (const text of [
      'Examples:',
      'Exit codes:',
      '130',
      'PORTFW_BECOME_PASSWORD',
      'PORTFW_SSH_PASSWORD',
      'PORTFW_KEY_PASSPHRASE',
    ]) {
      expect(stdout).toContain(text);
    }
  });

  it('every command has examples in its help, and none has a flag that takes a password', async () => {
    const helps = await Promise.all(COMMANDS.map((command) => portfw([command, '--help'])));
    for (const help of helps) {
      expect(help.code).toBe(0);
      expect(help.stdout).toContain('Examples:');
      expect(help.stdout).not.toMatch(/pass\w*[ =]<|password <|passphrase <|secret </i);
    }
  });

  it.each([
    ['no command', [], /Usage: portfw/],
    ['an unknown command', ['aply', GOOD], /unknown command 'aply'\n\(Did you mean apply\?\)/],
    ['an unknown flag', ['apply', GOOD, '--lmit', 'x'], /unknown option '--lmit'\n\(Did you mean --limit\?\)/],
    [
      'a missing inventory',
      ['plan'],
      /no inventory is named, and .*\n {4}There (?:is|are) .*: add "-i inventories" to the command/,
    ],
    ['an empty inventory', ['plan', GOOD, '-i', ''], /the name of an inventory is empty/],
    ['a missing argument', ['completion'], /missing required argument 'shell'/],
    ['an argument too many', ['matrix', 'portaswitch', 'portaswitch'], /too many arguments/],
    ['a bad number', ['plan', GOOD, '--forks', '0'], /whole number from 1 to 1000/],
    ['a bad number that parses', ['plan', GOOD, '--connect-timeout', '1e3'], /whole number from 1 to 3600/],
    ['flags that exclude each other', ['inventory', GOOD, '--list', '--graph'], /cannot be used with/],
    ['an unknown shell', ['completion', 'fissh'], /Did you mean "fish"\?/],
    ['an unknown matrix', ['matrix', 'portaswich'], /Did you mean "portaswitch"\?/],
    ['a comparison with nothing', ['matrix', '--compare', 'portaswitch'], /needs two matrices/],
    ['a file that is not there', ['plan', 'nowhere.yaml'], /^nowhere\.yaml:1:1: error: /],
    ['a limit that matches nothing', ['plan', GOOD, '--limit', 'web9*'], /error: .*web9/],
    [
      '--accept-lockout of a group',
      ['plan', GOOD, '--accept-lockout', 'all'],
      /--accept-lockout names "all", which is no host of this run\n.*never a group or a pattern/,
    ],
    [
      '--accept-forwarding-stop of a pattern',
      ['plan', GOOD, '--accept-forwarding-stop', 'web*'],
      /--accept-forwarding-stop names "web\*", which is no host of this run\n.*never a group or a pattern/,
    ],
    ['a limit to hosts that are not managed', ['plan', GOOD, '-l', 'gateway*'], /is managed\n.*portfw_managed: false/],
    ['an unknown host', ['inventory', GOOD, '--host', 'web1.example.ne'], /Did you mean "web1\.example\.net"\?/],
    ['a password prompt without a terminal', ['plan', GOOD, '-k'], /no terminal to ask for a password/],
  ])('%s is exit code 4', async (_name, args, message) => {
    const { code, stdout, stderr } = await portfw(args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(4);
  });

  it('never repeats a password that was given on the command line', async () => {
    const { code, stdout, stderr } = await portfw(['apply', GOOD, '--ask-become-pass=hunter2']);
    expect(code).toBe(4);
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stderr).toContain('PORTFW_BECOME_PASSWORD');
  });

  it.each([
    ['apply', 'Add --yes'],
    ['rollback', 'Add --yes'],
  ])('%s without a terminal and without --yes contacts no host', async (command, hint) => {
    const { code, stdout, stderr } = await portfw([command, GOOD]);
    expect(stderr).toContain(hint);
    expect(stdout).toBe('');
    expect(code).toBe(4);
  });

  it('apply --json never asks', async () => {
    const { code, stderr } = await portfw(['apply', GOOD, '--json']);
    expect(code).toBe(4);
    expect(stderr).toContain('--json cannot ask');
  });
});

describe.concurrent('portfw lint', { timeout: 30_000 }, () => {
  it('is silent about files in order, and exits with 0', async () => {
    expect(await portfw(['lint', GOOD])).toEqual({
      code: 0,
      stdout: '1 file checked: nothing is wrong\n',
      stderr: '',
    });
  });

  it('prints everything that is wrong at once, each with its place and a hint', async () => {
    const { code, stdout } = await portfw(['lint', BROKEN]);
    expect(code).toBe(4);
    expect(stdout).toMatch(/broken\.yaml:3:5: error: .*portfw_playbok.*\n {4}Did you mean "portfw_playbook"/);
    expect(stdout).toMatch(/broken\.yaml:12:25: error: .*diametr.*\n {4}Did you mean "diameter"/);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d errors$/);
    expect(stdout).not.toContain('\u001b');
  });

  it('prints one JSON object a problem with --json', async () => {
    const { code, stdout } = await portfw(['lint', BROKEN, '--json']);
    expect(code).toBe(4);
    for (const line of stdout.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({
        severity: 'error',
        hint: expect.any(String),
        location: { line: expect.any(Number) },
      });
    }
  });

  it('knows playbooks and matrices by what is in them', async () => {
    const { code, stdout } = await portfw([
      'lint',
      'playbooks/portaswitch.yaml',
      'playbooks/matrices/portaswitch.yaml',
    ]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '2 files checked: nothing is wrong\n',
    });
  });

  it('keeps a run from contacting any host', async () => {
    const { code, stdout, stderr } = await portfw(['facts', BROKEN]);
    expect(code).toBe(4);
    expect(stdout).toBe('');
    expect(stderr).toContain('broken.yaml:3:5');
  });
});

describe.concurrent('portfw matrix', { timeout: 30_000 }, () => {
  it('lists the matrices that ship', async () => {
    const { code, stdout } = await portfw(['matrix']);
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['img-gcems', 'portaswitch', 'portaswitch-ocs']);
  });

  it('--json is an array of rows with exactly the documented keys', async () => {
    const { code, stdout } = await portfw(['matrix', 'portaswitch', '--json']);
    expect(code).toBe(0);
    const rows = JSON.parse(stdout);
    expect(rows.length).toBeGreaterThan(30);
    const keys = ['matrix', 'role', 'interface', 'protocol', 'port', 'from', 'feature', 'purpose', 'source', 'note'];
    for (const row of rows) expect(Object.keys(row)).toEqual(keys);
    expect(rows).toContainEqual(
      expect.objectContaining({
        role: 'web-admin',
        protocol: 'tcp',
        port: '8903-8904',
        feature: null,
      }),
    );
  });

  it('--compare shows what comes and goes', async () => {
    const { code, stdout } = await portfw(['matrix', 'portaswitch', '--compare', 'portaswitch-ocs']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^portaswitch → portaswitch-ocs\n/);
    expect(stdout).toMatch(/^ {2}\+ ocs\/public\/udp\/1812 — /m);
    expect(stdout).toMatch(/^ {2}- /m);
  });
});

describe.concurrent('portfw inventory', { timeout: 30_000 }, () => {
  it('--list is the document of ansible-inventory', async () => {
    const { code, stdout } = await portfw(['inventory', GOOD, '--list']);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(stdout.startsWith('{\n    "_meta": {\n        "hostvars": {\n')).toBe(true);
    expect(document._meta.hostvars['web1.example.net'].ansible_port).toBe(9);
    expect(document.ungrouped).toEqual({
      hosts: ['web1.example.net', 'gateway.example.net'],
    });
  });

  it('prints a tree', async () => {
    const { stdout } = await portfw(['inventory', GOOD]);
    expect(stdout).toBe('@all:\n  |--@ungrouped:\n  |  |--web1.example.net\n  |  |--gateway.example.net\n');
  });

  it('--host prints the variables of one host', async () => {
    const { stdout } = await portfw(['inventory', GOOD, '--host', 'gateway.example.net']);
    expect(JSON.parse(stdout)).toMatchObject({
      portfw_managed: false,
      portfw_playbook: 'portaswitch',
    });
  });
});

describe.concurrent('a run without a terminal', { timeout: 30_000 }, () => {
  it('prints plain lines and a table, and tells an unreachable host by exit code 3', async () => {
    const { code, stdout, stderr } = await portfw(['facts', GOOD]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^facts: 1 host\nweb1\.example\.net: unreachable \(/);
    expect(stdout).toMatch(/^host +outcome +changes +time +note$/m);
    expect(stdout).not.toContain('gateway');
    expect(stdout).not.toContain('\u001b');
    expect(code).toBe(3);
  });

  it('does not take an empty --limit for all hosts', async () => {
    const { code, stderr } = await portfw(['facts', GOOD, '--limit', '']);
    expect(stderr).toContain('--limit is empty');
    expect(code).toBe(4);
  });

  it('is quiet about many hosts at once', async () => {
    const { code, stdout, stderr } = await portfw(['facts', 'test/fixtures/cli/many.yaml']);
    expect(stderr).toBe('');
    expect(stdout).toContain('30 unreachable');
    expect(code).toBe(3);
  });

  it('--json prints nothing but events, the summary last', async () => {
    const { code, stdout } = await portfw(['plan', GOOD, '--json', '--detailed-exitcode']);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events[0]).toEqual({
      kind: 'run-started',
      format: 1,
      command: 'plan',
      hosts: ['web1.example.net'],
      at: expect.any(Number),
    });
    expect(events.at(-1).summary.outcomes).toMatchObject({
      'web1.example.net': { kind: 'unreachable' },
    });
    expect(code).toBe(3);
  });

  it('ends quietly when the reader of its output leaves', async () => {
    const { child, ended } = built.start(['matrix', 'portaswitch']);
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe.concurrent('output that cannot be written', { timeout: 30_000 }, () => {
  it.each([
    ['a run over hosts', ['plan', GOOD, '--connect-timeout', '1']],
    ['a table', ['matrix', 'portaswitch']],
  ])('ends %s with an error, once and soon', async (_what, args) => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [built.main, ...args], { stdio: ['ignore', full, 'pipe'] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    closeSync(full);
    expect(stderr.match(/the output cannot be written: ENOSPC/g)).toHaveLength(1);
    expect(code === 1 || code === 3).toBe(true);
  });
});

describe.concurrent('portfw completion', { timeout: 30_000 }, () => {
  it.each([
    [['portfw', 'ap'], 'apply'],
    [['portfw', 'apply', '--d'], '--details --dry-run --detailed-exitcode'],
    [['portfw', 'completion', ''], 'bash zsh fish'],
    // Left to the shell, which completes file names.
    [['portfw', 'plan', '--known-hosts', ''], ''],
    [['portfw', 'lint', 'inv'], ''],
  ])('bash completes %j to %j', async (words, completed) => {
    const { stdout: script } = await portfw(['completion', 'bash']);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash that fills it in
    const ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portfw; echo "${COMPREPLY[*]}"';
    const answer = execFileSync('bash', ['-c', `${script}\n${ask}`, 'bash', ...words], { encoding: 'utf8' });
    expect(answer.trimEnd()).toBe(completed);
  });

  it.each([
    ['bash', /complete -o default -F _portfw portfw/],
    ['zsh', /^#compdef portfw/],
    ['fish', /complete -c portfw .*-l detailed-exitcode/],
  ])('%s knows every command and its flags', async (shell, mark) => {
    const { code, stdout } = await portfw(['completion', shell]);
    expect(code).toBe(0);
    expect(stdout).toMatch(mark);
    for (const command of COMMANDS) expect(stdout).toContain(command);
    expect(stdout).toContain('accept-new-host-keys');
  });
});
