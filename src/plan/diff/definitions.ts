import type { FirewalldConfig, IpsetConfig, ServiceConfig, ZoneConfig } from '../../firewalld/model.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import { parseRichRule } from '../../firewalld/rich-rule.ts';
import type { DesiredFirewalld } from '../../policy/desired.ts';
import type { Change, FieldChange } from '../plan.ts';

type Definition = Extract<Change, { kind: 'definition' }>;
type Fields = ReadonlyMap<string, string>;

function serviceFields(service: ServiceConfig): Fields {
  return new Map([
    ['ports', service.ports.map(formatPort).join(' ')],
    ['protocols', service.protocols.join(' ')],
    ['source ports', service.sourcePorts.map(formatPort).join(' ')],
    ['helpers', service.helpers.join(' ')],
    ['modules', service.modules.join(' ')],
    ['includes', service.includes.join(' ')],
    ['destination', [service.destination.ipv4, service.destination.ipv6].filter((item) => item !== null).join(' ')],
    ['short', service.short],
    ['description', service.description],
  ]);
}

function ipsetFields(ipset: IpsetConfig): Fields {
  return new Map([
    ['type', ipset.type],
    ['family', ipset.family],
    ['options', otherOptions(ipset).join(' ')],
    ['short', ipset.short],
    ['description', ipset.description],
  ]);
}

/** Options besides the family, which has a field of its own. */
function otherOptions(ipset: IpsetConfig): string[] {
  return Object.entries(ipset.options)
    .filter(([name]) => name !== 'family')
    .map(([name, value]) => `${name}=${value}`)
    .sort();
}

function zoneFields(zone: ZoneConfig): Fields {
  return new Map([
    ['target', zone.target],
    ['forward', zone.forward ? 'yes' : 'no'],
    ['short', zone.short],
    ['description', zone.description],
  ]);
}

/** Texts matter in the file only: a running daemon that has the old one behaves the same. */
const TEXTS = new Set(['short', 'description']);

function differences(before: Fields | null, after: Fields | null): FieldChange[] {
  const changes: FieldChange[] = [];
  for (const field of new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])) {
    const was = before?.get(field) ?? '';
    const is = after?.get(field) ?? '';
    if (was !== is) changes.push({ field, before: was === '' ? null : was, after: is === '' ? null : is });
  }
  return changes;
}

interface Kind<T> {
  readonly object: Definition['object'];
  readonly fields: (item: T) => Fields;
  readonly permanent: ReadonlyMap<string, T>;
  readonly runtime: ReadonlyMap<string, T>;
  readonly used: (name: string) => boolean;
}

/** Definitions that are missing, different or no longer wanted, in the order in which a reviewer reads them. */
export function definitionChanges(
  desired: DesiredFirewalld,
  permanent: FirewalldConfig,
  runtime: FirewalldConfig,
): Definition[] {
  const zones = [...runtime.zones.values()];
  const mentioned = (pick: (zone: ZoneConfig) => readonly (string | null)[]) => new Set(zones.flatMap(pick));
  const services = mentioned((zone) => [
    ...zone.services,
    ...zone.richRules.map((rule) => parseRichRule(rule).service),
  ]);
  const ipsets = mentioned((zone) => zone.richRules.map((rule) => parseRichRule(rule).sourceIpset));
  const bound = new Set(
    zones.filter((zone) => zone.interfaces.length + zone.sources.length > 0).map((zone) => zone.name),
  );
  const wanted = <T>(items: ReadonlyMap<string, { readonly reasons: Definition['reasons'] } & T>) => items;
  return [
    ...compare(
      {
        object: 'zone',
        fields: zoneFields,
        permanent: permanent.zones,
        runtime: runtime.zones,
        used: (name) => bound.has(name),
      },
      new Map([...wanted(desired.zones)].map(([name, item]) => [name, { value: item.config, reasons: item.reasons }])),
    ),
    ...compare(
      {
        object: 'service',
        fields: serviceFields,
        permanent: permanent.services,
        runtime: runtime.services,
        used: (name) => services.has(name),
      },
      desired.services,
    ),
    ...compare(
      {
        object: 'ipset',
        fields: ipsetFields,
        permanent: permanent.ipsets,
        runtime: runtime.ipsets,
        used: (name) => ipsets.has(name),
      },
      desired.ipsets,
    ),
  ];
}

function compare<T>(
  kind: Kind<T>,
  desired: ReadonlyMap<string, { readonly value: T; readonly reasons: Definition['reasons'] }>,
): Definition[] {
  const changes: Definition[] = [];
  for (const [name, { value, reasons }] of desired) {
    const before = kind.permanent.get(name);
    const after = kind.fields(value);
    const inFile = differences(before === undefined ? null : kind.fields(before), after);
    const loaded = kind.runtime.get(name);
    const atRuntime = differences(loaded === undefined ? null : kind.fields(loaded), after).filter(
      (change) => loaded === undefined || !TEXTS.has(change.field),
    );
    if (inFile.length === 0 && atRuntime.length === 0) continue;
    const action = before === undefined ? 'create' : 'edit';
    // What is right in the file may still be wrong in the daemon, and the other way round.
    const fields = [...inFile, ...atRuntime.filter((change) => !inFile.some(({ field }) => field === change.field))];
    changes.push({
      kind: 'definition',
      action,
      object: kind.object,
      name,
      inUse: kind.used(name),
      fields,
      reasons,
    });
  }
  for (const [name, item] of kind.permanent) {
    if (!isOurs(name) || desired.has(name)) continue;
    changes.push({
      kind: 'definition',
      action: 'delete',
      object: kind.object,
      name,
      inUse: kind.used(name),
      fields: differences(kind.fields(item), null),
      reasons: [],
    });
  }
  return changes;
}

/**
 * Whether a change of a definition has to be loaded by a reload. A deletion leaves something inert until the next one, and
 * nothing depends on a text: the daemon takes it over without a reload.
 */
export function needsReload(change: Definition): boolean {
  if (change.action === 'delete') return false;
  return change.action === 'create' || change.fields.some((field) => !TEXTS.has(field.field));
}
