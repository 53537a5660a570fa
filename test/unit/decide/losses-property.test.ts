import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostPlan } from '../../../src/plan/plan.ts';
import type { Loss } from '../../../src/policy/loss-types.ts';
import { lossText } from '../../../src/report/loss-text.ts';
import { removes } from '../../helpers/removes.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';
import { applied, matrixOf, planned, type Situation } from './helpers/changed-host.ts';

/** The same cases on every run. */
const SEED = { seed: 12 };

const EXTRA_RULES = [
  { name: 'vendor', protocol: 'tcp', port: 2222, owner: 'ops', reason: 'Remote help', expires: '2026-03-01' },
  { name: 'board', protocol: 'tcp', port: [9000, 9001], owner: 'ops', reason: 'Help' },
];

const extraRules = fc.tuple(
  ...EXTRA_RULES.map((rule) =>
    fc.option(
      fc
        .record({
          interface: fc.constantFrom('public', 'private'),
          from: fc.constantFrom(['any'], ['203.0.113.7'], ['203.0.113.7', '2001:db8::7']),
        })
        .map((more) => ({ ...rule, ...more })),
      { nil: null },
    ),
  ),
);
const sources = fc.constantFrom(['203.0.113.0/24'], ['203.0.113.0/25', '2001:db8::/64'], ['192.0.2.99'], ['any']);
const some = <T>(...items: T[]) => fc.subarray(items);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const situation: fc.Arbitrary<Situation> = fc
  .record({
    matrix: fc.constantFrom(undefined, undefined, undefined, 'next.yaml'),
    roles: some('web', 'database', 'manager', 'proxy'),
    features: some('console'),
    mode: fc.constantFrom('trusted', 'peers', 'matrix'),
    today: fc.constantFrom('2026-03-01', '2026-03-02'),
    allowFrom: some('web', 'web/443', 'manager', 'manager/udp/162', 'server'),
    who: sources,
    rules: extraRules,
    peers: fc.record({
      gateways: fc.constantFrom(['203.0.113.64/28'], ['203.0.113.64/28', '192.0.2.99'], ['2001:db8::5']),
      partners: fc.constantFrom(['203.0.113.80'], ['198.51.100.9', '2001:db8::81']),
    }),
    vips: fc.constantFrom(['192.0.2.50'], ['192.0.2.50', '192.0.2.51'], ['2001:db8::50']),
    side: fc.constantFrom('public', 'private'),
    target: maybe(fc.constantFrom('drop', 'reject')),
    third: fc.boolean(),
    control: fc.constantFrom('eth2', 'eth0'),
    rpc: fc.constantFrom([], ['100005 3 tcp 892 mountd'], ['100005 3 tcp 20048 mountd', '100005 3 udp 892 mountd']),
    helpers: fc.constantFrom(['ftp', 'tftp'], []),
    cluster: fc.boolean(),
  })
  .map((given): Situation => {
    const next = given.matrix !== undefined;
    const { partners, ...gateways } = given.peers;
    return {
      ...(given.matrix === undefined ? {} : { matrix: given.matrix }),
      roles: given.roles.filter((role) => !next || role === 'web' || role === 'manager'),
      features: given.features,
      private: given.mode as 'trusted' | 'peers' | 'matrix',
      today: given.today,
      interfaces: { eth2: ['203.0.113.10/24'], eth3: given.third ? ['203.0.113.130/25'] : null },
      mapped: { control: given.control, public: given.third ? ['eth0', 'eth3'] : ['eth0'] },
      rpc: given.rpc,
      helpers: given.helpers,
      variables: {
        portfw_allow_from: Object.fromEntries(given.allowFrom.map((key) => [key, given.who])),
        portfw_extra_rules: given.rules.filter((rule) => rule !== null),
        portfw_peers: next ? gateways : given.peers,
        portfw_vips: given.vips,
        ...(next ? {} : { portfw_role_interfaces: { database: given.side } }),
        ...(given.target === undefined ? {} : { portfw_zone_target: { public: given.target } }),
        ...(given.cluster ? { portfw_cluster: 'pair' } : {}),
      },
      groups: { pair: ['web1.example.net', 'web2.example.net'] },
      others: { 'web2.example.net': { ansible_host: '192.0.2.11' } },
    };
  });

/** The plan from one situation to another. */
function planBetween(before: Situation, now: Situation): HostPlan {
  const host = new Firewalld([]);
  const remembered = applied(planned(before, host, null), host);
  return planned(now, host, remembered);
}

/** Whether an interface is of all these classes. */
function all({ mapped }: Situation, sides: readonly string[]): boolean {
  const of = (side: string): readonly unknown[] => (side === 'private' ? ['eth1'] : [mapped?.[side] ?? []].flat());
  return ['eth0', 'eth1', 'eth2', 'eth3'].some((name) => sides.every((side) => of(side).includes(name)));
}

/** What is wrong with the reason for a change, or `null`. */
function falsehood(loss: Loss, plan: HostPlan, now: Situation): string | null {
  const roles = plan.roles.map(({ role }) => role);
  const matrix = matrixOf(now.matrix);
  const rules = now.variables?.portfw_extra_rules as readonly { readonly name: string; readonly expires?: string }[];
  switch (loss.kind) {
    case 'unknown':
    case 'by-hand':
      return 'portfw made all that is there';
    case 'role-gone':
      return roles.includes(loss.role) ? 'the role is played' : null;
    case 'role-not-in-matrix':
      return matrix.roles.has(loss.role) ? 'the matrix has the role' : null;
    case 'feature-off':
      return now.features?.includes(loss.feature) === true ? 'the feature is on' : null;
    case 'expired':
      return loss.expires < now.today! ? null : 'it has not expired';
    case 'extra-rule-gone':
      return rules.some(({ name }) => name === loss.name) ? 'the rule is there' : null;
    case 'replaced':
      return plan.result.services.some(({ name }) => name === loss.service) ? null : 'there is no such service';
    case 'row-gone': {
      const rows = matrix.roles.get(loss.role)?.rules.filter(({ interface: side }) => side === loss.side) ?? [];
      const open = rows.map(({ port, protocol }) => (port.kind === 'range' ? `${port.range.first}/${protocol}` : ''));
      return loss.ports.some((port) => open.includes(port)) ? 'the matrix has the row' : null;
    }
    case 'side-gone':
      return all(now, loss.sides) ? 'the side is there' : null;
    case 'sides-joined':
      return all(now, loss.sides) ? null : 'no interface is of these classes';
    default:
      return null;
  }
}

describe('why something goes on a host that portfw alone has changed', { timeout: 120_000 }, () => {
  it('is known for each change that removes, and true', () => {
    let seen = 0;
    fc.assert(
      fc.property(situation, situation, (before, now) => {
        const plan = planBetween(before, now);
        for (const change of plan.changes.filter(removes)) {
          const reasons = 'reasons' in change ? change.reasons : [];
          expect(reasons, JSON.stringify(change)).not.toEqual([]);
          for (const reason of reasons) {
            const wrong = falsehood(reason as Loss, plan, now);
            expect(wrong, `${lossText(reason as Loss)}: ${JSON.stringify({ ...change, reasons: [] })}`).toBeNull();
          }
          seen += 1;
        }
      }),
      { ...SEED, numRuns: 80 },
    );
    expect(seen).toBeGreaterThan(300);
  });
});
