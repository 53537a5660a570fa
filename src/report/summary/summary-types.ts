import type { Shortened } from '../shortened.ts';

/**
 * The summary of a review, as data: what every output says first. All texts are one line and safe to show (`clean.ts`). There
 * are no colours, no widths and no markup.
 */
export interface SummaryView {
  readonly action: 'apply' | 'rollback';
  /** Where a rollback goes; empty for an apply. */
  readonly generations: readonly GenerationLine[];
  readonly totals: SummaryTotals;
  /** What changes for whom: hosts with the same changes share a row. Rows that close or cut come first. */
  readonly rows: readonly SummaryRow[];
  /** Hosts without a plan, those with the same failure together. */
  readonly without: readonly WithoutPlan[];
  /** Each warning once, with the hosts that have it. */
  readonly warnings: readonly SummaryWarning[];
  /** What the operator should know that is no warning, each once. */
  readonly notes: readonly SummaryWarning[];
  /** What the fleet is like afterwards: like hosts share a verdict. Hosts that the internet reaches come first. */
  readonly verdicts: readonly Verdict[];
  /** Hosts of which it is not known who gets in: no verdict is given of them. */
  readonly unjudged: HostNames;
}

/** A generation that hosts return to. */
export interface GenerationLine {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly savedAt: string;
  readonly savedBy: string;
  /** What was done after it was saved: `apply portaswitch`. */
  readonly before: string;
  readonly hosts: HostNames;
}

/**
 * Counts over all hosts. Ports are counted once for each host, interface and protocol; a range counts as all its ports. A port where
 * some lose access and others get it counts as narrowed and as widened; one that closes for one address family and is narrowed
 * for the other counts as narrowed.
 */
export interface SummaryTotals {
  readonly hosts: number;
  readonly changing: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly unreachable: number;
  readonly failed: number;
  readonly skipped: number;
  readonly changes: number;
  readonly add: number;
  readonly change: number;
  readonly remove: number;
  readonly closing: number;
  readonly narrowing: number;
  readonly opening: number;
  readonly widening: number;
  /** Interfaces where fewer, and where more, reach all ports that are not named apart. */
  readonly sidesClosing: number;
  readonly sidesOpening: number;
  /** Hosts that reload once, and the longest time in milliseconds that one holds new flows. */
  readonly reloads: number;
  readonly longestHoldMs: number;
  /** Established flows that end, and those that go on although no new one of their kind may come. */
  readonly flowsCut: number;
  readonly flowsOutlive: number;
  /** Listening sockets that fewer can reach. */
  readonly socketsFewer: number;
  /** Warnings of all hosts together. */
  readonly warnings: number;
  /** Notes of all hosts together. */
  readonly notes: number;
}

/** Hosts by name: the first ones, and how many there are. */
export interface HostNames extends Shortened<string> {
  readonly count: number;
}

/** What changes on hosts where the changes are the same. Numbers are sums over these hosts. */
export interface SummaryRow {
  readonly hosts: HostNames;
  readonly closes: readonly PortsLine[];
  readonly opens: readonly PortsLine[];
  readonly interfaces: readonly InterfaceLine[];
  /** Hosts that reload. */
  readonly reloads: number;
  readonly flowsCut: number;
  readonly flowsOutlive: number;
  readonly socketsFewer: number;
  readonly counts: { readonly changes: number; readonly add: number; readonly change: number; readonly remove: number };
  /** What is neither ports nor interfaces: `remembers its roles`, `starts firewalld`. */
  readonly also: readonly string[];
}

/** Ports at one interface for which the same people lose or get access. */
export interface PortsLine {
  readonly turn: 'opened' | 'widened' | 'narrowed' | 'closed' | 'changed';
  /** `22/tcp`, `5060-5061/udp`; `all ports`, or `all other ports` where some are named apart. */
  readonly ports: readonly string[];
  readonly interface: string;
  readonly classes: readonly string[];
  /** Whether the internet reaches this interface: its class is public, a virtual address or none. */
  readonly internet: boolean;
  /** Only where IPv4 and IPv6 differ. */
  readonly family: 'IPv4' | 'IPv6' | null;
  /** Only at some of the interface's addresses, such as a virtual one. */
  readonly partly: boolean;
  /** `anybody`, `192.0.2.0/24`, `nobody`. */
  readonly before: string;
  readonly after: string;
  /** The true reasons, without repetition: `narrowed by portfw_allow_from`. */
  readonly why: readonly string[];
}

/** An interface that is new in a zone of portfw, moves to another one, or leaves. */
export interface InterfaceLine {
  readonly interface: string;
  readonly from: string;
  readonly to: string;
}

export interface WithoutPlan {
  readonly kind: 'refused' | 'unreachable' | 'failed' | 'skipped';
  readonly hosts: HostNames;
  readonly code: string;
  /** `HOST` stands for the name of each host, where there are several. */
  readonly what: string;
  readonly solve: string;
}

/** A warning or a note. */
export interface SummaryWarning {
  readonly code: string;
  /** Of the first host, if the hosts have different ones. */
  readonly text: string;
  /** How many different texts the hosts have. */
  readonly texts: number;
  readonly hosts: HostNames;
}

/** Five lines about hosts that are alike after the plan. */
export interface Verdict {
  readonly hosts: HostNames;
  /** What the internet reaches afterwards; never shortened. `changed`: opened or widened by this plan. */
  readonly opens: readonly VerdictPorts[];
  readonly closes: readonly PortsLine[];
  /** Who reaches all ports of an interface: `private (eth1): anybody`. */
  readonly trusted: readonly VerdictPorts[];
  /** From where SSH gets in, for each interface. */
  readonly ssh: readonly VerdictPorts[];
  /** The codes of the hosts' warnings. */
  readonly warnings: readonly string[];
}

export interface VerdictPorts {
  readonly interface: string;
  readonly classes: readonly string[];
  /** As those of `PortsLine`. */
  readonly internet: boolean;
  readonly ports: readonly string[];
  readonly family: 'IPv4' | 'IPv6' | null;
  /** As that of `PortsLine`. */
  readonly partly: boolean;
  readonly from: string;
  readonly changed: boolean;
}
