import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../src/core/unified-diff.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { rawFiles } from '../../../src/plan/raw-files.ts';
import { outcomeOf } from '../../../src/plan/steps/step-outcome.ts';
import { stepsOfKind } from '../../../src/plan/steps.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { planOf } from './helpers/plan-of.ts';
import type { Firewalld } from './helpers/simulator.ts';
import { desiredArbitrary, hostArbitrary, mishapArbitrary } from './helpers/states.ts';

function applied(host: Firewalld, plan: HostPlan): void {
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  const input = { id: 'i', holder: 'h', plan, guard, at: '2026-03-01T10:00:00.000Z' };
  host.begin(beginRequest(input), () => undefined);
  host.permanent(permanentRequest(input));
}

function rawOf(host: Firewalld, desired: DesiredFirewalld) {
  const { files } = host.facts();
  const { plan, observed } = planOf(host, desired);
  const { permanent: after } = outcomeOf(plan.steps, observed);
  return { plan, raw: rawFiles({ steps: plan.steps, files, before: observed.permanent, after }) };
}

describe('the files that a plan changes', () => {
  it('are those that the host then has, and no others', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        hostArbitrary,
        fc.option(desiredArbitrary, { nil: null }),
        fc.array(mishapArbitrary, { maxLength: 3 }),
        desiredArbitrary,
        (make, old, mishaps, desired) => {
          const host = make();
          if (old !== null) applied(host, rawOf(host, old).plan);
          for (const mishap of mishaps) mishap.at(host);
          const before = new Map(host.files);
          const { plan, raw } = rawOf(host, desired);
          applied(host, plan);
          const bySettings = new Set(
            stepsOfKind(plan.steps, 'settings').map(({ object, settings }) => `${object}s/${settings.name}.xml`),
          );
          for (const file of raw) {
            expect(host.files.get(file.path) ?? null, file.path).toBe(file.after);
            if (!bySettings.has(file.path)) expect(before.get(file.path) ?? null, file.path).toBe(file.before);
            expect(unifiedDiff(file.path, file.before, file.after)).not.toEqual([]);
          }
          const told = new Set(raw.map(({ path }) => path));
          for (const path of new Set([...before.keys(), ...host.files.keys()]))
            if (!told.has(path) && !bySettings.has(path)) expect(host.files.get(path), path).toBe(before.get(path));
        },
      ),
      { seed: 12, numRuns: 150 },
    );
  });
});
