import type { AddressFamily } from '../core/addresses.ts';
import type { Protocol } from '../core/ports.ts';
import type { Comers } from '../firewalld/filter/comers.ts';
import type { Reason } from '../policy/desired.ts';

/** What a plan does to those who can reach something. `changed`: some lose access and others get it. */
export type Turn = 'same' | 'opened' | 'widened' | 'narrowed' | 'closed' | 'changed';

/** Who reaches one range of ports at one interface, from one address family, before and after the plan. */
export interface AccessRow {
  readonly protocol: Protocol;
  /** `443`, `8442-8449`. */
  readonly ports: string;
  readonly family: AddressFamily;
  /** The interface's addresses that this is about; empty for all of the family. */
  readonly destinations: readonly string[];
  readonly before: Comers;
  readonly after: Comers;
  readonly turn: Turn;
  /** The services and rules that name these ports, after the plan; before it, where they are closed by it. */
  readonly by: readonly string[];
  /** Positions in `HostAccess.reasons`: why it is open, or why it is taken away. */
  readonly why: readonly number[];
}

/** Who reaches all ports, TCP and UDP, at one interface, from one address family. */
export interface WholeAccess {
  readonly family: AddressFamily;
  readonly before: Comers;
  readonly after: Comers;
  readonly turn: Turn;
}

/** One interface, and who gets in by it. */
export interface AccessSide {
  readonly interface: string;
  /** The interface classes that it serves (`public`, `private`, `vip`, `control`); empty for none. */
  readonly classes: readonly string[];
  readonly zoneBefore: string;
  readonly zoneAfter: string;
  /** One of each family that the interface has an address of. */
  readonly whole: readonly WholeAccess[];
  /** Ports that more than those of `whole` reach, before or after. Sorted by protocol, port, family. */
  readonly rows: readonly AccessRow[];
}

/** Who gets in where on a host, before and after a plan; also of a plan that changes nothing. */
export interface HostAccess {
  /** Interfaces that are up, without loopback, by name. */
  readonly sides: readonly AccessSide[];
  /** The ports of sshd. */
  readonly ssh: readonly number[];
  /** Each reason once. */
  readonly reasons: readonly Reason[];
}

/** Of a host without facts. */
export const NO_ACCESS: HostAccess = { sides: [], ssh: [], reasons: [] };
