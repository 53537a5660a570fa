import type { CodedFault } from '../../core/failure.ts';
import { compareVersions } from '../../facts/version.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import { coversInterface } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld, PolicyNote } from '../../policy/desired.ts';

/** From this version on the kernel asks the zone that names an interface before one that has a pattern for it. */
const NAMES_FIRST = '2.0';

interface Covered {
  /** The zone of others, and what it binds: `eth+`. */
  readonly zone: string;
  readonly pattern: string;
  /** Interfaces that are to be in zones of ours, by these zones. */
  readonly interfaces: readonly { readonly name: string; readonly home: string }[];
}

/** Patterns in zones of others that cover interfaces that are to be ours. */
function coveredBy(configs: readonly FirewalldConfig[], desired: DesiredFirewalld): Covered[] {
  const wanted = [...desired.zones].flatMap(([home, { config }]) => config.interfaces.map((name) => ({ name, home })));
  const found = new Map<string, Covered>();
  for (const zone of configs.flatMap(({ zones }) => [...zones.values()])) {
    if (isOurs(zone.name)) continue;
    for (const pattern of zone.interfaces.filter((bound) => bound.endsWith('+'))) {
      const interfaces = wanted.filter(({ name }) => coversInterface(pattern, name));
      if (interfaces.length > 0) found.set(`${zone.name} ${pattern}`, { zone: zone.name, pattern, interfaces });
    }
  }
  return [...found.values()];
}

/** Says which interfaces a pattern covers that leave its zone. The pattern stays, for all others. */
export function patternNotes(observed: ObservedFirewalld, desired: DesiredFirewalld): PolicyNote[] {
  return coveredBy([observed.permanent, observed.runtime], desired).map(({ zone, pattern, interfaces }) => ({
    severity: 'info',
    code: 'interface-pattern',
    text: `zone ${zone} binds the pattern ${pattern}, which covers ${interfaces.map(({ name }) => name).join(', ')}: portfw's zones name these interfaces; the pattern stays for the others`,
  }));
}

/**
 * Before 2.0 firewalld asks zones in the order in which it loaded them, the last one first: a pattern in a zone whose name comes after
 * ours would be asked instead of ours, from the next reload on.
 */
export function patternFirst(
  observed: ObservedFirewalld,
  desired: DesiredFirewalld,
  version: string,
): CodedFault | null {
  if (compareVersions(version, NAMES_FIRST) >= 0) return null;
  for (const { zone, pattern, interfaces } of coveredBy([observed.permanent], desired)) {
    const held = interfaces.find(({ home }) => zone > home);
    if (held === undefined) continue;
    return {
      code: 'interface-pattern',
      what: `zone ${zone} binds the pattern ${pattern}, which covers ${held.name}, and from the next reload on firewalld ${version} would use that zone instead of ${held.home}`,
      solve: `in zone ${zone}, name the interfaces instead of the pattern ${pattern}`,
    };
  }
  return null;
}
