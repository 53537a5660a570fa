import { createHash } from 'node:crypto';
import type { RunningFirewalld } from '../facts/facts.ts';
import { eachKind, type FirewalldConfig } from '../firewalld/kinds/kinds.ts';
import { isOurs, type PortProtocol } from '../firewalld/model.ts';
import { formatPort } from '../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { RichRule } from '../firewalld/rich-rule.ts';

/** A longer set is one line with its length and digest: what a person reads stays short, and a change is still noticed. */
const LONGEST_SET = 64;

/** Words for the fields of objects whose names are not the word for one item. */
const WORDS: Readonly<Record<string, string>> = {
  interfaces: 'interface',
  sources: 'source',
  services: 'service',
  ports: 'port',
  protocols: 'protocol',
  sourcePorts: 'source port',
  icmpBlocks: 'ICMP block',
  icmpBlockInversion: 'ICMP block inversion',
  forwardPorts: 'forward port',
  richRules: 'rich',
  ingressPriority: 'ingress priority',
  helpers: 'helper',
  modules: 'module',
  includes: 'include',
  entries: 'entry',
  ingressZones: 'ingress zone',
  egressZones: 'egress zone',
};

/**
 * A host's firewalld configuration as sorted lines, permanent and runtime: `permanent zone public: service ssh`. Two lists
 * of them make a diff that people can read. Built-in services that nobody changed are left out.
 */
export function seenLines(firewalld: RunningFirewalld, observed: ObservedFirewalld): readonly string[] {
  const lines = [
    `default zone ${firewalld.defaultZone}`,
    ...layerLines('permanent', observed.permanent, new Set(firewalld.files.map(({ path }) => path))),
    ...layerLines('runtime', observed.runtime, null),
    ...listLines('runtime direct', 'rule', firewalld.runtime.direct),
    ...firewalld.networkManager.map(
      ({ connection, zone }) => `NetworkManager connection "${connection}": zone ${zone === '' ? 'none' : zone}`,
    ),
    ...firewalld.files.map(({ path, sha256, mode, owner }) => `file ${path}: mode ${mode} ${owner} SHA-256 ${sha256}`),
  ];
  return [...new Set(lines)].sort();
}

/** @param files the files of the layer: only objects with one of them are told, and all zones; `null` for all objects */
function layerLines(layer: string, config: FirewalldConfig, files: ReadonlySet<string> | null): string[] {
  return eachKind((kind, folder) =>
    [...config[folder].values()].flatMap((item) => {
      const told = files === null || folder === 'zones' || isOurs(item.name) || files.has(`${folder}/${item.name}.xml`);
      return told ? objectLines(`${layer} ${kind.object} ${item.name}`, item) : [];
    }),
  ).flat();
}

function objectLines(name: string, item: object): string[] {
  const fields = Object.entries(item).filter(([field]) => !['name', 'short', 'description'].includes(field));
  return [name, ...fields.flatMap(([field, value]) => fieldLines(name, WORDS[field] ?? field, value))];
}

function fieldLines(name: string, word: string, value: unknown): string[] {
  if (Array.isArray(value)) return listLines(name, word, value.map(itemText));
  if (value === false || value === null || value === undefined || value === '') return [];
  if (value === true) return [`${name}: ${word}`];
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([key, part]) => fieldLines(name, `${word} ${key}`, part));
  return [`${name}: ${word} ${String(value)}`];
}

function listLines(name: string, word: string, items: readonly string[]): string[] {
  if (items.length <= LONGEST_SET) return items.map((item) => `${name}: ${word} ${item}`);
  const digest = createHash('sha256')
    .update([...items].sort().join('\n'))
    .digest('hex');
  return [`${name}: ${word}: ${items.length} items, SHA-256 ${digest}`];
}

function itemText(item: string | PortProtocol | RichRule): string {
  if (typeof item === 'string') return item;
  return 'text' in item ? item.text : formatPort(item);
}
