import type { CodedFault } from '../../core/failure.ts';
import { compareVersions } from '../../facts/version.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import { coversInterface } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld, PolicyNote } from '../../policy/desired.ts';

/** From this version on, a zone that names an interface comes before one with a pattern for it. */
const NAMES_FIRST = '2.0';

interface Covered {
  /** The foreign zone, and what it binds: `eth+`. */
  readonly zone: string;
  readonly pattern: string;
  /** The matching interfaces, each with its portfw zone. */
  readonly interfaces: readonly { readonly name: string; readonly home: string }[];
}

/** Patterns in foreign zones that cover interfaces of portfw zones. */
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

/** Notes on the interfaces that leave a zone with a pattern. The pattern stays for other interfaces. */
export function patternNotes(observed: ObservedFirewalld, desired: DesiredFirewalld): PolicyNote[] {
  return coveredBy([observed.permanent, observed.runtime], desired).map(({ zone, pattern, interfaces }) => ({
    severity: 'info',
    code: 'interface-pattern',
    text: `zone ${zone} binds the pattern ${pattern}, which covers ${interfaces.map(({ name }) => name).join(', ')}: portfw's zones name these interfaces; the pattern stays for the others`,
  }));
}

/**
 * Before 2.0 firewalld evaluates zones in the reverse order of loading: from the next reload on, a pattern in a zone whose
 * name sorts after the portfw zone would take precedence.
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
