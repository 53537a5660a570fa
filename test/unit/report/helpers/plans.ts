import { perOurKind } from '../../../../src/firewalld/kinds/kinds.ts';
import { NO_ACCESS } from '../../../../src/plan/access-types.ts';
import { type Impact, NO_IMPACT } from '../../../../src/plan/impact-types.ts';
import { type HostPlan, PLAN_FORMAT, type PlannedState } from '../../../../src/plan/plan.ts';
import type { Reason } from '../../../../src/policy/desired.ts';

/** What a report does not print: what is sent. */
const UNSENT = {
  kind: 'apply',
  format: PLAN_FORMAT,
  steps: [],
  result: perOurKind<PlannedState>(() => []),
  access: NO_ACCESS,
} as const satisfies Partial<HostPlan>;

const BOTH = { permanent: true, runtime: true };

function rule(id: string, purpose: string, feature: string | null = null): Reason {
  return { kind: 'rule', matrix: 'portaswitch', rule: id, purpose, source: 'table 1, web server', feature };
}

const port = (protocol: string, first: number, last = first) => ({ protocol, range: { first, last } });

const nobody = { who: 'nobody', sources: [], more: 0 } as const;
const anybody = { who: 'anybody', sources: [], more: 0 } as const;

/** What a first apply opens, with ports that nothing listens on. */
const FIRST_IMPACT: Impact = {
  ...NO_IMPACT,
  closed: [
    {
      protocol: 'tcp',
      address: '*',
      ports: ['22'],
      processes: ['sshd'],
      interface: 'eth0',
      destinations: ['203.0.113.10'],
      zoneBefore: 'public',
      zoneAfter: 'portfw-public',
      before: anybody,
      after: { who: 'these', sources: ['192.0.2.0/25', '198.51.100.7'], more: 0 },
    },
  ],
  opened: [
    {
      protocol: 'tcp',
      address: '*',
      ports: ['8442', '8903-8904'],
      processes: ['httpd'],
      interface: 'eth0',
      destinations: [],
      zoneBefore: 'public',
      zoneAfter: 'portfw-public',
      before: nobody,
      after: anybody,
    },
  ],
  unheard: [{ interface: 'eth0', zone: 'portfw-public', ports: ['8901/tcp'] }],
};

/** What closing ports leaves behind: more than a reader looks at. */
const DRIFT_IMPACT: Impact = {
  closed: [9999, 10_000, 10_002, 10_004, 10_006, 10_008].map((port) => ({
    protocol: 'tcp' as const,
    address: '0.0.0.0',
    ports: [String(port)],
    processes: port === 9999 ? [] : [`worker-${port}`],
    interface: 'eth0',
    destinations: [],
    zoneBefore: 'portfw-public',
    zoneAfter: 'portfw-public',
    before: port === 9999 ? anybody : { who: 'anybody-but', sources: ['192.0.2.66'], more: 0 },
    after: nobody,
  })),
  opened: [],
  unheard: [],
  flows: {
    source: 'conntrack',
    cut: [{ protocol: 'tcp', opener: '192.0.2.9', address: '203.0.113.10', port: 9999, count: 1, lost: 'permission' }],
    outlive: [
      { protocol: 'tcp', opener: '192.0.2.66', address: '203.0.113.10', port: 9999, count: 3, lost: 'permission' },
      { protocol: 'udp', opener: '2001:db8::9', address: '2001:db8::1', port: 5060, count: 1, lost: 'forward-port' },
    ],
    unseen: 12,
  },
};

/** A first apply on a web server: every kind of change that adds, an interface that moves, an extra rule. */
export const FIRST_APPLY: HostPlan = {
  ...UNSENT,
  host: 'web1.example.net',
  matrix: 'portaswitch',
  roles: [
    { role: 'server', because: 'every-host', confidence: 1, evidence: [] },
    {
      role: 'web-admin',
      because: 'detected',
      confidence: 0.95,
      evidence: [
        { kind: 'socket', text: 'tcp/8442 httpd', weight: 0.6 },
        { kind: 'unit', text: 'unit porta-httpd.service', weight: 0.5 },
      ],
    },
  ],
  observedHash: 'aaaa',
  changes: [
    {
      kind: 'definition',
      action: 'create',
      object: 'service',
      name: 'portfw-web-pub',
      inUse: false,
      fields: [
        { field: 'short', before: null, after: 'web-admin (public)' },
        { field: 'ports', before: null, after: 'tcp/8442, tcp/8903-8904' },
      ],
      reasons: [rule('web-admin/public/tcp/8442', 'reseller self-care')],
    },
    {
      kind: 'definition',
      action: 'create',
      object: 'ipset',
      name: 'portfw-office4',
      inUse: false,
      fields: [{ field: 'entries', before: null, after: '192.0.2.0/25, 198.51.100.7' }],
      reasons: [{ kind: 'peers', set: 'office', from: 'portfw_peers of web1.example.net' }],
    },
    {
      kind: 'definition',
      action: 'create',
      object: 'zone',
      name: 'portfw-public',
      inUse: false,
      fields: [
        { field: 'description', before: null, after: 'what the public side may reach' },
        { field: 'target', before: null, after: 'default' },
      ],
      reasons: [{ kind: 'interface-class', classes: ['public'], given: 'eth0 (203.0.113.10/24)' }],
    },
    {
      kind: 'interface',
      action: 'bind',
      interface: 'eth0',
      zone: 'portfw-public',
      classes: ['public'],
      otherZone: 'public',
      editsZone: 'public',
      closes: ['tcp/22 (service ssh)', 'udp/546 (service dhcpv6-client)', 'tcp/9090 (service cockpit)'],
      opens: [],
      layers: BOTH,
      reasons: [{ kind: 'interface-class', classes: ['public'], given: 'eth0 (203.0.113.10/24)' }],
    },
    {
      kind: 'zone-service',
      action: 'add',
      zone: 'portfw-public',
      service: 'portfw-web-pub',
      ports: [port('tcp', 8442), port('tcp', 8903, 8904)],
      layers: BOTH,
      reasons: [
        rule('web-admin/public/tcp/8442', 'reseller self-care'),
        rule('web-admin/public/tcp/8903-8904', 'callback ordered by SMS', 'callback'),
      ],
    },
    {
      kind: 'rich-rule',
      action: 'add',
      zone: 'portfw-public',
      rule: 'rule family="ipv4" source ipset="portfw-office4" port port="22" protocol="tcp" accept',
      layers: BOTH,
      reasons: [
        { kind: 'extra-rule', name: 'office', owner: 'noc', text: 'the night shift', expires: '2026-12-31' },
        { kind: 'site-ssh' },
      ],
    },
    {
      kind: 'definition',
      action: 'create',
      object: 'zone',
      name: 'portfw-private',
      inUse: false,
      fields: [{ field: 'target', before: null, after: 'default' }],
      reasons: [{ kind: 'private-mode', mode: 'trusted' }],
    },
    {
      kind: 'rich-rule',
      action: 'add',
      zone: 'portfw-private',
      rule: 'rule priority="32767" accept',
      layers: BOTH,
      reasons: [{ kind: 'private-mode', mode: 'trusted' }],
    },
    {
      kind: 'interface',
      action: 'bind',
      interface: 'eth1',
      zone: 'portfw-private',
      classes: ['private'],
      otherZone: '',
      editsZone: null,
      closes: [],
      opens: ['everything'],
      layers: BOTH,
      reasons: [
        { kind: 'cluster', group: 'dispatching' },
        { kind: 'shared-address', address: '203.0.113.45' },
        { kind: 'role-cluster', cluster: 'portasip', description: 'PortaSIP cluster', site: 'site_a' },
        { kind: 'role-cluster', cluster: 'portasip', description: 'PortaSIP cluster', site: null },
      ],
    },
    { kind: 'remember', before: null, after: 'portaswitch: server, web-admin' },
  ],
  disruption: { kind: 'interface-moves', interfaces: ['eth0', 'eth1'], reload: true, holdMs: 90 },
  impact: FIRST_IMPACT,
  notes: [
    { severity: 'warning', code: 'expired', text: 'extra rule "old" expired on 2026-01-01 and is not applied' },
    { severity: 'info', code: 'foreign', text: 'docker writes rules of its own' },
  ],
  nothingBecause: null,
};

const OLD_ROLE: Reason = { kind: 'role-gone', role: 'old', remembered: true, declared: true };

/** A drifted host: everything that edits, removes, or is needed in one layer only. */
export const DRIFT: HostPlan = {
  ...UNSENT,
  host: 'sip1.example.net',
  matrix: 'portaswitch',
  roles: [
    { role: 'server', because: 'every-host', confidence: 1, evidence: [] },
    { role: 'dispatching-node', because: 'declared', confidence: 1, evidence: [] },
    { role: 'radius', because: 'remembered', confidence: 0.4, evidence: [] },
  ],
  observedHash: 'bbbb',
  changes: [
    {
      kind: 'definition',
      action: 'edit',
      object: 'service',
      name: 'portfw-sip-pub',
      inUse: true,
      fields: [
        {
          field: 'ports',
          before: '25/tcp 5060/udp',
          after: '5060/tcp 5060/udp',
          removed: ['25/tcp'],
          added: ['5060/tcp'],
        },
        { field: 'destination', before: '203.0.113.45', after: null },
      ],
      reasons: [
        rule('dispatching-node/public/tcp/5060', 'SIP over TCP'),
        {
          kind: 'row-gone',
          matrix: 'portaswitch',
          before: 'portaswitch-ocs',
          role: 'dispatching-node',
          side: 'public',
          ports: ['25/tcp'],
        },
      ],
    },
    {
      kind: 'definition',
      action: 'delete',
      object: 'service',
      name: 'portfw-old-pub',
      inUse: false,
      fields: [{ field: 'ports', before: '1/tcp', after: null }],
      reasons: [OLD_ROLE],
    },
    {
      kind: 'zone-service',
      action: 'remove',
      zone: 'portfw-public',
      service: 'portfw-old-pub',
      ports: [port('tcp', 1)],
      layers: { permanent: true, runtime: false },
      reasons: [OLD_ROLE],
    },
    {
      kind: 'rich-rule',
      action: 'remove',
      zone: 'portfw-public',
      rule: 'rule family="ipv4" source address="192.0.2.66" accept',
      layers: { permanent: false, runtime: true },
      reasons: [{ kind: 'by-hand' }],
    },
    {
      kind: 'stray',
      zone: 'portfw-public',
      field: 'port',
      value: 'tcp/9999',
      layers: { permanent: false, runtime: true },
    },
    {
      kind: 'interface',
      action: 'release',
      interface: 'eth9',
      zone: 'portfw-public',
      classes: [],
      otherZone: 'public',
      editsZone: null,
      closes: ['udp/5060 (service portfw-sip-pub)'],
      opens: [],
      layers: BOTH,
      reasons: [{ kind: 'interface-unmapped', interface: 'eth9', there: true }],
    },
    {
      kind: 'ipset-entries',
      ipset: 'portfw-peers4',
      add: ['192.0.2.10', '192.0.2.16/28'],
      remove: ['192.0.2.9'],
      layers: BOTH,
      reasons: [
        { kind: 'peers', set: 'sip-peers', from: 'group "peers"' },
        { kind: 'peers-gone', of: 'peer set "sip-peers"' },
      ],
    },
    { kind: 'remember', before: 'portaswitch: server', after: 'portaswitch: server, dispatching-node' },
  ],
  disruption: { kind: 'reload', because: 'service portfw-sip-pub is in use', holdMs: 170 },
  impact: DRIFT_IMPACT,
  notes: [],
  nothingBecause: null,
};

/** Nothing to do. */
export const SETTLED: HostPlan = {
  ...UNSENT,
  host: 'db1.example.net',
  matrix: 'portaswitch',
  roles: [{ role: 'master-db', because: 'declared', confidence: 1, evidence: [] }],
  observedHash: 'cccc',
  changes: [],
  disruption: { kind: 'none' },
  impact: NO_IMPACT,
  notes: [],
  nothingBecause: 'permanent and runtime configuration match the matrix (2 zones, 3 services)',
};
