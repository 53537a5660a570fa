import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { assignPlays, type PlayAssignment } from '../../../src/matrix/assign.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { fixture, problemText } from './helpers/fixtures.ts';

async function assign(name: string, override: string | null = null): Promise<PlayAssignment> {
  const inventory = await loadInventory(`test/fixtures/matrix/assign/${name}.yaml`);
  const { settings, problems } = readSettings(inventory);
  expect(problems).toEqual([]);
  return assignPlays(inventory, settings, override);
}

function order(assignment: PlayAssignment): [string, ...string[]][] {
  return assignment.order.map(({ play, hosts }) => [
    play.name,
    ...hosts.map((host) => host.replace('.example.net', '')),
  ]);
}

describe('assigning plays', () => {
  it('gives each managed host the play of its own playbook', async () => {
    const assignment = await assign('mixed');
    expect(assignment.problems).toEqual([]);
    expect(order(assignment)).toEqual([
      ['PortaSwitch site', 'sip1', 'sip2', 'sip3'],
      ['GCEMS and its gateways', 'gcems1'],
      ['Databases first', 'db1'],
      ['Then the web', 'web1', 'web2'],
    ]);
    expect([...assignment.plays].map(([host, play]) => [host, play.matrix.name])).toEqual([
      ['sip1.example.net', 'portaswitch'],
      ['sip2.example.net', 'portaswitch'],
      ['sip3.example.net', 'portaswitch'],
      ['gcems1.example.net', 'img-gcems'],
      ['db1.example.net', 'portaswitch'],
      ['web1.example.net', 'portaswitch-ocs'],
      ['web2.example.net', 'portaswitch-ocs'],
    ]);
  });

  it('lets --playbook win over every portfw_playbook', async () => {
    const assignment = await assign('mixed', 'portaswitch');
    expect(order(assignment)).toEqual([['PortaSwitch site', 'sip1', 'sip2', 'sip3', 'gcems1', 'web1', 'web2', 'db1']]);
    // A gateway's role is none of a PortaSwitch site.
    expect(assignment.problems.map((problem) => problem.what)).toEqual(['the matrix "portaswitch" has no role "img"']);
  });

  it('names a --playbook that is not there, without a place in a file', async () => {
    const { problems, order: plays } = await assign('mixed', 'portaswich');
    expect(problems.map(({ code, location }) => [code, location])).toEqual([['unknown-playbook', null]]);
    expect(plays).toEqual([]);
  });
});

describe('what is wrong between inventory, playbooks and matrices', () => {
  it.each(['uncovered', 'settings', 'peers'])('%s', async (name) => {
    expect(problemText((await assign(name)).problems)).toBe(
      readFileSync(fixture('assign', `${name}.expected`), 'utf8'),
    );
  });

  it('keeps a host in two plays in its first one', async () => {
    const { plays } = await assign('uncovered');
    expect(plays.get('web1.example.net')?.name).toBe('Web');
    expect(plays.has('db1.example.net')).toBe(false);
    expect(plays.has('db2.example.net')).toBe(false);
  });

  it('is nothing to hosts that their connection leaves out: in no play, in two, without a playbook', async () => {
    const { plays, problems } = await assign('left-out');
    expect([...plays.keys()]).toEqual(['web1.example.net']);
    expect(problems).toEqual([]);
  });
});
