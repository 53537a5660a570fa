import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { CliProcess } from './helpers/cli-process.ts';
import { isLocked, stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, HOLDS_THE_RUN, sabotage } from './helpers/saboteur.ts';

/** What every command says, and ends with, while a run on the host has not ended. */
let lab: Lab;
let host: LabHost;
/** The inventory that the host was brought to, and the same with one port more. */
let before: string;
let after: string;

beforeAll(async () => {
  lab = await startLab({ name: 'unfinished', hosts: [{ name: 'edge', suite: 'bookworm' }] });
  host = lab.host('edge');
  await writeFile(join(lab.directory, 'playbook.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const wishes = { portfw_playbook: 'playbook.yaml', portfw_roles: ['web-admin'], portfw_private: 'peers' };
  const rule = { name: 'extra', interface: 'public', protocol: 'tcp', port: 8099, owner: 'noc', reason: 'a test' };
  before = await writeInventory(lab, 'before', { hosts: { edge: wishes } });
  after = await writeInventory(lab, 'after', { hosts: { edge: { ...wishes, portfw_extra_rules: [rule] } } });
  outcomeOf(await portfwJson('apply', before, '--yes'), 'edge', 'changed');
});

afterAll(() => lab?.stop());

const textOf = (run: JsonRun) => JSON.stringify(run.outcomes.get('edge'));
const codeOf = (run: JsonRun) => {
  const outcome = run.outcomes.get('edge');
  return outcome !== undefined && 'failure' in outcome ? outcome.failure.code : null;
};

interface Row {
  readonly arguments: readonly string[];
  readonly exit: number;
  readonly kind: string;
  readonly code?: string;
}

/** Commands that only read, and what each of them ends with. `planned` is what the plan comes to. */
const looking = (planned: 'unchanged' | 'planned'): readonly Row[] => [
  { arguments: ['plan'], exit: 0, kind: planned },
  { arguments: ['plan', '--detailed-exitcode'], exit: 5, kind: planned },
  { arguments: ['apply', '--dry-run', '--detailed-exitcode'], exit: 5, kind: planned },
  { arguments: ['detect'], exit: 0, kind: 'roles' },
  { arguments: ['facts'], exit: 0, kind: 'facts' },
  { arguments: ['history'], exit: 0, kind: 'history' },
  { arguments: ['status'], exit: 0, kind: 'status' },
];

/** Runs a table of commands; each has to name the run that has not ended. */
async function expectAll(inventory: string, id: string, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    const [command = '', ...flags] = row.arguments;
    const run = await portfwJson(command, inventory, ...flags);
    const name = row.arguments.join(' ');
    expect([run.outcomes.get('edge')?.kind, codeOf(run), run.exitCode], `${name}: ${textOf(run)}`).toEqual([
      row.kind,
      row.code ?? null,
      row.exit,
    ]);
    expect(textOf(run), name).toContain(id);
  }
}

const startWaiting = async (): Promise<string> => {
  const args = [after, '--yes', '--confirm', 'manual', '--revert-after', '10m'];
  return outcomeOf(await portfwJson('apply', ...args), 'edge', 'awaiting').generation;
};

describe('a run that waits for a confirmation', () => {
  let id: string;
  beforeAll(async () => {
    id = await startWaiting();
  });

  it('is seen by all commands, and refuses another one also where nothing would change', async () => {
    await expectAll(after, id, [
      ...looking('unchanged'),
      { arguments: ['apply', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
      { arguments: ['rollback', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
    ]);
    await expectAll(before, id, [
      ...looking('planned').slice(0, 2),
      { arguments: ['apply', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
    ]);
  });

  it('is shown to people: who, since when, until when, and how to continue', async () => {
    const planned = await portfw('plan', after, '--details');
    expect(planned.stdout).toMatch(
      /warning: \S+@\S+ has been changing this host since 20\S+Z \(apply portaswitch\): it is verified and waits for `portfw confirm`; the host rolls back in \d+ min \d+ s/,
    );
    expect(planned.stdout).toMatch(/edge +unsettled +0 /);
    const applied = await portfw('apply', after, '--yes');
    expect(applied.stdout).toMatch(/edge +refused .*locked: \S+@/);
    expect(applied.stdout).toMatch(
      /To solve it: confirm that run with `portfw confirm`, or .*`portfw confirm --revert`/,
    );
    for (const command of ['detect', 'facts', 'history', 'status'])
      expect((await portfw(command, after)).stdout, command).toMatch(/it is verified and waits for `portfw confirm`/);
  });

  it('is over with a yes, and the next plan says nothing of it', async () => {
    outcomeOf(await portfwJson('confirm', after), 'edge', 'confirmed');
    const planned = await portfwJson('plan', after, '--detailed-exitcode');
    expect([planned.exitCode, textOf(planned).includes('"unsettled"')]).toEqual([0, false]);
    const applied = await portfwJson('apply', after, '--yes');
    expect([applied.exitCode, applied.outcomes.get('edge')?.kind]).toEqual([0, 'unchanged']);
  });
});

it('a run that is under way is seen by all commands', async () => {
  const running = new CliProcess('apply', before, '--yes', '--revert-after', '5m');
  await running.seen('the proof', (event) => event.kind === 'host-phase' && event.phase === 'verifying');
  running.signal('SIGSTOP');
  try {
    const { pending } = outcomeOf(await portfwJson('status', before), 'edge', 'status');
    expect(pending).toMatchObject([{ proved: false, decision: 'open', alive: true }]);
    await expectAll(after, pending[0]!.id, [
      ...looking('planned'),
      { arguments: ['apply', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
      { arguments: ['rollback', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
      { arguments: ['confirm'], exit: 1, kind: 'refused', code: 'not-proved-yet' },
    ]);
  } finally {
    running.signal('SIGCONT');
  }
  outcomeOf(await running.ended, 'edge', 'changed');
});

/** The record of a run that waits as one whose window has long been over, with nobody there to end it. */
const kill = (id: string) =>
  host.sh(
    `systemctl stop "portfw-revert-$1.timer"
    sed -i -E 's/"window": [0-9]+/"window": 0/; s/"armedAt": [0-9.]+/"armedAt": 0.0/' "/var/lib/portfw/guard/$1.armed"`,
    id,
  );

describe('a run that died', () => {
  it.each([
    // The state is the dead run's, and goes with it: what was shown does not count any more.
    ['apply, where nothing would change', 'after', ['apply', '--yes'], 'refused', 'drifted'],
    ['apply, with changes to make', 'before', ['apply', '--yes'], 'refused', 'drifted'],
    // What it showed is the way back to the state that the dead run has saved: ending that run is all there is to do.
    ['rollback', 'after', ['rollback', '--yes'], 'rolled-back', null],
  ] as const)('blocks nothing: %s', async (_name, which, [command, yes], kind, code) => {
    outcomeOf(await portfwJson('plan', before), 'edge', 'unchanged');
    const state = await stateOf(host);
    const id = await startWaiting();
    await kill(id);
    const inventory = which === 'after' ? after : before;
    await expectAll(inventory, id, looking(which === 'after' ? 'unchanged' : 'planned'));
    const run = await portfwJson(command, inventory, yes);
    expect([run.outcomes.get('edge')?.kind, codeOf(run)], textOf(run)).toEqual([kind, code]);
    expect(await isLocked(host)).toBe(false);
    expect(await stateOf(host)).toEqual(state);
    // The next one plans from what is there now.
    outcomeOf(await portfwJson('apply', before, '--yes'), 'edge', 'unchanged');
  });

  it('before it wrote anything leaves a lock that blocks no run', async () => {
    await host.sh(`mkdir -p /run/portfw/lock
      echo '{"holder": "ann@desk", "since": "2026-03-01T10:00:00Z", "id": "20260301T100000Z-0123ab"}' >/run/portfw/lock/holder.json`);
    const planned = await portfwJson('plan', before, '--detailed-exitcode');
    expect([planned.exitCode, textOf(planned).includes('lock-left')]).toEqual([0, true]);
    const applied = await portfw('apply', before, '--yes');
    expect(applied).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/note edge: ann@desk took this host's lock/),
    });
    outcomeOf(await portfwJson('apply', after, '--yes'), 'edge', 'changed');
    expect(await isLocked(host)).toBe(false);
    outcomeOf(await portfwJson('apply', before, '--yes'), 'edge', 'changed');
  });
});

it('a rollback that is not done yet is seen by all commands, and ends', async () => {
  const state = await stateOf(host);
  const id = await startWaiting();
  // It stops right after the decision, before anything is rolled back.
  await sabotage(host, HOLDS_THE_RUN.replace('wait(LOCK)', 'wait("/var/lib/portfw/guard/*.revert")'));
  const reverting = new CliProcess('confirm', after, '--revert');
  try {
    await host.sh('timeout 30 sh -c "until [ -e /tmp/saboteur.held ]; do sleep 0.05; done"');
    await expectAll(after, id, [
      ...looking('unchanged'),
      { arguments: ['apply', '--yes'], exit: 1, kind: 'refused', code: 'locked' },
    ]);
    const planned = await portfw('plan', after, '--details', '--detailed-exitcode');
    expect(planned).toMatchObject({ exitCode: 5, stdout: expect.stringMatching(/it is being rolled back/) });
  } finally {
    await host.sh('touch /tmp/saboteur.go');
  }
  outcomeOf(await reverting.ended, 'edge', 'reverted');
  await callOff(host);
  expect(await stateOf(host)).toEqual(state);
  outcomeOf(await portfwJson('apply', before, '--yes'), 'edge', 'unchanged');
});
