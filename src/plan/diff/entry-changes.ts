import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import type { DesiredFirewalld, Reason } from '../../policy/desired.ts';
import type { Losses } from '../../policy/losses.ts';
import type { Change } from '../plan.ts';

const NONE: ReadonlySet<string> = new Set();

/** What the comparison of ipsets needs. */
interface EntriesInput {
  readonly desired: DesiredFirewalld['ipsets'];
  readonly permanent: FirewalldConfig;
  readonly runtime: FirewalldConfig;
  /** Names of the sets that the plan deletes. */
  readonly deleted: readonly string[];
  readonly losses: Losses | undefined;
}

/**
 * What changes in the entries of our ipsets, also of new and deleted ipsets: the entries are always separate changes.
 * Linear in the number of entries.
 */
export function entryChanges({ desired, permanent, runtime, deleted, losses }: EntriesInput): Change[] {
  const changes: Change[] = [];
  const lost = (name: string, remove: readonly string[]): readonly Reason[] =>
    (deleted.includes(name) ? losses?.ofIpset(name) : losses?.ofEntries(name, remove)) ?? [];
  const compare = (name: string, wanted: readonly string[], reasons: readonly Reason[]) => {
    const inFile = new Set(permanent.ipsets.get(name)?.entries);
    // What a deleted set holds at runtime ends with the next reload: nothing uses it, so nothing is done about it.
    const loaded = deleted.includes(name) ? NONE : new Set(runtime.ipsets.get(name)?.entries);
    const target = new Set(wanted);
    const add = wanted.filter((entry) => !inFile.has(entry) || (!deleted.includes(name) && !loaded.has(entry)));
    const remove = [...new Set([...inFile, ...loaded])].filter((entry) => !target.has(entry)).sort();
    if (add.length + remove.length === 0) return;
    const differs = (held: ReadonlySet<string>) =>
      held.size !== target.size || wanted.some((entry) => !held.has(entry));
    changes.push({
      kind: 'ipset-entries',
      ipset: name,
      add,
      remove,
      layers: { permanent: differs(inFile), runtime: !deleted.includes(name) && differs(loaded) },
      reasons: remove.length === 0 ? reasons : [...reasons, ...lost(name, remove)],
    });
  };
  for (const [name, { value, reasons }] of desired) compare(name, value.entries, reasons);
  for (const name of deleted) compare(name, [], []);
  return changes;
}
