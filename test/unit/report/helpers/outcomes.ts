import type { HostFacts, PendingRun, RunEnd } from '../../../../src/facts/facts.ts';
import type { FleetEvent, HostOutcome, RunSummary } from '../../../../src/fleet/events.ts';
import { NOTHING_RUNS } from '../../plan/helpers/nothing.ts';
import { DRIFT, FIRST_APPLY, SETTLED } from './plans.ts';

export const PENDING: PendingRun = {
  id: '20260131T221500Z-3f2a',
  holder: 'op@controller',
  what: 'apply portaswitch',
  since: '2026-01-31T22:15:00Z',
  confirm: 'manual',
  proved: true,
  decision: 'open',
  secondsLeft: 125,
  step: 'waiting for a confirmation',
  alive: true,
};

const LOCK = { holder: 'op@controller', since: '2026-01-31T22:15:00Z', id: '20260131T221500Z-3f2a' };

export const FACTS: HostFacts = {
  os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: '6.1.0-18-amd64',
  hostname: 'web1',
  root: true,
  controllerPath: { clientAddress: '198.51.100.2', clientPort: 50122, serverAddress: '198.51.100.20', serverPort: 22 },
  interfaces: [
    { name: 'lo', up: true, loopback: true, addresses: [{ address: '127.0.0.1', prefix: 8, family: 'ipv4' }] },
    {
      name: 'eth0',
      up: true,
      loopback: false,
      addresses: [
        { address: '203.0.113.10', prefix: 24, family: 'ipv4' },
        { address: '2001:db8::10', prefix: 64, family: 'ipv6' },
      ],
    },
    { name: 'eth1', up: false, loopback: false, addresses: [] },
  ],
  sockets: [
    { protocol: 'tcp', address: '*', port: 8442, processes: ['httpd', 'nginx'] },
    { protocol: 'udp', address: '203.0.113.10', port: 69, processes: [] },
  ],
  flows: null,
  units: [
    { name: 'porta-httpd.service', active: 'active' },
    { name: 'dead.service', active: 'failed' },
  ],
  processes: ['httpd', 'nginx'],
  packages: ['porta-admin'],
  files: ['/porta_var/admin'],
  rpc: [
    { program: 100005, version: 3, protocol: 'udp', port: 20048, service: 'mountd' },
    { program: 100005, version: 1, protocol: 'udp', port: 20048, service: 'mountd' },
    { program: 300019, version: 1, protocol: 'tcp', port: 834, service: '' },
  ],
  writers: { units: ['docker'] },
  forwarding: { ipv4: ['docker0', 'eth0', 'eth1'], ipv6: 'all' },
  firewalld: {
    kind: 'running',
    version: '1.3.3',
    state: 'RUNNING',
    backend: 'nftables',
    defaultZone: 'public',
    panicMode: false,
    zoneDrifting: false,
    ipsetsUsable: true,
    helpers: ['ftp'],
    hash: 'h',
    permanentHash: 'p',
    runtimeHash: 'r',
    files: [],
    builtin: [],
    runtime: { ...NOTHING_RUNS, zones: { public: {}, trusted: {} } },
    networkManager: [
      {
        uuid: '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c',
        connection: 'eth0',
        zone: 'public',
        interfaces: ['eth0'],
        unsaved: false,
      },
    ],
  },
  remembered: {
    format: 1,
    matrix: 'portaswitch',
    roles: ['server', 'web-admin'],
    generation: 'g1',
    appliedAt: '2026-01-30T22:15:00Z',
  },
  lock: null,
  unfinished: { runs: [], busy: false },
  lastRun: null,
};

/** A host on which a run waits for a yes. */
export const BUSY_FACTS: HostFacts = { ...FACTS, lock: LOCK, unfinished: { runs: [PENDING], busy: false } };

export const BARE_FACTS: HostFacts = {
  ...FACTS,
  root: false,
  controllerPath: null,
  interfaces: [],
  sockets: [],
  flows: null,
  units: [],
  packages: [],
  files: [],
  rpc: [],
  writers: { units: [] },
  forwarding: { ipv4: [], ipv6: [] },
  firewalld: { kind: 'stopped', version: '0.9.3', reason: 'the unit is masked' },
  remembered: null,
  lock: { holder: 'noc@desk', since: '2026-01-31T22:00:00Z', id: 'x' },
};

const LAST_RUN: RunEnd = {
  id: '20260130T010203Z-77aa',
  outcome: 'reverted',
  by: 'timer',
  why: 'it was not kept in time',
  at: '2026-01-30T01:03:03Z',
  what: 'apply portaswitch',
  holder: 'op@controller',
};

/** One outcome of every kind, by host. */
export const OUTCOMES: ReadonlyMap<string, HostOutcome> = new Map<string, HostOutcome>([
  ['facts1', { kind: 'facts', facts: FACTS }],
  [
    'roles1',
    {
      kind: 'roles',
      facts: FACTS,
      findings: { verdict: { kind: 'settled' }, roles: FIRST_APPLY.roles, candidates: [], warnings: [] },
    },
  ],
  [
    'roles2',
    {
      kind: 'roles',
      facts: FACTS,
      findings: {
        verdict: { kind: 'ambiguous', unexplained: ['udp/5060'], candidates: ['radius', 'dispatching-node'] },
        roles: [],
        candidates: [
          { role: 'radius', confidence: 0.3, evidence: [{ kind: 'socket', text: 'udp/5060 sipd', weight: 0.3 }] },
          { role: 'dispatching-node', confidence: 0.3, evidence: [] },
        ],
        warnings: ['web-admin is declared, but nothing of it was found'],
      },
    },
  ],
  [
    'roles3',
    { kind: 'roles', facts: FACTS, findings: { verdict: { kind: 'none' }, roles: [], candidates: [], warnings: [] } },
  ],
  ['settled1', { kind: 'unchanged', plan: SETTLED }],
  ['planned1', { kind: 'planned', plan: DRIFT }],
  ['unsettled1', { kind: 'unchanged', plan: SETTLED, unsettled: { kind: 'alive', lock: LOCK, run: PENDING } }],
  [
    'unsettled2',
    { kind: 'planned', plan: DRIFT, unsettled: { kind: 'left', runs: [{ ...PENDING, secondsLeft: 0, alive: false }] } },
  ],
  ['changed1', { kind: 'changed', plan: FIRST_APPLY, generation: '20260131T221500Z-3f2a', reloads: 1 }],
  [
    'history1',
    {
      kind: 'history',
      generations: [
        {
          id: '20260131T221500Z-3f2a',
          savedAt: '2026-01-31T22:15:00Z',
          savedBy: 'op@controller',
          before: 'apply portaswitch',
          permanentHash: '0123456789abcdef0123',
          current: false,
        },
        {
          id: '20260130T010203Z-77aa',
          savedAt: '2026-01-30T01:02:03Z',
          savedBy: 'op@controller',
          before: 'rollback to 20260129T000000Z-0000',
          permanentHash: 'fedcba98765432100000',
          current: true,
        },
      ],
      pending: [],
    },
  ],
  ['awaiting1', { kind: 'awaiting', plan: DRIFT, generation: '20260131T221500Z-3f2a', pending: PENDING, reloads: 0 }],
  ['confirmed1', { kind: 'confirmed', generation: '20260131T221500Z-3f2a', drifted: true }],
  ['nothing1', { kind: 'nothing-pending', last: LAST_RUN }],
  [
    'status1',
    {
      kind: 'status',
      lock: LOCK,
      pending: [PENDING],
      last: LAST_RUN,
    },
  ],
  ['status2', { kind: 'status', lock: null, pending: [], last: null }],
  ['reverted1', { kind: 'reverted', because: 'failed1 failed', generation: '20260131T221500Z-77aa' }],
  ['rolled1', { kind: 'rolled-back', generation: 'g1', hash: '0123456789abcdef', changed: true }],
  [
    'refused1',
    {
      kind: 'refused',
      failure: {
        code: 'firewalld-absent',
        what: 'firewalld is not installed',
        details: [],
        solve: 'Install firewalld',
      },
    },
  ],
  [
    'unreachable1',
    {
      kind: 'unreachable',
      failure: {
        code: 'unreachable',
        what: 'no route to 192.0.2.1 port 22',
        details: ['EHOSTUNREACH'],
        solve: 'Check the address',
      },
    },
  ],
  [
    'failed1',
    {
      kind: 'failed',
      phase: 'verifying',
      failure: {
        code: 'verify-failed',
        what: 'runtime differs',
        details: ['zone portfw-public: +tcp/1'],
        solve: 'Look at it',
      },
      aftermath: { kind: 'restore-failed', generation: 'g1', why: 'the disk is full' },
    },
  ],
  [
    'failed2',
    {
      kind: 'failed',
      phase: 'writing',
      failure: {
        code: 'internal-error',
        what: 'portfw itself failed: boom',
        details: ['Error: boom', 'at x.ts:1:1'],
        solve: 'Report it',
      },
      aftermath: { kind: 'unknown', why: 'portfw failed while it was working on the host' },
    },
  ],
  [
    'failed3',
    {
      kind: 'failed',
      phase: 'restoring',
      failure: {
        code: 'unreachable',
        what: 'it should have been rolled back because failed1 failed, but could not: no answer',
        details: [],
        solve: 'Check the line',
      },
      aftermath: { kind: 'still-changed', generation: 'g1' },
    },
  ],
  ['skipped1', { kind: 'skipped', because: 'the run was interrupted before its turn' }],
]);

export const SUMMARY: RunSummary = { command: 'apply', outcomes: OUTCOMES, durationMs: 65_432, interrupted: true };

/** The events of one small run, every kind of them. */
export const EVENTS: readonly FleetEvent[] = [
  { kind: 'run-started', command: 'apply', hosts: [...OUTCOMES.keys()], at: 0 },
  { kind: 'host-phase', host: 'changed1', phase: 'connecting', at: 1 },
  { kind: 'host-note', host: 'changed1', severity: 'warning', text: 'a key was \u001b[31mrecorded', at: 2 },
  { kind: 'host-planned', host: 'changed1', plan: FIRST_APPLY, at: 900 },
  {
    kind: 'batches-split',
    play: 'web',
    batches: 6,
    serial: 3,
    clusters: [
      { what: 'the cluster "edge\u001b[31ms"', hosts: ['edge1', 'edge\u001b[32m2'] },
      { what: 'the PortaSIP cluster of "north"', hosts: ['sip1', 'sip2', 'rtp1', 'rtp2', 'rtp3', 'rtp4'] },
    ],
    at: 950,
  },
  {
    kind: 'batches-split',
    play: '',
    batches: 2,
    serial: 2,
    clusters: [{ what: 'the hosts of the virtual address 203.0.113.45', hosts: ['edge1', 'edge2'] }],
    at: 951,
  },
  { kind: 'batch-started', play: 'web', batch: 1, batches: 3, hosts: ['changed1', 'failed1'], at: 1000 },
  { kind: 'host-phase', host: 'changed1', phase: 'writing', at: 1100 },
  ...[...OUTCOMES].map(
    ([host, outcome], index): FleetEvent => ({
      kind: 'host-finished',
      host,
      outcome,
      durationMs: 1234,
      at: 2000 + index,
    }),
  ),
  {
    kind: 'host-reverted',
    host: 'changed1',
    outcome: { kind: 'reverted', because: 'failed1 failed', generation: '20260131T221500Z-3f2a' },
    durationMs: 3456,
    at: 2500,
  },
  { kind: 'interrupted', at: 3000 },
  { kind: 'batch-finished', play: 'web', batch: 1, failed: 1, stop: '1 of 2 hosts failed', at: 3001 },
  { kind: 'run-finished', summary: SUMMARY, at: 65_432 },
];

/** Collects what is written. */
export class Written {
  text = '';
  writes = 0;
  readonly columns: number | undefined;
  readonly rows: number | undefined;

  constructor(columns?: number, rows?: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.text += text;
    this.writes += 1;
  }
}
