import { describe, expect, it } from 'vitest';
import { rolesOf } from '../../../src/decide/decide.ts';
import type { HostFacts } from '../../../src/facts/facts.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import type { Play } from '../../../src/matrix/matrix.ts';

/** A host on which nothing runs at the moment, that remembers these roles of this matrix. */
function findings(now: string, before: string, roles: readonly string[], declared: readonly string[] | null = null) {
  const nothing: Pick<HostFacts, 'sockets' | 'processes' | 'packages' | 'files' | 'units' | 'remembered'> = {
    sockets: [],
    processes: [],
    packages: [],
    files: [],
    units: [],
    remembered: { format: 1, matrix: before, roles, generation: '20260301T120000Z-abcdef', appliedAt: '' },
  };
  const job: Pick<HostJob, 'settings'> = { settings: { roles: declared } as HostJob['settings'] };
  const play: Pick<Play, 'matrix'> = { matrix: loadMatrix(now) };
  const found = rolesOf(job as HostJob, play as Play, nothing as HostFacts);
  return { roles: found.roles.map(({ role }) => role), verdict: found.verdict.kind, warnings: found.warnings };
}

describe('remembered roles under another matrix', () => {
  it('stay where it knows them, as a service that is down must not close its ports', () => {
    expect(findings('portaswitch-ocs', 'portaswitch', ['dispatching-node', 'server'])).toMatchObject({
      roles: ['server', 'dispatching-node'],
      verdict: 'settled',
      warnings: [expect.stringContaining('"dispatching-node"')],
    });
  });

  it('are warned of where it does not know them', () => {
    expect(findings('portaswitch', 'img-gcems', ['gcems'])).toMatchObject({
      roles: ['server'],
      verdict: 'none',
      warnings: [expect.stringMatching(/"gcems".*its ports will be closed/)],
    });
  });

  it('go when the inventory declares others, or none', () => {
    expect(findings('portaswitch-ocs', 'portaswitch', ['dispatching-node'], ['ocs']).roles).toEqual(['server', 'ocs']);
    expect(findings('portaswitch-ocs', 'portaswitch', ['dispatching-node'], []).roles).toEqual(['server']);
  });
});
