import type { HostFacts } from '../facts/facts.ts';
import { compareVersions } from '../facts/version.ts';
import { EMPTY_ZONE, isOurs, type ZoneConfig } from '../firewalld/model.ts';
import type { PolicyConfig } from '../firewalld/policies.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { type Filter, zoneOfInterface } from './proof-dispatch.ts';
import { type FiltersInput, filtersOf } from './proof-filters.ts';

/** What the notes on forwarding are made from. */
export interface ForwardingInput extends FiltersInput {
  readonly facts: Pick<HostFacts, 'interfaces' | 'forwarding' | 'writers'>;
  /** Whether the plan starts firewalld: until then whatever the kernel forwards gets through. */
  readonly starts: boolean;
}

/** From this version on the zone by which packets leave does not let them through, and ICMP has no way of its own. */
const BY_INGRESS_ALONE = '1.0';

/**
 * What the plan does to packets that the host passes on for others, where its kernel does so: what it forwards now and will
 * not any more, and what firewalld itself lets through that no zone of ours opens. Nothing where forwarding is off. Pure.
 */
export function forwardingNotes(input: ForwardingInput): PolicyNote[] {
  const links = input.facts.interfaces
    .filter(({ up, loopback, name }) => up && !loopback && !/^veth/.test(name))
    .map(({ name }) => name);
  const { now, boot } = filtersOf(input);
  const after = input.starts ? boot.after : now.after;
  const ways = links.flatMap((from) => {
    const families = forwarded(from, input.facts.forwarding);
    if (families === '') return [];
    return links.filter((to) => to !== from).map((to): Way => ({ from, to, families }));
  });
  return [...stopping(input, ways, now.before, after), ...pings(input, ways, after)];
}

/** A pair of interfaces between which the kernel passes packets on. */
interface Way {
  readonly from: string;
  readonly to: string;
  /** `IPv4`, `IPv6`, `IPv4 and IPv6`. */
  readonly families: string;
}

function forwarded(from: string, { ipv4, ipv6 }: HostFacts['forwarding']): string {
  const families = [
    ...(ipv4.includes(from) ? ['IPv4'] : []),
    ...(ipv6 === 'all' || ipv6.includes(from) ? ['IPv6'] : []),
  ];
  return families.join(' and ');
}

function stopping(input: ForwardingInput, ways: readonly Way[], before: Filter, after: Filter): PolicyNote[] {
  const { version } = input.firewalld;
  const groups = new Map<string, { way: Way; why: string; targets: string[] }>();
  for (const way of ways) {
    const why = input.starts ? 'nothing is filtered until firewalld starts' : whyForwarded(way, before, version);
    if (why === null || whyForwarded(way, after, version) !== null) continue;
    const key = [way.from, way.families, why].join('\n');
    const group = groups.get(key) ?? { way, why, targets: [] };
    group.targets.push(way.to);
    groups.set(key, group);
  }
  const docker = input.facts.writers.units.some((name) => name.startsWith('docker'))
    ? '; ports that Docker publishes are reached as before, a container by its own address only by what Docker allows in its zone'
    : '';
  return [...groups.values()].map(({ way, why, targets }) => ({
    severity: 'warning',
    code: 'forwarding-stops',
    text: `${way.families} from ${way.from} to ${few(targets)} is forwarded now, since ${why}, and will not be any more; established connections go on${docker}`,
  }));
}

/** Why firewalld lets packets through from one interface to another whatever they are; `null` when it does not. */
function whyForwarded({ from, to }: Way, filter: Filter, version: string): string | null {
  const entered = zoneOf(filter, from);
  const left = zoneOf(filter, to);
  const policy = filter.policies.find((item) => letsThrough(item, entered.name, left.name));
  if (policy !== undefined) return `policy ${policy.name} has the target ACCEPT`;
  if (entered.name === left.name && entered.forward) return `zone ${entered.name} forwards between its interfaces`;
  const older = compareVersions(version, BY_INGRESS_ALONE) < 0;
  const open = [entered, ...(older ? [left] : [])].find(({ target }) => target === 'ACCEPT');
  if (open !== undefined) return `zone ${open.name} has the target ACCEPT`;
  return older && left.masquerade ? `zone ${left.name} masquerades` : null;
}

function letsThrough(policy: PolicyConfig, entered: string, left: string): boolean {
  const names = (zones: readonly string[], zone: string) => zones.includes('ANY') || zones.includes(zone);
  return policy.target === 'ACCEPT' && names(policy.ingressZones, entered) && names(policy.egressZones, left);
}

function zoneOf(filter: Filter, name: string): Pick<ZoneConfig, 'name' | 'target' | 'forward' | 'masquerade'> {
  const zone = zoneOfInterface(filter, name);
  return filter.config.zones.get(zone) ?? { ...EMPTY_ZONE, name: zone };
}

/** Before 1.0 a zone whose target is the default lets all ICMP be forwarded out of it. */
function pings(input: ForwardingInput, ways: readonly Way[], after: Filter): PolicyNote[] {
  if (compareVersions(input.firewalld.version, BY_INGRESS_ALONE) >= 0) return [];
  const open = ways.filter(({ from, to }) => {
    const entered = zoneOf(after, from);
    return isOurs(entered.name) && isOurs(zoneOf(after, to).name) && entered.target === 'default';
  });
  if (open.length === 0) return [];
  const pairs = open.map(({ from, to }) => `from ${from} to ${to}`);
  const text = `firewalld ${input.firewalld.version} forwards ICMP (pings) ${few(pairs)}, whatever zones open, as it does for each zone with the default target; portfw_zone_target: reject (or drop) ends that`;
  return [{ severity: 'warning', code: 'forwards-icmp', text }];
}

/** As many as a reader takes in. */
function few(items: readonly string[]): string {
  return items.length > 5 ? `${items.slice(0, 4).join(', ')} and ${items.length - 4} more` : items.join(', ');
}
