import type { AddressFamily } from '../../core/addresses.ts';
import { type Protocol, parsePortRange } from '../../core/ports.ts';
import { type Filter, holdersAt, zoneNamed, zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { withIncludes, within } from '../../firewalld/filter/openings.ts';
import type { RuleHolder } from '../../firewalld/filter/rules.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import type { PortProtocol } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { RichRule } from '../../firewalld/rich-rule.ts';
import { STOCK_SSH } from '../../firewalld/stock.ts';

/** A port at some addresses of the host. */
export interface Entrance {
  readonly interface: string;
  readonly family: AddressFamily;
  readonly destinations: readonly string[];
  readonly protocol: Protocol;
  readonly port: number;
}

/** Something in a zone or policy that lets sources in. */
export interface Opener {
  /** As a reviewer reads it: a service, a port, or a rich rule that names no service. */
  readonly name: string;
  /** The zone that it is in; `null` for a policy. */
  readonly zone: string | null;
  /** Its service, of the zone or of the rule. */
  readonly service: string | null;
  /** `null` for services and ports of the zone. */
  readonly rule: RichRule | null;
}

interface Known extends Opener {
  /** The ports that it names; empty if it is about all of them. */
  readonly ports: readonly PortProtocol[];
  readonly fits: (entrance: Entrance) => boolean;
}

/** What opens the ports of a host under one configuration, by name. */
export class Openers {
  readonly #filter: Filter;
  readonly #known = new Map<RuleHolder, readonly Known[]>();

  constructor(filter: Filter) {
    this.#filter = filter;
  }

  /** The zone that an interface is in. */
  zoneOf(name: string): ZoneConfig {
    return zoneNamed(zoneOfInterface(this.#filter, name), this.#filter.config);
  }

  /**
   * What names a port in the interface's zone. If nothing does: what names it in a zone that is bound to sources, or in a policy.
   * If nothing does either: what opens all ports in the interface's zone.
   */
  at(entrance: Entrance): readonly Opener[] {
    const own = this.zoneOf(entrance.interface);
    const named = this.#naming(own, entrance);
    if (named.length > 0) return named;
    const others = holdersAt(this.#filter, entrance.interface).filter((holder) => holder !== own);
    const elsewhere = others.flatMap((holder) => this.#naming(holder, entrance));
    if (elsewhere.length > 0) return elsewhere;
    return this.#of(own).filter(({ ports, fits }) => ports.length === 0 && fits(entrance));
  }

  #naming(holder: RuleHolder, entrance: Entrance): readonly Known[] {
    const { protocol, port } = entrance;
    return this.#of(holder).filter(
      ({ ports, fits }) =>
        ports.some(({ protocol: own, range }) => own === protocol && range.first <= port && port <= range.last) &&
        fits(entrance),
    );
  }

  #of(holder: RuleHolder): readonly Known[] {
    let found = this.#known.get(holder);
    if (found === undefined) {
      found = openersOf(holder, this.#filter);
      this.#known.set(holder, found);
    }
    return found;
  }
}

function openersOf(holder: RuleHolder, filter: Filter): Known[] {
  const { name: owner, target } = holder as RuleHolder & { readonly name: string; readonly target: string };
  const policy = filter.policies.some((item) => item === holder);
  const zone = policy ? null : owner;
  const plain = { zone, service: null, rule: null };
  const everywhere = () => true;
  const own = [
    ...holder.services.flatMap((service) =>
      ofService(service, filter).map((part): Known => ({ name: service, zone, service, rule: null, ...part })),
    ),
    ...holder.richRules.filter(({ action }) => action === 'accept').flatMap((rule) => ofRule(rule, zone, filter)),
    ...holder.ports.map((port): Known => ({ ...plain, name: formatPort(port), ports: [port], fits: everywhere })),
    ...holder.protocols.map(
      (protocol): Known => ({
        ...plain,
        name: `protocol ${protocol}`,
        ports: [],
        fits: (entrance) => protocol === entrance.protocol || protocol === PROTOCOL_NUMBERS[entrance.protocol],
      }),
    ),
    ...(target === 'ACCEPT' ? [{ ...plain, name: 'target ACCEPT', ports: [], fits: everywhere }] : []),
  ];
  return policy ? own.map((opener) => ({ ...opener, name: `${opener.name} (policy ${owner})` })) : own;
}

const PROTOCOL_NUMBERS: Readonly<Record<Protocol, string>> = { tcp: '6', udp: '17' };

/** The parts of a service that name ports, each with the addresses that it is for. */
function ofService(service: string, { config }: Filter): Pick<Known, 'ports' | 'fits'>[] {
  const found = withIncludes(service, config);
  return (found.length === 0 && service === STOCK_SSH.name ? [STOCK_SSH] : found).flatMap(({ ports, destination }) => {
    const { ipv4, ipv6 } = destination;
    const fits = ({ family, destinations }: Entrance) => {
      const wanted = destination[family];
      if (wanted === null) return ipv4 === null && ipv6 === null;
      return destinations.some((address) => within(address, [wanted]));
    };
    return ports.length === 0 ? [] : [{ ports, fits: ipv4 === null && ipv6 === null ? () => true : fits }];
  });
}

/** Elements of rules that are about something else than ports. */
const OTHERS = ['icmp-block', 'icmp-type', 'source-port', 'masquerade', 'forward-port', 'tcp-mss-clamp'];

function ofRule(rule: RichRule, zone: string | null, filter: Filter): Known[] {
  if (rule.words.some((word) => OTHERS.includes(word))) return [];
  const fits = ({ family, destinations }: Entrance): boolean => {
    if (rule.family !== null && rule.family !== family) return false;
    const { destination, destinationInverted } = rule;
    return (
      destination === null || destinations.some((address) => within(address, [destination]) !== destinationInverted)
    );
  };
  const whole = { zone, service: rule.service, rule };
  if (rule.service !== null) {
    const { service } = rule;
    return ofService(service, filter).map((part) => ({
      ...whole,
      name: service,
      ports: part.ports,
      fits: (entrance) => fits(entrance) && part.fits(entrance),
    }));
  }
  if (rule.port !== null) {
    const range = parsePortRange(rule.port.port);
    return typeof range === 'string'
      ? []
      : [{ ...whole, name: rule.text, ports: [{ protocol: rule.port.protocol, range }], fits }];
  }
  const { protocol } = rule;
  return [
    {
      ...whole,
      name: rule.text,
      ports: [],
      fits: (entrance) =>
        fits(entrance) &&
        (protocol === null || protocol === entrance.protocol || protocol === PROTOCOL_NUMBERS[entrance.protocol]),
    },
  ];
}
