import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/** A generation may be of a time when SSH came from elsewhere: a rollback to it is judged by packets before anything is written. */
let lab: Lab;
let inventory: string;
const HOSTS = ['old', 'young'] as const;

beforeAll(async () => {
  lab = await startLab({
    name: 'rollback-lockout',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  inventory = await writeInventory(lab, 'inventory', {
    hosts: Object.fromEntries(HOSTS.map((name) => [name, { portfw_playbook: 'portaswitch', portfw_roles: [] }])),
  });
});

afterAll(() => lab?.stop());

/** The generations of each host, the oldest first. */
async function generations(): Promise<string[][]> {
  const listed = await portfwJson('history', inventory);
  return HOSTS.map((name) => outcomeOf(listed, name, 'history').generations.map(({ id }) => id));
}

const SERVICE = 'portfw-server-public';

it('a rollback that would shut SSH is refused, host by host, unless it is accepted by name', {
  timeout: 300_000,
}, async () => {
  const first = await portfwJson('apply', inventory, '--yes');
  expect(first.exitCode, first.stdout).toBe(0);
  // In the files SSH is shut; what runs still lets it in. The next apply saves that, and mends it.
  for (const name of HOSTS)
    await lab.host(name).run('firewall-cmd', '--permanent', '--zone=portfw-public', `--remove-service=${SERVICE}`);
  const mended = await portfwJson('apply', inventory, '--yes');
  expect(mended.exitCode, mended.stdout).toBe(0);
  const before = await generations();
  expect(before.map((ids) => ids.length)).toEqual([2, 2]);

  const refused = await portfwJson('rollback', inventory, '--yes');
  for (const [index, name] of HOSTS.entries()) {
    const { failure } = outcomeOf(refused, name, 'refused');
    expect(failure.code, name).toBe('lockout');
    expect(failure.what).toMatch(
      new RegExp(
        `^generation ${before[index]![1]}: zone portfw-public would not let SSH in again: .* port 22/tcp on eth`,
      ),
    );
    expect(failure.what).toMatch(/in the rehearsal a real packet from [\d.]+ was (?:refused|not answered)$/);
    expect(failure.solve).toContain('--accept-lockout');
  }
  expect(await generations()).toEqual(before);

  // The guard brings a host back that was let go on.
  const accepted = await portfwJson(
    'rollback',
    inventory,
    '--yes',
    '--limit',
    'young',
    '--accept-lockout',
    'young',
    '--revert-after',
    '20s',
  );
  expect(outcomeOf(accepted, 'young', 'failed').aftermath.kind).toBe('restored');

  // And one that lets SSH in goes on, with a word for what others have at runtime only.
  for (const [index, name] of HOSTS.entries()) {
    await lab.host(name).run('firewall-cmd', '--zone=internal', '--add-source=192.0.2.7');
    const back = await portfwJson('rollback', inventory, '--yes', '--limit', name, '--to', before[index]![0]!);
    expect(outcomeOf(back, name, 'rolled-back').generation).toBe(before[index]![0]);
    const said = back.events.flatMap((event) =>
      event.kind === 'host-planned' && event.host === name ? event.plan.notes.map(({ text }) => text) : [],
    );
    expect(said.join('\n'), name).toContain(
      'zone internal: the reload removes these runtime-only settings: source 192.0.2.7',
    );
  }
});
