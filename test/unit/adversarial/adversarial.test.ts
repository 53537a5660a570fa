import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressFamily, contains, parseAddress, parseNetwork } from '../../../src/core/addresses.ts';
import type { Decision } from '../../../src/decide/decide.ts';
import type { ControllerPath } from '../../../src/facts/facts.ts';
import { asLayer, copyOf, type Layer } from '../../../src/firewalld/kinds/kinds.ts';
import type { PortProtocol } from '../../../src/firewalld/model.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { stateAsDesired } from '../../../src/plan/steps/planned-state.ts';
import { desiredObjects } from '../../../src/policy/desired.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { readPlan, writePlan } from '../../helpers/plan-text.ts';
import { DaemonError, Firewalld } from '../plan/helpers/simulator.ts';
import {
  decideOn,
  interfaceWith,
  type Prepared,
  prepare,
  type World,
  wayOf,
  worldArbitrary,
} from './helpers/worlds.ts';

/** The same worlds on every run; many more were tried while this was written. */
const SEED = { seed: 3 };

type Planned = Extract<Decision, { kind: 'planned' }>;

class BrokenOff extends Error {}

/** Whether firewalld could load its files as they are. A run that has to reload asks the daemon first, and else writes nothing. */
function isLoadable(host: Firewalld): boolean {
  try {
    new Firewalld(host.files).reload();
    return true;
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return false;
  }
}

/**
 * Applies a plan; the first request is broken off after so many calls, as by a crash, where a number is given.
 *
 * @returns false where the host refuses to begin
 */
function applyPlan(
  host: Firewalld,
  decision: Planned,
  look: () => void = () => {},
  brokenOffAfter: number | null = null,
): boolean {
  const { plan } = decision;
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  const input = { id: 'i', holder: 'h', at: '2026-03-01T00:00:00Z', guard, plan };
  const request = beginRequest(input);
  const paths = request.files.map((file) => file.path);
  expect(new Set(paths).size, paths.join()).toBe(paths.length);
  if (request.reload && !isLoadable(host)) return false;
  let calls = 0;
  host.begin(request, () => {
    if (calls === brokenOffAfter) throw new BrokenOff();
    calls += 1;
  });
  if (brokenOffAfter !== null) return true;
  look();
  host.permanent(permanentRequest(input));
  look();
  return true;
}

/** The host as it is when the plan is made: perhaps with an apply that ended half way, and with what others did since. */
function hostOf(world: World): Firewalld {
  const host = world.host();
  if (world.before !== null) {
    const decision = decideOn(prepare(world.matrix, world.before), host, null);
    try {
      if (decision.kind === 'planned') applyPlan(host, decision, () => {}, world.brokenOffAfter);
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error;
    }
  }
  for (const mishap of world.mishaps) mishap.at(host);
  return host;
}

function isIn(address: string, entries: readonly string[]): boolean {
  const own = parseAddress(address)!;
  return entries.map(parseNetwork).some((network) => network !== null && contains(network, own));
}

/**
 * Whether firewalld lets the controller's next connection in, and whether a zone of ours decides that; worked out from a
 * layer alone: it knows nothing of the proof.
 */
function entrance(layer: Layer, way: ControllerPath, interfaceName: string): { isOpen: boolean; isOurs: boolean } {
  const { clientAddress, serverAddress, serverPort } = way;
  const inSet = (name: string) => isIn(clientAddress, layer.ipsets.get(name)?.entries ?? []);
  const zones = [...layer.zones.values()];
  const zone =
    zones.find(({ sources }) =>
      sources.some((one) => (one.startsWith('ipset:') ? inSet(one.slice(6)) : isIn(clientAddress, [one]))),
    ) ??
    zones.find(({ interfaces }) => interfaces.includes(interfaceName)) ??
    layer.zones.get('public')!;
  const opens = (ports: readonly PortProtocol[]) =>
    ports.some(({ protocol, range }) => protocol === 'tcp' && range.first <= serverPort && serverPort <= range.last);
  const serves = (name: string): boolean => {
    const service = layer.services.get(name);
    return service !== undefined && (opens(service.ports) || service.includes.some(serves));
  };
  const rules = zone.richRules.filter((rule) => {
    if (rule.family !== null && rule.family !== addressFamily(clientAddress)) return false;
    if (rule.sourceIpset !== null && !inSet(rule.sourceIpset)) return false;
    if (rule.sourceAddress !== null && !isIn(clientAddress, [rule.sourceAddress])) return false;
    if (rule.destination !== null && !isIn(serverAddress, [rule.destination])) return false;
    if (rule.icmpType !== null || rule.protocol !== null) return false;
    return rule.service === null || serves(rule.service);
  });
  const refused = rules.some(({ action }) => action === 'drop' || action === 'reject');
  const accepted = zone.target === 'ACCEPT' || opens(zone.ports) || zone.services.some(serves) || rules.length > 0;
  return { isOpen: accepted && !refused, isOurs: zone.name.startsWith('portfw-') };
}

/** Everything of ours in a layer, with what an empty zone that is only left until the next reload taken out. */
function ours(layer: Layer): unknown {
  const of = (items: Iterable<readonly [string, unknown]>) =>
    Object.fromEntries([...items].filter(([name]) => name.startsWith('portfw-')).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { zones: of(layer.zones), services: of(layer.services), ipsets: of(layer.ipsets) };
}

function wanted({ result }: HostPlan): unknown {
  return ours(copyOf(asLayer(desiredObjects(stateAsDesired(result)))));
}

/** Characters that no report may hand on: they would steer a terminal. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

function decisionOf(world: World): { host: Firewalld; prepared: Prepared; decision: Decision } {
  const host = hostOf(world);
  const prepared = prepare(world.matrix, world.variables);
  return { host, prepared, decision: decideOn(prepared, host, world.controller) };
}

describe('whatever the inventory, the matrix and the host are', { timeout: 1_800_000 }, () => {
  it('a plan never cuts the way in, and what was applied is what was desired', () => {
    const seen = { planned: 0, proved: 0, managers: 0, lockout: 0 };
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const { host, prepared, decision } = decisionOf(world);
        if (decision.kind === 'refused') {
          expect(decision.failure.solve).toMatch(/\w/);
          if (decision.failure.code.startsWith('lockout')) seen.lockout += 1;
          return;
        }
        seen.planned += 1;
        host.reloads = 0;
        const { controller } = world;
        const device = controller === null ? undefined : interfaceWith(controller.serverAddress);
        const look = () => (device === undefined ? null : entrance(host.runtime, controller!, device));
        const managers = device === undefined ? [] : world.variables.portfw_management;
        const before = look();
        // What others let in or keep out is theirs, but what was open when we came stays open.
        const check = (when: string) => {
          for (const manager of decision.plan.changes.length > 0 ? managers : []) {
            seen.managers += 1;
            const { way, device: by } = wayOf(manager, controller!);
            expect(entrance(host.runtime, way, by).isOpen, `SSH of ${manager} ${when}`).toBe(true);
          }
          const now = look();
          if (now === null || !(now.isOurs || before!.isOpen)) return;
          seen.proved += 1;
          expect(now.isOpen, `SSH ${when}`).toBe(true);
        };
        if (!applyPlan(host, decision, () => check('after a request'))) return;
        expect(ours(host.memory), 'permanent').toEqual(wanted(decision.plan));
        const again = decideOn(prepared, host, controller);
        if (again.kind === 'refused') throw new Error(`refused afterwards: ${again.failure.what}`);
        expect(again.plan.changes.filter(({ kind }) => kind !== 'remember')).toEqual([]);
        const pending = host.reloads === 0 && !isAskedOfUs(look());
        host.reload();
        expect(ours(host.runtime), 'after a reboot').toEqual(wanted(decision.plan));
        // Where the plan needed no reload, what waits in the files of others is none of its business.
        if (!pending) check('after a reboot');
      }),
      { ...SEED, numRuns: 70 },
    );
    // The property says nothing where everything is refused.
    expect(seen.planned).toBeGreaterThan(20);
    expect(seen.proved).toBeGreaterThan(25);
    expect(seen.managers).toBeGreaterThan(1);
    expect(seen.lockout).toBeGreaterThan(1);
  });

  it('a plan reads the same for everybody, and steers no terminal', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const { host, prepared, decision } = decisionOf(world);
        expect(JSON.stringify(decideOn(prepared, host, world.controller))).toBe(JSON.stringify(decision));
        const shown =
          decision.kind === 'planned'
            ? plansText([decision.plan], { style: PLAIN_STYLE, verbosity: 2 })
            : [decision.failure.what, decision.failure.solve, ...decision.failure.details].join('\n');
        expect(shown).not.toMatch(UNSAFE);
        if (decision.kind === 'planned')
          expect(readPlan(writePlan(decision.plan))).toStrictEqual({ kind: 'plan', plan: decision.plan });
        expect(jsonLine(decision)).not.toMatch(/[^\P{Cc}]|[\u202a-\u202e\u2066-\u2069]/u);
      }),
      { ...SEED, numRuns: 20 },
    );
  });
});

function isAskedOfUs(seen: { readonly isOurs: boolean } | null): boolean {
  return seen?.isOurs === true;
}
