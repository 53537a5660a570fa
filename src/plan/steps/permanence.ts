import { isOurs } from '../../firewalld/model.ts';
import { connectionMoves } from '../diff/connection-moves.ts';
import { needsReload } from '../diff/definitions.ts';
import type { ObjectKind, Step } from '../steps.ts';
import { interfaceChanges, type Ledger, united } from './change-ledger.ts';
import { sameList } from './entry-calls.ts';
import type { StepsInput, StepsWork } from './steps-work.ts';

/** What makes permanent what runs: edits of zone files, settings, deletions, saved connections, what is remembered. */
export function permanenceSteps(work: StepsWork): readonly Step[] {
  return [
    ...ownersEdits(work),
    ...editsBetweenOurs(work),
    ...zoneSettings(work),
    ...serviceSettings(work),
    ...ipsetSettings(work),
    ...deletions(work, work.ledger),
    ...connections(work, work.ledger),
    ...remembered(work, work.ledger),
  ];
}

/** Interfaces that leave the zone files of others. */
export function ownersEdits({ changes }: StepsInput): readonly Step[] {
  const edits = new Map<string, { interfaces: string[]; serves: number[] }>();
  for (const [change, index] of interfaceChanges(changes)) {
    if (change.editsZone === null) continue;
    const edit = edits.get(change.editsZone) ?? { interfaces: [], serves: [] };
    edit.interfaces.push(change.interface);
    edit.serves.push(index);
    edits.set(change.editsZone, edit);
  }
  return [...edits].map(([zone, edit]): Step => ({ kind: 'edit-zone', zone, ...edit }));
}

/**
 * Interfaces that a zone file of ours names and another zone of ours is to have: firewalld refuses, from 1.0 on, to name
 * one in two zones, so that they have to leave first.
 */
function editsBetweenOurs({ desired, observed, written, reload, ledger }: StepsWork): readonly Step[] {
  const homes = new Map(
    [...desired.zones].flatMap(([zone, { config }]) => config.interfaces.map((name) => [name, zone])),
  );
  return [...observed.permanent.zones].flatMap(([zone, held]): Step[] => {
    // A file that the daemon has not read holds nothing in its eyes.
    if (!isOurs(zone) || !(reload !== null || observed.runtime.zones.has(zone))) return [];
    const interfaces = (written.get(zone)?.config ?? held).interfaces.filter(
      (name) => homes.has(name) && homes.get(name) !== zone,
    );
    if (interfaces.length === 0) return [];
    const serves = united(...interfaces.map((name) => ledger.interface(name)));
    return [{ kind: 'edit-zone', zone, interfaces, serves }];
  });
}

/** Zones whose files are not yet as they are to be. */
function zoneSettings({ changes, desired, written, ledger }: StepsWork): readonly Step[] {
  return [...desired.zones].flatMap(([name, { config }]): Step[] => {
    const file = written.get(name);
    const due = ledger.zone(name).filter((index) => {
      const change = changes[index]!;
      const inFile = change.kind === 'definition' || ('layers' in change && change.layers.permanent);
      if (file === undefined || !inFile) return inFile;
      if (file.mode === 'empty') return change.kind !== 'definition';
      // Its file lost one already that is not to come back.
      return change.kind === 'interface' && (change.action === 'bind' || !file.dropped.includes(change.interface));
    });
    const back = (file?.dropped ?? []).filter((item) => config.interfaces.includes(item));
    const serves = united(due, ...back.map((item) => ledger.interface(item)));
    return serves.length === 0 ? [] : [{ kind: 'settings', object: 'zone', settings: config, serves }];
  });
}

/** Services of which texts alone change. */
function serviceSettings({ changes, desired }: StepsWork): readonly Step[] {
  return changes.flatMap((change, index): Step[] => {
    if (change.kind !== 'definition' || change.object !== 'service') return [];
    if (change.action === 'delete' || needsReload(change)) return [];
    const settings = desired.services.get(change.name)!.value;
    return [{ kind: 'settings', object: 'service', settings, serves: [index] }];
  });
}

/** Ipsets of which texts alone change, or whose entries are not in their file yet. */
function ipsetSettings({ changes, desired, entries, ledger }: StepsWork): readonly Step[] {
  return [...desired.ipsets].flatMap(([name, { value }]): Step[] => {
    const serves = [...ledger.definition('ipset', name), ...ledger.entries(name)].filter((index) => {
      const change = changes[index]!;
      if (change.kind === 'definition') return !needsReload(change);
      const done = sameList(entries.get(name), value.entries);
      return change.kind === 'ipset-entries' && change.layers.permanent && !done;
    });
    return serves.length === 0 ? [] : [{ kind: 'settings', object: 'ipset', settings: value, serves }];
  });
}

const DELETION_ORDER: Readonly<Record<ObjectKind, number>> = { zone: 0, service: 1, ipset: 2 };

/** Ours that go; zones first, since they name the others. */
export function deletions({ changes }: StepsInput, ledger: Ledger): readonly Step[] {
  const steps = changes.flatMap((change, index): Extract<Step, { kind: 'delete' }>[] => {
    if (change.kind !== 'definition' || change.action !== 'delete') return [];
    const { object, name } = change;
    const along = object === 'zone' ? ledger.zone(name) : object === 'ipset' ? ledger.entries(name) : [];
    return [{ kind: 'delete', object, name, serves: united([index], along) }];
  });
  return steps.sort((a, b) => DELETION_ORDER[a.object] - DELETION_ORDER[b.object]);
}

/** Zones of NetworkManager's connections that become part of their saved profiles. */
export function connections({ changes }: StepsInput, ledger: Ledger): readonly Step[] {
  return connectionMoves(changes).map(
    ({ uuid, after }): Step => ({ kind: 'connection', uuid, zone: after, serves: ledger.connection(uuid) }),
  );
}

export function remembered({ remembers }: StepsInput, ledger: Ledger): readonly Step[] {
  const serves = ledger.remember();
  return serves.length === 0 ? [] : [{ kind: 'remember', ...remembers, serves }];
}
