import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Variables, writeInventory } from '../integration/helpers/lab-inventory.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { type Kind, PROBE } from './kinds.ts';

/** Inventory files of the suite. */
export interface Inventories {
  /** What the hosts are to become from an administrator's own configuration. */
  readonly first: string;
  /** What they are to become after that: every kind of change is in it. */
  readonly change: string;
  /** What another administrator wants of them meanwhile. */
  readonly other: string;
  /** A matrix that forgets SSH. */
  readonly lockout: string;
}

const CLOSED = `matrix: closed
title: A matrix that forgets SSH
print: { document: none, edition: none }
roles:
  server:
    title: Every server
    every_host: true
    rules:
      - interface: public
        source: A slip of the pen
        ports:
          - { tcp: 2222, purpose: SSH on a port where nobody listens }
`;

/** SSH comes by the tunnel alone. */
const TUNNEL_MATRIX = `matrix: tunnel
title: SSH by the tunnel alone
extends: portaswitch
roles:
  server:
    drop: [public/tcp/22]
`;

/** Writes playbooks and inventories for hosts of a lab, which have a public and a private interface each. */
export async function writeWishes(lab: Lab, managed: readonly LabHost[], kind: Kind): Promise<Inventories> {
  const path = (name: string): string => join(lab.directory, name);
  await writeFile(path('site.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  await writeFile(path('closed-matrix.yaml'), CLOSED);
  await writeFile(path('closed.yaml'), '- hosts: all\n  matrix: ./closed-matrix.yaml\n');
  await writeFile(path('tunnel-matrix.yaml'), TUNNEL_MATRIX);
  await writeFile(path('tunnel.yaml'), '- hosts: all\n  matrix: ./tunnel-matrix.yaml\n');
  const names = managed.map(({ name }) => name);
  // What the kind of host needs comes beside what a configuration wants, never instead of it.
  const own = (host: LabHost, wishes: Readonly<Record<string, unknown>>): Variables => {
    const { portfw_playbook, portfw_extra_rules = [], ...more } = kind.wishes?.(host, lab) ?? {};
    const rules = [...((wishes['portfw_extra_rules'] ?? []) as unknown[]), ...(portfw_extra_rules as unknown[])];
    return {
      ...more,
      ...(portfw_playbook === undefined || 'portfw_playbook' in wishes ? {} : { portfw_playbook }),
      ...(rules.length === 0 ? {} : { portfw_extra_rules: rules }),
    };
  };
  const write = (
    name: string,
    wishes: Readonly<Record<string, unknown>>,
    further: readonly string[],
  ): Promise<string> =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(
        managed.map((host) => [
          host.name,
          {
            portfw_playbook: 'site.yaml',
            portfw_interfaces: { public: host.publicAddress, private: '198.51.100.11' },
            portfw_addresses: { private: '198.51.100.11' },
            portfw_site: 'site',
            portfw_private: 'peers',
            ...wishes,
            ...own(host, wishes),
          },
        ]),
      ),
      others: Object.fromEntries(
        further.map((address) => [`peer-${address.split('.').at(-1)}`, { portfw_addresses: { private: address } }]),
      ),
      groups: { site: [...names, ...further.map((address) => `peer-${address.split('.').at(-1)}`)] },
    });
  const rule = { interface: 'public', protocol: 'tcp', owner: 'netops' };
  return {
    first: await write(
      'first',
      {
        portfw_roles: ['web-admin', 'configuration'],
        portfw_extra_rules: [PROBE],
      },
      ['198.51.100.20', '198.51.100.21'],
    ),
    // A role goes, a feature and a rule come, an ipset's entries change: definitions, a reload, calls, deletions.
    change: await write(
      'change',
      {
        portfw_roles: ['web-admin', 'dispatching-sbc'],
        portfw_features: ['sip-tls'],
        portfw_extra_rules: [
          PROBE,
          { ...rule, name: 'backup', port: 9200, from: ['192.0.2.224/27'], reason: 'backups' },
        ],
      },
      ['198.51.100.20', '198.51.100.22'],
    ),
    other: await write(
      'other',
      {
        portfw_roles: ['web-admin'],
        portfw_extra_rules: [
          { ...rule, name: 'ntp', protocol: 'udp', port: 123, from: ['192.0.2.0/25'], reason: 'time' },
        ],
      },
      ['198.51.100.20', '198.51.100.23'],
    ),
    lockout: await write('lockout', { portfw_playbook: 'closed.yaml', portfw_roles: [], portfw_private: 'matrix' }, []),
  };
}
