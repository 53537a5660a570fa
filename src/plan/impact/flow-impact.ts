import { holds } from '../../core/address-ranges.ts';
import { parseAddress } from '../../core/addresses.ts';
import { parsePortRange } from '../../core/ports.ts';
import type { FlowKind, HostFacts } from '../../facts/facts.ts';
import { type Filter, zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import type { Reach } from '../../firewalld/filter/reach.ts';
import { familyOf } from '../../firewalld/filter/treatment.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import type { FlowImpact, Impact } from '../impact-types.ts';

type Facts = Pick<HostFacts, 'interfaces' | 'flows' | 'controllerPath'>;

/**
 * What happens to established flows. firewalld lets packets of a tracked flow through before it evaluates any zone, in every
 * version and for forwarded flows too, and a translation stays with its flow: so a removed permission never ends a tracked
 * flow. It ends flows that the kernel has forgotten (idle for too long) or never tracked.
 */
export function flowImpact(facts: Facts, before: Reach, after: Reach): Impact['flows'] {
  const { flows } = facts;
  if (flows === null) return { source: null, cut: [], outlive: [], unseen: null };
  const holder = holdersOf(facts.interfaces);
  const revoked = (kinds: readonly FlowKind[]) =>
    kinds.flatMap((kind): FlowImpact[] => {
      const lost = isOurs(kind, facts) ? null : whatIsLost(kind, holder, before, after);
      if (lost === null) return [];
      const { protocol, opener, address, port, count } = kind;
      return [{ protocol, opener, address, port, count, lost }];
    });
  return {
    source: flows.source,
    cut: revoked(flows.untracked),
    outlive: revoked(flows.kinds),
    unseen: flows.cut ? null : flows.omitted,
  };
}

/** Whether a kind of flows is this SSH session. */
function isOurs(kind: FlowKind, { controllerPath: path }: Facts): boolean {
  if (path === null || kind.protocol !== 'tcp' || kind.opener !== path.clientAddress) return false;
  return [kind, kind.forwardedTo].some(
    (end) => end !== null && end.address === path.serverAddress && end.port === path.serverPort,
  );
}

function whatIsLost(kind: FlowKind, holder: Holder, before: Reach, after: Reach): FlowImpact['lost'] | null {
  const own = holder(kind.address);
  if (own !== null && holder(kind.opener) === null) {
    if (kind.forwardedTo !== null)
      return forwards(before.filter, own, kind) && !forwards(after.filter, own, kind) ? 'forward-port' : null;
    const door = { interface: own, destination: kind.address, protocol: kind.protocol, port: kind.port };
    const opener = parseAddress(kind.opener);
    const letIn = (reach: Reach) =>
      opener?.family === familyOf(kind.address) && holds(reach.crowdAt(door).ranges, opener.first);
    return letIn(before) && !letIn(after) ? 'permission' : null;
  }
  // Zones do not filter what the host itself opens.
  const way = kind.disguisedAs === null || own !== null ? null : holder(kind.disguisedAs);
  if (way === null || holder(kind.opener) !== null) return null;
  return zoneOf(before.filter, way)?.masquerade === true && zoneOf(after.filter, way)?.masquerade !== true
    ? 'masquerade'
    : null;
}

/** The interface that has an address; `null` if no interface has it, or only the loopback. */
type Holder = (address: string) => string | null;

/** Worked out once, for thousands of flows. */
function holdersOf(interfaces: Facts['interfaces']): Holder {
  const names = new Map<string, string | null>();
  for (const { name, loopback, addresses } of interfaces) {
    for (const own of addresses) if (!names.has(own.address)) names.set(own.address, loopback ? null : name);
  }
  return (address) => names.get(address) ?? null;
}

function zoneOf(filter: Filter, name: string): ZoneConfig | undefined {
  return filter.config.zones.get(zoneOfInterface(filter, name));
}

/** Whether the interface's zone has a forward port for a kind of flows. */
function forwards(filter: Filter, name: string, { protocol, port }: FlowKind): boolean {
  const zone = zoneOf(filter, name);
  if (zone === undefined) return false;
  const asked = [
    ...zone.forwardPorts
      .map((text) => text.split(':'))
      .map(([range = '', own = '']) => ({ port: range, protocol: own })),
    ...zone.richRules.flatMap(({ forwardPort }) => forwardPort ?? []),
  ];
  return asked.some((item) => {
    const range = parsePortRange(item.port);
    return item.protocol === protocol && typeof range !== 'string' && range.first <= port && port <= range.last;
  });
}
