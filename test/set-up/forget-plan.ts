import type { Say } from '../lab/say.ts';
import { NEEDS, type Need } from './needs.ts';
import type { Removal } from './packages.ts';

/** How far a person, or CI, wants to go. */
export interface Choice {
  /** Ask nothing. */
  readonly yes: boolean;
  /** Also packages that were there before the set-up. */
  readonly all: boolean;
}

/** What a machine has. */
export interface Machine {
  readonly installed: readonly string[];
  /** What the set-up has noted as its own. */
  readonly recorded: readonly string[];
  /** What would go with packages. */
  removalOf(names: readonly string[]): Promise<Removal>;
}

/** What the engine of this machine's package may hold besides the lab's, by what an engine said that may be another one. */
export function heldByEngine(holdings: { readonly others: readonly string[] } | null, own: boolean): readonly string[] {
  if (holdings === null) return [];
  return own ? holdings.others : ['whatever it holds, since another engine answers here'];
}

/**
 * The packages that may be removed: those that the set-up brought, and if that is wanted those of the same names that were
 * there before. What something else needs stays, and so does an engine that holds what is not the lab's; each is said.
 *
 * @param others what the engine holds besides the lab's
 * @param agreed asks a person
 */
export async function packagesToPurge(
  machine: Machine,
  others: readonly string[],
  choice: Choice,
  agreed: (question: string) => Promise<boolean>,
  say: Say,
): Promise<readonly string[]> {
  const needs: readonly Need[] = Object.values(NEEDS);
  const recorded = machine.recorded.filter((name) => machine.installed.includes(name));
  const roots = recorded.filter((name) => needs.some((need) => need.packages.includes(name)));
  const ours = new Set(needs.filter((need) => need.ours).flatMap((need) => need.packages));
  for (const name of [...ours].filter((each) => machine.installed.includes(each) && !recorded.includes(each))) {
    const question = `${name} was on this machine before the set-up. Remove it as well?`;
    if (choice.all && (choice.yes || (await agreed(question)))) roots.push(name);
    else say(`${name} stays: it was here before the set-up${choice.all ? '' : ' (--all takes it too)'}`);
  }
  const wanted: string[] = [];
  for (const name of roots) {
    const { dependents } = await machine.removalOf([name]);
    const foreign = dependents.filter((each) => !roots.includes(each) && !recorded.includes(each));
    const held = NEEDS.engine.packages.some((each) => each === name) ? others : [];
    if (foreign.length > 0) say(`${name} stays: ${foreign.join(', ')} needs it`);
    else if (held.length > 0) say(`${name} stays: the engine also holds what is not the lab's: ${held.join(', ')}`);
    else wanted.push(name);
  }
  if (wanted.length === 0) return [];
  const { all } = await machine.removalOf(wanted);
  return choice.all ? all : all.filter((name) => recorded.includes(name));
}
