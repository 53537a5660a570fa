import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../lab/lab.ts';
import { type HostState, isLocked, statesOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type JsonRun, outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/** Two hosts that change together or not at all, with probes that one makes of the other. */
const PORT = 9999;
let lab: Lab;
let inventory: string;
let pristine: Readonly<Record<string, HostState>>;

beforeAll(async () => {
  lab = await startLab({
    name: 'onfail',
    hosts: [
      { name: 'one', suite: 'bookworm' },
      { name: 'two', suite: 'trixie' },
    ],
  });
  const two = lab.host('two');
  // Open as long as the interface is in the zone that it is in now.
  await two.run('firewall-cmd', '--permanent', '--zone=public', `--add-port=${PORT}/tcp`);
  await two.run('firewall-cmd', '--reload');
  await two.run('systemd-run', '--quiet', '--collect', '--unit=feed', 'python3', '-m', 'http.server', `${PORT}`);
  const variables = { portfw_roles: ['web-admin'] };
  inventory = await writeInventory(lab, 'pair', { hosts: { one: variables, two: variables } });
  pristine = await statesOf(lab.hosts);
});

afterAll(() => lab?.stop());

/** Applies one play to both hosts, one after the other. */
async function apply(name: string, play: string): Promise<JsonRun> {
  const file = join(lab.directory, `${name}.yaml`);
  await writeFile(file, `- hosts: all\n  matrix: portaswitch\n${play}`);
  return portfwJson('apply', inventory, '--yes', '--forks', '1', '--playbook', file);
}

async function expectPristine(): Promise<void> {
  expect(await statesOf(lab.hosts)).toEqual(pristine);
  for (const host of lab.hosts) expect(await isLocked(host)).toBe(false);
}

const fromOne = `  probes:\n    - { name: feed of two, tcp: 'two:${PORT}', from: one }\n`;

describe('a probe that the change of the second host breaks', () => {
  it.each([
    ['revert-batch', '', ['host-finished']],
    ['revert-run', '  serial: 1\n', ['host-finished', 'host-reverted']],
  ])('with %s puts the first one back, which was fine', async (mode, serial, ends) => {
    const run = await apply(mode, `  on_failure: ${mode}\n${serial}${fromOne}`);
    const failed = outcomeOf(run, 'two', 'failed');
    expect(failed).toMatchObject({ phase: 'probing', aftermath: { kind: 'restored' } });
    const address = lab.host('two').publicAddress;
    expect(failed.failure.what).toMatch(
      new RegExp(`^the probe "feed of two" fails after the change: one cannot connect to ${address} port ${PORT}: `),
    );
    const ofOne = run.events.filter((event) => 'outcome' in event && event.host === 'one');
    expect(ofOne.map(({ kind }) => kind)).toEqual(ends);
    const last = ofOne.at(-1);
    expect(last !== undefined && 'outcome' in last && last.outcome).toMatchObject({
      kind: 'reverted',
      because: 'two failed',
    });
    expect(run.exitCode).toBe(1);
    await expectPristine();
  });

  it('is not blamed on the change when it failed before', async () => {
    await lab.host('two').run('systemctl', 'stop', 'feed.service');
    const run = await apply('already', `  on_failure: revert-batch\n${fromOne}`);
    expect(outcomeOf(run, 'one', 'refused').failure).toMatchObject({
      code: 'probe-fails-already',
      what: expect.stringContaining(`one cannot connect to ${lab.host('two').publicAddress} port ${PORT}: `),
    });
    expect(outcomeOf(run, 'two', 'skipped').because).toBe('one was refused, and its batch was rolled back');
    await expectPristine();
  });
});

it('probes that pass let the batch be kept', async () => {
  const probes = `  probes:\n    - { tcp: 22, from: all }\n    - { tcp: 22 }\n    - { command: ['true'] }\n`;
  const run = await apply('passing', `  on_failure: revert-batch\n${probes}`);
  outcomeOf(run, 'one', 'changed');
  outcomeOf(run, 'two', 'changed');
  const waits = run.events.flatMap((event) =>
    event.kind === 'host-phase' && event.phase === 'waiting for its batch' ? [event.host] : [],
  );
  expect(waits).toEqual(['one', 'two']);
});
