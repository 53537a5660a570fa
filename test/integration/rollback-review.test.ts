import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change, ReviewedPlan, RollbackPlan } from '../../src/plan/plan.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { isLocked, stateOf, statesOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { filesBelow, rulesWithHandles } from './helpers/observed-host.ts';
import { type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { callOff, sabotage } from './helpers/saboteur.ts';
import { TerminalRun } from './helpers/terminal-run.ts';

/** A rollback as a review, on a cluster of three hosts with firewalld 0.9.3, 1.3.3 and 2.3.1. */
let lab: Lab;
/** Without a role. */
let plain: string;
/** With a role more. */
let more: string;

const HOSTS = ['old', 'middle', 'young'];

beforeAll(async () => {
  lab = await startLab({
    name: 'rollback-review',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'middle', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  await writeFile(join(lab.directory, 'book.yaml'), '- hosts: all\n  matrix: portaswitch\n  on_failure: revert-run\n');
  const written = (name: string, roles: readonly string[]) =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(
        HOSTS.map((host) => [host, { portfw_playbook: 'book.yaml', portfw_roles: roles, portfw_cluster: 'trio' }]),
      ),
      groups: { trio: HOSTS },
    });
  plain = await written('plain', []);
  more = await written('more', ['web-admin']);
  for (const inventory of [plain, more]) {
    const run = await portfwJson('apply', inventory, '--yes');
    expect(run.exitCode, run.stdout).toBe(0);
  }
});

afterAll(() => lab?.stop());

const EVERYWHERE = ['/etc/firewalld', '/var/lib/portfw', '/run/portfw'];

/** All that planning must leave as it is. */
const everything = () =>
  Promise.all(
    lab.hosts.map(async (host) => ({
      files: await filesBelow(host, ...EVERYWHERE),
      rules: await rulesWithHandles(host),
    })),
  );

function planOf(run: JsonRun, host: string): ReviewedPlan {
  const event = run.events.find((one) => one.kind === 'host-planned' && one.host === host);
  if (event?.kind !== 'host-planned') throw new Error(`${host} has no plan: ${run.stdout}`);
  return event.plan;
}

function rollbackOf(run: JsonRun, host: string): RollbackPlan {
  const plan = planOf(run, host);
  if (plan.kind !== 'rollback') throw new Error(`${host} has another plan`);
  return plan;
}

/** What changes, without what only explains it. */
function bare(changes: readonly Change[]): readonly string[] {
  return changes
    .filter(({ kind }) => kind !== 'remember')
    .map(({ ...change }) => {
      if ('reasons' in change) Object.assign(change, { reasons: [] });
      if ('classes' in change) Object.assign(change, { classes: [] });
      return JSON.stringify(change);
    })
    .sort();
}

it('planning shows the changes and changes nothing on the hosts', { timeout: 300_000 }, async () => {
  const before = await everything();
  const run = await portfwJson('rollback', plain, '--dry-run', '--detailed-exitcode');
  expect(run.exitCode, run.stdout).toBe(2);
  const text = await portfw('rollback', plain, '--dry-run', '--details');
  expect(text.exitCode, text.stderr).toBe(0);
  expect(await everything()).toEqual(before);
  const wanted = await portfwJson('plan', plain);
  for (const host of HOSTS) {
    outcomeOf(run, host, 'planned');
    const plan = rollbackOf(run, host);
    expect(plan.generation, host).toMatchObject({ before: 'apply portaswitch' });
    expect(plan.changes.length, host).toBeGreaterThan(0);
    // The generation is what the inventory without the role asks for: both plans say the same.
    expect(bare(plan.changes), host).toEqual(bare(planOf(wanted, host).changes));
    expect(plan.access.sides.flatMap(({ rows }) => rows.map(({ turn }) => turn))).toContain('closed');
    expect(text.stdout).toContain(`generation ${plan.generation.id}`);
  }
  expect(text.stdout).toContain('- service portfw-web-admin-public');
});

it('refuses a generation that a host does not have, and lists those that it has', async () => {
  const before = await everything();
  for (const given of ['20260101T000000Z-000000', 'yesterday']) {
    const run = await portfwJson('rollback', plain, '--yes', '--to', given);
    expect(run.exitCode).toBe(1);
    for (const host of HOSTS) {
      const { failure } = outcomeOf(run, host, 'refused');
      expect(failure).toMatchObject({ code: 'no-generation', solve: expect.stringContaining('portfw history') });
      expect(failure.details.join()).toMatch(/the host has \d{8}T\d{6}Z-[0-9a-f]{6}, \d{8}T/);
    }
  }
  expect(await everything()).toEqual(before);
});

it('names the generation in its question, and refuses a host that has changed since', {
  timeout: 300_000,
}, async () => {
  const run = new TerminalRun('rollback', plain, '--limit', 'young');
  await run.shows(/Type "yes" to continue: /);
  expect(run.text.replace(/\s+/g, ' ')).toMatch(
    /Return young to generation \d{8}T\d{6}Z-[0-9a-f]{6} \(saved 20\d\d-\d\d-\d\d \d\d:\d\d by \S+ before "apply portaswitch"\)\? Type/,
  );
  const young = lab.host('young');
  await young.run('firewall-cmd', '--quiet', '--zone=public', '--add-port=4444/tcp');
  const before = await stateOf(young);
  run.type('yes\n');
  expect(await run.exitCode).toBe(1);
  expect(run.text).toMatch(/^young +refused .*drifted/m);
  expect(await stateOf(young)).toEqual(before);
  expect(await isLocked(young)).toBe(false);
  await young.run('firewall-cmd', '--quiet', '--zone=public', '--remove-port=4444/tcp');
});

it('does what it showed, in batches that spare a cluster', { timeout: 300_000 }, async () => {
  const run = await portfwJson('rollback', plain, '--yes');
  expect(run.exitCode, run.stdout).toBe(0);
  for (const host of HOSTS) {
    const outcome = outcomeOf(run, host, 'rolled-back');
    expect(outcome).toMatchObject({ changed: true, generation: rollbackOf(run, host).generation.id });
    expect(outcome.saved).toMatch(/^\d{8}T/);
  }
  const batches = run.events.flatMap((event) => (event.kind === 'batch-started' ? [event.hosts] : []));
  expect(batches).toEqual(HOSTS.map((host) => [host]));
  const now = await portfwJson('plan', plain, '--detailed-exitcode');
  expect(now.exitCode, now.stdout).toBe(0);
});

it('repeated, goes forward again and says so', { timeout: 300_000 }, async () => {
  const shown = await portfw('rollback', plain, '--dry-run');
  expect(shown.stdout.replace(/\s+/g, ' ')).toMatch(/saved by a rollback \(rollback to \S+\): returning to it undoes/);
  const run = await portfwJson('rollback', plain, '--yes');
  expect(run.exitCode, run.stdout).toBe(0);
  const now = await portfwJson('plan', more, '--detailed-exitcode');
  expect(now.exitCode, now.stdout).toBe(0);
});

it('one that fails in the last batch returns the batches before it', { timeout: 300_000 }, async () => {
  const before = await statesOf(lab.hosts);
  const young = lab.host('young');
  // The rollback's process is killed once it has removed a file: the host goes back by itself.
  await sabotage(
    young,
    `
while os.path.exists("/etc/firewalld/services/portfw-web-admin-public.xml"):
    time.sleep(0.002)
for pid in pids("python3", "exec(compile(PROGRAM"):
    os.kill(pid, signal.SIGKILL)`,
  );
  const run = await portfwJson('rollback', plain, '--yes');
  await callOff(young);
  expect(run.exitCode).toBe(1);
  expect(outcomeOf(run, 'young', 'failed').aftermath.kind).toBe('restored');
  for (const host of ['old', 'middle']) {
    // Each was rolled back and kept before, and returns to what its own rollback saved.
    const kept = run.events.find((event) => event.kind === 'host-finished' && event.host === host);
    expect(kept).toMatchObject({ outcome: { kind: 'rolled-back', changed: true } });
    expect(outcomeOf(run, host, 'reverted').because).toMatch(/^young failed/);
  }
  expect(await statesOf(lab.hosts)).toEqual(before);
  for (const host of lab.hosts) expect(await isLocked(host), host.name).toBe(false);
});

it('says that there is nothing to return to', async () => {
  const to = (await portfwJson('history', plain, '--limit', 'young')).outcomes.get('young');
  if (to?.kind !== 'history') throw new Error('no history');
  const current = to.generations.filter((one) => one.current).at(-1)!;
  const run = await portfwJson('rollback', plain, '--yes', '--limit', 'young', '--to', current.id);
  expect(run.exitCode, run.stdout).toBe(0);
  outcomeOf(run, 'young', 'unchanged');
  expect(rollbackOf(run, 'young').nothingBecause).toContain(`the host is as generation ${current.id}`);
});

it('is saved like a plan, and applied as it was saved', { timeout: 300_000 }, async () => {
  const file = join(lab.directory, 'back.plan.json');
  const args = ['rollback', plain, '--limit', 'young', '--dry-run', '--out', file];
  const made = await portfw(...args);
  expect(made.exitCode, made.stderr).toBe(0);
  const shown = await portfw('show', file);
  const plan = rollbackOf(await portfwJson('rollback', plain, '--limit', 'young', '--dry-run'), 'young');
  expect(shown.stdout).toContain(`rollback to generation ${plan.generation.id}`);
  const young = lab.host('young');
  await young.run('firewall-cmd', '--quiet', '--zone=public', '--add-port=4444/tcp');
  const stale = await portfwJson('apply', file, '--yes');
  expect(outcomeOf(stale, 'young', 'refused').failure.code).toBe('plan-stale');
  await young.run('firewall-cmd', '--quiet', '--zone=public', '--remove-port=4444/tcp');
  const applied = await portfwJson('apply', file, '--yes');
  expect(applied.exitCode, applied.stdout).toBe(0);
  expect(outcomeOf(applied, 'young', 'rolled-back')).toMatchObject({ generation: plan.generation.id, changed: true });
});
