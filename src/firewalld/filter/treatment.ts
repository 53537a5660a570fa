import type { AddressFamily } from '../../core/addresses.ts';
import { mergePortRanges, type PortRange, type Protocol, parsePortRange } from '../../core/ports.ts';
import { stretches as portStretches } from '../../kernel/stretches.ts';
import type { RichRule } from '../rich-rule.ts';
import { STOCK_SSH } from '../stock.ts';
import { type Filter, holdersAt } from './dispatch.ts';
import { withIncludes, within } from './openings.ts';
import type { RuleHolder } from './rules.ts';

/** One port of one address of the host, as a flow finds it. */
export interface Door {
  readonly interface: string;
  readonly destination: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** The family of an address of the host; facts hold no other than valid ones, so a look is enough. */
export function familyOf(address: string): AddressFamily {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * Which doors of a host one filter treats alike: then the same sources get in by them. A host has 65535 ports of each
 * protocol at each address, and its rules tell only some of them apart.
 */
export class Treatments {
  readonly #filter: Filter;
  /** Where the kernel's rules decide: the ports at which their result may change. */
  readonly #kernelStarts: readonly number[] | null;
  readonly #conditions = new Map<RuleHolder, Conditions>();
  readonly #places = new Map<string, Place>();
  readonly #byRules = new Map<string, Place>();

  constructor(filter: Filter) {
    this.#filter = filter;
    this.#kernelStarts = filter.kernel === undefined ? null : portStretches([filter.kernel.rules.ruleset]);
  }

  /** The same text for doors that are treated alike. */
  keyOf({ interface: name, destination, protocol, port }: Door): string {
    const { id, stretches, seenAt } = this.#place(name);
    const ports =
      this.#kernelStarts === null
        ? stretches(protocol).classAt(port)
        : `${protocol} ${stretchOf(this.#kernelStarts, port)}`;
    return `${id} ${seenAt(destination)} ${ports}`;
  }

  /** The ports at which the treatment at an interface may change, sorted; the first is 1. */
  startsAt(name: string, protocol: Protocol): readonly number[] {
    const { starts } = this.#place(name).stretches(protocol);
    return this.#kernelStarts === null ? starts : sortedPorts([...this.#kernelStarts, ...starts]);
  }

  /** The same for all interfaces and both protocols. */
  starts(): readonly number[] {
    if (this.#kernelStarts !== null) return this.#kernelStarts;
    const holders = new Set([...this.#filter.config.zones.values(), ...holdersAt(this.#filter, '')]);
    const clauses = [...holders].flatMap((holder) => this.#of(holder).clauses);
    return sortedPorts([1, ...clauses.flatMap(({ range }) => [range.first, range.last + 1])]);
  }

  #of(holder: RuleHolder): Conditions {
    let found = this.#conditions.get(holder);
    if (found === undefined) {
      found = conditionsOf(holder, this.#filter);
      this.#conditions.set(holder, found);
    }
    return found;
  }

  #place(name: string): Place {
    let place = this.#places.get(name);
    if (place !== undefined) return place;
    const { kernel, bindings } = this.#filter;
    // Interfaces that the same zones hold are treated alike; the kernel's rules may name one of them.
    const rules =
      kernel === undefined
        ? JSON.stringify(bindings.of(name).map((zone) => [zone.name, zone.interfaces.includes(name)]))
        : name;
    place = this.#byRules.get(rules);
    if (place === undefined) {
      const conditions = holdersAt(this.#filter, name).map((holder) => this.#of(holder));
      place = placeOf(this.#byRules.size, conditions, kernel !== undefined);
      this.#byRules.set(rules, place);
    }
    this.#places.set(name, place);
    return place;
  }
}

/** Interfaces that are treated alike. */
interface Place {
  readonly id: number;
  readonly stretches: (protocol: Protocol) => Stretches;
  /** The same text for addresses of the host that are treated alike. */
  readonly seenAt: (destination: string) => string;
}

function placeOf(id: number, conditions: readonly Conditions[], byKernel: boolean): Place {
  const known = new Map<Protocol, Stretches>();
  const classes = new Classes();
  const byProtocol = conditions.some((item) => item.byProtocol);
  const seen = new Map<string, string>();
  const networks = [...new Set(conditions.flatMap((item) => item.networks))];
  const eachOne = byKernel || conditions.some(({ eachAddress }) => eachAddress);
  return {
    id,
    stretches: (protocol) => {
      let found = known.get(protocol);
      if (found === undefined) {
        found = stretchesOf(conditions, protocol, (keys) => classes.of(byProtocol ? [protocol, ...keys] : keys));
        known.set(protocol, found);
      }
      return found;
    },
    seenAt: (destination) => {
      if (eachOne) return destination;
      let text = seen.get(destination);
      if (text === undefined) {
        const inside = networks.map((network) => (within(destination, [network]) ? '1' : '0')).join('');
        text = `${familyOf(destination)}${inside}`;
        seen.set(destination, text);
      }
      return text;
    },
  };
}

/** What of a zone's or policy's rules depends on the port, and on the address of the host. */
interface Conditions {
  readonly clauses: readonly Clause[];
  /** Addresses and networks that destinations are compared with. */
  readonly networks: readonly string[];
  /** Whether the protocol matters beyond the ports that `clauses` name. */
  readonly byProtocol: boolean;
  /** Whether it cannot be told from `networks` which addresses are treated alike. */
  readonly eachAddress: boolean;
}

/** Ports that a rule names. Clauses with the same key do the same for their ports. */
interface Clause {
  readonly key: string;
  readonly protocol: string;
  readonly range: PortRange;
}

function conditionsOf(holder: RuleHolder, filter: Filter): Conditions {
  const clauses: Clause[] = [];
  const networks: string[] = [];
  let byProtocol = holder.protocols.length > 0;
  const ofService = (name: string, key: string) => {
    const found = withIncludes(name, filter.config);
    for (const { ports, protocols, destination } of found.length === 0 && name === STOCK_SSH.name
      ? [STOCK_SSH]
      : found) {
      byProtocol ||= protocols.length > 0;
      const { ipv4, ipv6 } = destination;
      const own = [ipv4, ipv6].filter((network) => network !== null);
      networks.push(...own);
      // Which families it names matters as well.
      const to = own.length === 0 ? '' : ` to ${ipv4} ${ipv6}`;
      for (const { protocol, range } of ports) clauses.push({ key: `${key}${to}`, protocol, range });
    }
  };
  const ofPort = (text: string, protocol: string, key: string) => {
    const range = parsePortRange(text);
    if (typeof range !== 'string') clauses.push({ key, protocol, range });
  };
  for (const { protocol, range } of holder.ports) clauses.push({ key: 'open', protocol, range });
  for (const name of holder.services) ofService(name, 'open');
  for (const text of holder.forwardPorts) {
    const [port = '', protocol = '', toPort = ''] = text.split(':');
    ofPort(port, protocol, `forward ${text}`);
    // A redirection to the very port is none.
    ofPort(toPort, protocol, `stays ${text}`);
  }
  for (const rule of holder.richRules) {
    const { forwardPort, port, protocol, service, destination } = rule;
    byProtocol ||= protocol !== null;
    if (destination !== null) networks.push(destination);
    if (service !== null) ofService(service, withoutPort(rule));
    if (port !== null) ofPort(port.port, port.protocol, withoutPort(rule));
    if (forwardPort === null) continue;
    ofPort(forwardPort.port, forwardPort.protocol, rule.text);
    ofPort(forwardPort.toPort, forwardPort.protocol, `stays ${rule.text}`);
  }
  const eachAddress = holder.richRules.some((rule) => rule.destinationIpset !== null);
  return { clauses, networks, byProtocol, eachAddress };
}

/** A rule but for the port or service that it names. */
function withoutPort({ text }: RichRule): string {
  return text.replace(/ (?:service name|port port)="[^"]*"(?: protocol="[^"]*")?/, '');
}

/** The ports of one protocol: where their treatment may change, and which are treated alike. */
interface Stretches {
  readonly starts: readonly number[];
  /** The same number for ports that are treated alike. */
  readonly classAt: (port: number) => number;
}

/** A number for each set of keys. */
class Classes {
  readonly #known = new Map<string, number>();

  of(keys: readonly string[]): number {
    const text = JSON.stringify(keys);
    const found = this.#known.get(text) ?? this.#known.size;
    this.#known.set(text, found);
    return found;
  }
}

/** From this many keys on, the ports of a stretch are not compared with those of others. */
const MANY_KEYS = 64;

function stretchesOf(
  conditions: readonly Conditions[],
  protocol: Protocol,
  classOfKeys: (keys: readonly string[]) => number,
): Stretches {
  const byKey = new Map<string, PortRange[]>();
  for (const [index, { clauses }] of conditions.entries()) {
    for (const { key, protocol: own, range } of clauses) {
      if (own !== protocol) continue;
      const full = `${index} ${key}`;
      const held = byKey.get(full);
      if (held === undefined) byKey.set(full, [range]);
      else held.push(range);
    }
  }
  const turns = new Map<number, { readonly begin: string[]; readonly end: string[] }>([[1, { begin: [], end: [] }]]);
  const turnAt = (port: number) => {
    const turn = turns.get(port) ?? { begin: [], end: [] };
    turns.set(port, turn);
    return turn;
  };
  for (const [key, ranges] of byKey) {
    // Neighbours that are treated alike may have different names.
    for (const { first } of ranges) turnAt(Math.max(1, first));
    for (const { first, last } of mergePortRanges(ranges)) {
      turnAt(Math.max(1, first)).begin.push(key);
      turnAt(last + 1).end.push(key);
    }
  }
  const starts = sortedPorts(turns.keys());
  const inForce = new Set<string>();
  const classOf = starts.map((start) => {
    const { begin, end } = turns.get(start)!;
    for (const key of end) inForce.delete(key);
    for (const key of begin) inForce.add(key);
    return classOfKeys(inForce.size > MANY_KEYS ? [protocol, `at ${start}`] : [...inForce].sort());
  });
  return { starts, classAt: (port) => classOf[stretchOf(starts, port) - 1]! };
}

/** Sorted, each once, and only those that there are. */
export function sortedPorts(ports: Iterable<number>): number[] {
  return [...new Set(ports)].filter((port) => port >= 1 && port <= 65_535).sort((a, b) => a - b);
}

/** The number of a port's stretch, from 1 on. @param starts see {@link Treatments.startsAt} */
export function stretchOf(starts: readonly number[], port: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= port) low = middle + 1;
    else high = middle;
  }
  return low;
}
