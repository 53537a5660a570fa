import { type Fields, LIST_FIELDS, TEXT_FIELDS } from '../../firewalld/kinds/kind.ts';
import { eachOurKind, type FirewalldConfig, type OurFolder, usedIn } from '../../firewalld/kinds/kinds.ts';
import { isOurs } from '../../firewalld/model.ts';
import { type DesiredFirewalld, desiredObjects, type Reason } from '../../policy/desired.ts';
import type { Losses } from '../../policy/losses.ts';
import type { Change, FieldChange } from '../plan.ts';

type Definition = Extract<Change, { kind: 'definition' }>;

/** What the comparison of definitions needs. */
interface DefinitionsInput {
  readonly desired: DesiredFirewalld;
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  readonly losses: Losses | undefined;
}

function differences(before: Fields | null, after: Fields | null): FieldChange[] {
  const changes: FieldChange[] = [];
  for (const field of new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])) {
    const was = before?.get(field) ?? '';
    const is = after?.get(field) ?? '';
    if (was === is) continue;
    const isList = before !== null && after !== null && LIST_FIELDS.has(field);
    const delta = isList ? { removed: without(was, is), added: without(is, was) } : {};
    changes.push({ field, before: was === '' ? null : was, after: is === '' ? null : is, ...delta });
  }
  return changes;
}

/** The items of a list that another one does not have. */
function without(list: string, other: string): string[] {
  const others = new Set(other.split(' '));
  return list.split(' ').filter((item) => item !== '' && !others.has(item));
}

/** The objects of one kind, as fields. */
interface Sides {
  readonly object: Definition['object'];
  readonly desired: ReadonlyMap<string, Fields>;
  /** The portfw objects that have a file. */
  readonly held: readonly string[];
  readonly inFile: (name: string) => Fields | null;
  readonly loaded: (name: string) => Fields | null;
  readonly isUsed: (name: string) => boolean;
  readonly reasonsOf: (name: string) => readonly Reason[];
  /** Why an object is deleted. */
  readonly goneBecause: (name: string) => readonly Reason[];
  /** Why an object that stays loses some of what it has. */
  readonly lostBecause: (name: string, fields: readonly FieldChange[]) => readonly Reason[];
}

/** Definitions that are missing, different or no longer wanted, in the order in which a reviewer reads them. */
export function definitionChanges({ desired, permanent, runtime, losses }: DefinitionsInput): Definition[] {
  const wanted = desiredObjects(desired);
  const isUsed = usedIn(runtime);
  return eachOurKind(({ object, fields }, folder): Definition[] => {
    const fieldsIn = (layer: FirewalldConfig) => (name: string) => {
      const item = layer[folder].get(name);
      return item === undefined ? null : fields(item);
    };
    return compare({
      object,
      desired: new Map([...wanted[folder]].map(([name, item]) => [name, fields(item)])),
      held: [...permanent[folder].keys()].filter(isOurs),
      inFile: fieldsIn(permanent),
      loaded: fieldsIn(runtime),
      isUsed: (name) => isUsed(folder, name),
      reasonsOf: (name) => desired[folder].get(name)?.reasons ?? [],
      goneBecause: (name) => (losses === undefined ? [] : goneBecause(losses, folder, name, permanent)),
      lostBecause: (name, changed) => (losses === undefined ? [] : lostBecause(losses, folder, name, changed)),
    });
  }).flat();
}

function goneBecause(
  losses: Losses,
  folder: OurFolder,
  name: string,
  { services }: FirewalldConfig,
): readonly Reason[] {
  switch (folder) {
    case 'zones':
      return losses.ofZone(name);
    case 'services':
      return losses.ofService(name, services.get(name)?.ports ?? []);
    case 'ipsets':
      return losses.ofIpset(name);
  }
}

function lostBecause(
  losses: Losses,
  folder: OurFolder,
  name: string,
  fields: readonly FieldChange[],
): readonly Reason[] {
  if (folder === 'services')
    return losses.ofServiceFields(name, new Map(fields.map(({ field, removed = [] }) => [field, removed])));
  const target = fields.find(({ field }) => field === 'target');
  return folder === 'zones' && target?.after === 'default' ? losses.ofTarget(name) : [];
}

function compare(sides: Sides): Definition[] {
  const { object, desired, held, inFile, loaded, isUsed, reasonsOf, goneBecause, lostBecause } = sides;
  const changes: Definition[] = [];
  for (const [name, after] of desired) {
    const [before, running] = [inFile(name), loaded(name)];
    const ofFile = differences(before, after);
    const atRuntime = differences(running, after).filter(({ field }) => running === null || !TEXT_FIELDS.has(field));
    if (ofFile.length === 0 && atRuntime.length === 0) continue;
    const action = before === null ? 'create' : 'edit';
    // A definition may be right in the file and wrong in the daemon, or the other way round.
    const fields = [...ofFile, ...atRuntime.filter((change) => !ofFile.some(({ field }) => field === change.field))];
    const reasons = [...reasonsOf(name), ...lostBecause(name, fields)];
    changes.push({ kind: 'definition', action, object, name, inUse: isUsed(name), fields, reasons });
  }
  for (const name of held) {
    if (desired.has(name)) continue;
    const fields = differences(inFile(name), null);
    const reasons = goneBecause(name);
    changes.push({ kind: 'definition', action: 'delete', object, name, inUse: isUsed(name), fields, reasons });
  }
  return changes;
}

/**
 * Whether a change of a definition has to be loaded by a reload. A deletion leaves something inert until the next one, and
 * nothing depends on a text: the daemon takes it over without a reload.
 */
export function needsReload(change: Definition): boolean {
  if (change.action === 'delete') return false;
  return change.action === 'create' || change.fields.some((field) => !TEXT_FIELDS.has(field.field));
}
