import { isOurs } from '../firewalld/model.ts';
import { writeIpsetXml, writeServiceXml, writeZoneXml } from '../firewalld/write-xml.ts';
import { connectionMoves } from '../plan/connection-moves.ts';
import type { ApplyInput, GuardSettings, RunState } from './requests.ts';
import { runState } from './requests.ts';

/** All of an apply on a host whose firewalld does not run: its files, and then its start. */
export interface StartRequest {
  readonly operation: 'start';
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly observedHash: string;
  /** Ours, all of them; paths are relative to /etc/firewalld. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Files of ours that go. */
  readonly deletions: readonly string[];
  /** Zones of others and the interfaces that move from their files to ours. */
  readonly edits: readonly { readonly zone: string; readonly interfaces: readonly string[] }[];
  /** The paths of those, for what is saved and restored. */
  readonly foreign: readonly string[];
  /** Zones of NetworkManager's connections, by UUID. */
  readonly connections: readonly (readonly [uuid: string, zone: string])[];
  readonly window: number;
  readonly confirm: GuardSettings['confirm'];
  readonly state: RunState | null;
}

/** The request of an apply that starts firewalld. Pure. */
export function startRequest(input: ApplyInput): StartRequest {
  const { plan, desired, observed, guard } = input;
  const files = [
    ...[...desired.services].map(([name, { value }]) => ({
      path: `services/${name}.xml`,
      text: writeServiceXml(value),
    })),
    ...[...desired.ipsets].map(([name, { value }]) => ({ path: `ipsets/${name}.xml`, text: writeIpsetXml(value) })),
    ...[...desired.zones].map(([name, { config }]) => ({ path: `zones/${name}.xml`, text: writeZoneXml(config) })),
  ];
  const { permanent } = observed;
  const left = (folder: string, held: ReadonlyMap<string, unknown>, wanted: ReadonlyMap<string, unknown>): string[] =>
    [...held.keys()].filter((name) => isOurs(name) && !wanted.has(name)).map((name) => `${folder}/${name}.xml`);
  const edits = new Map<string, string[]>();
  for (const change of plan.changes) {
    if (change.kind !== 'interface' || change.editsZone === null) continue;
    edits.set(change.editsZone, [...(edits.get(change.editsZone) ?? []), change.interface]);
  }
  return {
    operation: 'start',
    id: input.id,
    holder: input.holder,
    what: `apply ${plan.matrix}, which starts firewalld`,
    observedHash: plan.observedHash,
    files,
    deletions: [
      ...left('zones', permanent.zones, desired.zones),
      ...left('services', permanent.services, desired.services),
      ...left('ipsets', permanent.ipsets, desired.ipsets),
    ].sort(),
    edits: [...edits].map(([zone, interfaces]) => ({ zone, interfaces })),
    foreign: [...edits.keys()].map((zone) => `zones/${zone}.xml`).sort(),
    connections: connectionMoves(plan.changes).map(({ uuid, after }) => [uuid, after]),
    window: guard.windowSeconds,
    confirm: guard.confirm,
    state: runState(input),
  };
}
