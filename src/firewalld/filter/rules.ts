import { type AddressRanges, addressRanges, EVERY_ADDRESS, holds, subtract } from '../../core/address-ranges.ts';
import { type AddressFamily, parseAddress, parseNetwork } from '../../core/addresses.ts';
import { type Protocol, parsePortRange } from '../../core/ports.ts';
import type { FirewalldConfig } from '../kinds/kinds.ts';
import type { PortProtocol } from '../model.ts';
import type { RichRule } from '../rich-rule.ts';
import { STOCK_SSH } from '../stock.ts';
import { type IpsetRanges, isReadable, MACS, type Matched } from './ipset-ranges.ts';
import { withIncludes, within } from './openings.ts';

/** New flows from any of a set of addresses of one family to one port of one address of the host. */
export interface Approach {
  readonly family: AddressFamily;
  readonly sources: AddressRanges;
  readonly interface: string;
  readonly destination: string;
  /** TCP when left out. */
  readonly protocol?: Protocol;
  readonly port: number;
  /** Any when left out; only the kernel's rules use it. */
  readonly sourcePort?: number | null;
  /** Forwarded through the host and out by this interface, instead of to the host itself; only the kernel's rules use it. */
  readonly outInterface?: string;
}

/**
 * One rule, seen from an approach: which sources it matches for certain, and which perhaps (`must` lies in `may`). What
 * cannot be known from facts (a MAC, a rate, an ipset whose entries expire) is perhaps.
 */
export interface Step extends Matched {
  readonly verdict: 'accept' | 'refuse';
  /** The rule in words, as part of a sentence: `its rich rule "…" drops it`. */
  readonly what: string;
}

/** What zones and policies have in common. */
export interface RuleHolder {
  readonly services: readonly string[];
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly forwardPorts: readonly string[];
  readonly richRules: readonly RichRule[];
}

/** What rules refer to: services and ipsets, and the addresses in these. A filter is one. */
export interface Definitions {
  readonly config: FirewalldConfig;
  readonly sets: IpsetRanges;
}

type Certainty = 'yes' | 'no' | 'perhaps';

/**
 * The steps of a zone or policy, without its target, in the order in which firewalld takes them: rich rules below priority
 * 0, refusals, permissions, rich rules above 0.
 *
 * Rich rules of one priority other than 0 have no order among each other: with `worst` their refusals come first, else
 * last.
 */
export function stepsOf(holder: RuleHolder, known: Definitions, approach: Approach, worst: boolean): Step[] {
  const ranked = holder.richRules.flatMap((rule) => {
    const step = richStep(rule, known, approach);
    return step === null ? [] : [{ step, priority: rule.priority }];
  });
  const refusesFirst = (step: Step) => ((step.verdict === 'refuse') === worst ? 0 : 1);
  const sorted = (pick: (priority: number) => boolean) =>
    ranked
      .filter(({ priority }) => pick(priority))
      .sort((a, b) => a.priority - b.priority || refusesFirst(a.step) - refusesFirst(b.step))
      .map(({ step }) => step);
  const plain = sorted((priority) => priority === 0);
  return [
    ...sorted((priority) => priority < 0),
    ...plain.filter((step) => step.verdict === 'refuse'),
    ...(opens(holder, known, approach)
      ? [{ verdict: 'accept', must: approach.sources, may: approach.sources, what: '' } as const]
      : []),
    ...plain.filter((step) => step.verdict === 'accept'),
    ...sorted((priority) => priority > 0),
  ];
}

/** Forward ports of a zone or policy that take the approach's port away from sshd, before any other rule is evaluated. */
export function diversionsOf(holder: RuleHolder, known: Definitions, approach: Approach): Step[] {
  const everybody = approach.sources;
  const plain = holder.forwardPorts.flatMap((text): Step[] => {
    const [port = '', protocol = '', toPort = '', ...address] = text.split(':');
    const toAddress = address.join(':');
    const family = toAddress.includes(':') ? 'ipv6' : 'ipv4';
    if (family !== approach.family || !matchesPort({ port, protocol }, approach)) return [];
    return staysHere(toPort, toAddress, approach)
      ? [{ verdict: 'accept', must: everybody, may: everybody, what: '' }]
      : [{ verdict: 'refuse', must: everybody, may: everybody, what: `its forward port ${text} takes it elsewhere` }];
  });
  const rich = holder.richRules.flatMap((rule): Step[] => {
    const forward = rule.forwardPort;
    if (forward === null || !matchesPort(forward, approach)) return [];
    const found = sourcesOf(rule, known, approach);
    if (found === null || staysHere(forward.toPort, forward.toAddress, approach)) return [];
    return [{ verdict: 'refuse', ...found, what: `its rich rule "${rule.text}" takes it elsewhere` }];
  });
  return [...rich, ...plain];
}

/** A redirection to the very port is none. */
function staysHere(toPort: string, toAddress: string, approach: Approach): boolean {
  return toAddress === '' && toPort === String(approach.port);
}

function matchesPort(port: { readonly port: string; readonly protocol: string }, approach: Approach): boolean {
  if (port.protocol !== (approach.protocol ?? 'tcp')) return false;
  const range = parsePortRange(port.port);
  return typeof range !== 'string' && range.first <= approach.port && approach.port <= range.last;
}

function covers(ports: readonly PortProtocol[], { protocol: own = 'tcp', port }: Approach): boolean {
  return ports.some(({ protocol, range }) => protocol === own && range.first <= port && port <= range.last);
}

function opens(holder: RuleHolder, known: Definitions, approach: Approach): boolean {
  return (
    covers(holder.ports, approach) ||
    holder.protocols.some((protocol) => isOwn(protocol, approach)) ||
    holder.services.some((name) => serviceMatches(name, known, approach) === 'yes')
  );
}

function isOwn(protocol: string, { protocol: own = 'tcp' }: Approach): boolean {
  return protocol === own || protocol === (own === 'tcp' ? '6' : '17');
}

function serviceMatches(name: string, known: Definitions, approach: Approach): Certainty {
  const found = withIncludes(name, known.config);
  if (found.length === 0 && name !== STOCK_SSH.name) return 'perhaps';
  return (found.length === 0 ? [STOCK_SSH] : found).some((service) => {
    if (!covers(service.ports, approach) && !service.protocols.some((item) => isOwn(item, approach))) return false;
    const { ipv4, ipv6 } = service.destination;
    if (ipv4 === null && ipv6 === null) return true;
    const wanted = service.destination[approach.family];
    return wanted !== null && within(approach.destination, [wanted]);
  })
    ? 'yes'
    : 'no';
}

/** Elements that are about something else than a new TCP flow to this host. */
const OTHER_ELEMENTS = ['icmp-block', 'icmp-type', 'masquerade', 'forward-port', 'tcp-mss-clamp'];

function richStep(rule: RichRule, known: Definitions, approach: Approach): Step | null {
  const { action } = rule;
  if (action !== 'accept' && action !== 'reject' && action !== 'drop') return null;
  if (rule.words.some((word) => OTHER_ELEMENTS.includes(word))) return null;
  // The port is compared first: of thousands of rules only a few have it.
  const element = elementMatches(rule, known, approach);
  if (element === 'no') return null;
  const found = sourcesOf(rule, known, approach);
  if (found === null) return null;
  const certain = element === 'yes' && !rule.limited;
  const what = `its rich rule "${rule.text}" ${action === 'drop' ? 'drops' : action === 'reject' ? 'rejects' : 'accepts'} it`;
  return {
    verdict: action === 'accept' ? 'accept' : 'refuse',
    must: certain ? found.must : [],
    may: found.may,
    what,
  };
}

function elementMatches(rule: RichRule, known: Definitions, approach: Approach): Certainty {
  if (rule.service !== null) return serviceMatches(rule.service, known, approach);
  if (rule.port !== null) return matchesPort(rule.port, approach) ? 'yes' : 'no';
  if (rule.protocol !== null) return isOwn(rule.protocol, approach) ? 'yes' : 'no';
  // `source-port`, and whatever a later firewalld brings. Log lines and limits take nothing away.
  return rule.words.every((word) => ['log', 'nflog', 'audit', 'limit'].includes(word)) ? 'yes' : 'perhaps';
}

/** Which sources a rule is about, by its family, source and destination; `null` when none. */
function sourcesOf(rule: RichRule, known: Definitions, approach: Approach): Matched | null {
  const every = EVERY_ADDRESS[approach.family];
  if (rule.family !== null && rule.family !== approach.family) return null;
  const destination = destinationMatches(rule, known, approach);
  if (destination === 'no') return null;
  let found: Matched = { must: every, may: every };
  if (rule.sourceAddress !== null) {
    // An address of the other family matches only that family, also if negated.
    const network = parseNetwork(rule.sourceAddress);
    if (network !== null && network.family !== approach.family) return null;
    found = exactly(addressRanges([rule.sourceAddress], approach.family), approach);
  } else if (rule.sourceIpset !== null) {
    const ipset = known.config.ipsets.get(rule.sourceIpset);
    if (ipset !== undefined && ipset.type !== MACS && ipset.family !== approach.family) return null;
    found = known.sets.members(ipset, approach.family);
  } else if (rule.sourceMac !== null) found = { must: [], may: every };
  // What a negated source leaves out is what it matches for certain, and the other way round.
  if (rule.sourceInverted) found = { must: subtract(every, found.may), may: subtract(every, found.must) };
  return destination === 'yes' ? found : { must: [], may: found.may };
}

function destinationMatches(rule: RichRule, known: Definitions, approach: Approach): Certainty {
  let found: Certainty = 'yes';
  if (rule.destination !== null) found = within(approach.destination, [rule.destination]) ? 'yes' : 'no';
  else if (rule.destinationIpset !== null) {
    const ipset = known.config.ipsets.get(rule.destinationIpset);
    if (ipset === undefined || !isReadable(ipset)) return 'perhaps';
    const own = parseAddress(approach.destination);
    const ranges = ipset.family === approach.family ? known.sets.members(ipset, approach.family).must : [];
    found = own !== null && holds(ranges, own.first) ? 'yes' : 'no';
  }
  if (!rule.destinationInverted) return found;
  return found === 'yes' ? 'no' : 'yes';
}

function exactly(ranges: AddressRanges | null, approach: Approach): Matched {
  return ranges === null ? { must: [], may: EVERY_ADDRESS[approach.family] } : { must: ranges, may: ranges };
}
