import type { CodedFault } from '../../core/failure.ts';
import { compareVersions } from '../../facts/version.ts';
import { zoneRefersTo } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';

/** From this version on, firewalld refuses to load an interface that two zones name. */
const ONE_ZONE_EACH = '1.0';

/**
 * What in foreign files would break a reload, although firewalld's own check may find nothing.
 *
 * @returns the refusal of a plan that reloads, or `null`
 */
export function reloadHazard(observed: ObservedFirewalld, version: string): CodedFault | null {
  return missingIpset(observed) ?? (compareVersions(version, ONE_ZONE_EACH) < 0 ? null : namedTwice(observed));
}

/** A rule for an ipset that does not exist: after a reload, some versions are fully open. */
function missingIpset(observed: ObservedFirewalld): CodedFault | null {
  const { zones, ipsets } = observed.permanent;
  for (const zone of zones.values()) {
    if (isOurs(zone.name)) continue;
    const name = zoneRefersTo(zone).ipsets.find((item) => !ipsets.has(item));
    if (name !== undefined) {
      return {
        code: 'missing-ipset',
        what: `zone ${zone.name} (not managed by portfw) uses the ipset ${name}, which has no file; the plan must reload firewalld, and that would leave the host open`,
        solve: `define the ipset ${name}, or remove it from zone ${zone.name}`,
      };
    }
  }
  return null;
}

/** An interface that two foreign zone files name. If one of the two is portfw's, the plan writes that file without it. */
function namedTwice(observed: ObservedFirewalld): CodedFault | null {
  const holders = new Map<string, string>();
  for (const zone of observed.permanent.zones.values()) {
    if (isOurs(zone.name)) continue;
    for (const name of zone.interfaces) {
      const other = holders.get(name);
      if (other !== undefined) {
        return {
          code: 'interface-in-two-zones',
          what: `the files of the zones ${other} and ${zone.name} both name ${name}; the plan must reload firewalld, which refuses to load that`,
          solve: `remove ${name} from one of the two`,
        };
      }
      holders.set(name, zone.name);
    }
  }
  return null;
}

/** An interface for a portfw zone that is named in a folder of zone files: portfw removes interfaces only from single files. */
export function heldInFolder(observed: ObservedFirewalld, desired: DesiredFirewalld): CodedFault | null {
  const wanted = [...desired.zones.values()].flatMap(({ config }) => config.interfaces);
  for (const [zone, paths] of observed.zoneFolders) {
    const name = wanted.find((item) => observed.permanent.zones.get(zone)?.interfaces.includes(item));
    if (name === undefined) continue;
    return {
      code: 'zone-folder',
      what: `firewalld reads the zone ${zone} from ${paths.map((path) => `/etc/firewalld/${path}`).join(', ')}, which binds ${name}; portfw does not edit a zone that is a folder`,
      solve: `remove ${name} from it, or move the folder out of /etc/firewalld if it is a backup`,
    };
  }
  return null;
}
