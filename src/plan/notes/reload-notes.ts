import { listed } from '../../core/lists.ts';
import { isBound, type ZoneConfig } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import { keepsOnReload } from '../../firewalld/stock.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import { othersLayers } from './reload-losses.ts';

/**
 * What a reload does to the foreign configuration: runtime-only settings are lost, pending permanent ones are loaded.
 *
 * @param homes interfaces that are bound again after the reload: they are not mentioned
 */
export function reloadNotes(
  { permanent, runtime }: ObservedFirewalld,
  facts: Parameters<typeof othersLayers>[1],
  homes: ReadonlySet<string>,
): PolicyNote[] {
  const notes: PolicyNote[] = [];
  // `FlushAllOnReload=no`.
  const keeps = keepsOnReload(facts.files);
  const say = (code: 'reload-loses' | 'reload-loads', text: string) => notes.push({ severity: 'warning', code, text });
  const compare = (what: string, atRuntime: readonly string[], inFile: readonly string[], kept = false) => {
    // An interface that is left without a zone is bound again right after the reload.
    const [held, running] = [new Set(inFile), new Set(atRuntime)];
    const lost = atRuntime.filter((item) => !held.has(item) && !item.startsWith('interface '));
    const loaded = inFile.filter((item) => !running.has(item));
    if (lost.length > 0 && !kept)
      say('reload-loses', `${what}: the reload removes these runtime-only settings: ${listed(lost)}`);
    if (loaded.length > 0)
      say('reload-loads', `${what}: the reload brings these settings from its file into force: ${listed(loaded)}`);
  };
  for (const [name, zone] of runtime.zones) {
    if (isOurs(name)) continue;
    const file = permanent.zones.get(name);
    if (file === undefined) say('reload-loses', `zone ${name} exists at runtime only: the reload removes it`);
    else compare(`zone ${name}`, contents(zone, homes), contents(file, homes));
  }
  for (const [name, zone] of permanent.zones) {
    // The host does not report a zone that nothing is bound to, and its file has no effect.
    if (isOurs(name) || runtime.zones.has(name) || !isBound(zone)) continue;
    compare(`zone ${name}`, [], contents(zone, homes));
  }
  for (const [name, ipset] of runtime.ipsets) {
    if (isOurs(name)) continue;
    const file = permanent.ipsets.get(name);
    if (file === undefined) {
      if (!keeps) say('reload-loses', `ipset ${name} exists at runtime only: the reload removes it`);
    } else compare(`ipset ${name}`, ipset.entries, file.entries, keeps);
  }
  for (const { what, runtime: loaded, permanent: inFile, kept } of othersLayers({ permanent, runtime }, facts))
    compare(what, loaded, inFile, kept);
  return notes;
}

function contents(zone: ZoneConfig, homes: ReadonlySet<string>): string[] {
  return [
    ...(zone.target === 'default' ? [] : [`target ${zone.target}`]),
    ...zone.interfaces.filter((name) => !homes.has(name)).map((name) => `interface ${name}`),
    ...zone.services.map((name) => `service ${name}`),
    ...zone.ports.map((port) => `port ${formatPort(port)}`),
    ...zone.sources.map((source) => `source ${macInCapitals(source)}`),
    ...zone.protocols.map((protocol) => `protocol ${protocol}`),
    ...zone.sourcePorts.map((port) => `source port ${formatPort(port)}`),
    ...zone.icmpBlocks.map((name) => `ICMP block ${name}`),
    ...(zone.icmpBlockInversion ? ['ICMP block inversion'] : []),
    ...zone.richRules.map(({ text }) => macInCapitals(text)),
    ...zone.forwardPorts.map((forward) => `forward port ${forward}`),
    ...(zone.masquerade ? ['masquerading'] : []),
  ];
}

/** Versions differ in the case in which they report a MAC. */
function macInCapitals(text: string): string {
  return text.replace(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi, (mac) => mac.toUpperCase());
}
