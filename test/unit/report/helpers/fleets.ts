import type { AddressFamily } from '../../../../src/core/addresses.ts';
import type { Protocol } from '../../../../src/core/ports.ts';
import type { Comers } from '../../../../src/firewalld/filter/comers.ts';
import type { AccessRow, AccessSide, HostAccess, Turn } from '../../../../src/plan/access-types.ts';
import { type Impact, NO_IMPACT } from '../../../../src/plan/impact-types.ts';
import type { HostPlan, ReviewedPlan, RollbackPlan } from '../../../../src/plan/plan.ts';
import type { PolicyNote } from '../../../../src/policy/desired.ts';
import type { HostWithoutPlan, ReviewInput } from '../../../../src/report/review-input.ts';
import { FIRST_APPLY, SETTLED } from './plans.ts';

export const NOBODY: Comers = { who: 'nobody', sources: [], more: 0 };
export const ANYBODY: Comers = { who: 'anybody', sources: [], more: 0 };
export const these = (...sources: readonly string[]): Comers => ({ who: 'these', sources, more: 0 });

/** The turn, for people that are equal, nobody, anybody, or some. */
export function turnOf(before: Comers, after: Comers): Turn {
  if (JSON.stringify(before) === JSON.stringify(after)) return 'same';
  if (before.who === 'nobody') return 'opened';
  if (after.who === 'nobody') return 'closed';
  if (before.who === 'anybody') return 'narrowed';
  return after.who === 'anybody' ? 'widened' : 'changed';
}

export function row(
  text: string,
  before: Comers,
  after: Comers,
  { family = 'ipv4', why = [], destinations = [] }: Partial<Pick<AccessRow, 'family' | 'why' | 'destinations'>> = {},
): AccessRow {
  const [ports = '', protocol] = text.split('/');
  return {
    protocol: protocol as Protocol,
    ports,
    family,
    destinations,
    before,
    after,
    turn: turnOf(before, after),
    by: [],
    why,
  };
}

/** The same for both families. */
export const both = (text: string, before: Comers, after: Comers, why: readonly number[] = []): readonly AccessRow[] =>
  (['ipv4', 'ipv6'] as const).map((family) => row(text, before, after, { family, why }));

export function whole(before: Comers, after: Comers, families: readonly AddressFamily[] = ['ipv4', 'ipv6']) {
  return families.map((family) => ({ family, before, after, turn: turnOf(before, after) }));
}

export function side(
  name: string,
  classes: readonly string[],
  rows: readonly AccessRow[],
  all: AccessSide['whole'] = whole(NOBODY, NOBODY),
): AccessSide {
  return {
    interface: name,
    classes,
    zoneBefore: 'public',
    zoneAfter: `portfw-${classes[0] ?? 'none'}`,
    whole: all,
    rows,
  };
}

export const access = (sides: readonly AccessSide[], reasons: HostAccess['reasons'] = []): HostAccess => ({
  sides,
  ssh: [22],
  reasons,
});

export function planOf(
  host: string,
  given: HostAccess,
  changes: HostPlan['changes'] = FIRST_APPLY.changes,
  more: { readonly notes?: readonly PolicyNote[]; readonly impact?: Impact; readonly holdMs?: number } = {},
): HostPlan {
  const { notes = [], impact = NO_IMPACT, holdMs = 90 } = more;
  const disruption = { kind: 'interface-moves', interfaces: ['eth0', 'eth1'], reload: true, holdMs } as const;
  return { ...FIRST_APPLY, host, access: given, changes, notes, impact, disruption };
}

/** A host that needs nothing: all is before as it is after. */
export function settled(host: string, given: HostAccess): HostPlan {
  const same = <T extends { readonly after: Comers }>(one: T) => ({ ...one, before: one.after, turn: 'same' as const });
  const sides = given.sides.map((one) => ({
    ...one,
    zoneBefore: one.zoneAfter,
    whole: one.whole.map(same),
    rows: one.rows.filter(({ after }) => after.who !== 'nobody').map(same),
  }));
  return { ...SETTLED, host, access: { ...given, sides }, notes: [] };
}

export function rollbackOf(plan: HostPlan, id: string): RollbackPlan {
  const { host, changes, disruption, impact, notes, nothingBecause, format, observedHash } = plan;
  const generation = {
    id,
    savedAt: '2026-11-28T20:15:00Z',
    savedBy: 'ann@desk.example.net',
    before: 'apply portaswitch',
    permanentHash: 'aa'.repeat(32),
  };
  return {
    kind: 'rollback',
    host,
    changes,
    disruption,
    impact,
    notes,
    nothingBecause,
    format,
    observedHash,
    access: plan.access,
    generation,
  };
}

export const reviewInput = (
  plans: readonly ReviewedPlan[],
  without: readonly HostWithoutPlan[] = [],
  action: ReviewInput['action'] = 'apply',
): ReviewInput => ({ action, plans, without, groups: new Map(), digest: null });

export const refusedHost = (
  host: string,
  kind: HostWithoutPlan['kind'] = 'refused',
  code = 'roles-ambiguous',
  what = `the evidence on ${host} fits two roles`,
): HostWithoutPlan => ({ host, kind, failure: { code, what, details: [], solve: 'declare portfw_roles' } });

/** A web server whose first apply opens the matrix, narrows SSH and closes what its old zone had. */
export function webAccess(office: readonly string[] = ['192.0.2.0/25', '198.51.100.7']): HostAccess {
  return access(
    [
      side(
        'eth0',
        ['public'],
        [
          ...both('443/tcp', NOBODY, ANYBODY, [1]),
          ...both('8442-8449/tcp', NOBODY, ANYBODY, [1]),
          ...both('80/tcp', ANYBODY, ANYBODY, [1]),
          row('22/tcp', ANYBODY, these(...office), { why: [0] }),
          row('22/tcp', ANYBODY, NOBODY, { family: 'ipv6', why: [0] }),
          ...both('9090/tcp', ANYBODY, NOBODY),
        ],
      ),
      side('eth1', ['private'], [], whole(NOBODY, ANYBODY)),
    ],
    [
      { kind: 'peers', set: 'server/tcp/22', from: 'portfw_allow_from: office' },
      {
        kind: 'rule',
        matrix: 'portaswitch',
        rule: 'web-admin/public/tcp/443',
        purpose: 'p',
        source: 's',
        feature: null,
      },
    ],
  );
}

/** A SIP node: members of a cluster reach everything of each other, each all but itself. */
export function sipAccess(number: number, nodes = 3): HostAccess {
  const others = Array.from({ length: nodes }, (_, at) => `203.0.113.${10 + at}`).filter((_, at) => at !== number);
  return access([
    side(
      'eth0',
      ['public', 'vip'],
      [
        ...both('5060-5061/udp', NOBODY, ANYBODY),
        row('5060/tcp', NOBODY, ANYBODY, { destinations: ['203.0.113.45'] }),
        ...both('7000/tcp', ANYBODY, NOBODY),
      ],
      [...whole(NOBODY, these(...others), ['ipv4']), ...whole(NOBODY, NOBODY, ['ipv6'])],
    ),
    side('eth1', ['private'], [], whole(ANYBODY, ANYBODY)),
  ]);
}

const expired = (host: string): PolicyNote => ({
  severity: 'warning',
  code: 'expired',
  text: `extra rule "old" of ${host} expired on 2026-01-01 and is not applied`,
});

/** A fleet of six: two web servers, three SIP nodes, one database as it is; and two without a plan. */
export function smallFleet(): ReviewInput {
  const impact: Impact = {
    ...FIRST_APPLY.impact,
    flows: {
      source: 'conntrack',
      cut: [
        { protocol: 'tcp', opener: '192.0.2.9', address: '203.0.113.10', port: 7002, count: 2, lost: 'permission' },
      ],
      outlive: [],
      unseen: 0,
    },
  };
  return reviewInput(
    [
      planOf('web1.example.net', webAccess(), undefined, { notes: [expired('web1.example.net')], impact }),
      planOf('web2.example.net', webAccess(), undefined, { notes: [expired('web2.example.net')] }),
      ...[0, 1, 2].map((at) => planOf(`sip${at + 1}.example.net`, sipAccess(at))),
      settled('db1.example.net', access([side('eth1', ['private'], [], whole(ANYBODY, ANYBODY))])),
    ],
    [
      refusedHost('gw1.example.net'),
      refusedHost('gw2.example.net'),
      refusedHost('old.example.net', 'unreachable', 'timeout', 'no answer from 198.51.100.9 within 10 s'),
    ],
  );
}
