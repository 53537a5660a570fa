import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostFacts } from '../../../src/facts/facts.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import type { Play } from '../../../src/matrix/matrix.ts';
import { decidedFromFacts } from '../decide/helpers/decided.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';
import { interfacesOf, readInventory } from '../policy/helpers/cases.ts';

/** The outcome for a host that has a service file of this name, and a file of somebody else with this text. */
function outcomeOf(service: string, others: string): string {
  const { inventory, settings } = readInventory({
    all: {
      hosts: {
        'sip1.example.net': {
          ansible_host: '192.0.2.10',
          portfw_roles: ['proxy'],
          portfw_interfaces: { public: 'eth0', private: 'eth1' },
        },
      },
    },
  });
  const text = '<service><port port="1" protocol="tcp"/></service>';
  const firewalld = new Firewalld([
    [`services/${service}.xml`, text],
    ['policies/own.xml', others],
  ]).facts();
  const facts = {
    root: true,
    controllerPath: null,
    interfaces: interfacesOf({ eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'] }),
    sockets: [],
    flows: null,
    units: [],
    processes: [],
    packages: [],
    files: [],
    rpc: [],
    writers: { units: [] },
    forwarding: { ipv4: [], ipv6: [] },
    firewalld,
    remembered: null,
    lock: null,
    unfinished: { runs: [], busy: false },
    lastRun: null,
  };
  const play = {
    matrix: loadMatrix(path.join(import.meta.dirname, '../../fixtures/roles/example.yaml')),
    private: null,
    features: [],
  };
  const job = { host: 'sip1.example.net', settings: settings.get('sip1.example.net')! };
  const made = decidedFromFacts(job as unknown as HostJob, play as unknown as Play, facts as unknown as HostFacts, {
    inventory,
    settings,
    today: '2026-03-01',
  });
  return made.kind === 'refused' ? made.failure.code : made.kind;
}

describe('a file on the host whose name begins like ours', () => {
  it.each([
    ['portfw-old', '<policy><service name="portfw-old"/></policy>', 'still-used'],
    ['portfw-old', '<policy><service name="portfw-older"/><service name="my-portfw-old"/></policy>', 'planned'],
    ['portfw-old', '<policy><service name="portfw-older"/><service name="portfw-old"/></policy>', 'still-used'],
    ['portfw-(', '<policy><service name="other"/></policy>', 'broken-xml'],
    ['portfw-(((a+)+)+)$', `<policy><short>portfw-${'a'.repeat(60)}!</short></policy>`, 'broken-xml'],
    ['portfw-.*', '<policy><service name="portfw-x"/></policy>', 'broken-xml'],
  ])('%s beside %s', (service, others, expected) => {
    expect(outcomeOf(service, others)).toBe(expected);
  });
});
