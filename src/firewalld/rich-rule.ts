/** A rich rule of ours: who may come (an ipset), where to (an address), for what (a service), and it is accepted. */
export interface AcceptRule {
  readonly family: 'ipv4' | 'ipv6';
  readonly sourceIpset: string | null;
  readonly destination: string | null;
  readonly service: string | null;
  readonly port: { readonly port: string; readonly protocol: string } | null;
}

/**
 * The rule as firewalld itself spells it (firewalld.richlanguage(5)), so that what we ask for and what the daemon
 * reports compare equal.
 *
 * @example formatAcceptRule({ family: 'ipv4', sourceIpset: 'portfw-img', service: 'portfw-gcems-control-img', … })
 * // rule family="ipv4" source ipset="portfw-img" service name="portfw-gcems-control-img" accept
 */
export function formatAcceptRule(rule: AcceptRule): string {
  const parts = [`rule family="${rule.family}"`];
  if (rule.sourceIpset !== null) parts.push(`source ipset="${rule.sourceIpset}"`);
  if (rule.destination !== null) parts.push(`destination address="${rule.destination}"`);
  if (rule.service !== null) parts.push(`service name="${rule.service}"`);
  if (rule.port !== null) parts.push(`port port="${rule.port.port}" protocol="${rule.port.protocol}"`);
  parts.push('accept');
  return parts.join(' ');
}

/**
 * Accepts, after everything else in its zone, what comes to the host itself: all protocols of both families. Unlike the
 * target ACCEPT it says nothing about what the host forwards. firewalld takes a rule without an element only with a
 * priority.
 */
export const ACCEPT_ALL = 'rule priority="32767" accept';

/** Whether a rule accepts all that it is asked about, from anybody. */
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
 * The ICMP that a host cannot do without, for zones whose target refuses ICMP too (DROP, %%REJECT%%): the errors that path
 * MTU discovery and traceroute live on, also for flows that the kernel does not track; neighbour and router discovery; and
 * all of ICMPv6 from the own link, since switches ask there who listens to which multicast (the types of that have no name
 * before firewalld 2). firewalld's own policy `allow-host-ipv6` has part of it, but it may be gone.
 */
export const NEEDED_ICMP: readonly string[] = [
  'rule icmp-type name="destination-unreachable" accept',
  'rule icmp-type name="time-exceeded" accept',
  'rule icmp-type name="parameter-problem" accept',
  'rule family="ipv6" icmp-type name="packet-too-big" accept',
  'rule family="ipv6" icmp-type name="neighbour-solicitation" accept',
  'rule family="ipv6" icmp-type name="neighbour-advertisement" accept',
  'rule family="ipv6" icmp-type name="router-advertisement" accept',
  'rule family="ipv6" source address="fe80::/10" protocol value="ipv6-icmp" accept',
];

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
 * One spelling for all that firewalld takes for the same: every value quoted, single spaces, `NOT` in capitals, rates by
 * their letter, no priority 0. The case of a MAC stays, since versions differ in it and a daemon compares it as it is.
 */
export function canonicalRichRule(text: string): string {
  const words: string[] = [];
  let section = '';
  for (const { word, value } of tokens(text)) {
    if (value === null) {
      section = word;
      words.push(word === 'not' ? 'NOT' : word);
      continue;
    }
    if (section === 'rule' && word === 'priority' && Number(value) === 0) continue;
    const rate =
      section === 'limit' && word === 'value'
        ? value.replace(/\/(second|minute|hour|day)$/, (unit) => unit.slice(0, 2))
        : value;
    words.push(`${word}="${rate}"`);
  }
  return words.join(' ');
}

/** A rich rule taken apart far enough to say whom it concerns; elements it does not know are in `words`. */
export interface RichRule {
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

/** Rules that were read before: the impact of a plan asks about each of them port by port. */
const known = new Map<string, RichRule>();
const MOST_KNOWN = 10_000;

/** Reads a rich rule in any of firewalld's spellings. */
export function parseRichRule(text: string): RichRule {
  let rule = known.get(text);
  if (rule === undefined) {
    rule = readRichRule(text);
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(text, rule);
  }
  return rule;
}

/** Reads a list of rich rules; the same list is read once, however long it is. */
export function parseRichRules(texts: readonly string[]): readonly RichRule[] {
  let rules = lists.get(texts);
  if (rules === undefined) {
    rules = texts.map(parseRichRule);
    lists.set(texts, rules);
  }
  return rules;
}

const lists = new WeakMap<readonly string[], readonly RichRule[]>();

function readRichRule(text: string): RichRule {
  let section = '';
  const inverted = new Set<string>();
  let limited = false;
  const values = new Map<string, string>();
  const words: string[] = [];
  let action: RichRule['action'] = null;
  for (const { word, value } of tokens(text)) {
    if (value !== null) {
      values.set(`${section}.${word}`, value);
      if (word === 'invert' && value === 'True') inverted.add(section);
      continue;
    }
    if (word === 'NOT' || word === 'not') inverted.add(section);
    else if (word === 'accept' || word === 'reject' || word === 'drop' || word === 'mark') {
      action = word;
      section = word;
    } else {
      // What follows an action limits the action; what follows a log limits the log alone.
      if (word === 'limit' && section === action) limited = true;
      section = word;
      if (!['rule', 'source', 'destination', 'service', 'port'].includes(word)) words.push(word);
    }
  }
  const family = values.get('rule.family');
  const port = values.get('port.port');
  return {
    text,
    family: family === 'ipv4' || family === 'ipv6' ? family : null,
    action,
    sourceAddress: values.get('source.address') ?? null,
    sourceIpset: values.get('source.ipset') ?? null,
    sourceMac: values.get('source.mac') ?? null,
    destination: values.get('destination.address') ?? null,
    destinationIpset: values.get('destination.ipset') ?? null,
    inverted: inverted.size > 0,
    sourceInverted: inverted.has('source'),
    destinationInverted: inverted.has('destination'),
    priority: Number(values.get('rule.priority') ?? 0) || 0,
    limited,
    protocol: values.get('protocol.value') ?? null,
    icmpType: values.get('icmp-type.name') ?? null,
    forwardPort: values.has('forward-port.port')
      ? {
          port: values.get('forward-port.port') ?? '',
          protocol: values.get('forward-port.protocol') ?? '',
          toPort: values.get('forward-port.to-port') ?? '',
          toAddress: values.get('forward-port.to-addr') ?? '',
        }
      : null,
    service: values.get('service.name') ?? null,
    port: port === undefined ? null : { port, protocol: values.get('port.protocol') ?? '' },
    words,
  };
}
