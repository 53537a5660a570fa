import { acceptsEverything } from '../../firewalld/filter/openings.ts';
import { EMPTY_ZONE, type FirewalldConfig, isOurs, type ZoneConfig } from '../../firewalld/model.ts';
import { parseRichRule } from '../../firewalld/rich-rule.ts';
import { needsReload } from '../diff/definitions.ts';
import type { Change } from '../plan.ts';
import { type Ledger, united } from './change-ledger.ts';
import type { StepsInput, WrittenZone } from './steps-work.ts';

/** The zone files that have to be written before the plan's reload, by zone; none where there is none. */
export function writtenZones(input: StepsInput, ledger: Ledger, reload: boolean): Map<string, WrittenZone> {
  const { changes, desired, observed } = input;
  const written = new Map<string, WrittenZone>();
  if (!reload) return written;
  const named = interfacesByName(observed.permanent);
  const whole = (name: string, wanted: ZoneConfig, held: ZoneConfig) => {
    // A zone that is about to accept everything must not take along what is about to leave it.
    const opensAll = acceptsEverything(wanted) && !acceptsEverything(held);
    const dropped = held.interfaces.filter((item) => {
      const others = (named.get(item) ?? []).filter((other) => other !== name);
      // One that is at home here stays, since the other files of ours lose it with the same reload; owners' files do not.
      return wanted.interfaces.includes(item) ? !others.every(isOurs) : others.length > 0;
    });
    const gone = held.interfaces.filter((item) => opensAll && !wanted.interfaces.includes(item));
    const interfaces = held.interfaces.filter((item) => !dropped.includes(item) && !gone.includes(item));
    written.set(name, {
      mode: 'whole',
      config: {
        ...wanted,
        interfaces,
        ...(held.ingressPriority === undefined ? {} : { ingressPriority: held.ingressPriority }),
      },
      dropped: [...dropped, ...gone],
      serves: united(ledger.zone(name), ...dropped.map((item) => ledger.interface(item))),
    });
  };
  for (const change of changes) {
    if (change.kind !== 'definition' || change.object !== 'zone' || !needsReload(change)) continue;
    const wanted = desired.zones.get(change.name)!.config;
    const held = observed.permanent.zones.get(change.name);
    // A new zone comes up empty, so that it is inert; one that is there comes up whole, since the reload puts it into force.
    if (held !== undefined) whole(change.name, wanted, held);
    else
      written.set(change.name, {
        mode: 'empty',
        config: { ...wanted, interfaces: [], services: [], richRules: [] },
        dropped: [],
        serves: ledger.definition('zone', change.name),
      });
  }
  const editsInUse = changes.some(
    (change) => change.kind === 'definition' && change.inUse && change.action === 'edit' && needsReload(change),
  );
  for (const [name, held] of observed.permanent.zones) {
    if (!isOurs(name) || written.has(name)) continue;
    const wanted = desired.zones.get(name)?.config;
    const sound = loads(held, input, named);
    if (wanted === undefined) {
      if (!sound)
        written.set(name, {
          mode: 'hollow',
          config: { ...held, ...EMPTY_ZONE },
          dropped: held.interfaces,
          serves: united(ledger.zone(name), ...held.interfaces.map((item) => ledger.interface(item))),
        });
      continue;
    }
    const own = ledger.zone(name).map((index) => changes[index]!);
    const permanent = own.filter((change) => inLayer(change, 'permanent'));
    // What somebody wrote into the file and nobody loaded would come into force, if only until the next calls; and what a
    // definition in use stops opening, another may have to open from the same moment on.
    const pending = permanent.some((change) => !inLayer(change, 'runtime'));
    const hidden = own.some((change) => inLayer(change, 'runtime') && !inLayer(change, 'permanent'));
    if (!sound || (permanent.length > 0 && (pending || hidden || editsInUse))) whole(name, wanted, held);
  }
  return written;
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
 * Whether a zone file of ours that nothing else rewrites can be loaded as it is: a reload with a rule for an ipset that is
 * not there leaves the host open on some versions, and one with an interface in two zones fails.
 */
function loads(
  zone: ZoneConfig,
  { desired, observed }: StepsInput,
  named: ReadonlyMap<string, readonly string[]>,
): boolean {
  const { permanent, runtime } = observed;
  const rules = zone.richRules.map(parseRichRule);
  const sets = rules.flatMap((rule) => [rule.sourceIpset, rule.destinationIpset]).filter((name) => name !== null);
  const bound = zone.sources.flatMap((source) => (source.startsWith('ipset:') ? [source.slice('ipset:'.length)] : []));
  const services = [...zone.services, ...rules.map((rule) => rule.service).filter((name) => name !== null)];
  const known = (name: string) =>
    desired.services.has(name) || permanent.services.has(name) || (!isOurs(name) && runtime.services.has(name));
  return (
    [...sets, ...bound].every((name) => desired.ipsets.has(name) || permanent.ipsets.has(name)) &&
    services.every(known) &&
    zone.interfaces.every((name) => (named.get(name)?.length ?? 0) < 2)
  );
}
