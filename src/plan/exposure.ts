import { contains, parseAddress, parseNetwork } from '../core/addresses.ts';
import { formatPortRange, mergePortRanges, type PortRange, subtractPortRanges } from '../core/ports.ts';
import type { FirewalldConfig, PortProtocol, ZoneConfig } from '../firewalld/model.ts';
import { parseRichRule, type RichRule } from '../firewalld/rich-rule.ts';

/** A packet that opens a flow, as far as a zone looks at it. */
export interface Knock {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
}

/** The ports that a zone opens to everybody, by protocol; `null` when its target accepts everything. */
export function openToAll(zone: ZoneConfig, config: FirewalldConfig): ReadonlyMap<string, readonly PortRange[]> | null {
  if (zone.target === 'ACCEPT') return null;
  const byProtocol = new Map<string, PortRange[]>();
  const add = (ports: readonly PortProtocol[]) => {
    for (const { protocol, range } of ports) byProtocol.set(protocol, [...(byProtocol.get(protocol) ?? []), range]);
  };
  add(zone.ports);
  for (const name of zone.services) add(servicePorts(name, config));
  return new Map([...byProtocol].map(([protocol, ranges]) => [protocol, mergePortRanges(ranges)]));
}

/** A service's ports with those of the services that it includes. */
export function servicePorts(
  name: string,
  config: FirewalldConfig,
  seen: ReadonlySet<string> = new Set(),
): readonly PortProtocol[] {
  const service = config.services.get(name);
  if (service === undefined || seen.has(name)) return [];
  const deeper = new Set([...seen, name]);
  return [...service.ports, ...service.includes.flatMap((include) => servicePorts(include, config, deeper))];
}

/** What `before` lets in and `after` does not, one text each: `22/tcp (service ssh)`, `everything else`, a rich rule. */
export function lostOpenings(
  before: ZoneConfig,
  beforeConfig: FirewalldConfig,
  after: ZoneConfig,
  afterConfig: FirewalldConfig,
): string[] {
  const kept = openToAll(after, afterConfig);
  if (kept === null) return [];
  const lost: string[] = [];
  const report = (ports: readonly PortProtocol[], where: string) => {
    for (const { protocol, range } of ports) {
      for (const rest of subtractPortRanges([range], kept.get(protocol) ?? [])) {
        lost.push(`${formatPortRange(rest)}/${protocol}${where}`);
      }
    }
  };
  if (before.target === 'ACCEPT') lost.push('everything that the new zone does not open (the old one accepts all)');
  report(before.ports, '');
  for (const name of before.services) {
    if (after.services.includes(name)) continue;
    const ports = servicePorts(name, beforeConfig);
    if (ports.length === 0) lost.push(`service ${name}`);
    report(ports, ` (service ${name})`);
  }
  for (const protocol of before.protocols) if (!after.protocols.includes(protocol)) lost.push(`protocol ${protocol}`);
  for (const rule of before.richRules) {
    if (!after.richRules.includes(rule) && parseRichRule(rule).action === 'accept') lost.push(rule);
  }
  if (before.masquerade && !after.masquerade) lost.push('masquerading');
  for (const forward of before.forwardPorts)
    if (!after.forwardPorts.includes(forward)) lost.push(`forward port ${forward}`);
  return [...new Set(lost)];
}

/** Whether a zone lets a new flow in. Of what we do not understand fully, only refusals count. */
export function letsIn(zone: ZoneConfig, config: FirewalldConfig, knock: Knock): boolean {
  const rules = zone.richRules.map(parseRichRule).filter((rule) => concerns(rule, knock, config));
  if (rules.some((rule) => rule.action === 'reject' || rule.action === 'drop')) return false;
  const open = openToAll(zone, config);
  if (open === null) return true;
  if (open.get(knock.protocol)?.some((range) => covers(range, knock.port))) return true;
  return rules.some((rule) => rule.action === 'accept' && !rule.inverted && rule.words.length === 0);
}

function concerns(rule: RichRule, knock: Knock, config: FirewalldConfig): boolean {
  const family = parseAddress(knock.source)?.family;
  if (rule.family !== null && family !== undefined && rule.family !== family) return false;
  if (rule.inverted) return true;
  if (rule.sourceAddress !== null && !within(knock.source, [rule.sourceAddress])) return false;
  if (rule.sourceMac !== null && rule.action === 'accept') return false;
  if (rule.sourceIpset !== null && !within(knock.source, config.ipsets.get(rule.sourceIpset)?.entries ?? []))
    return false;
  if (rule.destination !== null && !within(knock.destination, [rule.destination])) return false;
  if (rule.destinationIpset !== null && rule.action === 'accept') return false;
  if (rule.service !== null) {
    return servicePorts(rule.service, config).some(
      (port) => port.protocol === knock.protocol && covers(port.range, knock.port),
    );
  }
  if (rule.port !== null) {
    const [first, last] = rule.port.port.split('-').map(Number);
    return rule.port.protocol === knock.protocol && covers({ first: first!, last: last ?? first! }, knock.port);
  }
  return true;
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

function covers(range: PortRange, port: number): boolean {
  return range.first <= port && port <= range.last;
}
