import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import { concernsRuntime } from '../../../src/plan/diff/diff.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { planOf } from './helpers/plan-of.ts';
import type { Firewalld } from './helpers/simulator.ts';
import { desiredArbitrary, hostArbitrary, type Mishap, mishapArbitrary } from './helpers/states.ts';

/** The same cases on every run; many more were tried while this was written. */
const SEED = { seed: 20 };

const CLIENT = '192.0.2.7';
/** In no ipset. */
const STRANGER = '192.88.99.7';

function planFor(host: Firewalld, desired: DesiredFirewalld): ReturnType<typeof planOf> {
  const planned = planOf(host, desired);
  expect(planned.observed.broken).toEqual([]);
  return planned;
}

function pending(plan: HostPlan): unknown[] {
  return plan.changes.filter((change) => change.kind !== 'remember');
}

/** Applies the plan for a desired configuration, with the proofs that apply makes on a host. */
function apply(host: Firewalld, desired: DesiredFirewalld): HostPlan {
  const { plan, observed } = planFor(host, desired);
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  const input = { id: 'i', holder: 'h', plan, guard, at: '2026-03-01T10:00:00.000Z' };
  const paths = ['eth0', 'eth1', 'eth2'];
  let open = paths.filter((name) => host.letsIn(CLIENT, name, 22));
  const shut = new Map<string, string>();
  // Interfaces that are at home in every layer: neither the reload nor anything else may close them for a moment.
  const steady = new Set(
    [...desired.zones.values()].flatMap(({ config }) =>
      [observed.runtime, observed.permanent]
        .map(({ zones }) => zones.get(config.name)?.interfaces ?? [])
        .reduce((left, right) => left.filter((name) => right.includes(name)), config.interfaces)
        .filter(
          (name) =>
            [...observed.permanent.zones.values()].filter((zone) => zone.interfaces.includes(name)).length === 1,
        ),
    ),
  );
  let entriesMove = false;
  host.begin(beginRequest(input), (after) => {
    // What others have in their files alone is in force after the reload; from there on nothing may close.
    if (after === 'reload') open = open.filter((name) => steady.has(name) || host.letsIn(CLIENT, name, 22));
    // An entry that others replace has to go first, since firewalld refuses overlaps.
    entriesMove = after.startsWith('remove-entry') || (entriesMove && after.startsWith('add-entry'));
    if (entriesMove) return;
    for (const name of open) if (!host.letsIn(CLIENT, name, 22) && !shut.has(name)) shut.set(name, after);
  });
  for (const name of open) {
    if (host.letsIn(CLIENT, name, 22)) expect(shut.get(name), `SSH on ${name}`).toBeUndefined();
  }
  const left = planFor(host, desired).plan.changes.filter(concernsRuntime);
  expect(left, 'after the first request').toEqual([]);
  host.permanent(permanentRequest(input));
  expect(pending(planFor(host, desired).plan), 'after the second request').toEqual([]);
  return plan;
}

function foreignFiles(host: Firewalld): Map<string, string> {
  return new Map([...host.files].filter(([path]) => !path.includes('/portfw-')));
}

const scenario = fc.record({
  host: hostArbitrary,
  old: fc.option(desiredArbitrary, { nil: null }),
  mishaps: fc.array(mishapArbitrary, { maxLength: 4 }),
  desired: desiredArbitrary,
});

function prepared(host: () => Firewalld, old: DesiredFirewalld | null, mishaps: readonly Mishap[]): Firewalld {
  const made = host();
  if (old !== null) apply(made, old);
  made.reloads = 0;
  for (const mishap of mishaps) mishap.at(made);
  return made;
}

describe('applying a plan to a simulated firewalld', { timeout: 120_000 }, () => {
  it('ends with nothing left to do, whatever the host was before', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        apply(prepared(host, old, mishaps), desired);
      }),
      { ...SEED, numRuns: 250 },
    );
  });

  it('opens no port for a moment that neither the old nor the new configuration opens', () => {
    fc.assert(
      fc.property(hostArbitrary, desiredArbitrary, desiredArbitrary, (host, old, desired) => {
        const made = prepared(host, old, []);
        const paths = ['eth0', 'eth1', 'eth2'];
        const open = () => paths.filter((name) => made.letsIn(STRANGER, name, 9));
        const before = open();
        const seen = new Map<string, string>();
        const { plan, observed } = planFor(made, desired);
        const guard = { windowSeconds: 60, confirm: 'auto' } as const;
        const input = { id: 'i', holder: 'h', plan, desired, observed, guard, at: '2026-03-01T10:00:00.000Z' };
        made.begin(beginRequest(input), (after) => {
          for (const name of open()) if (!seen.has(name)) seen.set(name, after);
        });
        for (const [name, after] of seen) expect([...before, ...open()], `${name} after ${after}`).toContain(name);
      }),
      { ...SEED, numRuns: 250 },
    );
  });

  it('survives a reload afterwards unchanged', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        const made = prepared(host, old, mishaps);
        apply(made, desired);
        made.reload();
        expect(pending(planFor(made, desired).plan)).toEqual([]);
      }),
      { ...SEED, numRuns: 80 },
    );
  });

  it('is the same plan for the same host', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        const made = prepared(host, old, mishaps);
        expect(JSON.stringify(planFor(made, desired).plan)).toBe(JSON.stringify(planFor(made, desired).plan));
      }),
      { ...SEED, numRuns: 30 },
    );
  });

  it('changes only the line of foreign files that names an interface', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        const made = prepared(host, old, mishaps);
        const before = foreignFiles(made);
        const runtime = [...made.runtime.zones.values()].filter(({ name }) => !name.startsWith('portfw-'));
        const plan = apply(made, desired);
        const moved = plan.changes.flatMap((change) => (change.kind === 'interface' ? [change.interface] : []));
        const after = foreignFiles(made);
        expect([...after.keys()]).toEqual([...before.keys()]);
        for (const [path, text] of after) {
          const names = new RegExp(
            `<interface name=["'](?:${[...moved, 'none'].join('|')})["'](?:/>|></interface>)`,
            'g',
          );
          const kept = (whole: string) =>
            whole
              .split('\n')
              .map((line) => (line.includes('<!--') ? line : line.replace(names, '').trimStart()))
              .filter((line) => line !== '');
          expect(kept(text)).toEqual(kept(before.get(path)!));
          expect(text.includes('was here once')).toBe(before.get(path)!.includes('was here once'));
        }
        if (made.reloads > 0) return;
        for (const zone of runtime) {
          const { interfaces, ...rest } = made.runtime.zones.get(zone.name)!;
          expect({ ...rest, interfaces: interfaces.filter((name) => !moved.includes(name)) }).toEqual({
            ...zone,
            interfaces: zone.interfaces.filter((name) => !moved.includes(name)),
          });
        }
      }),
      { ...SEED, numRuns: 60 },
    );
  });

  it('needs no reload where only behaviour differs', () => {
    fc.assert(
      fc.property(hostArbitrary, desiredArbitrary, (host, desired) => {
        const made = host();
        apply(made, desired);
        made.reloads = 0;
        for (const zone of [...made.runtime.zones.values()].filter(({ name }) => name.startsWith('portfw-')))
          made.runtime.zones.set(zone.name, { ...zone, services: ['http'], richRules: [], masquerade: true });
        apply(made, desired);
        expect(made.reloads).toBe(0);
      }),
      { ...SEED, numRuns: 40 },
    );
  });

  it('takes one reload at most', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        const made = prepared(host, old, mishaps);
        const before = made.reloads;
        const plan = apply(made, desired);
        expect(made.reloads - before).toBeLessThanOrEqual(1);
        expect(made.reloads > before).toBe(
          plan.disruption.kind === 'reload' || (plan.disruption.kind === 'interface-moves' && plan.disruption.reload),
        );
      }),
      { ...SEED, numRuns: 60 },
    );
  });

  it('plans nothing twice for the same zone and interface', () => {
    fc.assert(
      fc.property(scenario, ({ host, old, mishaps, desired }) => {
        const { plan } = planFor(prepared(host, old, mishaps), desired);
        const keys = plan.changes.map((change) => JSON.stringify({ ...change, reasons: [], closes: [], layers: null }));
        expect(new Set(keys).size).toBe(keys.length);
      }),
      { ...SEED, numRuns: 60 },
    );
  });
});
