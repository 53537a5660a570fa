import { describe, expect, it } from 'vitest';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { type PlanSection, plansView } from '../../../src/report/plan-view.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { DRIFT, FIRST_APPLY, SETTLED } from './helpers/plans.ts';

function sectionsOf(plan: HostPlan): readonly PlanSection[] {
  return plansView([plan], 'short').groups[0]!.sections;
}

function section<K extends PlanSection['kind']>(plan: HostPlan, kind: K): Extract<PlanSection, { kind: K }> {
  return sectionsOf(plan).find((one) => one.kind === kind) as Extract<PlanSection, { kind: K }>;
}

/** Every text in a value. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

const NASTY = '\u001b[2J\u202e\u200b\r\nzone trusted\u0007';
/** Words that only our own code writes. */
const OURS = new Set(['kind', 'action', 'object', 'because', 'who', 'protocol', 'severity', 'mode', 'lost', 'field']);

/** The plan with every text that comes from a host or a file made hostile. */
function hostile<T>(value: T, key = ''): T {
  if (typeof value === 'string') return (OURS.has(key) ? value : `${value}${NASTY}`) as T;
  if (Array.isArray(value)) return value.map((one) => hostile(one, key)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, hostile(part, name)])) as T;
}

describe('the view of plans', () => {
  it('has the sections of a plan in the order in which they are said', () => {
    expect(sectionsOf(FIRST_APPLY).map(({ kind }) => kind)).toEqual([
      'roles',
      'zone',
      'zone',
      'definitions',
      'impact',
      'disruption',
      'remember',
      'notes',
      'counts',
    ]);
    expect(sectionsOf(SETTLED)).toEqual([
      { kind: 'roles', roles: [expect.objectContaining({ role: 'master-db', because: 'declared in the inventory' })] },
      { kind: 'no-changes', because: SETTLED.nothingBecause },
    ]);
    const started: HostPlan = { ...DRIFT, changes: [{ kind: 'ensure-firewalld', action: 'install' }] };
    expect(section(started, 'start').steps.map(({ what }) => what)).toEqual(['package firewalld', 'firewalld']);
  });

  it('tells the changes of a zone as data: interfaces first, each with its reasons and what it does', () => {
    const { zone, changes } = section(DRIFT, 'zone');
    expect(zone).toBe('portfw-public');
    expect(changes.map(({ kind, sign, onlyIn, ports }) => [kind, sign, onlyIn, ports.join()])).toEqual([
      ['interface', '-', null, ''],
      ['zone-service', '-', 'permanent', '1/tcp'],
      ['rich-rule', '-', 'runtime', ''],
      ['stray', '-', 'runtime', ''],
    ]);
    expect(changes[0]!.details).toEqual([
      { kind: 'because', label: 'because', text: 'portfw_interfaces does not select eth9' },
      {
        kind: 'closes',
        label: 'closes',
        text: 'udp/5060 (service portfw-sip-pub), which is open on it in zone portfw-public now',
      },
    ]);
    expect(section(DRIFT, 'definitions').changes.map(({ inUse }) => inUse)).toEqual([true, false]);
    expect(section(DRIFT, 'counts')).toEqual({ kind: 'counts', changes: 8, add: 0, change: 3, remove: 5 });
  });

  it('counts what it leaves out, and leaves nothing out in full', () => {
    const impact = (extent: 'short' | 'full') =>
      plansView([DRIFT], extent).groups[0]!.sections.flatMap((one) => (one.kind === 'impact' ? one.parts : []))[0];
    expect(impact('short')).toMatchObject({ kind: 'closed', sockets: { more: 2, shown: { length: 4 } } });
    expect(impact('full')).toMatchObject({ kind: 'closed', sockets: { more: 0, shown: { length: 6 } } });

    const add = Array.from({ length: 60 }, (_, index) => `192.0.2.${index}`);
    const ports = add.map((_, index) => String(index + 1));
    const [socket] = DRIFT.impact.closed;
    const large: HostPlan = {
      ...DRIFT,
      changes: [{ ...DRIFT.changes[6]!, add } as HostPlan['changes'][number]],
      impact: { ...DRIFT.impact, closed: [{ ...socket!, ports }] },
    };
    const [entries] = section(large, 'entries').changes;
    expect(entries!.details[0]).toMatchObject({ kind: 'entries', action: 'add', entries: { more: 10 } });
    const short = plansText([large], { style: PLAIN_STYLE, verbosity: 0 });
    const full = plansText([large], { style: PLAIN_STYLE, verbosity: 1 });
    expect(short).toContain('        + and 10 more to add (-v shows them)\n');
    expect(short).toContain('- 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 48 more/tcp on eth0');
    expect(full).toContain(', 59, 60/tcp on eth0');
    expect(full).not.toMatch(/and \d+ more/);
  });

  it('gives a long list of matrix rows once', () => {
    const rule = (port: number) =>
      ({
        kind: 'rule',
        matrix: 'm',
        rule: `r/public/tcp/${port}`,
        purpose: 'p',
        source: 's',
        feature: null,
      }) as const;
    const reasons = [rule(1), rule(2), rule(3)];
    const added = FIRST_APPLY.changes[5]! as Extract<HostPlan['changes'][number], { kind: 'rich-rule' }>;
    const changes = ['a', 'b'].map((name) => ({ ...added, rule: `rule ${name}`, reasons }));
    const [first, second] = section({ ...FIRST_APPLY, changes }, 'zone').changes;
    expect(first!.details).toEqual([
      { kind: 'because', label: 'because', text: 'r: 1/tcp p (s)' },
      { kind: 'because', label: 'because', text: 'r: 2/tcp p' },
      { kind: 'because', label: 'because', text: 'r: 3/tcp p' },
    ]);
    expect(second!.details).toEqual([
      { kind: 'because', label: 'because', text: 'of the same 3 matrix rows as above' },
    ]);
  });

  it('gives a long reason once in full, and again without its explanation', () => {
    const reasons = [
      { kind: 'narrowed', by: 'portfw_allow_from', to: 'web: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24' },
      { kind: 'feature-off', feature: 'console', ports: ['8442/tcp'] },
    ] as const;
    const removed = DRIFT.changes[3]! as Extract<HostPlan['changes'][number], { kind: 'rich-rule' }>;
    const changes = ['a', 'b'].map((name) => ({ ...removed, rule: `rule ${name}`, reasons }));
    const texts = section({ ...DRIFT, changes }, 'zone').changes.map(({ details }) =>
      details.map((detail) => ('text' in detail ? detail.text : '')),
    );
    expect(texts).toEqual([
      [
        'narrowed by portfw_allow_from (web: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24)',
        'feature console is off (8442/tcp)',
      ],
      ['narrowed by portfw_allow_from, as above', 'feature console is off (8442/tcp)'],
    ]);
  });

  it('adds up over all hosts', () => {
    expect(plansView([FIRST_APPLY, DRIFT, SETTLED, { ...SETTLED, host: 'db2' }], 'short').totals).toEqual({
      hosts: 4,
      changing: 2,
      changes: 18,
      add: 8,
      change: 5,
      remove: 5,
      warnings: 1,
    });
    expect(plansView([], 'short')).toEqual({
      groups: [],
      totals: { hosts: 0, changing: 0, changes: 0, add: 0, change: 0, remove: 0, warnings: 0 },
    });
  });

  it('has hosts together whose plans read the same, with the impact of each', () => {
    const { groups } = plansView([SETTLED, DRIFT, { ...SETTLED, host: 'db2' }, { ...DRIFT, host: 'sip2' }], 'short');
    expect(groups.map(({ hosts }) => hosts)).toEqual([
      ['db1.example.net', 'db2'],
      ['sip1.example.net', 'sip2'],
    ]);
    const impacts = (other: HostPlan) =>
      plansView([DRIFT, other], 'short').groups[0]!.sections.flatMap((one) =>
        one.kind === 'impact' ? [one.hosts] : [],
      );
    expect(impacts({ ...DRIFT, host: 'sip2' })).toEqual([null]);
    expect(impacts({ ...DRIFT, host: 'sip2', impact: FIRST_APPLY.impact })).toEqual([['sip1.example.net'], ['sip2']]);
    expect(plansView([DRIFT, { ...DRIFT, matrix: 'other' }], 'short').groups).toHaveLength(2);
  });

  it('has no text that could steer a terminal or break a line, whatever a host or a file holds', () => {
    const plans = [FIRST_APPLY, DRIFT, SETTLED].map((plan) => hostile(plan));
    for (const extent of ['short', 'full'] as const) {
      const texts = textsIn(plansView(plans, extent));
      expect(texts.filter((text) => text.includes('zone trusted')).length).toBeGreaterThan(40);
      for (const text of texts) expect(text).not.toMatch(/[\p{Cc}\u200b\u202e]/u);
    }
    const printed = plansText(plans, { style: PLAIN_STYLE, verbosity: 1 });
    expect(printed).not.toMatch(/[^\n\P{Cc}]|[\u200b\u202e]/u);
    expect(printed).not.toMatch(/^\s*zone trusted/m);
  });
});
