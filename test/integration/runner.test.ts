import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PublishedEvent } from '../../src/report/json/event-schema.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type HostState, statesOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { denyMethods } from './helpers/saboteur.ts';
import { TerminalRun } from './helpers/terminal-run.ts';

/** The runner over real hosts: two that can be configured, and one whose firewalld does not run. */
let lab: Lab;
let inventory: string;
let pristine: Readonly<Record<string, HostState>>;

const GOOD = ['one', 'two'];

beforeAll(async () => {
  lab = await startLab({
    name: 'runner',
    hosts: [
      { name: 'bad', suite: 'bookworm', firewalld: 'stopped' },
      { name: 'one', suite: 'bullseye' },
      { name: 'two', suite: 'trixie' },
    ],
  });
  const roles = { portfw_roles: ['web-admin'] };
  await writeFile(join(lab.directory, 'plain.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  inventory = await writeInventory(lab, 'fleet', {
    hosts: Object.fromEntries(['bad', ...GOOD].map((host) => [host, { ...roles, portfw_playbook: 'plain.yaml' }])),
  });
  pristine = await statesOf(lab.hosts);
});

afterAll(() => lab?.stop());

/** Applies with a playbook of its own. */
async function applyWith(name: string, play: string): Promise<JsonRun> {
  const file = join(lab.directory, `${name}.yaml`);
  await writeFile(file, play);
  return portfwJson('apply', inventory, '--yes', '--playbook', file);
}

function kinds(run: JsonRun): Readonly<Record<string, string>> {
  return Object.fromEntries([...run.outcomes].map(([host, { kind }]) => [host, kind]));
}

function batches(run: JsonRun): readonly (readonly string[])[] {
  return run.events.flatMap((event) => (event.kind === 'batch-started' ? [event.hosts] : []));
}

async function rollBack(): Promise<void> {
  const run = await portfwJson('rollback', inventory, '--yes', '--limit', GOOD.join(','));
  for (const host of GOOD) outcomeOf(run, host, 'rolled-back');
  expect(await statesOf(lab.hosts)).toEqual(pristine);
}

describe('before any host is contacted', () => {
  let server: Server;
  let knocks = 0;
  let file: string;

  beforeAll(async () => {
    server = createServer((socket) => {
      knocks += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    file = join(lab.directory, 'listener.yaml');
    const variables = `{ ansible_host: 127.0.0.1, ansible_port: ${port}, portfw_playbook: plain.yaml }`;
    await writeFile(file, `all:\n  hosts:\n    listener: ${variables}\n`);
    await writeFile(
      join(lab.directory, 'broken.yaml'),
      `all:\n  hosts:\n    listener: ${variables}\n    x: { portfw_rolse: [] }\n`,
    );
  });
  afterAll(() => void server?.close());

  it.each([
    ['apply', 'has no terminal to ask on'],
    ['rollback', 'has no terminal to ask on'],
  ])('%s wants a yes where it cannot ask', async (command, text) => {
    for (const flags of [[], ['--json']]) {
      const run = await portfw(command, file, ...flags);
      expect(run.exitCode).toBe(4);
      expect(run.stdout).toBe('');
      expect(run.stderr).toContain(flags.length === 0 ? text : `${command} --json cannot ask`);
      expect(run.stderr).toContain('--yes');
    }
    expect(knocks).toBe(0);
  });

  it('a mistake in the inventory ends the run, with its place', async () => {
    const run = await portfw('apply', join(lab.directory, 'broken.yaml'), '--yes');
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toMatch(/broken\.yaml:4:\d+: error: .*portfw_rolse/);
    expect(knocks).toBe(0);
  });

  it('with a yes the host is contacted', async () => {
    const run = await portfwJson(
      'apply',
      file,
      '--yes',
      '--accept-new-host-keys',
      '--known-hosts',
      join(lab.directory, 'k'),
    );
    expect([run.exitCode, knocks]).toEqual([3, 1]);
  });
});

describe('hosts that are not for portfw', () => {
  it('are in no batch of the others, and are never contacted', async () => {
    let knocks = 0;
    const server = createServer((socket) => {
      knocks += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    // Null unsets what the lab's inventory says of machines that nobody logs in to.
    const here = { portfw_managed: null, portfw_playbook: 'plain.yaml', ansible_host: '127.0.0.1', ansible_port: port };
    const mixed = await writeInventory(lab, 'mixed', {
      hosts: { two: { portfw_roles: ['web-admin'], portfw_playbook: 'plain.yaml' } },
      others: {
        localhost: { ...here, ansible_connection: 'local' },
        pc1: { ...here, ansible_connection: 'winrm', ansible_user: 'Administrator', ansible_become_method: 'runas' },
      },
    });
    const file = join(lab.directory, 'one-by-one.yaml');
    await writeFile(file, '- hosts: all\n  matrix: portaswitch\n  serial: 1\n  max_fail_percentage: 0\n');
    const run = await portfwJson('apply', mixed, '--yes', '--playbook', file);
    outcomeOf(await portfwJson('rollback', mixed, '--yes'), 'two', 'rolled-back');
    expect(await statesOf(lab.hosts)).toEqual(pristine);
    expect(kinds(run)).toEqual({ two: 'changed' });
    expect(batches(run)).toEqual([['two']]);
    expect(run.exitCode).toBe(0);
    expect(run.events[0]).toMatchObject({ kind: 'run-started', hosts: ['two'] });
    const started = run.events[0]?.kind === 'run-started' ? (run.events[0].leftOut ?? []) : [];
    expect(started.map(({ host, why }) => `${host} ${why}`).sort()).toEqual([
      'localhost local-among-remote',
      'pc1 connection',
    ]);
    expect(knocks).toBe(0);
    server.close();
  });
});

describe('batches', () => {
  it('a bad host in the first one keeps the run from the second', async () => {
    const run = await applyWith(
      'careful',
      '- hosts: all\n  matrix: portaswitch\n  serial: 1\n  max_fail_percentage: 0\n',
    );
    expect(kinds(run)).toEqual({ bad: 'refused', one: 'skipped', two: 'skipped' });
    expect(outcomeOf(run, 'one', 'skipped').because).toMatch(/^1 of 1 hosts failed in batch 1 .*max_fail_percentage 0/);
    expect(batches(run)).toEqual([['bad']]);
    expect(run.exitCode).toBe(1);
    expect(await statesOf(lab.hosts)).toEqual(pristine);
  });

  it('a host that fails while it is applied counts as well', async () => {
    await denyMethods(lab.host('one'), 'zone.addService');
    const first = '- hosts: bad\n  matrix: portaswitch\n';
    const second = '- hosts: one:two\n  matrix: portaswitch\n  serial: "50%"\n  max_fail_percentage: 10\n';
    const run = await applyWith('half', first + second).finally(() => denyMethods(lab.host('one')));
    expect(outcomeOf(run, 'one', 'failed').aftermath.kind).toBe('restored');
    expect(outcomeOf(run, 'two', 'skipped').because).toMatch(/^1 of 1 hosts failed in batch 1/);
    expect(await statesOf(lab.hosts)).toEqual(pristine);
  });

  it('go on while the share of bad hosts is not exceeded, one batch after the other', async () => {
    const run = await applyWith(
      'lenient',
      '- hosts: all\n  matrix: portaswitch\n  serial: [2, 1]\n  max_fail_percentage: 50\n',
    );
    expect(kinds(run)).toEqual({ bad: 'refused', one: 'changed', two: 'changed' });
    expect(batches(run)).toEqual([['bad', 'one'], ['two']]);
    const at = (holds: (event: PublishedEvent) => boolean) => run.events.findIndex(holds);
    const finished = at((event) => event.kind === 'host-finished' && event.host === 'one');
    const began = at((event) => event.kind === 'host-phase' && event.host === 'two' && event.phase === 'writing');
    expect(finished).toBeGreaterThan(0);
    expect(began).toBeGreaterThan(finished);
    expect(run.exitCode).toBe(1);
    await rollBack();
  });
});

describe('--forks', () => {
  /** The most hosts that were worked on at once: begun, and not yet finished. */
  function most(run: JsonRun): number {
    const active = new Set<string>();
    let highest = 0;
    for (const event of run.events) {
      if (event.kind === 'host-phase') active.add(event.host);
      if (event.kind === 'host-finished') active.delete(event.host);
      highest = Math.max(highest, active.size);
    }
    return highest;
  }

  it.each([1, 2])('%i: so many hosts at once, and no more', async (forks) => {
    expect(most(await portfwJson('plan', inventory, '--forks', `${forks}`))).toBe(forks);
  });
});

describe('--json', () => {
  it('is one event a line, from the start of the run to its summary, and nothing else', async () => {
    const run = await portfwJson('plan', inventory);
    expect(run.stderr).toBe('');
    expect(run.stdout.endsWith('\n')).toBe(true);
    expect(run.events[0]).toMatchObject({
      kind: 'run-started',
      format: 1,
      command: 'plan',
      hosts: ['bad', 'one', 'two'],
    });
    const times = run.events.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const finished = run.events.flatMap((event) => (event.kind === 'host-finished' ? [event.host] : []));
    expect(finished.sort()).toEqual(['bad', 'one', 'two']);
    const phases = run.events.flatMap((event) =>
      event.kind === 'host-phase' && event.host === 'one' ? [event.phase] : [],
    );
    expect(phases).toEqual(['connecting', 'gathering facts', 'planning', 'rehearsing']);
    const { changes } = outcomeOf(run, 'one', 'planned').plan;
    expect(run.events.at(-1)).toEqual({
      kind: 'run-finished',
      at: expect.any(Number),
      summary: {
        command: 'plan',
        durationMs: expect.any(Number),
        interrupted: false,
        counts: { refused: 1, planned: 2 },
        outcomes: {
          bad: { kind: 'refused', code: 'firewalld-stopped', what: expect.any(String) },
          one: { kind: 'planned', changes: changes.length },
          two: { kind: 'planned', changes: changes.length },
        },
      },
    });
  });
});

describe('without a terminal', () => {
  it('there is a line for each host, a closing table, and no escape sequence', async () => {
    const run = await portfw('plan', inventory, '--forks', '1');
    expect(run.stdout + run.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    const lines = run.stdout.split('\n');
    expect(lines[0]).toBe('plan: 3 hosts');
    expect(lines.filter((line) => /^(bad: refused|one: pending|two: pending) \(/.test(line))).toHaveLength(3);
    expect(lines.filter((line) => /^(bad +refused|one +pending|two +pending) /.test(line))).toHaveLength(3);
    expect(run.stdout).toMatch(/\n3 hosts in [\d.]+ s: .*1 refused.*\n$/);
  });
});

describe('on a terminal', () => {
  const limit = ['--limit', GOOD.join(',')];
  const QUESTION = /Apply this to 2 hosts\? Type "yes" to continue: /;

  it.each([
    ['no', 'no\n', 1],
    ['YES and then the end of input', 'YES\n\u0004', 1],
    ['the end of input', '\u0004', 1],
    ['Ctrl-C', '\u0003', 130],
  ])('%s is no yes', async (_name, keys, exitCode) => {
    const run = new TerminalRun('apply', inventory, ...limit);
    await run.shows(QUESTION);
    run.type(keys);
    expect(await run.exitCode).toBe(exitCode);
    expect(run.text).toMatch(/^one +skipped /m);
    expect(await statesOf(lab.hosts)).toEqual(pristine);
  });

  it('shows what goes on, and the summary before the question; yes applies it', async () => {
    const run = new TerminalRun('apply', inventory, ...limit);
    await run.shows(QUESTION);
    expect(run.text).toMatch(/^2 hosts: 2 to change\n {2}.*\n[\s\S]*^What changes for whom$/m);
    expect(run.text).not.toMatch(/\+ zone portfw-public/);
    expect(run.text).not.toMatch(/\d\/2 done/);
    const planning = run.frames.length;
    run.type('yes\n');
    expect(await run.exitCode).toBe(0);
    const shown = (frames: readonly (readonly string[])[], text: RegExp) =>
      frames.some((lines) => lines.some((line) => text.test(line)));
    expect(shown(run.frames.slice(0, planning), /^apply 0\/2 done · 2 active · \d/)).toBe(true);
    expect(shown(run.frames.slice(0, planning), /^ {2}one +gathering facts /)).toBe(true);
    expect(shown(run.frames.slice(planning), /^ {2}one +(writing|verifying|making permanent) /)).toBe(true);
    // The view is gone in the end; what stays is the summary, the answer and the table.
    expect(run.text).not.toMatch(/\d\/2 done/);
    expect(run.text).toMatch(/\none +changed .*\ntwo +changed .*\n\n2 hosts in [\d.]+ s: 2 changed\n*$/);
    await rollBack();
  });
});

describe('hosts that share a virtual address', () => {
  const members = { portfw_roles: ['web-admin'], portfw_playbook: 'plain.yaml', portfw_vips: ['198.18.255.200'] };
  let pair: string;

  beforeAll(async () => {
    pair = await writeInventory(lab, 'pair', { hosts: { one: members, two: members } });
  });

  it('are changed one after the other without a serial, and are never filtered from each other', async () => {
    const run = await portfwJson('apply', pair, '--yes');
    expect(kinds(run)).toEqual({ one: 'changed', two: 'changed' });
    expect(batches(run)).toEqual([['one'], ['two']]);
    expect(run.events).toContainEqual({
      kind: 'batches-split',
      play: expect.any(String),
      batches: 2,
      serial: 1,
      clusters: [{ what: 'the hosts of the virtual address 198.18.255.200', hosts: ['one', 'two'] }],
      at: expect.any(Number),
    });
    // No table has this port: only another node of the cluster gets an answer.
    const two = lab.host('two');
    await two.run('systemd-run', '--quiet', '--collect', '--unit=inside', 'python3', '-m', 'http.server', '9998');
    const knock = `exec 3<>/dev/tcp/${two.publicAddress}/9998`;
    await lab.host('one').run('timeout', '10', 'bash', '-c', `until ${knock}; do sleep 0.2; done`);
    await two.run('systemctl', 'stop', 'inside.service');
    await rollBack();
  });

  it('leave the second one alone when the first one fails', async () => {
    await denyMethods(lab.host('one'), 'zone.addService');
    const run = await portfwJson('apply', pair, '--yes').finally(() => denyMethods(lab.host('one')));
    expect(outcomeOf(run, 'one', 'failed').aftermath.kind).toBe('restored');
    expect(outcomeOf(run, 'two', 'skipped').because).toBe(
      'one failed, and two belongs to the hosts of the virtual address 198.18.255.200 too',
    );
    expect(run.exitCode).toBe(1);
    expect(await statesOf(lab.hosts)).toEqual(pristine);
  });
});
