import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunningFirewalld } from '../../../src/facts/facts.ts';
import { readIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import type { FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { isOurs } from '../../../src/firewalld/model.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { joined } from '../../../src/plan/steps/entry-calls.ts';
import { outcomeOf } from '../../../src/plan/steps/step-outcome.ts';
import { reloadOf } from '../../../src/plan/steps.ts';
import type { DesiredFirewalld, Reasoned } from '../../../src/policy/desired.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { readPlan, writePlan } from '../../helpers/plan-text.ts';
import { unnamed } from './helpers/named-changes.ts';
import { NOTHING_DESIRED } from './helpers/nothing.ts';
import { planOf } from './helpers/plan-of.ts';
import { Firewalld } from './helpers/simulator.ts';
import { desiredArbitrary, hostArbitrary, mishapArbitrary } from './helpers/states.ts';

const GUARD = { windowSeconds: 60, confirm: 'auto' } as const;
const UUIDS = ['0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c', '1b7e2f6d-9a1c-4e8b-8b55-1d9c6a2f3e4d'];

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
      if (old !== null) apply(made, planOf(made, old).plan);
      for (const [index, zone] of connections.entries())
        if (zone !== null) made.manage(UUIDS[index]!, zone, `eth${index}`);
      for (const mishap of mishaps) mishap.at(made);
      return made;
    },
  }));

function ours({ zones, services, ipsets }: FirewalldConfig): unknown {
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
        const { plan, observed } = planOf(host, desired);
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
        const text = plansText([plan], { style: PLAIN_STYLE, verbosity: 0 });
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

  it('names the entries of an ipset whose description changes with them', () => {
    const set = (description: string, entries: readonly string[]) => ({
      name: 'portfw-peer-img',
      short: 'portfw img',
      description,
      type: 'hash:net',
      family: 'ipv4' as const,
      options: {},
      entries,
    });
    const desired = (description: string, entries: readonly string[]): DesiredFirewalld => ({
      ...NOTHING_DESIRED,
      ipsets: new Map([['portfw-peer-img', { value: set(description, entries), reasons: [] }]]),
    });
    const host = new Firewalld();
    apply(host, planOf(host, desired('one', ['192.0.2.7'])).plan);
    const { plan } = planOf(host, desired('two', ['192.0.2.7', '203.0.113.0/24']));
    expect(plan.changes).toContainEqual(
      expect.objectContaining({ kind: 'ipset-entries', add: ['203.0.113.0/24'], remove: [] }),
    );
    expect(plansText([plan], { style: PLAIN_STYLE, verbosity: 0 })).toContain('+ 203.0.113.0/24\n');
    expect(reloadOf(plan.steps)).toBeNull();
    apply(host, plan);
    expect(planOf(host, desired('two', ['192.0.2.7', '203.0.113.0/24'])).plan.changes).toEqual([
      expect.objectContaining({ kind: 'remember' }),
    ]);
  });

  it.each([
    [1000, false],
    [1001, true],
  ])('moves %i entries call by call: reload is %s', (count, reloads) => {
    const entries = Array.from({ length: count }, (_, index) => `10.0.${index >> 7}.${(index % 128) * 2}`).sort();
    const desired = (held: readonly string[]): DesiredFirewalld => ({
      ...NOTHING_DESIRED,
      ipsets: new Map([
        [
          'portfw-site',
          { value: { ...readIpsetXml('portfw-site', '<ipset type="hash:net"/>'), entries: held }, reasons: [] },
        ],
      ]),
    });
    const host = new Firewalld();
    apply(host, planOf(host, desired([])).plan);
    const { plan } = planOf(host, desired(entries));
    expect(plan.steps.filter(({ kind }) => kind === 'call')).toHaveLength(reloads ? 0 : count);
    expect(reloadOf(plan.steps)).toBe(
      reloads ? 'it loads 1001 entries of ipset portfw-site faster than calls could' : null,
    );
    apply(host, plan);
    expect(host.runtime.ipsets.get('portfw-site')?.entries).toEqual(entries);
    expect(planOf(host, desired(entries)).plan.changes).toEqual([expect.objectContaining({ kind: 'remember' })]);
  });

  it('takes entries away by calls where a reload keeps what a set had', () => {
    /** A firewalld with `FlushAllOnReload=no`, which adds to the sets that it loads what they had before. */
    class Keeping extends Firewalld {
      override reload(): void {
        const before = this.runtime.ipsets;
        super.reload();
        for (const [name, ipset] of this.runtime.ipsets)
          this.runtime.ipsets.set(name, { ...ipset, entries: joined(ipset.entries, before.get(name)?.entries ?? []) });
      }

      override facts(): RunningFirewalld {
        const facts = super.facts();
        const conf = { path: 'firewalld.conf', text: 'FlushAllOnReload=no\n', mode: '0644', owner: '0:0' };
        return { ...facts, files: [...facts.files, { ...conf, sha256: facts.hash }] };
      }
    }
    const many = Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 7}.${(index % 128) * 2}`);
    const desired = (held: readonly string[]): DesiredFirewalld => {
      const set = readIpsetXml('portfw-site', '<ipset type="hash:net"/>');
      return {
        ...NOTHING_DESIRED,
        ipsets: new Map([['portfw-site', { value: { ...set, entries: [...held].sort() }, reasons: [] }]]),
      };
    };
    const option = '<option name="maxelem" value="99"/></ipset>';
    for (const [spoil, wanted] of [
      [option, ['192.0.2.7', '198.51.100.4']],
      ['</ipset>', ['192.0.2.7', ...many]],
    ] as const) {
      const host = new Keeping();
      apply(host, planOf(host, desired(['192.0.2.7', '203.0.113.9'])).plan);
      const path = 'ipsets/portfw-site.xml';
      host.files.set(path, host.files.get(path)!.replace('</ipset>', spoil));
      const { plan, observed } = planOf(host, desired(wanted));
      expect(reloadOf(plan.steps)).not.toBeNull();
      apply(host, plan);
      expect(host.runtime.ipsets.get('portfw-site')?.entries).toEqual([...wanted].sort());
      expect(outcomeOf(plan.steps, observed, true).runtime.ipsets).toEqual(host.runtime.ipsets);
      expect(planOf(host, desired(wanted)).plan.changes.map(({ kind }) => kind)).toEqual(['remember']);
    }
  });

  it('reloads for no text, of any kind of object', () => {
    const rewritten = (desired: DesiredFirewalld): DesiredFirewalld => {
      const { zones, services, ipsets } = desired;
      const texts = { short: 'another title', description: 'another text' };
      const of = <T extends object>(items: ReadonlyMap<string, Reasoned<T>>) =>
        new Map([...items].map(([name, item]) => [name, { ...item, value: { ...item.value, ...texts } }]));
      return {
        ...desired,
        zones: new Map([...zones].map(([name, zone]) => [name, { ...zone, config: { ...zone.config, ...texts } }])),
        services: of(services),
        ipsets: of(ipsets),
      };
    };
    const kinds = new Set<string>();
    fc.assert(
      fc.property(hostArbitrary, desiredArbitrary, (made, desired) => {
        const host = made();
        apply(host, planOf(host, desired).plan);
        const { plan } = planOf(host, rewritten(desired));
        for (const change of plan.changes) if (change.kind === 'definition') kinds.add(change.object);
        expect(reloadOf(plan.steps)).toBeNull();
        expect(plan.steps.filter(({ kind }) => kind === 'file' || kind === 'call')).toEqual([]);
        host.reloads = 0;
        apply(host, plan);
        expect(host.reloads).toBe(0);
        expect(planOf(host, rewritten(desired)).plan.changes.filter(({ kind }) => kind !== 'remember')).toEqual([]);
      }),
      { seed: 8, numRuns: 60 },
    );
    expect([...kinds].sort()).toEqual(['ipset', 'service', 'zone']);
  });
});

describe('a plan as a file', () => {
  const host = new Firewalld();
  const { plan } = planOf(host, fc.sample(desiredArbitrary, { seed: 1, numRuns: 1 })[0]!);
  const text = (edit: (value: Record<string, unknown>) => void) => {
    const value = JSON.parse(writePlan(plan)) as Record<string, unknown>;
    edit(value);
    return JSON.stringify(value);
  };

  it.each<[string, string, RegExp]>([
    ['no JSON', '{"format": 1,', /not JSON/],
    ['no plan', '{"kind": "host-finished"}', /not a plan/],
    ['a later format', text((value) => Object.assign(value, { format: 2 })), /format is 2/],
    ['a key that nobody knows', text((value) => Object.assign(value, { accept: true })), /accept/],
    ['a part that is missing', text((value) => delete value['steps']), /steps/],
    [
      'a call that no host knows',
      text((value) => Object.assign(value, { steps: [{ kind: 'call', call: ['run', 'sh'], serves: [0] }] })),
      /steps\.0/,
    ],
    [
      'a step that serves nothing',
      text((value) => Object.assign(value, { steps: [{ kind: 'reload', because: 'why not', serves: [] }] })),
      /steps\.0/,
    ],
    [
      'a step for a change that is not there',
      text((value) => Object.assign(value, { steps: [{ kind: 'reload', because: 'why not', serves: [999] }] })),
      /steps\.0: it names a change that is not there/,
    ],
  ])('is refused with %s', (_what, given, problem) => {
    const read = readPlan(given);
    expect(read.kind === 'unreadable' && read.problems.join('\n')).toMatch(problem);
  });
});
