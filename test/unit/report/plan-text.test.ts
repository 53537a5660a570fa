import { describe, expect, it } from 'vitest';
import { NO_IMPACT } from '../../../src/plan/impact-types.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { type PlanTextOptions, plansText } from '../../../src/report/terminal/plan-text.ts';
import { createStyle, PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { DRIFT, FIRST_APPLY, SETTLED } from './helpers/plans.ts';

const GOLDEN = '../../fixtures/report';
const plain = { style: PLAIN_STYLE, verbosity: 0 };
const planText = (plan: HostPlan, options: PlanTextOptions) => plansText([plan], options);

describe('the text of a plan', () => {
  it.each([
    ['first-apply', FIRST_APPLY],
    ['drift', DRIFT],
    ['settled', SETTLED],
  ])('%s', async (name, plan) => {
    await expect(planText(plan, plain)).toMatchFileSnapshot(`${GOLDEN}/plan-${name}.txt`);
  });

  it('colours signs only with a style that has colours', async () => {
    expect(planText(DRIFT, plain)).not.toContain('\u001b');
    const coloured = planText(DRIFT, { style: createStyle(true), verbosity: 0 });
    expect(coloured).toContain('\u001b[31m-\u001b[39m service portfw-old-pub');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(planText(DRIFT, plain));
  });

  it('prints titles of new definitions only when asked for more', () => {
    expect(planText(FIRST_APPLY, plain)).not.toContain('web-admin (public)');
    expect(planText(FIRST_APPLY, { ...plain, verbosity: 1 })).toContain('short: web-admin (public)');
  });

  it("shows what becomes of a connection of NetworkManager's, where nothing else changes too", () => {
    const move = {
      uuid: '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c',
      connection: 'Wired\u001b[2J',
      before: '',
      after: 'portfw-x',
    };
    const layers = { permanent: false, runtime: false };
    const change = {
      ...FIRST_APPLY.changes[3]!,
      otherZone: 'portfw-x',
      zone: 'portfw-x',
      layers,
      networkManager: move,
    };
    const text = planText({ ...FIRST_APPLY, changes: [change as HostPlan['changes'][number]] }, plain);
    expect(text).toMatch(/~ interface eth\d+ \((?:public|private)\)\n/);
    expect(text).toContain('NetworkManager connection "Wired');
    expect(text).toContain(': zone none → portfw-x');
    expect(text).not.toContain('\u001b');
  });

  it('shows nothing of a host that could steer the terminal', () => {
    const nasty = 'eth0\u001b[2J\u202e\nzone trusted';
    const change = { ...FIRST_APPLY.changes[3]!, interface: nasty, closes: [nasty] } as HostPlan['changes'][number];
    const text = planText({ ...FIRST_APPLY, host: nasty, changes: [change], notes: [] }, plain);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text).toContain('interface eth0 zone trusted (public) moves here');
  });
});

describe('the impact of a plan', () => {
  it('is cut short unless more is asked for', () => {
    expect(planText(DRIFT, plain)).toContain('and 2 more (-v shows them)');
    const whole = planText(DRIFT, { ...plain, verbosity: 1 });
    expect(whole).toContain('- 10008/tcp worker-10008 on eth0: anybody but 192.0.2.66 → nobody');
    expect(whole).not.toContain('-v shows');
  });

  it('shows nothing of a host that could steer the terminal', () => {
    const [socket] = DRIFT.impact.closed;
    const nasty = { ...socket!, processes: ['x\u001b[2J\u202e\ny'], interface: 'eth0\u0007' };
    const text = planText({ ...DRIFT, impact: { ...DRIFT.impact, closed: [nasty] } }, plain);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});

describe('the plans of many hosts', () => {
  it('keeps hosts together that differ in their impact alone, and tells it host by host', () => {
    const other = { ...DRIFT.impact, closed: DRIFT.impact.closed.slice(0, 1) };
    const plans = [
      DRIFT,
      { ...DRIFT, host: 'sip2', impact: other },
      { ...DRIFT, host: 'sip3', impact: NO_IMPACT },
      { ...DRIFT, host: 'sip4', impact: other },
    ];
    const text = plansText(plans, plain);
    expect(text.split('\n')[0]).toContain('(4 hosts, the same plan)');
    expect(text).toContain('\n  on sip1.example.net:\n  listening sockets');
    expect(text).toContain('\n  on sip2, sip4:\n  listening sockets');
    expect(text).not.toContain('on sip3');
    expect(plansText([DRIFT, { ...DRIFT, host: 'sip2' }], plain)).not.toContain('  on sip');
  });

  it('prints plans that read the same once, under all their hosts', () => {
    const plans = ['a', 'b', 'c'].map((host) => ({ ...SETTLED, host }));
    const text = plansText([plans[0]!, DRIFT, plans[1]!, plans[2]!], plain);
    expect(text.split('\n')[0]).toBe('a, b, c (3 hosts, the same plan) · matrix portaswitch');
    expect(text.match(/No changes/g)).toHaveLength(1);
    expect(text).toContain(`\n\n${planText(DRIFT, plain)}`);
  });

  it('keeps hosts apart whose plans differ in a single port', () => {
    const other = { ...DRIFT, host: 'sip2.example.net', changes: DRIFT.changes.slice(1) };
    expect(plansText([DRIFT, other], plain)).not.toContain('the same plan');
  });
});
