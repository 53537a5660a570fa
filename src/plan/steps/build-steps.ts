import { writeIpsetXml, writeServiceXml, writeZoneXml } from '../../firewalld/write-xml.ts';
import { needsReload } from '../diff/definitions.ts';
import type { Change } from '../plan.ts';
import type { Step } from '../steps.ts';
import { behaviourSteps } from './behaviour.ts';
import { Ledger } from './change-ledger.ts';
import { joined, sameList } from './entry-calls.ts';
import { connections, deletions, ownersEdits, permanenceSteps, remembered } from './permanence.ts';
import type { StepsInput, StepsWork } from './steps-work.ts';
import { writtenZones } from './written-zones.ts';

/**
 * The steps that carry out the changes, each with the changes that it is for. Pure, and nothing is compared here: what is to
 * be done follows from the changes.
 *
 * @throws Error when a change has no step: a fault of ours, and better found here than on a host
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
  const reload = reloadReason(input.changes);
  const written = writtenZones(input, ledger, reload !== null);
  const files: Step[] = [];
  const entries = new Map<string, readonly string[]>();
  const writeIpset = (name: string, held: readonly string[], serves: readonly number[]) => {
    entries.set(name, held);
    const text = writeIpsetXml({ ...input.desired.ipsets.get(name)!.value, entries: held });
    files.push({ kind: 'file', path: `ipsets/${name}.xml`, text, serves });
  };
  input.changes.forEach((change, index) => {
    if (change.kind !== 'definition' || !needsReload(change) || change.object === 'zone') return;
    if (change.object === 'ipset')
      writeIpset(change.name, input.desired.ipsets.get(change.name)!.value.entries, [
        index,
        ...ledger.entries(change.name),
      ]);
    else {
      const text = writeServiceXml(input.desired.services.get(change.name)!.value);
      files.push({ kind: 'file', path: `services/${change.name}.xml`, text, serves: [index] });
    }
  });
  if (reload !== null) {
    input.changes.forEach((change, index) => {
      if (change.kind !== 'ipset-entries' || !change.layers.permanent || entries.has(change.ipset)) return;
      if (!input.desired.ipsets.has(change.ipset)) return;
      // A reload brings the entries that the file has: better the right ones at once, where they are not those that are
      // loaded. Where they are, the new ones join them, and calls take the old ones away: with FlushAllOnReload off, the
      // reload adds the loaded entries to the new file's; and what it narrows in a zone, these may have to keep open.
      const { permanent, runtime } = input.observed;
      const held = permanent.ipsets.get(change.ipset)?.entries ?? [];
      const pending = !sameList(held, runtime.ipsets.get(change.ipset)?.entries ?? []);
      const wanted = input.desired.ipsets.get(change.ipset)!.value.entries;
      writeIpset(change.ipset, pending || isBulk(change) ? wanted : joined(held, change.add), [index]);
    });
  }
  for (const [name, { config, serves }] of written)
    files.push({ kind: 'file', path: `zones/${name}.xml`, text: writeZoneXml(config), serves });
  const work: StepsWork = { ...input, ledger, reload, written, entries };
  const behaviour = behaviourSteps(work);
  const permanence = permanenceSteps(work);
  const steps: Step[] = [...files];
  if (reload !== null) steps.push({ kind: 'reload', because: reload, serves: reloadServes(input.changes, behaviour) });
  return [...steps, ...behaviour, ...permanence];
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
  const { changes, desired } = input;
  const files: Step[] = [];
  const write = (path: string, text: string, serves: readonly number[]) => {
    if (serves.length > 0) files.push({ kind: 'file', path, text, serves });
  };
  for (const [name, { value }] of desired.services)
    write(`services/${name}.xml`, writeServiceXml(value), ledger.definition('service', name));
  for (const [name, { value }] of desired.ipsets)
    write(`ipsets/${name}.xml`, writeIpsetXml(value), [...ledger.definition('ipset', name), ...ledger.entries(name)]);
  for (const [name, { config }] of desired.zones) {
    // As on one that runs: we write none, and leave one that somebody gave our zone.
    const ingressPriority = input.observed.permanent.zones.get(name)?.ingressPriority;
    const kept = ingressPriority === undefined ? config : { ...config, ingressPriority };
    write(`zones/${name}.xml`, writeZoneXml(kept), ledger.zone(name));
  }
  const ensure = changes.findIndex(({ kind }) => kind === 'ensure-firewalld');
  const given = changes[ensure];
  const install = given?.kind === 'ensure-firewalld' && given.action === 'install';
  const started = changes.flatMap((change, index) => ('layers' in change && change.layers.runtime ? [index] : []));
  return [
    ...files,
    ...deletions(input, ledger),
    ...ownersEdits(input),
    ...connections(input, ledger),
    { kind: 'start-firewalld', install, serves: [ensure, ...started] },
    ...remembered(input, ledger),
  ];
}
