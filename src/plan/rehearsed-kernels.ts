import { oneAddress } from '../core/address-ranges.ts';
import { addressFamily } from '../core/addresses.ts';
import type { HostFacts } from '../facts/facts.ts';
import { readRules } from '../kernel/rules-text.ts';
import type { Ruleset } from '../kernel/ruleset.ts';
import type { KernelFilter } from './proof-dispatch.ts';
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
  const filter = (rules: Ruleset): KernelFilter => ({ rules, addresses, route, redirectedTo });
  const now = readRules(rehearsal.now);
  const found: { now: KernelFilter } & { -readonly [K in RehearsedName]?: KernelFilter } = { now: filter(now) };
  for (const state of rehearsal.states) {
    if (state.loads) found[state.name] = filter(withLost(readRules(state.rules), now, state.lost));
  }
  return found;
}

/** Tables of others that could not be had in the namespace are as they are on the host. */
function withLost(rules: Ruleset, now: Ruleset, lost: readonly string[]): Ruleset {
  const missing = now.tables.filter(({ family, name }) => lost.includes(`${family} ${name}`));
  return missing.length === 0 ? rules : { ...rules, tables: [...rules.tables, ...missing] };
}
