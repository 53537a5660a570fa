import { parseAddress } from '../../src/core/addresses.ts';
import { type PortRange, parsePortRange } from '../../src/core/ports.ts';
import { openToAll, servicePorts, within } from '../../src/firewalld/filter/openings.ts';
import type { FirewalldConfig } from '../../src/firewalld/kinds/kinds.ts';
import type { ZoneConfig } from '../../src/firewalld/kinds/zone.ts';
import type { RichRule } from '../../src/firewalld/rich-rule.ts';

/** A packet that opens a flow, as far as a zone looks at it. */
export interface Knock {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
}

/** Whether a zone lets a new flow in. Of what we do not understand fully, only refusals count. */
export function letsIn(zone: ZoneConfig, config: FirewalldConfig, knock: Knock): boolean {
  const rules = zone.richRules.filter((rule) => concerns(rule, knock, config));
  if (rules.some((rule) => rule.action === 'reject' || rule.action === 'drop')) return false;
  const open = openToAll(zone, config);
  if (open === null) return true;
  if (open.get(knock.protocol)?.some((range) => covers(range, knock.port))) return true;
  return rules.some((rule) => rule.action === 'accept' && !rule.inverted && rule.words.length === 0);
}

/** Whether a rule may be about a flow; of an accepting rule that is said only where it is certain. */
function concerns(rule: RichRule, knock: Knock, config: FirewalldConfig): boolean {
  const accepts = rule.action === 'accept';
  const family = parseAddress(knock.source)?.family;
  if (rule.family !== null && family !== undefined && rule.family !== family) return false;
  if (rule.inverted) return true;
  if (rule.sourceAddress !== null && !within(knock.source, [rule.sourceAddress])) return false;
  if (rule.sourceMac !== null && accepts) return false;
  if (rule.sourceIpset !== null) {
    const entries = config.ipsets.get(rule.sourceIpset)?.entries;
    if (entries === undefined ? accepts : !within(knock.source, entries)) return false;
  }
  if (rule.destination !== null && !within(knock.destination, [rule.destination])) return false;
  if (rule.destinationIpset !== null && accepts) return false;
  if (rule.service !== null) {
    if (!config.services.has(rule.service)) return !accepts;
    return servicePorts(rule.service, config).some(
      (port) => port.protocol === knock.protocol && covers(port.range, knock.port),
    );
  }
  if (rule.port !== null) {
    const range = parsePortRange(rule.port.port);
    if (typeof range === 'string') return !accepts;
    return rule.port.protocol === knock.protocol && covers(range, knock.port);
  }
  return true;
}

function covers(range: PortRange, port: number): boolean {
  return range.first <= port && port <= range.last;
}
