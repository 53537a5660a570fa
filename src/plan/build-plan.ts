import type { RememberedState, RunningFirewalld } from '../facts/facts.ts';
import { isOurs, type ZoneConfig } from '../firewalld/model.ts';
import { formatPort } from '../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { keepsOnReload } from '../firewalld/stock.ts';
import type { DesiredFirewalld, PolicyNote } from '../policy/desired.ts';
import type { RoleAssignment } from '../roles/findings.ts';
import { stepsFor } from './build-steps.ts';
import { differences } from './diff.ts';
import { disruptionOf, reloadHoldMs, ruleCount } from './disruption.ts';
import { type ImpactFacts, impactOf } from './impact.ts';
import { NO_IMPACT } from './impact-types.ts';
import { type Change, type HostPlan, PLAN_FORMAT } from './plan.ts';
import { plannedState } from './planned-state.ts';
import { filtersOf } from './proof-filters.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Kernels } from './rehearsed-kernels.ts';
import { othersLayers } from './reload-losses.ts';
import { outcomeOf, type StepOutcome } from './step-outcome.ts';
import { reloadOf } from './steps.ts';

export interface PlanInput {
  readonly host: string;
  readonly matrix: string;
  readonly roles: readonly RoleAssignment[];
  readonly facts: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly desired: DesiredFirewalld;
  readonly remembered: RememberedState | null;
  readonly notes: readonly PolicyNote[];
  /** What runs on the host at the moment; without it the plan has no impact to tell. */
  readonly live?: ImpactFacts;
  /** What has to be done first where firewalld does not run; `observed.runtime` is then a host that lets everything in. */
  readonly ensure?: Extract<Change, { kind: 'ensure-firewalld' }>['action'];
}

/** A plan with what its steps lead to on the host, which the lockout proof asks. */
export interface MadePlan {
  readonly plan: HostPlan;
  readonly outcome: StepOutcome;
}

/** The changes between what a host's firewalld is and what it should be, and the steps for them; the impact is not known yet. Pure. */
export function draftPlan(input: PlanInput): MadePlan {
  const { ensure, observed, desired } = input;
  const changes: Change[] = [
    ...(ensure === undefined ? [] : [{ kind: 'ensure-firewalld', action: ensure } as const]),
    ...differences(input),
  ];
  const roles = input.roles.map((item) => item.role).sort();
  const remember = rememberChange(input, roles);
  if (remember !== null) changes.push(remember);
  const keeps = keepsOnReload(input.facts.files);
  const steps = stepsFor({ changes, desired, observed, keeps, remembers: { matrix: input.matrix, roles } });
  const reload = reloadOf(steps);
  const notes = [...input.notes];
  if (reload !== null) notes.push(...reloadNotes(input));
  const plan: HostPlan = {
    format: PLAN_FORMAT,
    host: input.host,
    matrix: input.matrix,
    roles: input.roles,
    observedHash: input.facts.hash,
    changes,
    steps,
    result: plannedState(desired),
    disruption: { kind: 'none' },
    impact: NO_IMPACT,
    notes,
    nothingBecause: changes.length > 0 ? null : nothingBecause(input),
  };
  return { plan, outcome: outcomeOf(steps, observed, keeps) };
}

/**
 * The same plan with what it does to the host's listening sockets and live traffic, and for how long a reload holds new flows.
 *
 * @param rehearsal what the host said beforehand; `null` where it was not asked: then it is worked out from the configuration
 */
export function withConsequences(
  { plan, outcome }: MadePlan,
  input: PlanInput,
  rehearsal: Rehearsal | null,
  kernels: Kernels | null,
): HostPlan {
  const { ensure, observed, live } = input;
  const reload = reloadOf(plan.steps);
  const { now, boot, reloaded } = filtersOf({ outcome, observed, firewalld: input.facts, kernels });
  const after = ensure !== undefined ? boot.after : reload === null ? now.after : (reloaded ?? boot.after);
  const measured = measuredHoldMs(rehearsal);
  const { version } = input.facts;
  return {
    ...plan,
    disruption:
      ensure === undefined
        ? disruptionOf(plan.changes, reload, measured ?? reloadHoldMs(version, ruleCount(after.config)))
        : { kind: 'firewalld-starts' },
    impact: live === undefined || plan.changes.length === 0 ? NO_IMPACT : impactOf(live, now.before, after),
  };
}

/** The whole plan, worked out from facts alone. */
export function makePlan(input: PlanInput): MadePlan {
  const made = draftPlan(input);
  return { ...made, plan: withConsequences(made, input, null, null) };
}

/** For how long the host's own firewalld loaded the plan's definitions, to the nearest ten milliseconds; `null` where it did not. */
function measuredHoldMs(rehearsal: Rehearsal | null): number | null {
  const state = rehearsal?.kind === 'rehearsed' ? rehearsal.states.find(({ name }) => name === 'reload') : undefined;
  return state?.loads === true ? Math.max(10, Math.round(state.seconds * 100) * 10) : null;
}

function rememberChange(input: PlanInput, roles: readonly string[]): Change | null {
  const describe = (matrix: string, names: readonly string[]) => `${matrix}: ${[...names].sort().join(', ')}`;
  const before = input.remembered === null ? null : describe(input.remembered.matrix, input.remembered.roles);
  const after = describe(input.matrix, roles);
  return before === after ? null : { kind: 'remember', before, after };
}

/** What a reload does to the configuration of others: runtime-only settings go, pending permanent ones come. */
function reloadNotes(input: PlanInput): PolicyNote[] {
  const { permanent, runtime } = input.observed;
  // What NetworkManager manages it binds again after the reload.
  const homes = new Set([
    ...[...input.desired.zones.values()].flatMap((zone) => zone.config.interfaces),
    ...input.facts.networkManager.flatMap((connection) => connection.interfaces),
  ]);
  const notes: PolicyNote[] = [];
  const say = (code: 'reload-loses' | 'reload-loads', text: string) => notes.push({ severity: 'warning', code, text });
  const compare = (what: string, atRuntime: readonly string[], inFile: readonly string[]) => {
    // An interface that is left without a zone is bound again right after the reload.
    const [held, running] = [new Set(inFile), new Set(atRuntime)];
    const lost = atRuntime.filter((item) => !held.has(item) && !item.startsWith('interface '));
    const loaded = inFile.filter((item) => !running.has(item));
    if (lost.length > 0) say('reload-loses', `${what} has at runtime only, and the reload loses: ${listed(lost)}`);
    if (loaded.length > 0)
      say('reload-loads', `${what} has in its file only, and the reload puts into force: ${listed(loaded)}`);
  };
  for (const [name, zone] of runtime.zones) {
    if (isOurs(name)) continue;
    const file = permanent.zones.get(name);
    if (file === undefined) say('reload-loses', `zone ${name} exists at runtime only: the reload loses it`);
    else compare(`zone ${name}`, contents(zone, homes), contents(file, homes));
  }
  for (const [name, zone] of permanent.zones) {
    // A zone that nothing is bound to is not among those that the host shows, and its file has no effect.
    if (isOurs(name) || runtime.zones.has(name) || zone.interfaces.length + zone.sources.length === 0) continue;
    compare(`zone ${name}`, [], contents(zone, homes));
  }
  for (const [name, ipset] of runtime.ipsets) {
    if (isOurs(name)) continue;
    const file = permanent.ipsets.get(name);
    if (file === undefined) say('reload-loses', `ipset ${name} exists at runtime only: the reload loses it`);
    else compare(`ipset ${name}`, ipset.entries, file.entries);
  }
  for (const { what, runtime: loaded, permanent: inFile } of othersLayers(input.facts)) compare(what, loaded, inFile);
  return notes;
}

/** As many as a reader takes in: a list of banned addresses may have thousands. */
function listed(items: readonly string[]): string {
  return items.length > 12 ? `${items.slice(0, 10).join(', ')} and ${items.length - 10} more` : items.join(', ');
}

function contents(zone: ZoneConfig, homes: ReadonlySet<string>): string[] {
  return [
    ...(zone.target === 'default' ? [] : [`target ${zone.target}`]),
    ...zone.interfaces.filter((name) => !homes.has(name)).map((name) => `interface ${name}`),
    ...zone.services.map((name) => `service ${name}`),
    ...zone.ports.map((port) => `port ${formatPort(port)}`),
    ...zone.sources.map((source) => `source ${macInCapitals(source)}`),
    ...zone.protocols.map((protocol) => `protocol ${protocol}`),
    ...zone.sourcePorts.map((port) => `source port ${formatPort(port)}`),
    ...zone.icmpBlocks.map((name) => `ICMP block ${name}`),
    ...(zone.icmpBlockInversion ? ['ICMP block inversion'] : []),
    ...zone.richRules.map(macInCapitals),
    ...zone.forwardPorts.map((forward) => `forward port ${forward}`),
    ...(zone.masquerade ? ['masquerading'] : []),
  ];
}

/** Versions differ in the case in which they report a MAC. */
function macInCapitals(text: string): string {
  return text.replace(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi, (mac) => mac.toUpperCase());
}

function nothingBecause(input: PlanInput): string {
  const { zones, services, ipsets } = input.desired;
  const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const counts = [
    counted(zones.size, 'zone'),
    counted(services.size, 'service'),
    ...(ipsets.size > 0 ? [counted(ipsets.size, 'ipset')] : []),
  ];
  return `${counts.join(', ')} are already as matrix ${input.matrix} has them, in the permanent configuration and at runtime`;
}
