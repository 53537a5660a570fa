import { contains, parseAddress, parseNetwork } from '../../core/addresses.ts';
import { formatPortRange, mergePortRanges, type PortRange, subtractPortRanges } from '../../core/ports.ts';
import type { FirewalldConfig } from '../kinds/kinds.ts';
import type { ServiceConfig } from '../kinds/service.ts';
import type { ZoneConfig } from '../kinds/zone.ts';
import type { PortProtocol } from '../model.ts';
import { formatPort } from '../normalise.ts';
import { acceptsAll, type RichRule } from '../rich-rule.ts';

/** Whether a zone lets in whatever nothing else in it refuses, by its target or by a rule. */
export function acceptsEverything(zone: Pick<ZoneConfig, 'target' | 'richRules'>): boolean {
  return zone.target === 'ACCEPT' || zone.richRules.some(acceptsAll);
}

/** The ports that a zone opens to everybody, by protocol; `null` when it accepts everything. */
export function openToAll(zone: ZoneConfig, config: FirewalldConfig): ReadonlyMap<string, readonly PortRange[]> | null {
  if (acceptsEverything(zone)) return null;
  const byProtocol = new Map<string, PortRange[]>();
  const add = (ports: readonly PortProtocol[]) => {
    for (const { protocol, range } of ports) byProtocol.set(protocol, [...(byProtocol.get(protocol) ?? []), range]);
  };
  add(zone.ports);
  for (const name of zone.services) add(servicePorts(name, config));
  return new Map([...byProtocol].map(([protocol, ranges]) => [protocol, mergePortRanges(ranges)]));
}

/** A service's ports with those of the services that it includes. */
export function servicePorts(name: string, config: FirewalldConfig): readonly PortProtocol[] {
  return withIncludes(name, config).flatMap((service) => service.ports);
}

/** A service and those that it includes, each once; nothing when it is not known. */
export function withIncludes(name: string, config: FirewalldConfig): ServiceConfig[] {
  const found = new Map<string, ServiceConfig>();
  const names = [name];
  for (const next of names) {
    const service = config.services.get(next);
    if (service === undefined || found.has(next)) continue;
    found.set(next, service);
    names.push(...service.includes);
  }
  return [...found.values()];
}

/** What `before` lets in and `after` does not, one text each: `22/tcp (service ssh)`, `everything else`, a rich rule. */
export function lostOpenings(
  before: ZoneConfig,
  beforeConfig: FirewalldConfig,
  after: ZoneConfig,
  afterConfig: FirewalldConfig,
): string[] {
  const stay = new Set(after.richRules.map(({ text }) => text));
  const rules = before.richRules.filter(({ text }) => !stay.has(text));
  const lost = lostTranslations(before, after, rules);
  const kept = openToAll(after, afterConfig);
  if (kept === null) return lost;
  if (acceptsEverything(before)) lost.push('everything that the new zone does not open (the old one accepts all)');
  lost.push(...lostPorts(before, beforeConfig, after.services, kept));
  const others = (zone: ZoneConfig) => [
    ...zone.protocols.map((protocol) => `protocol ${protocol}`),
    ...zone.sourcePorts.map((port) => `source port ${formatPort(port)}`),
  ];
  const held = others(after);
  lost.push(...others(before).filter((text) => !held.includes(text)));
  // Rules that accept everything are listed above.
  lost.push(...rules.filter((rule) => rule.action === 'accept' && !acceptsAll(rule)).map(({ text }) => text));
  return [...new Set(lost)];
}

/** Address translation and forwarding that ends. @param rules the rich rules that `after` lacks */
function lostTranslations(before: ZoneConfig, after: ZoneConfig, rules: readonly RichRule[]): string[] {
  const lost: string[] = [];
  if (before.masquerade && !after.masquerade) lost.push('masquerading');
  for (const forward of before.forwardPorts)
    if (!after.forwardPorts.includes(forward)) lost.push(`forward port ${forward}`);
  if (before.forward && !after.forward && before.interfaces.length > 1)
    lost.push("forwarding between the zone's interfaces");
  for (const { text, words } of rules)
    if (words.includes('masquerade') || words.includes('forward-port')) lost.push(text);
  return lost;
}

/** Ports and services that end. What stays open is in `keptServices` and `kept`. */
function lostPorts(
  zone: ZoneConfig,
  config: FirewalldConfig,
  keptServices: readonly string[],
  kept: ReadonlyMap<string, readonly PortRange[]>,
): string[] {
  const closed = (ports: readonly PortProtocol[], where: string) =>
    ports.flatMap(({ protocol, range }) =>
      subtractPortRanges([range], kept.get(protocol) ?? []).map(
        (rest) => `${formatPortRange(rest)}/${protocol}${where}`,
      ),
    );
  const services = zone.services
    .filter((name) => !keptServices.includes(name))
    .flatMap((name) => {
      const others = withIncludes(name, config).flatMap((service) => [
        ...service.protocols.map((protocol) => `protocol ${protocol} (service ${name})`),
        ...service.sourcePorts.map((port) => `source port ${formatPort(port)} (service ${name})`),
      ]);
      const ports = servicePorts(name, config);
      const nothing = ports.length + others.length === 0 ? [`service ${name}`] : [];
      return [...nothing, ...closed(ports, ` (service ${name})`), ...others];
    });
  return [...closed(zone.ports, ''), ...services];
}

/** Whether an address lies in one of the addresses or networks. */
export function within(address: string, networks: readonly string[]): boolean {
  const own = parseAddress(address);
  return (
    own !== null &&
    networks.some((text) => {
      const network = parseNetwork(text);
      return network !== null && contains(network, own);
    })
  );
}
