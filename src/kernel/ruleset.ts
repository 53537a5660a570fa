import type { AddressRange, AddressRanges } from '../core/address-ranges.ts';

/**
 * The rules in force in a host's kernel, from `nft -j list ruleset`, from `iptables-save`, or both.
 *
 * All values in rules are numbers here, as in the kernel: addresses, ports, marks, names of interfaces (16 bytes) and
 * flags. So each comparison is with a set of ranges.
 */
export interface Ruleset {
  /** In the order in which the kernel lists them. */
  readonly tables: readonly Table[];
  /** Tables that are not evaluated: `bridge filter`. */
  readonly notLookedAt: readonly string[];
  /** What could not be read at all; a rule that is partly understood is in its table. */
  readonly problems: readonly string[];
}

export type TableFamily = 'ip' | 'ip6' | 'inet';

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
  /** Whether the kernel skips the table. */
  readonly dormant: boolean;
}

/** Where chains are called, in the order of a packet's path. */
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
  /** `null` for a chain that is only called by rules. */
  readonly base: BaseChain | null;
  readonly rules: readonly Rule[];
}

/** A rule: matches and statements in their order. Statements before a failed match have been executed. */
export interface Rule {
  readonly parts: readonly Part[];
  /** The rule on one line, without handle and counters. */
  readonly text: string;
}

export type Part = Match | Statement;

export type Match =
  | {
      readonly kind: 'match';
      /** Several fields for a concatenation. */
      readonly fields: readonly Field[];
      /** The bits of the field that are compared, when not all are. */
      readonly mask: bigint | null;
      /** `any-bit` and `no-bit` compare flags. */
      readonly test: 'in' | 'not-in' | 'any-bit' | 'no-bit';
      readonly values: Values;
      readonly text: string;
    }
  /** Cannot be known in advance: a rate, a quota, a MAC address. */
  | { readonly kind: 'chance'; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string };

/** The values that a match compares with. */
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
  | 'reverse path'
  | 'unknown';

/** A property of packets. */
export interface Field {
  readonly name: FieldName;
  readonly type: DataType;
  /** The packets that have it, when not all do. */
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly protocols: readonly number[] | null;
}

/** The type of a field's values. */
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
  /** The source is translated, and the chain ends. */
  | { readonly kind: 'translate-source' }
  | { readonly kind: 'translate-destination'; readonly to: Target }
  /** A program decides. */
  | { readonly kind: 'queue'; readonly text: string }
  /** Counters, logs, and all other statements that decide nothing. */
  | { readonly kind: 'aside' }
  | { readonly kind: 'unknown-statement'; readonly text: string };

/** A mark: `(from & and) ^ xor`; `null` for a mark that cannot be known. */
export type MarkValue = {
  readonly from: 'mark' | 'ct mark' | 'nothing';
  readonly and: bigint;
  readonly xor: bigint;
} | null;

/** The destination that a translation sets. `here`: the host itself. */
export interface Target {
  /** The packets to which it applies; `null` for both families. */
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly address: Destination['address'] | 'here';
  readonly port: Destination['port'];
  /** The fields that a map looks up. */
  readonly map: { readonly fields: readonly Field[]; readonly data: MapData<Destination> } | null;
}

/** `same`: unchanged. `null`: unknown. */
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
  /** Whether packets add to it, so that its contents cannot be known. */
  readonly changing: boolean;
  /** Read when first needed: a set may have 100,000 elements that no rule uses. */
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
  /** Whether it has no timeout. */
  readonly lasting: boolean;
  readonly verdict: Verdict | null;
  readonly destination: Destination | null;
}
