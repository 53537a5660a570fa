import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOurs } from '../../../src/firewalld/model.ts';
import { type ObservedFirewalld, observedFirewalld } from '../../../src/firewalld/observed.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import { makePlan } from '../../../src/plan/build-plan.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { readPlan, writePlan } from '../../../src/plan/plan-file.ts';
import { outcomeOf } from '../../../src/plan/step-outcome.ts';
import { reloadOf } from '../../../src/plan/steps.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { planText } from '../../../src/report/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/style.ts';
import { unnamed } from './named-changes.ts';
import { Firewalld, type Layer } from './simulator.ts';
import { desiredArbitrary, hostArbitrary, mishapArbitrary } from './states.ts';

const GUARD = { windowSeconds: 60, confirm: 'auto' } as const;
const UUIDS = ['0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c', '1b7e2f6d-9a1c-4e8b-8b55-1d9c6a2f3e4d'];

function planFor(host: Firewalld, desired: DesiredFirewalld): { plan: HostPlan; observed: ObservedFirewalld } {
  const facts = host.facts();
  const observed = observedFirewalld(facts);
  const { plan } = makePlan({
    host: 'h',
    matrix: 'm',
    roles: [],
    facts,
    observed,
    desired,
    remembered: null,
    notes: [],
  });
  return { plan, observed };
}

function apply(host: Firewalld, plan: HostPlan): void {
  const input = { id: 'i', holder: 'h', plan, guard: GUARD, at: '2026-03-01T10:00:00.000Z' };
  host.begin(beginRequest(input));
  host.permanent(permanentRequest(input));
}

const connectionZone = fc.constantFrom(null, null, '', 'public', 'portfw-public', 'portfw-gone');

/** A host of its owner's, perhaps with an apply of ours before, with what happened since, and what it should be now. */
const scenario = fc
  .record({
    host: hostArbitrary,
    old: fc.option(desiredArbitrary, { nil: null }),
    mishaps: fc.array(mishapArbitrary, { maxLength: 4 }),
    connections: fc.tuple(connectionZone, connectionZone),
    desired: desiredArbitrary,
  })
  .map(({ host, old, mishaps, connections, desired }) => ({
    desired,
    made: () => {
      const made = host();
      if (old !== null) apply(made, planFor(made, old).plan);
      for (const [index, zone] of connections.entries())
        if (zone !== null) made.manage(UUIDS[index]!, zone, `eth${index}`);
      for (const mishap of mishaps) mishap.at(made);
      return made;
    },
  }));

function ours({ zones, services, ipsets }: Pick<Layer, 'zones' | 'services' | 'ipsets'>): unknown {
  const of = (items: Iterable<readonly [string, unknown]>) =>
    Object.fromEntries([...items].filter(([name]) => isOurs(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { zones: of(zones), services: of(services), ipsets: of(ipsets) };
}

describe('one plan: what is shown is what is sent', { timeout: 600_000 }, () => {
  it('names every file entry, call, edit and deletion that is sent, over a thousand scenarios', () => {
    const seen = { changes: 0, reloads: 0, entries: 0 };
    fc.assert(
      fc.property(scenario, ({ made, desired }) => {
        const host = made();
        const { plan, observed } = planFor(host, desired);
        const input = { id: 'i', holder: 'h', plan, guard: GUARD, at: 'now' };
        const begin = beginRequest(input);
        const permanent = permanentRequest(input);
        expect(unnamed(plan.changes, observed, begin, permanent)).toEqual([]);

        // Every change has its step, and every step its change.
        const served = new Set(plan.steps.flatMap(({ serves }) => serves));
        expect([...served].sort((a, b) => a - b)).toEqual(plan.changes.map((_, index) => index));

        // The plan is a value: it reads back from JSON equal.
        expect(readPlan(writePlan(plan))).toEqual({ kind: 'plan', plan });

        // A reviewer sees each entry of an ipset that changes.
        const text = planText(plan, { style: PLAIN_STYLE, verbosity: 0 });
        for (const change of plan.changes) {
          if (change.kind !== 'ipset-entries') continue;
          seen.entries += 1;
          for (const entry of change.add) expect(text).toContain(`+ ${entry}\n`);
          for (const entry of change.remove) expect(text).toContain(`- ${entry}\n`);
        }

        // What the steps are said to lead to is what the host comes to, so the proof is about what is sent.
        const outcome = outcomeOf(plan.steps, observed);
        host.begin(begin);
        expect(ours(outcome.runtime)).toEqual(ours(host.runtime));
        host.permanent(permanent);
        expect(ours(outcome.permanent)).toEqual(ours(new Firewalld(host.files).memory));
        seen.changes += plan.changes.length;
        if (reloadOf(plan.steps) !== null) seen.reloads += 1;
      }),
      { seed: 8, numRuns: 1000 },
    );
    expect(seen.changes).toBeGreaterThan(5000);
    expect(seen.reloads).toBeGreaterThan(300);
    expect(seen.entries).toBeGreaterThan(500);
  });
});
