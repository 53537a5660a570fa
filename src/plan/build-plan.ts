import type { RememberedState, RunningFirewalld } from '../facts/facts.ts';
import { type FirewalldConfig, isOurs, type ZoneConfig } from '../firewalld/model.ts';
import { formatPort } from '../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { DesiredFirewalld, PolicyNote } from '../policy/desired.ts';
import type { RoleAssignment } from '../roles/findings.ts';
import { definitionChanges, needsReload } from './definitions.ts';
import type { Change, Disruption, HostPlan } from './plan.ts';
import { zoneChanges } from './zone-changes.ts';

export interface PlanInput {
  readonly host: string;
  readonly matrix: string;
  readonly roles: readonly RoleAssignment[];
  readonly facts: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly desired: DesiredFirewalld;
  readonly remembered: RememberedState | null;
  readonly notes: readonly PolicyNote[];
}

/** The difference between what a host's firewalld is and what it should be. Pure, and the same for the same input. */
export function buildPlan(input: PlanInput): HostPlan {
  const { permanent, runtime } = input.observed;
  const definitions = definitionChanges(input.desired, permanent, runtime);
  const changes: Change[] = [
    ...definitions,
    ...entryChanges(input.desired, permanent, runtime, definitions),
    ...zoneChanges({
      desired: input.desired,
      permanent,
      runtime,
      defaultZone: input.facts.defaultZone,
      zoneFiles: new Set(input.observed.zoneTexts.keys()),
    }),
  ];
  const remember = rememberChange(input);
  if (remember !== null) changes.push(remember);
  const reload = reloadReason(changes);
  const notes = [...input.notes];
  if (reload !== null) notes.push(...reloadNotes(input.observed));
  return {
    host: input.host,
    matrix: input.matrix,
    roles: input.roles,
    observedHash: input.facts.hash,
    changes,
    disruption: disruptionOf(changes, reload),
    notes,
    nothingBecause: changes.length > 0 ? null : nothingBecause(input),
  };
}

function entryChanges(
  desired: DesiredFirewalld,
  permanent: FirewalldConfig,
  runtime: FirewalldConfig,
  definitions: readonly Change[],
): Change[] {
  const changes: Change[] = [];
  for (const [name, { value, reasons }] of desired.ipsets) {
    // A set that is written as a file brings its entries along.
    if (definitions.some((change) => change.kind === 'definition' && change.object === 'ipset' && change.name === name))
      continue;
    const held = [permanent.ipsets.get(name)?.entries ?? [], runtime.ipsets.get(name)?.entries ?? []];
    const wanted = new Set(value.entries);
    const add = value.entries.filter((entry) => held.some((entries) => !entries.includes(entry)));
    const remove = [...new Set(held.flat())].filter((entry) => !wanted.has(entry)).sort();
    if (add.length + remove.length === 0) continue;
    const differs = held.map(
      (entries) => entries.length !== wanted.size || entries.some((entry) => !wanted.has(entry)),
    );
    changes.push({
      kind: 'ipset-entries',
      ipset: name,
      add,
      remove,
      layers: { permanent: differs[0]!, runtime: differs[1]! },
      reasons,
    });
  }
  return changes;
}

function rememberChange(input: PlanInput): Change | null {
  const describe = (matrix: string, roles: readonly string[]) => `${matrix}: ${[...roles].sort().join(', ')}`;
  const before = input.remembered === null ? null : describe(input.remembered.matrix, input.remembered.roles);
  const after = describe(
    input.matrix,
    input.roles.map((item) => item.role),
  );
  return before === after ? null : { kind: 'remember', before, after };
}

/** Why the plan needs a reload, or `null` when it needs none. */
export function reloadReason(changes: readonly Change[]): string | null {
  const inUse = changes.filter(
    (change) => change.kind === 'definition' && needsReload(change) && change.inUse && change.action === 'edit',
  );
  const fresh = changes.filter((change) => change.kind === 'definition' && needsReload(change));
  if (inUse.length > 0)
    return inUse.length === 1
      ? 'a definition in use changes with it'
      : `${inUse.length} definitions in use change with it`;
  if (fresh.length > 0)
    return fresh.length === 1 ? 'a new definition is loaded by it' : `${fresh.length} new definitions are loaded by it`;
  // The daemon rewrites a zone file from memory: it must have read the file as it is now.
  const edits = changes.find((change) => change.kind === 'interface' && change.editsZone !== null);
  return edits === undefined ? null : "the daemon reads an owner's zone file again before it is edited";
}

function disruptionOf(changes: readonly Change[], reload: string | null): Disruption {
  const moved = changes.flatMap((change) =>
    change.kind === 'interface' && change.layers.runtime ? [change.interface] : [],
  );
  if (moved.length > 0)
    return { kind: 'interface-moves', interfaces: [...new Set(moved)].sort(), reload: reload !== null };
  return reload === null ? { kind: 'none' } : { kind: 'reload', because: reload };
}

/** What a reload does to the configuration of others: runtime-only settings go, pending permanent ones come. */
function reloadNotes(observed: ObservedFirewalld): PolicyNote[] {
  const notes: PolicyNote[] = [];
  for (const [name, runtime] of observed.runtime.zones) {
    const permanent = observed.permanent.zones.get(name);
    if (isOurs(name)) continue;
    if (permanent === undefined) {
      notes.push({
        severity: 'warning',
        code: 'reload-loses',
        text: `zone ${name} exists at runtime only: the reload loses it`,
      });
      continue;
    }
    const lost = contents(runtime).filter((item) => !contents(permanent).includes(item));
    const loaded = contents(permanent).filter((item) => !contents(runtime).includes(item));
    if (lost.length > 0)
      notes.push({
        severity: 'warning',
        code: 'reload-loses',
        text: `zone ${name} has at runtime only, and the reload loses: ${lost.join(', ')}`,
      });
    if (loaded.length > 0)
      notes.push({
        severity: 'warning',
        code: 'reload-loads',
        text: `zone ${name} has in its file only, and the reload puts into force: ${loaded.join(', ')}`,
      });
  }
  return notes;
}

function contents(zone: ZoneConfig): string[] {
  return [
    ...zone.services.map((name) => `service ${name}`),
    ...zone.ports.map((port) => `port ${formatPort(port)}`),
    ...zone.sources.map((source) => `source ${source}`),
    ...zone.protocols.map((protocol) => `protocol ${protocol}`),
    ...zone.richRules,
    ...zone.forwardPorts.map((forward) => `forward port ${forward}`),
    ...(zone.masquerade ? ['masquerading'] : []),
  ];
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
