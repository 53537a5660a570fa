import type { AddressFamily } from '../../src/core/addresses.ts';
import type { Protocol } from '../../src/core/ports.ts';
import type { Comers } from '../../src/firewalld/filter/comers.ts';
import { perOurKind } from '../../src/firewalld/kinds/kinds.ts';
import type { AccessRow, AccessSide, HostAccess, Turn } from '../../src/plan/access-types.ts';
import { type Impact, NO_IMPACT } from '../../src/plan/impact-types.ts';
import { type Change, type HostPlan, PLAN_FORMAT, type PlannedState, type RollbackPlan } from '../../src/plan/plan.ts';
import type { Reason } from '../../src/policy/desired.ts';
import type { HostWithoutPlan, ReviewInput } from '../../src/report/review-input.ts';
import { randomFrom } from './seeded-random.ts';

/** A fleet for reviews. */
export interface FleetSize {
  readonly hosts: number;
  readonly ports: number;
  /** How many kinds of hosts there are; hosts of a kind are alike. */
  readonly kinds: number;
  readonly seed: number;
}

export const ANYBODY: Comers = { who: 'anybody', sources: [], more: 0 };
export const NOBODY: Comers = { who: 'nobody', sources: [], more: 0 };
const OFFICE: Comers = { who: 'these', sources: ['192.0.2.0/24'], more: 0 };
const PARTNERS: Comers = { who: 'these', sources: ['198.51.100.0/25', '203.0.113.7'], more: 3 };
const BANNED: Comers = { who: 'anybody-but', sources: ['192.0.2.66'], more: 0 };

/** Each turn with who reached and who reaches the port. */
const TURNS: readonly (readonly [turn: Turn, before: Comers, after: Comers])[] = [
  ['same', ANYBODY, ANYBODY],
  ['same', OFFICE, OFFICE],
  ['opened', NOBODY, ANYBODY],
  ['opened', NOBODY, OFFICE],
  ['closed', ANYBODY, NOBODY],
  ['closed', PARTNERS, NOBODY],
  ['narrowed', ANYBODY, OFFICE],
  ['widened', OFFICE, BANNED],
  ['changed', OFFICE, PARTNERS],
];

const ROLES = ['web-admin', 'dispatching-node', 'radius', 'master-db', 'processing-node', 'configuration'];

/** A review of a fleet that depends on its size alone: all turns, both families, hosts without changes and without a plan. */
export function reviewFleet(size: FleetSize): ReviewInput {
  const random = randomFrom(size.seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const ports = portsOf(size.ports);
  const kinds = Array.from({ length: size.kinds }, (_, kind) => kindOf(kind, ports, random, pick));
  const refused = size.hosts > 2 ? 1 : 0;
  const plans = Array.from({ length: size.hosts - refused }, (_, at) => {
    const kind = kinds[at % kinds.length]!;
    return { ...kind, host: `${kind.roles[0]!.role}-${at + 1}.example.net` };
  });
  const without = refused === 0 ? [] : [REFUSED];
  return {
    action: 'apply',
    plans,
    without,
    groups: new Map([
      ...plans.map(({ host, roles }, at): [string, string[]] => [
        host,
        [at % 2 === 0 ? 'site_a' : 'site_b', `${roles[0]!.role}s`.replaceAll('-', '_')],
      ]),
      ['oracle-9.example.net', ['site_b']],
    ]),
    digest: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  };
}

/** The same fleet, going back to the generation before. */
export function rollbackFleet(size: FleetSize): ReviewInput {
  const input = reviewFleet(size);
  const plans = input.plans.map((plan, at): RollbackPlan => {
    const { host, changes, disruption, impact, access, notes, nothingBecause } = plan;
    const id = `20260301T10${String(at % 60).padStart(2, '0')}00Z-4f1c`;
    const generation = {
      id,
      savedAt: '2026-03-01T10:00:00Z',
      savedBy: 'noc@control.example.net',
      before: 'apply portaswitch',
      permanentHash: 'c0ffee',
    };
    const body = { host, changes, disruption, impact, access, notes, nothingBecause };
    return { ...body, kind: 'rollback', format: PLAN_FORMAT, observedHash: 'aaaa', generation };
  });
  return { ...input, action: 'rollback', plans };
}

const REFUSED: HostWithoutPlan = {
  host: 'oracle-9.example.net',
  kind: 'refused',
  failure: { code: 'no-role', what: 'no role fits this host', details: [], solve: 'set portfw_roles for it' },
};

interface Port {
  readonly protocol: Protocol;
  readonly ports: string;
}

function portsOf(count: number): readonly Port[] {
  const known = ['22', '25', '80', '443', '8442-8449', '8901', '8903-8904', '5432'];
  return Array.from({ length: count }, (_, at): Port => {
    const protocol = at % 4 === 3 ? 'udp' : 'tcp';
    return { protocol, ports: known[at] ?? String(10_000 + at * 7) };
  });
}

function kindOf(
  kind: number,
  ports: readonly Port[],
  random: () => number,
  pick: <T>(items: readonly T[]) => T,
): HostPlan {
  const role = ROLES[kind % ROLES.length]!;
  const settled = kind % 5 === 4;
  const rows = ports.flatMap((port): AccessRow[] => {
    if (random() < 0.45) return [];
    const changes = !settled && random() < 0.4;
    const [turn, before, after] = changes ? pick(TURNS.slice(2)) : pick(TURNS.slice(0, 2));
    const row = (family: AddressFamily): AccessRow => ({
      ...port,
      family,
      destinations: [],
      before,
      after,
      turn,
      by: [`portfw-${role}-pub`],
      why: [turn === 'closed' ? 1 : turn === 'narrowed' ? 2 : 0],
    });
    // Networks of IPv4 alone let nobody in by IPv6.
    return before.who === 'these' || after.who === 'these' ? [row('ipv4')] : [row('ipv4'), row('ipv6')];
  });
  const access: HostAccess = { sides: [publicSide(rows), PRIVATE_SIDE], ssh: [22], reasons: reasonsFor(role) };
  const changes = settled ? [] : changesFor(role, rows);
  return {
    kind: 'apply',
    format: PLAN_FORMAT,
    host: '',
    matrix: 'portaswitch',
    roles: [
      {
        role,
        because: 'detected',
        confidence: 0.95,
        evidence: [{ kind: 'unit', text: `unit ${role}.service`, weight: 0.9 }],
      },
      { role: 'server', because: 'every-host', confidence: 1, evidence: [] },
    ],
    observedHash: 'aaaa',
    changes,
    disruption: settled
      ? { kind: 'none' }
      : { kind: 'reload', because: `service portfw-${role}-pub is in use`, holdMs: 90 },
    impact: settled ? NO_IMPACT : impactOf(rows),
    access,
    notes: settled
      ? []
      : [{ severity: 'warning', code: 'expired', text: 'extra rule "old" expired on 2026-01-01 and is not applied' }],
    nothingBecause: settled ? 'permanent and runtime configuration match the matrix (2 zones, 3 services)' : null,
    steps: [],
    result: perOurKind<PlannedState>(() => []),
  };
}

function publicSide(rows: readonly AccessRow[]): AccessSide {
  const whole = (family: AddressFamily) => ({ family, before: NOBODY, after: NOBODY, turn: 'same' as const });
  return {
    interface: 'eth0',
    classes: ['public'],
    zoneBefore: 'public',
    zoneAfter: 'portfw-public',
    whole: [whole('ipv4'), whole('ipv6')],
    rows,
  };
}

const PRIVATE_SIDE: AccessSide = {
  interface: 'eth1',
  classes: ['private'],
  zoneBefore: 'portfw-private',
  zoneAfter: 'portfw-private',
  whole: [{ family: 'ipv4', before: ANYBODY, after: ANYBODY, turn: 'same' }],
  rows: [],
};

function reasonsFor(role: string): readonly Reason[] {
  return [
    {
      kind: 'rule',
      matrix: 'portaswitch',
      rule: `${role}/public`,
      purpose: `what ${role} serves`,
      source: 'table 1',
      feature: null,
    },
    { kind: 'extra-rule', name: 'night shift', owner: 'noc', text: 'remote help', expires: '2026-01-01' },
    { kind: 'peers', set: 'office', from: 'portfw_allow_from of group site_a' },
  ];
}

function changesFor(role: string, rows: readonly AccessRow[]): readonly Change[] {
  const listed = (which: 'before' | 'after'): string =>
    [...new Set(rows.filter((row) => row[which].who !== 'nobody').map((row) => `${row.protocol}/${row.ports}`))].join(
      ', ',
    );
  return [
    {
      kind: 'definition',
      action: 'edit',
      object: 'service',
      name: `portfw-${role}-pub`,
      inUse: true,
      fields: [{ field: 'ports', before: listed('before'), after: listed('after') }],
      reasons: reasonsFor(role),
    },
    {
      kind: 'rich-rule',
      action: 'remove',
      zone: 'portfw-public',
      rule: 'rule family="ipv4" source address="198.51.100.0/25" accept',
      layers: { permanent: true, runtime: true },
      reasons: [],
    },
    {
      kind: 'ipset-entries',
      ipset: 'portfw-office4',
      add: ['192.0.2.0/24'],
      remove: ['192.0.2.0/25'],
      layers: { permanent: true, runtime: true },
      reasons: [{ kind: 'peers', set: 'office', from: 'portfw_allow_from of group site_a' }],
    },
  ];
}

function impactOf(rows: readonly AccessRow[]): Impact {
  const sockets = (turns: readonly Turn[]) =>
    rows
      .filter(({ turn, family }) => turns.includes(turn) && family === 'ipv4')
      .slice(0, 3)
      .map(({ protocol, ports, before, after }) => ({
        protocol,
        address: '*',
        ports: [ports],
        processes: ['httpd'],
        interface: 'eth0',
        destinations: [],
        zoneBefore: 'public',
        zoneAfter: 'portfw-public',
        before,
        after,
      }));
  const closed = sockets(['closed', 'narrowed']);
  return {
    closed,
    opened: sockets(['opened', 'widened']),
    unheard: [],
    flows: {
      source: 'conntrack',
      cut: [],
      outlive:
        closed.length === 0
          ? []
          : [
              {
                protocol: 'tcp',
                opener: '198.51.100.9',
                address: '203.0.113.10',
                port: 443,
                count: 3,
                lost: 'permission',
              },
            ],
      unseen: 0,
    },
  };
}
