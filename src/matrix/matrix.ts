import type { PortRange, Protocol } from '../core/ports.ts';
import type { SourceLocation } from '../core/problem.ts';
import type { RoleCluster } from '../settings/clusters.ts';
import type { InterfaceClass, PrivateMode } from '../settings/settings-types.ts';

/** The edition of the vendor's table that a matrix follows. */
export interface MatrixPrint {
  /** The vendor's document, by its title. */
  readonly document: string;
  /** Maintenance release or date of the print, if known. */
  readonly edition: string;
}

/** What a rule opens: ports, or an RPC program whose port the host's portmapper knows at the time of the run. */
export type RulePort =
  | { readonly kind: 'range'; readonly range: PortRange }
  | { readonly kind: 'rpc'; readonly program: string };

/** One line of a matrix: one protocol and one port or range. */
export interface MatrixRule {
  /** `role/interface/protocol/port`, with `/from-PEER` appended when the same port is printed for several sources. */
  readonly id: string;
  readonly matrix: string;
  readonly role: string;
  readonly interface: InterfaceClass;
  readonly protocol: Protocol;
  readonly port: RulePort;
  /** `any`, or the name of a peer set of this matrix. */
  readonly from: string;
  /** The sender instead of `from` while the rule is on the public side (`portfw_role_interfaces`), or `null` for the same. */
  readonly fromPublic: string | null;
  /** True for a port that administers the host: where `portfw_management` is set, only its sources are allowed. */
  readonly administration: boolean;
  /** The feature that turns the rule on, or `null` for an unconditional rule. */
  readonly feature: string | null;
  /** The conntrack helper that the protocol needs, or `null`. */
  readonly helper: 'ftp' | 'tftp' | null;
  readonly purpose: string;
  /** Table and section of the vendor's document. */
  readonly source: string;
  /** What is doubtful about the print, or `null`. */
  readonly note: string | null;
  readonly location: SourceLocation;
}

/** One observation that suggests a role; `weight` is how much confidence it adds, 0 to 1. */
export type Detector =
  | {
      readonly kind: 'socket';
      readonly protocol: Protocol;
      readonly port: PortRange;
      /** Process names (`comm`) of which one must own the socket; empty when any process counts. */
      readonly processes: readonly string[];
      readonly weight: number;
    }
  | { readonly kind: 'process'; readonly names: readonly string[]; readonly weight: number }
  | { readonly kind: 'unit'; readonly unit: string; readonly weight: number }
  | { readonly kind: 'package'; readonly package: string; readonly weight: number }
  | { readonly kind: 'file'; readonly path: string; readonly weight: number };

/** A logical component that a host may play. */
export interface MatrixRole {
  readonly name: string;
  readonly title: string;
  /** True for a role that every managed host of the matrix plays ("All servers"). */
  readonly everyHost: boolean;
  /** True for an appliance without logins: its rules are advice, and it only appears as a peer. */
  readonly appliance: boolean;
  /** Interface classes that the operator may choose for the role's rules with `portfw_role_interfaces`. */
  readonly interfaceChoices: readonly InterfaceClass[];
  readonly detectors: readonly Detector[];
  readonly rules: readonly MatrixRule[];
}

/** A named set of machines that a rule's `from` may be: its addresses come from the inventory. */
export interface PeerSet {
  readonly name: string;
  readonly description: string;
  /** Roles whose hosts are the peers when the inventory does not say otherwise with `portfw_peers`. */
  readonly roles: readonly string[];
  /** True for a set that holds only hosts of the host's own site; without roles, all of them. */
  readonly site: boolean;
}

export interface MatrixFeature {
  readonly name: string;
  readonly description: string;
}

/** The port table of one system: roles and their rules, each with its source. */
export interface Matrix {
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly extends: string | null;
  readonly print: MatrixPrint;
  readonly roles: ReadonlyMap<string, MatrixRole>;
  readonly features: ReadonlyMap<string, MatrixFeature>;
  readonly peers: ReadonlyMap<string, PeerSet>;
  /** Roles whose hosts form clusters, by name. */
  readonly clusters: ReadonlyMap<string, RoleCluster>;
}

/** The row that `portfw matrix --json` prints for one rule. */
export interface MatrixRow {
  readonly matrix: string;
  readonly role: string;
  readonly interface: InterfaceClass;
  readonly protocol: Protocol;
  /** `8442`, `8903-8904` or `rpc:mountd`. */
  readonly port: string;
  readonly from: string;
  readonly feature: string | null;
  readonly purpose: string;
  readonly source: string;
  readonly note: string | null;
}

/** `serial` and `max_fail_percentage` as Ansible has them: a count, or a share of the play's hosts. */
export type BatchSize =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'percent'; readonly percent: number };

/** What happens to the other hosts when one fails (`on_failure`). */
export const ON_FAILURE = ['keep-good', 'revert-batch', 'revert-run'] as const;

/** One of `ON_FAILURE`: each host is kept or rolled back for itself, or a batch as a whole, or all of a playbook's hosts as a whole. */
export type OnFailure = (typeof ON_FAILURE)[number];

interface AnyProbe {
  /** Its name in messages. */
  readonly name: string;
  readonly timeoutMs: number;
  /** Whether it must pass before the change too; false for one that checks what the change will open. */
  readonly passesBefore: boolean;
  readonly location: SourceLocation;
}

/** The operator's own check of a changed host, which must pass before the change is kept. */
export type Probe =
  | (AnyProbe & {
      readonly kind: 'tcp';
      /** An address, a name or a host of the inventory; `null` for the changed host. */
      readonly host: string | null;
      readonly port: number;
      /** A pattern for the hosts to connect from; `null` for the controller. */
      readonly from: { readonly pattern: string; readonly location: SourceLocation } | null;
    })
  | (AnyProbe & {
      readonly kind: 'command';
      /** Program and arguments; never empty. */
      readonly argv: readonly [string, ...string[]];
      /** Absolute: where it runs. */
      readonly directory: string;
    });

/** One play of a playbook: which matrix for which hosts, with which options, and how it is rolled out. */
export interface Play {
  readonly name: string;
  /** An Ansible host pattern. */
  readonly hosts: string | readonly string[];
  readonly matrix: Matrix;
  readonly private: PrivateMode | null;
  readonly features: readonly string[];
  /** Batch sizes in order, the last one repeating; empty for all hosts at once. */
  readonly serial: readonly BatchSize[];
  /** The playbook stops after a batch in which more than this share of hosts failed; `null`: it never stops. */
  readonly maxFailPercentage: number | null;
  readonly onFailure: OnFailure;
  readonly probes: readonly Probe[];
  /** The place of its `hosts`. */
  readonly location: SourceLocation;
}

export interface Playbook {
  readonly name: string;
  readonly file: string;
  readonly plays: readonly Play[];
}
