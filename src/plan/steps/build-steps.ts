import { writeIpsetXml } from '../../firewalld/kinds/ipset.ts';
import { eachOurKind, type OurFolder, type OurObjects } from '../../firewalld/kinds/kinds.ts';
import { type OurZoneConfig, writeZoneXml } from '../../firewalld/kinds/zone.ts';
import { desiredObjects } from '../../policy/desired.ts';
import { needsReload } from '../diff/definitions.ts';
import type { Change } from '../plan.ts';
import type { Step } from '../steps.ts';
import { behaviourSteps } from './behaviour.ts';
import { Ledger, united } from './change-ledger.ts';
import { joined, sameList } from './entry-calls.ts';
import { connections, deletions, ownersEdits, permanenceSteps, remembered } from './permanence.ts';
import type { StepsInput, StepsWork } from './steps-work.ts';
import { writtenZones } from './written-zones.ts';

/**
 * The steps that carry out the changes, each with the changes that it is for. Pure, and nothing is compared here: what is to
 * be done follows from the changes.
 *
 * @throws Error when a change has no step: a fault of portfw, which must not reach a host
 */
export function stepsFor(input: StepsInput): readonly Step[] {
  const ledger = new Ledger(input.changes);
  const steps = input.changes.some(({ kind }) => kind === 'ensure-firewalld')
    ? startSteps(input, ledger)
    : runningSteps(input, ledger);
  const served = new Set(steps.flatMap(({ serves }) => serves));
  const left = input.changes.find((_, index) => !served.has(index));
  if (left !== undefined) throw new Error(`no step is for this change: ${JSON.stringify(left)}`);
  const unnamed = steps.find(({ serves }) => serves.length === 0);
  if (unnamed !== undefined) throw new Error(`no change is named by this step: ${JSON.stringify(unnamed)}`);
  return steps;
}

function runningSteps(input: StepsInput, ledger: Ledger): Step[] {
  const { changes, desired } = input;
  const reload = reloadReason(changes);
  const written = writtenZones(input, ledger, reload !== null);
  const sets = reload === null ? new Map<string, WrittenSet>() : writtenSets(input, ledger);
  const files = definitionFiles(input);
  for (const [name, { entries, serves }] of sets) {
    const text = writeIpsetXml({ ...desired.ipsets.get(name)!.value, entries });
    files.push({ kind: 'file', path: pathOf('ipsets', name), text, serves });
  }
  for (const [name, { config, serves }] of written)
    files.push({ kind: 'file', path: pathOf('zones', name), text: writeZoneXml(config), serves });
  const entries = new Map([...sets].map(([name, set]) => [name, set.entries]));
  const work: StepsWork = { ...input, ledger, reload, written, entries };
  const behaviour = behaviourSteps(work);
  const permanence = permanenceSteps(work);
  const steps: Step[] = [...files];
  if (reload !== null) steps.push({ kind: 'reload', because: reload, serves: reloadServes(changes, behaviour) });
  return [...steps, ...behaviour, ...permanence];
}

/** The path of an object's file below /etc/firewalld. */
function pathOf(folder: OurFolder, name: string): string {
  return `${folder}/${name}.xml`;
}

/** Files of definitions that a reload has to load, but for kinds whose files hold more than that: zones and ipsets. */
function definitionFiles({ changes, desired }: StepsInput): Step[] {
  const objects = desiredObjects(desired);
  return eachOurKind(({ object, writeXml }, folder) =>
    changes.flatMap((change, index): Step[] => {
      if (change.kind !== 'definition' || change.object !== object || !needsReload(change)) return [];
      if (folder === 'zones' || folder === 'ipsets') return [];
      const item = objects[folder].get(change.name)!;
      return [{ kind: 'file', path: pathOf(folder, change.name), text: writeXml(item), serves: [index] }];
    }),
  ).flat();
}

/** The file of an ipset as the reload is to find it. */
interface WrittenSet {
  readonly entries: readonly string[];
  readonly serves: readonly number[];
}

function writtenSets({ changes, desired, observed }: StepsInput, ledger: Ledger): Map<string, WrittenSet> {
  const sets = new Map<string, WrittenSet>();
  changes.forEach((change, index) => {
    if (change.kind !== 'definition' || change.object !== 'ipset' || !needsReload(change)) return;
    const { entries } = desired.ipsets.get(change.name)!.value;
    sets.set(change.name, { entries, serves: [index, ...ledger.entries(change.name)] });
  });
  changes.forEach((change, index) => {
    if (change.kind !== 'ipset-entries' || !change.layers.permanent || sets.has(change.ipset)) return;
    const wanted = desired.ipsets.get(change.ipset)?.value.entries;
    if (wanted === undefined) return;
    // A reload brings the entries that the file has: better the right ones at once, where they are not those that are
    // loaded. Where they are, the new ones join them, and calls take the old ones away: with FlushAllOnReload off, the
    // reload adds the loaded entries to the new file's; and what it narrows in a zone, these may have to keep open.
    const held = observed.permanent.ipsets.get(change.ipset)?.entries ?? [];
    const pending = !sameList(held, observed.runtime.ipsets.get(change.ipset)?.entries ?? []);
    sets.set(change.ipset, {
      entries: pending || isBulk(change) ? wanted : joined(held, change.add),
      serves: [index],
    });
  });
  return sets;
}

/** More entries than this are not moved call by call, at some milliseconds each: a reload loads them all in about a second. */
const MOST_ENTRY_CALLS = 1000;

function isBulk(change: Change): boolean {
  if (change.kind !== 'ipset-entries' || !change.layers.runtime) return false;
  return change.add.length + change.remove.length > MOST_ENTRY_CALLS;
}

/** What a reload is for: what needs it, and what it puts right at runtime so that no call has to. */
function reloadServes(changes: readonly Change[], behaviour: readonly Step[]): number[] {
  const called = new Set(behaviour.flatMap(({ serves }) => serves));
  return changes.flatMap((change, index) => {
    if (change.kind === 'definition') return needsReload(change) ? [index] : [];
    if (change.kind === 'interface' && change.editsZone !== null) return [index];
    return 'layers' in change && change.layers.runtime && (isBulk(change) || !called.has(index)) ? [index] : [];
  });
}

/** Why changes need a reload, or `null` when they need none. */
export function reloadReason(changes: readonly Change[]): string | null {
  const loaded = changes.filter((change) => change.kind === 'definition' && needsReload(change));
  const inUse = loaded.filter((change) => change.kind === 'definition' && change.inUse && change.action === 'edit');
  if (inUse.length > 0)
    return inUse.length === 1
      ? 'a definition in use changes with it'
      : `${inUse.length} definitions in use change with it`;
  if (loaded.length > 0)
    return loaded.length === 1
      ? 'a new definition is loaded by it'
      : `${loaded.length} new definitions are loaded by it`;
  const bulk = changes.find(isBulk);
  if (bulk?.kind === 'ipset-entries')
    return `it loads ${bulk.add.length + bulk.remove.length} entries of ipset ${bulk.ipset} faster than calls could`;
  // The daemon rewrites a zone file from memory: it must have read the file as it is now.
  const edits = changes.find((change) => change.kind === 'interface' && change.editsZone !== null);
  return edits === undefined ? null : "the daemon reads an owner's zone file again before it is edited";
}

/** Where firewalld does not run: all that changes is written, and then it is started. */
function startSteps(input: StepsInput, ledger: Ledger): Step[] {
  const { changes } = input;
  const ensure = changes.findIndex(({ kind }) => kind === 'ensure-firewalld');
  const given = changes[ensure];
  const install = given?.kind === 'ensure-firewalld' && given.action === 'install';
  const started = changes.flatMap((change, index) => ('layers' in change && change.layers.runtime ? [index] : []));
  return [
    ...allFiles(input, ledger),
    ...deletions(input, ledger),
    ...ownersEdits(input),
    ...connections(input, ledger),
    { kind: 'start-firewalld', install, serves: [ensure, ...started] },
    ...remembered(input, ledger),
  ];
}

/** The file of each object of which anything changes. */
function allFiles({ desired, observed }: StepsInput, ledger: Ledger): Step[] {
  const objects = desiredObjects(desired);
  const kept = [...objects.zones].map(([name, config]): [string, OurZoneConfig] => {
    // portfw sets no priority, and keeps one that was set by hand on a portfw zone.
    const ingressPriority = observed.permanent.zones.get(name)?.ingressPriority;
    return [name, ingressPriority === undefined ? config : { ...config, ingressPriority }];
  });
  const wanted: OurObjects = { ...objects, zones: new Map(kept) };
  const [zones = [], ...others] = eachOurKind(({ object, writeXml }, folder) =>
    [...wanted[folder]].flatMap(([name, item]): Step[] => {
      const inside = folder === 'zones' ? ledger.zone(name) : folder === 'ipsets' ? ledger.entries(name) : [];
      const serves = united(ledger.definition(object, name), inside);
      return serves.length === 0 ? [] : [{ kind: 'file', path: pathOf(folder, name), text: writeXml(item), serves }];
    }),
  );
  // Zones come last, since they refer to the others.
  return [...others.flat(), ...zones];
}
