import { oneAddress } from '../core/address-ranges.ts';
import { addressFamily } from '../core/addresses.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { KernelFilter } from '../firewalld/filter/dispatch.ts';
import { Evaluator } from '../kernel/evaluate.ts';
import { readRules } from '../kernel/rules-text.ts';
import type { Ruleset } from '../kernel/ruleset.ts';
import type { PolicyNote } from '../policy/desired.ts';
import type { Rehearsal, RehearsedName } from './rehearsal.ts';
import { interfacesTowards } from './routes.ts';

/** The rules of the kernel at each moment of a plan, as far as they are known. */
export type Kernels = { readonly now: KernelFilter } & { readonly [K in RehearsedName]?: KernelFilter };

/** Reads the rules of a rehearsal. `null` where there was none. */
export function kernelsOf(
  rehearsal: Rehearsal | null,
  facts: Pick<HostFacts, 'interfaces'> & Partial<Pick<HostFacts, 'routeTable'>>,
): Kernels | null {
  if (rehearsal?.kind !== 'rehearsed') return null;
  const addresses = facts.interfaces.flatMap((item) => item.addresses.map(({ address }) => address));
  const route = (destination: string): string | null => {
    const family = addressFamily(destination);
    if (family === null) return null;
    const [way] = interfacesTowards(facts, oneAddress(destination, family), family);
    return way?.interfaces.length === 1 ? way.interfaces[0]! : null;
  };
  const redirectedTo: KernelFilter['redirectedTo'] = (name, family) => {
    const own = facts.interfaces.find((item) => item.name === name)?.addresses.find((one) => one.family === family);
    return own === undefined ? {} : { redirectedTo: own.address };
  };
  const filter = (rules: Ruleset): KernelFilter => ({
    rules: new Evaluator(rules),
    addresses,
    route,
    redirectedTo,
  });
  const now = readRules(rehearsal.now);
  const found: { now: KernelFilter } & { -readonly [K in RehearsedName]?: KernelFilter } = { now: filter(now) };
  for (const state of rehearsal.states) {
    if (state.loads) found[state.name] = filter(withLost(readRules(state.rules), now, state.lost));
  }
  return found;
}

/** The kernels of a rehearsal, if all of its rules could be read; and notes for the reviewer. */
export interface ReadKernels {
  readonly kernels: Kernels | null;
  readonly notes: readonly PolicyNote[];
}

/**
 * The kernels of a rehearsal. If a line of the rules cannot be read, its effect is unknown: then there are none, and only the
 * rest of the rehearsal (what loads, how long, packets) is used. Tables that are not evaluated (`netdev`, `bridge`, ingress)
 * are named in a note.
 */
export function readKernels(rehearsal: Rehearsal | null, facts: Parameters<typeof kernelsOf>[1]): ReadKernels {
  const kernels = kernelsOf(rehearsal, facts);
  if (kernels === null) return { kernels, notes: [] };
  const all = Object.values(kernels).map(({ rules }) => rules.ruleset);
  const [problem] = all.flatMap(({ problems }) => problems);
  if (problem !== undefined) {
    const text = `a line of the kernel's rules cannot be read (${terminalLine(problem, 200)}): who gets in is computed from the configuration and the packets of the rehearsal only`;
    return { kernels: null, notes: [{ severity: 'warning', code: 'not-rehearsed', text }] };
  }
  const beside = [...new Set(all.flatMap(({ notLookedAt }) => notLookedAt))].map((name) => terminalLine(name, 100));
  if (beside.length === 0) return { kernels, notes: [] };
  const more = beside.length > 8 ? `, and ${beside.length - 8} more` : '';
  const text = `the host also filters in tables that portfw does not evaluate (${beside.slice(0, 8).join(', ')}${more}): the plan does not show what their rules drop, and does not change them`;
  return { kernels, notes: [{ severity: 'warning', code: 'not-looked-at', text }] };
}

/** Adds the host's foreign tables that could not be rebuilt in the namespace. */
function withLost(rules: Ruleset, now: Ruleset, lost: readonly string[]): Ruleset {
  const missing = now.tables.filter(({ family, name }) => lost.includes(`${family} ${name}`));
  return missing.length === 0 ? rules : { ...rules, tables: [...rules.tables, ...missing] };
}
