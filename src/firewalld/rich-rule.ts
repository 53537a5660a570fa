/**
 * A rich rule (firewalld.richlanguage(5)) as a value. It is parsed where it comes in (XML, D-Bus, a step's text) and printed
 * where it goes out; in between nothing reads the text. Elements that portfw does not know are in `words`.
 */
export interface RichRule {
  /** The whole rule in firewalld's own spelling. Two rules are the same rule when their texts are equal. */
  readonly text: string;
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly action: 'accept' | 'reject' | 'drop' | 'mark' | null;
  readonly sourceAddress: string | null;
  readonly sourceIpset: string | null;
  readonly sourceMac: string | null;
  readonly destination: string | null;
  readonly destinationIpset: string | null;
  /** True when a source or destination is negated. */
  readonly inverted: boolean;
  readonly sourceInverted: boolean;
  readonly destinationInverted: boolean;
  /** Negative before, positive after everything else in the zone or policy; 0 when it has none. */
  readonly priority: number;
  /** True when the action itself is limited to a rate: then it is not certain to be taken. */
  readonly limited: boolean;
  /** Of the element `protocol`. */
  readonly protocol: string | null;
  /** Of the element `icmp-type`. */
  readonly icmpType: string | null;
  /** Of the element `forward-port`. */
  readonly forwardPort: {
    readonly port: string;
    readonly protocol: string;
    readonly toPort: string;
    readonly toAddress: string;
  } | null;
  readonly service: string | null;
  readonly port: { readonly port: string; readonly protocol: string } | null;
  /** Other elements: `icmp-block`, `masquerade`, `forward-port`, … */
  readonly words: readonly string[];
}

/** One word of a rich rule: `family="ipv4"` has a value, `accept` has none. */
interface Token {
  readonly word: string;
  readonly value: string | null;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (const match of text.matchAll(/([A-Za-z0-9_-]+)(?:=(?:"([^"]*)"|([^\s"]*)))?/g)) {
    found.push({ word: match[1]!, value: match[2] ?? match[3] ?? null });
  }
  return found;
}

/**
 * Reads a rich rule in any of firewalld's spellings. The value's `text` has the one spelling for all that firewalld takes for
 * the same: every value quoted, single spaces, `NOT` in capitals, rates by their letter, no priority 0. The case of a MAC
 * stays, since versions differ in it and a daemon compares it as it is.
 */
export function parseRichRule(given: string): RichRule {
  const spelled: string[] = [];
  const values = new Map<string, string>();
  const inverted = new Set<string>();
  const words: string[] = [];
  let section = '';
  let limited = false;
  let action: RichRule['action'] = null;
  for (const { word, value } of tokens(given)) {
    if (value !== null) {
      if (section === 'rule' && word === 'priority' && Number(value) === 0) continue;
      values.set(`${section}.${word}`, value);
      if (word === 'invert' && value === 'True') inverted.add(section);
      spelled.push(`${word}="${section === 'limit' && word === 'value' ? shortRate(value) : value}"`);
      continue;
    }
    spelled.push(word === 'not' ? 'NOT' : word);
    if (word === 'NOT' || word === 'not') inverted.add(section);
    else if (word === 'accept' || word === 'reject' || word === 'drop' || word === 'mark') {
      action = word;
      section = word;
    } else {
      // A limit after an action limits the action; a limit after a log limits only the log.
      if (word === 'limit' && section === action) limited = true;
      section = word;
      if (!['rule', 'source', 'destination', 'service', 'port'].includes(word)) words.push(word);
    }
  }
  return { text: spelled.join(' '), action, limited, words, ...invertedIn(inverted), ...elementsIn(values) };
}

function shortRate(value: string): string {
  return value.replace(/\/(second|minute|hour|day)$/, (unit) => unit.slice(0, 2));
}

function invertedIn(
  sections: ReadonlySet<string>,
): Pick<RichRule, 'inverted' | 'sourceInverted' | 'destinationInverted'> {
  return {
    inverted: sections.size > 0,
    sourceInverted: sections.has('source'),
    destinationInverted: sections.has('destination'),
  };
}

/** What a rule's elements say, by element and attribute: `source.ipset`. */
function elementsIn(
  values: ReadonlyMap<string, string>,
): Omit<RichRule, 'text' | 'action' | 'limited' | 'words' | 'inverted' | 'sourceInverted' | 'destinationInverted'> {
  const of = (name: string) => values.get(name) ?? null;
  const family = of('rule.family');
  const port = of('port.port');
  const forwarded = of('forward-port.port');
  return {
    family: family === 'ipv4' || family === 'ipv6' ? family : null,
    sourceAddress: of('source.address'),
    sourceIpset: of('source.ipset'),
    sourceMac: of('source.mac'),
    destination: of('destination.address'),
    destinationIpset: of('destination.ipset'),
    priority: Number(of('rule.priority') ?? 0) || 0,
    protocol: of('protocol.value'),
    icmpType: of('icmp-type.name'),
    forwardPort:
      forwarded === null
        ? null
        : {
            port: forwarded,
            protocol: of('forward-port.protocol') ?? '',
            toPort: of('forward-port.to-port') ?? '',
            toAddress: of('forward-port.to-addr') ?? '',
          },
    service: of('service.name'),
    port: port === null ? null : { port, protocol: of('port.protocol') ?? '' },
  };
}

/** Rules sorted by their text, each once: firewalld's lists are sets. */
export function normaliseRules(rules: Iterable<RichRule>): RichRule[] {
  const list = [...rules];
  // Usually they are sorted already, and there may be thousands.
  if (list.every((rule, index) => index === 0 || list[index - 1]!.text < rule.text)) return list;
  const byText = new Map(list.map((rule) => [rule.text, rule]));
  return [...byText.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
}

/** What a portfw rule says: the sources (an ipset), the destination (an address), and what is accepted (a service or port). */
export interface AcceptRule {
  readonly family: 'ipv4' | 'ipv6';
  readonly sourceIpset: string | null;
  readonly destination: string | null;
  readonly service: string | null;
  readonly port: { readonly port: string; readonly protocol: string } | null;
}

/**
 * A portfw rule, spelled as firewalld itself spells it, so that what we ask for and what the daemon reports compare
 * equal.
 *
 * @example acceptRule({ family: 'ipv4', sourceIpset: 'portfw-img', service: 'portfw-gcems-control-img', … }).text
 * // rule family="ipv4" source ipset="portfw-img" service name="portfw-gcems-control-img" accept
 */
export function acceptRule({ family, sourceIpset, destination, service, port }: AcceptRule): RichRule {
  const parts = [`rule family="${family}"`];
  if (sourceIpset !== null) parts.push(`source ipset="${sourceIpset}"`);
  if (destination !== null) parts.push(`destination address="${destination}"`);
  if (service !== null) parts.push(`service name="${service}"`);
  if (port !== null) parts.push(`port port="${port.port}" protocol="${port.protocol}"`);
  parts.push('accept');
  return parseRichRule(parts.join(' '));
}

/**
 * Accepts, after everything else in its zone, what comes to the host itself: all protocols of both families. Unlike the
 * target ACCEPT it says nothing about what the host forwards. firewalld takes a rule without an element only with a
 * priority.
 */
export const ACCEPT_ALL: RichRule = parseRichRule('rule priority="32767" accept');

/** Whether a rule accepts all packets, from anybody. */
export function acceptsAll(rule: RichRule): boolean {
  return (
    rule.action === 'accept' &&
    !rule.limited &&
    rule.family === null &&
    [rule.sourceAddress, rule.sourceIpset, rule.sourceMac, rule.destination, rule.destinationIpset].every(isNull) &&
    [rule.service, rule.port].every(isNull) &&
    rule.words.every((word) => word === 'log' || word === 'audit' || word === 'limit')
  );
}

function isNull(value: unknown): boolean {
  return value === null;
}

/**
 * The ICMP that a host needs, for zones whose target refuses ICMP too (DROP, %%REJECT%%): the errors that path MTU discovery
 * and traceroute depend on, also for flows that the kernel does not track; neighbour and router discovery; and all of ICMPv6
 * from the own link, since switches ask there who listens to which multicast (the types of that have no name before
 * firewalld 2). firewalld's own policy `allow-host-ipv6` has part of it, but the host may not have that policy.
 */
export const NEEDED_ICMP: readonly RichRule[] = [
  'rule icmp-type name="destination-unreachable" accept',
  'rule icmp-type name="time-exceeded" accept',
  'rule icmp-type name="parameter-problem" accept',
  'rule family="ipv6" icmp-type name="packet-too-big" accept',
  'rule family="ipv6" icmp-type name="neighbour-solicitation" accept',
  'rule family="ipv6" icmp-type name="neighbour-advertisement" accept',
  'rule family="ipv6" icmp-type name="router-advertisement" accept',
  'rule family="ipv6" source address="fe80::/10" protocol value="ipv6-icmp" accept',
].map(parseRichRule);
