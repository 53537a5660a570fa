import { acceptsEverything } from '../../firewalld/filter/openings.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import { EMPTY_ZONE, type ZoneConfig, zoneRefersTo } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import { needsReload } from '../diff/definitions.ts';
import type { Change } from '../plan.ts';
import { type Ledger, united } from './change-ledger.ts';
import type { StepsInput, WrittenZone } from './steps-work.ts';

/** The zone files that have to be written before the plan's reload, by zone; none where there is none. */
export function writtenZones(input: StepsInput, ledger: Ledger, reload: boolean): Map<string, WrittenZone> {
  const { changes, desired, observed } = input;
  const written = new Map<string, WrittenZone>();
  if (!reload) return written;
  const sight: Sight = { input, ledger, named: interfacesByName(observed.permanent) };
  for (const change of changes) {
    if (change.kind !== 'definition' || change.object !== 'zone' || !needsReload(change)) continue;
    const wanted = desired.zones.get(change.name)!.config;
    const held = observed.permanent.zones.get(change.name);
    // A new zone is empty at first, so that it has no effect; one that is there is whole, since the reload puts it into force.
    written.set(change.name, held === undefined ? emptyZone(wanted, ledger) : wholeZone(wanted, held, sight));
  }
  const editsInUse = changes.some(
    (change) => change.kind === 'definition' && change.inUse && change.action === 'edit' && needsReload(change),
  );
  for (const [name, held] of observed.permanent.zones) {
    if (!isOurs(name) || written.has(name)) continue;
    const wanted = desired.zones.get(name)?.config;
    const sound = loads(held, sight);
    if (wanted === undefined) {
      if (!sound) written.set(name, hollowZone(held, ledger));
    } else if (!sound || comesWithReload(name, editsInUse, sight)) written.set(name, wholeZone(wanted, held, sight));
  }
  return written;
}

/** What the zone files are looked at with. */
interface Sight {
  readonly input: StepsInput;
  readonly ledger: Ledger;
  /** The zones whose files name an interface. */
  readonly named: ReadonlyMap<string, readonly string[]>;
}

function emptyZone(wanted: ZoneConfig, ledger: Ledger): WrittenZone {
  const config = { ...wanted, interfaces: [], services: [], richRules: [] };
  return { mode: 'empty', config, dropped: [], serves: ledger.definition('zone', wanted.name) };
}

function hollowZone(held: ZoneConfig, ledger: Ledger): WrittenZone {
  return {
    mode: 'hollow',
    config: { ...held, ...EMPTY_ZONE },
    dropped: held.interfaces,
    serves: united(ledger.zone(held.name), ...held.interfaces.map((item) => ledger.interface(item))),
  };
}

function wholeZone(wanted: ZoneConfig, held: ZoneConfig, { ledger, named }: Sight): WrittenZone {
  // A zone that will accept everything must not keep interfaces that are about to leave it.
  const opensAll = acceptsEverything(wanted) && !acceptsEverything(held);
  const dropped = held.interfaces.filter((item) => {
    const others = (named.get(item) ?? []).filter((other) => other !== wanted.name);
    // An interface that belongs here stays: other portfw files lose it with the same reload. Foreign files do not.
    return wanted.interfaces.includes(item) ? !others.every(isOurs) : others.length > 0;
  });
  const gone = held.interfaces.filter((item) => opensAll && !wanted.interfaces.includes(item));
  return {
    mode: 'whole',
    config: {
      ...wanted,
      interfaces: held.interfaces.filter((item) => !dropped.includes(item) && !gone.includes(item)),
      ...(held.ingressPriority === undefined ? {} : { ingressPriority: held.ingressPriority }),
    },
    dropped: [...dropped, ...gone],
    serves: united(ledger.zone(wanted.name), ...dropped.map((item) => ledger.interface(item))),
  };
}

/** Whether a zone file that loads as it is must be right before the reload. */
function comesWithReload(name: string, editsInUse: boolean, { input, ledger }: Sight): boolean {
  const own = ledger.zone(name).map((index) => input.changes[index]!);
  const permanent = own.filter((change) => inLayer(change, 'permanent'));
  // What is in the file and was never loaded would come into force with the reload, until the calls after it. And what a
  // definition in use stops opening, another one may have to open at the same moment.
  const pending = permanent.some((change) => !inLayer(change, 'runtime'));
  const hidden = own.some((change) => inLayer(change, 'runtime') && !inLayer(change, 'permanent'));
  return permanent.length > 0 && (pending || hidden || editsInUse);
}

function inLayer(change: Change, layer: 'permanent' | 'runtime'): boolean {
  return 'layers' in change && change.layers[layer];
}

/** Which zone files name an interface. */
function interfacesByName({ zones }: FirewalldConfig): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, string[]>();
  for (const zone of zones.values())
    for (const name of zone.interfaces) named.set(name, [...(named.get(name) ?? []), zone.name]);
  return named;
}

/**
 * Whether a portfw zone file that nothing else rewrites can be loaded as it is: a reload with a rule for an ipset that is
 * not there leaves the host open on some versions, and one with an interface in two zones fails.
 */
function loads(zone: ZoneConfig, { input: { desired, observed }, named }: Sight): boolean {
  const { permanent, runtime } = observed;
  const { services, ipsets } = zoneRefersTo(zone);
  const known = (name: string) =>
    desired.services.has(name) || permanent.services.has(name) || (!isOurs(name) && runtime.services.has(name));
  return (
    ipsets.every((name) => desired.ipsets.has(name) || permanent.ipsets.has(name)) &&
    services.every(known) &&
    zone.interfaces.every((name) => (named.get(name)?.length ?? 0) < 2)
  );
}
