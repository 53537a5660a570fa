import { isBan } from '../../../../src/firewalld/bans.ts';
import { readIpsetXml } from '../../../../src/firewalld/kinds/ipset.ts';
import type { FirewalldConfig } from '../../../../src/firewalld/kinds/kinds.ts';
import { readServiceXml } from '../../../../src/firewalld/kinds/service.ts';
import { readZoneXml, ZONE, type ZoneConfig } from '../../../../src/firewalld/kinds/zone.ts';
import { formatPort } from '../../../../src/firewalld/normalise.ts';
import type { ObservedFirewalld } from '../../../../src/firewalld/observed.ts';
import type { BeginRequest, PermanentRequest } from '../../../../src/host/requests.ts';
import type { Change } from '../../../../src/plan/plan.ts';

/** What a reviewer is told, as one word for each thing; worked out from the changes alone, without the steps. */
function toldBy(changes: readonly Change[]): ReadonlySet<string> {
  const told = new Set<string>();
  for (const change of changes) {
    switch (change.kind) {
      case 'definition':
        told.add(`${change.action} ${change.object} ${change.name}`);
        for (const { field } of change.fields) told.add(`field ${change.object} ${change.name} ${field}`);
        break;
      case 'interface':
        told.add(`${change.action} ${change.interface} ${change.zone}`);
        told.add(`interface ${change.interface}`);
        if (change.editsZone !== null) told.add(`edits ${change.editsZone} ${change.interface}`);
        if (change.networkManager !== undefined)
          told.add(`connection ${change.networkManager.uuid} ${change.networkManager.after}`);
        break;
      case 'zone-service':
        told.add(`${change.action} service ${change.zone} ${change.service}`);
        break;
      case 'rich-rule':
        told.add(`${change.action} rule ${change.zone} ${change.rule}`);
        break;
      case 'stray':
        told.add(`stray ${change.zone} ${change.field} ${change.value}`);
        break;
      case 'ipset-entries':
        for (const entry of change.add) told.add(`add entry ${change.ipset} ${entry}`);
        for (const entry of change.remove) told.add(`remove entry ${change.ipset} ${entry}`);
        break;
      case 'remember':
      case 'ensure-firewalld':
        told.add(change.kind);
        break;
    }
  }
  return told;
}

/** Each part of an object as one word, by the kind of change that has to name it when it comes or goes. */
type Parts = ReadonlyMap<string, { readonly comes: string; readonly goes: string }>;

function zoneParts(zone: ZoneConfig | undefined, name: string): Parts {
  const parts = new Map<string, { comes: string; goes: string }>();
  if (zone === undefined) return parts;
  const both = (key: string, comes: string, goes: string) => parts.set(key, { comes, goes });
  for (const item of zone.interfaces) both(`interface ${item}`, `interface ${item}`, `interface ${item}`);
  for (const item of zone.services)
    both(`service ${item}`, `add service ${name} ${item}`, `remove service ${name} ${item}`);
  // Bans of others stay, and no request names them.
  for (const { text: item } of zone.richRules.filter((rule) => !isBan(rule)))
    both(`rule ${item}`, `add rule ${name} ${item}`, `remove rule ${name} ${item}`);
  const stray = (field: string, values: readonly string[]) => {
    for (const value of values) both(`${field} ${value}`, 'no change adds this', `stray ${name} ${field} ${value}`);
  };
  stray('port', zone.ports.map(formatPort));
  stray('source-port', zone.sourcePorts.map(formatPort));
  stray('protocol', zone.protocols);
  stray('source', zone.sources);
  stray('icmp-block', zone.icmpBlocks);
  stray('forward-port', zone.forwardPorts);
  stray('masquerade', zone.masquerade ? ['yes'] : []);
  stray('icmp-block-inversion', zone.icmpBlockInversion ? ['yes'] : []);
  const field = (key: string, value: string) => {
    const word = `field zone ${name} ${key}`;
    if (value !== '') both(`${key}=${value}`, word, word);
  };
  field('target', zone.target);
  field('forward', zone.forward ? 'yes' : 'no');
  field('short', zone.short);
  field('description', zone.description);
  return parts;
}

/** Words for what `after` has and `before` has not, and the other way round. */
function moved(before: Parts, after: Parts): string[] {
  return [
    ...[...after].filter(([key]) => !before.has(key)).map(([, { comes }]) => comes),
    ...[...before].filter(([key]) => !after.has(key)).map(([, { goes }]) => goes),
  ];
}

function fieldsThatDiffer(object: string, name: string, before: object | undefined, after: object): string[] {
  if (before === undefined) return [`create ${object} ${name}`];
  const names: Readonly<Record<string, string>> = { sourcePorts: 'source ports' };
  const held = before as Readonly<Record<string, unknown>>;
  return Object.entries(after)
    .filter(([key, value]) => key !== 'entries' && JSON.stringify(value) !== JSON.stringify(held[key]))
    .map(([key]) => `field ${object} ${name} ${names[key] ?? key}`);
}

function entriesThatDiffer(name: string, before: readonly string[], after: readonly string[]): string[] {
  return [
    ...after.filter((entry) => !before.includes(entry)).map((entry) => `add entry ${name} ${entry}`),
    ...before.filter((entry) => !after.includes(entry)).map((entry) => `remove entry ${name} ${entry}`),
  ];
}

/**
 * What is sent to a host and no change names: each entry of a file, each call, edit, deletion and setting that differs from
 * what the host holds. It reads the requests alone, as the host would, and knows nothing of the plan's steps.
 */
export function unnamed(
  changes: readonly Change[],
  observed: ObservedFirewalld,
  begin: BeginRequest,
  permanent: PermanentRequest,
): string[] {
  const told = toldBy(changes);
  const asked = (words: readonly string[], instead: string | null = null) =>
    words.filter((word) => !told.has(word) && (instead === null || !told.has(instead)));
  const held: FirewalldConfig = observed.permanent;
  const files = {
    zones: new Map(held.zones),
    services: new Map(held.services),
    ipsets: new Map(held.ipsets),
  };
  const found: string[] = [];
  for (const { path, text } of begin.files) {
    const [, folder = '', name = ''] = /^(zones|services|ipsets)\/(portfw-[^/]+)\.xml$/.exec(path) ?? [];
    if (folder === 'zones') {
      const zone = readZoneXml(name, text);
      // A zone that goes is emptied as a whole, and one that comes is told as one.
      const whole = held.zones.has(name) ? `delete zone ${name}` : `create zone ${name}`;
      found.push(...asked(moved(zoneParts(held.zones.get(name), name), zoneParts(zone, name)), whole));
      // What the file has in both layers needs no word; what it brings to one of them does.
      const loaded = moved(zoneParts(observed.runtime.zones.get(name), name), zoneParts(zone, name));
      if (begin.reload)
        found.push(...asked(loaded, whole).filter((word) => !/^field zone \S+ (?:short|description)$/.test(word)));
      files.zones.set(name, zone);
    } else if (folder === 'services') {
      const service = readServiceXml(name, text);
      found.push(...asked(fieldsThatDiffer('service', name, held.services.get(name), service)));
      files.services.set(name, service);
    } else if (folder === 'ipsets') {
      const ipset = readIpsetXml(name, text);
      found.push(...asked(fieldsThatDiffer('ipset', name, held.ipsets.get(name), ipset)));
      found.push(...asked(entriesThatDiffer(name, held.ipsets.get(name)?.entries ?? [], ipset.entries)));
      files.ipsets.set(name, ipset);
    } else found.push(`file ${path}`);
  }
  for (const [operation, owner = '', first = '', ...rest] of begin.calls) {
    const text = [operation, owner, first, ...rest].join(' ');
    const word = (() => {
      switch (operation) {
        case 'move-connection':
          return `connection ${owner} ${first}`;
        case 'bind-interface':
        case 'release-interface':
          return `interface ${first}`;
        case 'add-service':
        case 'remove-service':
          return `${operation.replace('-', ' ')} ${owner} ${first}`;
        case 'add-rich-rule':
          return `add rule ${owner} ${first}`;
        case 'remove-rich-rule':
          return `remove rule ${owner} ${first}`;
        case 'add-entry':
        case 'remove-entry':
          return `${operation.replace('-', ' ')} ${owner} ${first}`;
        case 'remove-port':
        case 'remove-source-port':
          return `stray ${owner} ${operation.slice('remove-'.length)} ${first}/${rest[0]}`;
        case 'remove-forward-port':
          return `stray ${owner} forward-port ${[first, ...rest].join(':')}`;
        case 'remove-masquerade':
        case 'remove-icmp-block-inversion':
          return `stray ${owner} ${operation.slice('remove-'.length)} yes`;
        case 'remove-protocol':
        case 'remove-source':
        case 'remove-icmp-block':
          return `stray ${owner} ${operation.slice('remove-'.length)} ${first}`;
      }
    })();
    if (!told.has(word)) found.push(`call ${text}`);
  }
  for (const { zone, interfaces } of permanent.releases)
    found.push(
      ...interfaces.map((name) => (zone.startsWith('portfw-') ? `interface ${name}` : `edits ${zone} ${name}`)),
    );
  for (const [name, zone] of Object.entries(permanent.zones)) {
    const words = moved(zoneParts(files.zones.get(name), name), zoneParts(ZONE.ofSettings(zone), name));
    found.push(...asked(words, held.zones.has(name) ? null : `create zone ${name}`));
  }
  for (const [name, service] of Object.entries(permanent.services))
    found.push(...asked(fieldsThatDiffer('service', name, files.services.get(name), service)));
  for (const [name, ipset] of Object.entries(permanent.ipsets)) {
    found.push(...asked(fieldsThatDiffer('ipset', name, files.ipsets.get(name), ipset)));
    // Entries that joined the file for the reload leave it again.
    const before = held.ipsets.get(name)?.entries ?? [];
    found.push(...asked(entriesThatDiffer(name, before, ipset.entries)));
  }
  for (const [object, name] of permanent.deletions) found.push(`delete ${object} ${name}`);
  for (const [uuid, zone] of permanent.connections) found.push(`connection ${uuid} ${zone}`);
  return found.filter((word) => !told.has(word));
}
