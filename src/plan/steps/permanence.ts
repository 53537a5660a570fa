import { eachOurKind, type ObjectKind, type OurFolder } from '../../firewalld/kinds/kinds.ts';
import { isOurs } from '../../firewalld/model.ts';
import { desiredObjects } from '../../policy/desired.ts';
import { connectionMoves } from '../diff/connection-moves.ts';
import { needsReload } from '../diff/definitions.ts';
import type { Step } from '../steps.ts';
import { interfaceChanges, type Ledger, united } from './change-ledger.ts';
import { sameList } from './entry-calls.ts';
import type { StepsInput, StepsWork } from './steps-work.ts';

/** What makes permanent what runs: edits of zone files, settings, deletions, saved connections, what is remembered. */
export function permanenceSteps(work: StepsWork): readonly Step[] {
  return [
    ...ownersEdits(work),
    ...editsBetweenOurs(work),
    ...settings(work),
    ...deletions(work, work.ledger),
    ...connections(work, work.ledger),
    ...remembered(work, work.ledger),
  ];
}

/** Interfaces that leave the foreign zone files. */
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
 * Interfaces that a portfw zone file names and another portfw zone is to have: firewalld refuses, from 1.0 on, to name
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

/** Objects whose files are not yet as they are to be, though no file of theirs is written before the reload. */
function settings(work: StepsWork): readonly Step[] {
  const { desired } = work;
  const objects = desiredObjects(desired);
  return eachOurKind(({ object, settingsOf }, folder) =>
    [...objects[folder]].flatMap(([name, item]): Step[] => {
      const serves = DUE[folder]?.(work, name) ?? textsDue(work, object, name);
      // TypeScript cannot tell that `object` and the settings are of one kind; they are.
      return serves.length === 0 ? [] : [{ kind: 'settings', object, settings: settingsOf(item), serves } as Step];
    }),
  ).flat();
}

/** The changes that an object's settings are for, where these are more than its texts. */
const DUE: Readonly<Partial<Record<OurFolder, (work: StepsWork, name: string) => readonly number[]>>> = {
  zones: zoneDue,
  ipsets: entriesDue,
};

/** Changes of texts only: they need no reload. */
function textsDue({ changes, ledger }: StepsWork, object: ObjectKind, name: string): readonly number[] {
  return ledger.definition(object, name).filter((index) => {
    const change = changes[index]!;
    return change.kind === 'definition' && !needsReload(change);
  });
}

function zoneDue({ changes, desired, written, ledger }: StepsWork, name: string): readonly number[] {
  const file = written.get(name);
  const due = ledger.zone(name).filter((index) => {
    const change = changes[index]!;
    const inFile = change.kind === 'definition' || ('layers' in change && change.layers.permanent);
    if (file === undefined || !inFile) return inFile;
    if (file.mode === 'empty') return change.kind !== 'definition';
    // Its file has already lost an interface, which must not be added again.
    return change.kind === 'interface' && (change.action === 'bind' || !file.dropped.includes(change.interface));
  });
  const home = desired.zones.get(name)?.config.interfaces ?? [];
  const back = (file?.dropped ?? []).filter((item) => home.includes(item));
  return united(due, ...back.map((item) => ledger.interface(item)));
}

/** Texts, and entries that the set's file does not have yet. */
function entriesDue(work: StepsWork, name: string): readonly number[] {
  const { changes, desired, entries, ledger } = work;
  const inFile = sameList(entries.get(name), desired.ipsets.get(name)?.value.entries ?? []);
  const due = ledger.entries(name).filter((index) => {
    const change = changes[index]!;
    return change.kind === 'ipset-entries' && change.layers.permanent && !inFile;
  });
  return [...textsDue(work, 'ipset', name), ...due];
}

/** The portfw objects to delete, in the order of the kinds: those that refer to others first. */
export function deletions({ changes }: StepsInput, ledger: Ledger): readonly Step[] {
  return eachOurKind(({ object: kind }) =>
    changes.flatMap((change, index): Step[] => {
      if (change.kind !== 'definition' || change.action !== 'delete' || change.object !== kind) return [];
      const { object, name } = change;
      const along = object === 'zone' ? ledger.zone(name) : object === 'ipset' ? ledger.entries(name) : [];
      return [{ kind: 'delete', object, name, serves: united([index], along) }];
    }),
  ).flat();
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
