import { formatPortRange } from '../../core/ports.ts';
import { compareVersions } from '../../facts/version.ts';
import { type Filter, zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { servicePorts } from '../../firewalld/filter/openings.ts';
import type { PolicyConfig } from '../../firewalld/kinds/policy.ts';
import { EMPTY_ZONE, type ZoneConfig } from '../../firewalld/kinds/zone.ts';
import type { PortProtocol } from '../../firewalld/model.ts';
import { STOCK_SSH } from '../../firewalld/stock.ts';

/** From this version on, only the zone by which packets come in lets them through, and ICMP is not treated specially. */
export const BY_INGRESS_ALONE = '1.0';

/** A pair of interfaces between which the kernel forwards packets. */
export interface Way {
  readonly from: string;
  readonly to: string;
}

/** A new flow that an opening concerns; an empty destination is any. */
export interface Probe {
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly protocol: string;
  readonly port: number | null;
  readonly destination: string;
}

/** Something in firewalld's configuration that lets packets through from one interface to another. */
export interface Opening {
  readonly owner: string;
  /** `intra`: a zone's own forwarding between its interfaces, which firewalld turns on by itself. */
  readonly kind: 'policy' | 'target' | 'intra' | 'masquerade';
  /** `null`: everything. */
  readonly what: string | null;
  /** The end of a sentence: `policy lan-out has the target ACCEPT`. */
  readonly why: string;
  readonly probes: readonly Probe[];
}

type Zone = Pick<ZoneConfig, 'name' | 'target' | 'forward' | 'masquerade' | 'forwardPorts' | 'richRules' | 'sources'>;

/** The zone for an interface's packets if no zone is bound to their source. */
export function zoneOf(filter: Filter, name: string): Zone {
  const zone = zoneOfInterface(filter, name);
  return filter.config.zones.get(zone) ?? { ...EMPTY_ZONE, name: zone };
}

/** A port that is not opened by chance, in both protocols with ports. */
const ANYTHING: readonly Probe[] = ['tcp', 'udp'].map((protocol) => probe(protocol, 1));

function probe(protocol: string, port: number | null, destination = '', family: Probe['family'] = null): Probe {
  return { family, protocol, port, destination };
}

/** What firewalld's configuration lets through from one interface to another. */
export function openingsOf({ from, to }: Way, filter: Filter, version: string): Opening[] {
  const entered = zoneOf(filter, from);
  const left = zoneOf(filter, to);
  const older = compareVersions(version, BY_INGRESS_ALONE) < 0;
  const found: Opening[] = [];
  const everything = (owner: string, kind: Opening['kind'], why: string) =>
    found.push({ owner, kind, what: null, why, probes: ANYTHING });
  for (const { policy, destinations } of policiesBetween(filter, entered, left)) {
    if (policy.target === 'ACCEPT')
      found.push({
        owner: policy.name,
        kind: 'policy',
        what: null,
        why: `policy ${policy.name} has the target ACCEPT`,
        probes: aimed(ANYTHING, destinations),
      });
    else found.push(...openedBy(policy, filter, destinations));
  }
  if (entered.name === left.name && entered.forward)
    everything(entered.name, 'intra', `zone ${entered.name} forwards between its interfaces`);
  const open = [entered, ...(older ? [left] : [])].find(({ target }) => target === 'ACCEPT');
  if (open !== undefined) everything(open.name, 'target', `zone ${open.name} has the target ACCEPT`);
  if (older && left.masquerade) everything(left.name, 'masquerade', `zone ${left.name} masquerades`);
  return found;
}

/** What masquerades packets that leave by an interface; `null` if nothing does. */
export function masqueraderOf({ from, to }: Way, filter: Filter): string | null {
  const left = zoneOf(filter, to);
  if (left.masquerade) return `zone ${left.name}`;
  const found = policiesBetween(filter, zoneOf(filter, from), left).find(({ policy }) => policy.masquerade);
  return found === undefined ? null : `policy ${found.policy.name}`;
}

/** A port of the host that leads to another machine. */
export interface ForwardPort {
  readonly owner: string;
  readonly port: string;
  readonly protocol: string;
  readonly target: string;
}

/** The ports that lead to other machines for what comes in by an interface. */
export function forwardPortsOf(name: string, filter: Filter): ForwardPort[] {
  const zone = zoneOf(filter, name);
  const holders = [
    { what: 'zone', holder: zone },
    ...filter.policies.filter((policy) => enters(policy, filter, zone)).map((holder) => ({ what: 'policy', holder })),
  ];
  return holders.flatMap(({ what, holder }) => {
    const rich = holder.richRules.flatMap(({ forwardPort: forward }) => {
      return forward === null ? [] : [[forward.port, forward.protocol, forward.toPort, forward.toAddress]];
    });
    return [...holder.forwardPorts.map((text) => text.split(':')), ...rich].flatMap(
      ([port = '', protocol = '', toPort = '', ...address]): ForwardPort[] => {
        const to = address.join(':');
        if (to === '') return [];
        const target = `${to.includes(':') ? `[${to}]` : to}:${toPort === '' ? port : toPort}`;
        return [{ owner: `${what} ${holder.name}`, port, protocol, target }];
      },
    );
  });
}

interface Between {
  readonly policy: PolicyConfig;
  /** The sources of the zone that packets leave by, if it is bound to any; else any address. */
  readonly destinations: readonly string[];
}

/** The policies that apply to a packet; zones that are bound to sources apply on every interface. */
function policiesBetween(filter: Filter, entered: Zone, left: Zone): Between[] {
  return filter.policies.flatMap((policy): Between[] => {
    if (!enters(policy, filter, entered)) return [];
    if (policy.egressZones.includes('ANY') || policy.egressZones.includes(left.name))
      return [{ policy, destinations: [''] }];
    const destinations = policy.egressZones.flatMap((name) =>
      (filter.config.zones.get(name)?.sources ?? [])
        .filter((source) => !source.startsWith('ipset:') && !/^(?:[0-9a-f]{2}:){5}/i.test(source))
        .map(firstOf),
    );
    return destinations.length === 0 ? [] : [{ policy, destinations }];
  });
}

function enters(policy: PolicyConfig, filter: Filter, entered: Zone): boolean {
  return policy.ingressZones.some(
    (name) => name === 'ANY' || name === entered.name || (filter.config.zones.get(name)?.sources ?? []).length > 0,
  );
}

/** What a policy without the target ACCEPT lets through. */
function openedBy(policy: PolicyConfig, filter: Filter, destinations: readonly string[]): Opening[] {
  const opening = (what: string, probes: readonly Probe[]): Opening => ({
    owner: policy.name,
    kind: 'policy',
    what,
    why: `policy ${policy.name} opens it`,
    probes: aimed(probes, destinations),
  });
  const service = (name: string) => {
    const ports = servicePorts(name, filter.config);
    return (ports.length === 0 && name === STOCK_SSH.name ? STOCK_SSH.ports : ports).map(toPort);
  };
  const rich = policy.richRules.flatMap((rule): Opening[] => {
    if (rule.action !== 'accept') return [];
    const destination = rule.destination === null || rule.destinationInverted ? '' : firstOf(rule.destination);
    const port = rule.port === null ? null : Number(rule.port.port.split('-')[0]);
    const probes = [
      ...(rule.service === null ? [] : service(rule.service)),
      ...(rule.port === null ? [] : [probe(rule.port.protocol, port)]),
      ...(rule.protocol === null ? [] : [probe(rule.protocol, null)]),
      ...(rule.words.length === 0 && [rule.service, rule.port, rule.protocol].every((item) => item === null)
        ? ANYTHING
        : []),
    ];
    return [
      opening(
        `traffic that "${rule.text}" accepts`,
        probes.map((item) => ({ ...item, destination, family: rule.family })),
      ),
    ];
  });
  return [
    ...policy.services.map((name) => opening(`service ${name}`, service(name))),
    ...policy.ports.map((port) => opening(`${formatPortRange(port.range)}/${port.protocol}`, [toPort(port)])),
    ...policy.protocols.map((name) => opening(`protocol ${name}`, [probe(name, null)])),
    ...rich,
  ];
}

function toPort({ protocol, range }: PortProtocol): Probe {
  return probe(protocol, range.first);
}

/** The same flows, to each of these addresses if the flow itself names none. */
function aimed(probes: readonly Probe[], destinations: readonly string[]): Probe[] {
  return probes.flatMap((item) =>
    item.destination === '' ? destinations.map((destination) => ({ ...item, destination })) : [item],
  );
}

function firstOf(network: string): string {
  return network.split('/')[0]!;
}
