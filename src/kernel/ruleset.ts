import type { AddressRange, AddressRanges } from '../core/address-ranges.ts';

/**
 * The rules in force on a host, as the kernel has them: from `nft -j list ruleset`, from `iptables-save`, or both.
 *
 * All that a rule compares is a number here, as in the kernel: addresses, ports, marks, names of interfaces (16 bytes) and
 * flags. So each comparison is with a set of ranges, whatever it is about.
 */
export interface Ruleset {
  /** In the order in which the kernel lists them. */
  readonly tables: readonly Table[];
  /** Tables that this evaluator does not look at: `bridge filter`. */
  readonly notLookedAt: readonly string[];
  /** What could not be read at all; a rule that is understood in part is in its table. */
  readonly problems: readonly string[];
}

export type TableFamily = 'ip' | 'ip6' | 'inet';

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
  /** Whether the kernel passes the table over. */
  readonly dormant: boolean;
}

/** Where a packet meets chains, in the order of its way. */
export const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;

export type Hook = (typeof HOOKS)[number];

export interface BaseChain {
  readonly type: string;
  readonly hook: Hook;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
}

export interface Chain {
  readonly name: string;
  /** `null` for one that rules jump to. */
  readonly base: BaseChain | null;
  readonly rules: readonly Rule[];
}

/** A rule: matches and statements in their order. What stands before a match that fails has happened. */
export interface Rule {
  readonly parts: readonly Part[];
  /** The rule on one line, without handle and counted packets. */
  readonly text: string;
}

export type Part = Match | Statement;

export type Match =
  | {
      readonly kind: 'match';
      /** Several for a concatenation. */
      readonly fields: readonly Field[];
      /** Bits of the field that count, when not all do. */
      readonly mask: bigint | null;
      /** `any-bit` and `no-bit` compare flags. */
      readonly test: 'in' | 'not-in' | 'any-bit' | 'no-bit';
      readonly values: Values;
      readonly text: string;
    }
  /** Nobody can say in advance: a rate, a quota, a MAC address. */
  | { readonly kind: 'chance'; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string };

/** What a match compares with. */
export type Values =
  | { readonly kind: 'ranges'; readonly ranges: AddressRanges }
  | { readonly kind: 'boxes'; readonly boxes: readonly Box[] }
  | { readonly kind: 'set'; readonly name: string };

/** One range for each field of a concatenation. */
export type Box = readonly AddressRange[];

export type FieldName =
  | 'saddr'
  | 'daddr'
  | 'original daddr'
  | 'sport'
  | 'dport'
  | 'original dport'
  | 'tcp flags'
  | 'icmp type'
  | 'l4proto'
  | 'nfproto'
  | 'ethertype'
  | 'iifname'
  | 'oifname'
  | 'mark'
  | 'ct mark'
  | 'ct state'
  | 'ct status'
  | 'ct direction'
  | 'pkttype'
  | 'fib saddr type'
  | 'fib daddr type'
  /** Whether the routes lead back to the source. */
  | 'way back'
  | 'unknown';

/** A property of packets. */
export interface Field {
  readonly name: FieldName;
  readonly type: DataType;
  /** The packets that have it, where that is not all. */
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly protocols: readonly number[] | null;
}

/** How the values of a field are written. */
export type DataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_service'
  | 'inet_proto'
  | 'nf_proto'
  | 'ether_type'
  | 'ifname'
  | 'mark'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'pkt_type'
  | 'fib_addrtype'
  | 'tcp_flag'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'boolean'
  | 'unknown';

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'return' | 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly target: string };

export type Statement =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'verdict-map'; readonly fields: readonly Field[]; readonly map: MapData<Verdict> }
  | { readonly kind: 'set-mark'; readonly of: 'mark' | 'ct mark'; readonly to: MarkValue }
  | { readonly kind: 'untrack' }
  /** The source is another from here on; the chain is at its end. */
  | { readonly kind: 'translate-source' }
  | { readonly kind: 'translate-destination'; readonly to: Target }
  /** A program decides. */
  | { readonly kind: 'queue'; readonly text: string }
  /** Counters, logs, and all else that decides nothing. */
  | { readonly kind: 'aside' }
  | { readonly kind: 'unknown-statement'; readonly text: string };

/** A mark: `(from & and) ^ xor`; of a mark that cannot be known `null`. */
export type MarkValue = {
  readonly from: 'mark' | 'ct mark' | 'nothing';
  readonly and: bigint;
  readonly xor: bigint;
} | null;

/** Where translation sends a flow. `here`: to the host itself. */
export interface Target {
  /** The packets that it is for; `null` for both families. */
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly address: Destination['address'] | 'here';
  readonly port: Destination['port'];
  /** Where a map says it, by what. */
  readonly map: { readonly fields: readonly Field[]; readonly data: MapData<Destination> } | null;
}

/** `same`: as it was. `null`: it cannot be known. */
export interface Destination {
  readonly address: AddressRange | 'same' | null;
  readonly port: AddressRange | 'same' | null;
}

export type MapData<T> =
  | { readonly kind: 'inline'; readonly entries: readonly MapEntry<T>[] }
  | { readonly kind: 'named'; readonly name: string };

export interface MapEntry<T> {
  readonly box: Box;
  readonly value: T;
}

/** A set or map with a name. */
export interface NamedSet {
  readonly name: string;
  readonly types: readonly DataType[];
  /** Whether packets add to it, so that nobody knows what is in it next. */
  readonly changing: boolean;
  /** Read when first asked for: a set may have 100,000 elements that no rule looks at. */
  elements(): SetContent;
  /** The set without its counters, on several lines: for comparisons. */
  lines(): readonly string[];
}

export interface SetContent {
  readonly elements: readonly SetElement[];
  /** Elements that could not be read. */
  readonly unknown: readonly string[];
}

export interface SetElement {
  readonly box: Box;
  /** Whether it stays until somebody takes it out. */
  readonly lasting: boolean;
  readonly verdict: Verdict | null;
  readonly destination: Destination | null;
}
