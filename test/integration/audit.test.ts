import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControllerLine, type JournaledHost, readControllerLine } from '../../src/journal/controller-line.ts';
import { type HostLine, readHostLine } from '../../src/journal/host-line.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type CliResult, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/** Who changed what: the journals of the controller and of a host agree, and neither can lose a line unseen. */
let lab: Lab;
let host: LabHost;
let journal: string;
/** Two inventories that want different things of the same host. */
let one: string;
let other: string;

const JOURNAL = '/var/lib/portfw/journal.jsonl';
const WAITS = ['--yes', '--confirm', 'manual', '--revert-after'];

beforeAll(async () => {
  lab = await startLab({ name: 'audit', hosts: [{ name: 'edge', suite: 'bookworm' }] });
  host = lab.host('edge');
  journal = join(lab.directory, 'journal.jsonl');
  await writeFile(join(lab.directory, 'playbook.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const write = (name: string, role: string): Promise<string> =>
    writeInventory(lab, name, {
      hosts: { edge: { portfw_playbook: 'playbook.yaml', portfw_roles: [role], portfw_private: 'peers' } },
    });
  one = await write('one', 'web-admin');
  other = await write('other', 'configuration');
});

afterAll(() => lab?.stop());

async function here(): Promise<readonly ControllerLine[]> {
  const lines = (await readFile(journal, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => readControllerLine(line)!);
}

/** The last line about a host in the controller's journal. */
async function lastHere(): Promise<ControllerLine & JournaledHost> {
  return (await here()).flatMap((line) => (line.event === 'host' ? [line] : [])).at(-1)!;
}

async function lastThere(): Promise<HostLine> {
  return readHostLine(await host.run('tail', '-n', '1', JOURNAL))!;
}

const run = (command: string, ...args: readonly string[]) => portfwJson(command, ...args, '--journal', journal);
const check = (): Promise<CliResult> => portfw('history', one, '--check', '--journal', journal);
const settled = () => host.sh('timeout 40 sh -c "while [ -d /run/portfw/lock ]; do sleep 0.1; done"; sleep 0.3');

async function expectComplete(): Promise<void> {
  const checked = await check();
  expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
  expect(checked.stdout).toMatch(/^edge: \d+ lines?, complete$/m);
}

describe('how a run ends is in both journals', () => {
  it('an apply', async () => {
    const { generation } = outcomeOf(await run('apply', one, '--yes'), 'edge', 'changed');
    const [started, changed, ended] = await here();
    const who = `${started!.who.split('@')[0]}@${hostname()}`;
    expect(started).toMatchObject({ seq: 1, previous: null, event: 'started', command: 'apply', who, hosts: ['edge'] });
    expect(changed).toMatchObject({
      event: 'host',
      host: 'edge',
      matrix: 'portaswitch',
      generation,
      outcome: { kind: 'changed', code: null, aftermath: null },
      file: null,
      signers: [],
    });
    expect(ended).toMatchObject({ event: 'ended', outcomes: { changed: 1 }, interrupted: false });
    const there = await lastThere();
    expect(there).toMatchObject({
      id: generation,
      outcome: 'kept',
      by: 'the controller',
      who,
      what: 'apply portaswitch',
    });
    expect(there).toMatchObject({ run: changed!.run, plan: (await lastHere()).plan, journal: { seq: 1 } });
    expect(there.plan).toMatch(/^[0-9a-f]{64}$/);
    expect(await host.run('stat', '-c', '%a %U', JOURNAL)).toContain('600 root');
    const ofSystem = await host.sh('journalctl -t portfw -o cat --no-pager | tail -n 1');
    expect(JSON.parse(ofSystem)).toMatchObject({ id: generation, outcome: 'kept', run: changed!.run });
    await expectComplete();
  });

  it('a run that has nothing to do, which only has a beginning and an end', async () => {
    const before = (await here()).length;
    outcomeOf(await run('apply', one, '--yes'), 'edge', 'unchanged');
    expect((await here()).slice(before).map(({ event }) => event)).toEqual(['started', 'ended']);
    await expectComplete();
  });

  it('a confirmation by hand', async () => {
    const { generation } = outcomeOf(await run('apply', other, ...WAITS, '10m'), 'edge', 'awaiting');
    expect((await lastHere()).outcome.kind).toBe('awaiting');
    const applied = await lastHere();
    outcomeOf(await run('confirm', other), 'edge', 'confirmed');
    expect(await lastHere()).toMatchObject({ command: 'confirm', generation, outcome: { kind: 'confirmed' } });
    const there = await lastThere();
    expect(there).toMatchObject({ id: generation, outcome: 'kept', run: applied.run, plan: applied.plan });
    expect(there.why).toBe(`confirmed by ${there.who}`);
    await expectComplete();
  });

  it('an automatic rollback, without any controller', async () => {
    const before = await stateOf(host);
    const { generation } = outcomeOf(await run('apply', one, ...WAITS, '10s'), 'edge', 'awaiting');
    await settled();
    const after = await stateOf(host);
    // firewalld may leave a conntrack helper that no rule uses, until it is loaded again.
    expect([after.files, after.zones]).toEqual([before.files, before.zones]);
    const { run: began } = await lastHere();
    expect(await lastThere()).toMatchObject({ id: generation, outcome: 'reverted', by: 'timer', run: began });
    await expectComplete();
  });

  it('a rollback', async () => {
    outcomeOf(await run('rollback', one, '--yes'), 'edge', 'rolled-back');
    const line = await lastHere();
    expect(line).toMatchObject({ command: 'rollback', outcome: { kind: 'rolled-back' } });
    expect(await lastThere()).toMatchObject({ outcome: 'kept', run: line.run, what: `rollback to ${line.generation}` });
    await expectComplete();
  });

  it('and the runs can be listed without the host', async () => {
    const { exitCode, stdout } = await portfw('history', one, '--runs', '--journal', journal);
    expect(exitCode).toBe(0);
    const rows = stdout.trimEnd().split('\n').slice(1);
    expect(rows.map((row) => row.split(/ {2,}/).slice(2, 4).join(' '))).toEqual([
      ...['apply edge', 'apply 1 host', 'apply edge', 'confirm edge', 'apply edge', 'rollback edge'],
    ]);
    // Without an inventory, the runs over all hosts.
    const all = await portfw('history', '--runs', '--json', '--journal', journal);
    expect(all.exitCode).toBe(0);
    expect(all.stdout.trimEnd().split('\n')).toHaveLength((await here()).length);
    const json = await portfw('history', one, '--runs', '--json', '--journal', journal);
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ControllerLine);
    expect(lines).toEqual(await here());
  });
});

describe('a journal that somebody has changed is found out', () => {
  it.each([
    ['an edit', `sed -i '2s/kept/keqt/' ${JOURNAL}`, /line 2 of .* was changed after/],
    ['a line that is gone', `sed -i 3d ${JOURNAL}`, /line 3 is missing, written between/],
    ['an end that was cut off', `sed -i '$d' ${JOURNAL}`, /line 4 is missing at the end, after/],
    ['an edit of the last line', `sed -i '$s/kept/keqt/' ${JOURNAL}`, /line 4, the last one, was changed/],
    ['a journal that is gone', `rm ${JOURNAL} /var/lib/portfw/journal.head`, /no line for what ended as changed/],
  ])('on the host: %s', async (_what, change, found) => {
    await host.sh(`cp -a ${JOURNAL} /root/j; cp -a /var/lib/portfw/journal.head /root/h; ${change}`);
    const checked = await check();
    await host.sh(`cp -a /root/j ${JOURNAL}; cp -a /root/h /var/lib/portfw/journal.head`);
    expect(checked.stdout).toMatch(found);
    expect(checked.exitCode).toBe(1);
    await expectComplete();
  });

  it('on the controller: a run that is gone, with everything made to fit again', async () => {
    const whole = await readFile(journal, 'utf8');
    const head = await readFile(journal.replace('.jsonl', '.head'), 'utf8');
    // All but the first run: the host still names its line.
    await writeFile(journal, whole.split('\n').slice(0, 3).join('\n').concat('\n'));
    const cut = await check();
    expect(cut.stdout).toMatch(/lines 4 to \d+ are missing at the end/);
    await writeFile(journal.replace('.jsonl', '.head'), '');
    const checked = await check();
    expect(checked.stdout).toMatch(/line \d+ of this machine's journal is missing: it began run/);
    expect(checked.exitCode).toBe(1);
    await writeFile(journal, whole);
    await writeFile(journal.replace('.jsonl', '.head'), head);
    await expectComplete();
  });

  it('and --json says it in one document', async () => {
    await host.sh(`cp -a ${JOURNAL} /root/j; sed -i 3d ${JOURNAL}`);
    const { stdout, exitCode } = await portfw('history', one, '--check', '--json', '--journal', journal);
    await host.sh(`cp -a /root/j ${JOURNAL}`);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'journal-check',
      format: 1,
      broken: true,
      journals: [
        { host: null, file: journal, problems: [] },
        {
          host: 'edge',
          problems: [{ code: 'missing', line: 3 }],
        },
      ],
    });
  });
});

describe('a journal that cannot be written', () => {
  const BROKEN: readonly (readonly [string, string])[] = [
    ['a folder', `mkdir ${JOURNAL}`],
    ['a FIFO', `mkfifo ${JOURNAL}`],
    ['a link to a device', `ln -s /dev/full ${JOURNAL}`],
    [
      'a file that may not be changed',
      `touch ${JOURNAL}; mount --bind ${JOURNAL} ${JOURNAL}; mount -o remount,bind,ro ${JOURNAL}`,
    ],
  ];

  it.each(BROKEN)('on the host, as it is %s, delays and stops no rollback', async (_what, make) => {
    await host.sh(`mv ${JOURNAL} /root/j; ${make}`);
    try {
      const before = await stateOf(host);
      const waiting = await run('apply', other, ...WAITS, '10s');
      outcomeOf(waiting, 'edge', 'awaiting');
      await settled();
      expect(await stateOf(host)).toEqual(before);
      expect(await isLocked(host)).toBe(false);
      expect(await host.sh('ls /var/lib/portfw/guard')).toBe('');
    } finally {
      await host.sh(`umount ${JOURNAL} 2>/dev/null || true; rm -rf ${JOURNAL}; mv /root/j ${JOURNAL}`);
    }
    // What the host alone has done is not in the controller's journal, so nothing is missed there.
    expect((await check()).exitCode).toBe(0);
  });

  it('on the host is said when a change is kept, which it is all the same', async () => {
    await host.sh(`mv ${JOURNAL} /root/j; mkdir ${JOURNAL}`);
    const applied = await run('apply', other, '--yes');
    await host.sh(`rmdir ${JOURNAL}; mv /root/j ${JOURNAL}`);
    outcomeOf(applied, 'edge', 'changed');
    const notes = applied.events.flatMap((event) => (event.kind === 'host-note' ? [event.text] : []));
    expect(notes.join('\n')).toMatch(/in force, but not in the host's journal: .*Is a directory/);
    const checked = await check();
    expect(checked.stdout).toMatch(/the host's journal has no line for what ended as changed/);
    expect(checked.exitCode).toBe(1);
  });

  it('on the controller stops the run before any host is contacted', async () => {
    const refused = await portfw('apply', one, '--yes', '--journal', join(lab.directory, 'playbook.yaml', 'j'));
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toMatch(/the journal .* cannot be written: (?:ENOTDIR|EEXIST)[\s\S]*--no-journal/);
    expect(refused.stdout).toBe('');
    const none = await portfwJson('apply', one, '--yes', '--no-journal');
    outcomeOf(none, 'edge', 'changed');
    expect(await lastThere()).toMatchObject({ outcome: 'kept', run: null, journal: null });
  });
});
