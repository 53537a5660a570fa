import type { Protocol } from '../core/ports.ts';
import type { Comers } from '../firewalld/filter/comers.ts';

/** Listening sockets of one program that the plan makes reachable for more or for fewer, on one interface. */
export interface SocketImpact {
  readonly protocol: Protocol;
  /** The sockets' own address; `*`, `0.0.0.0` and `::` stand for every one. */
  readonly address: string;
  /** Ports and ranges: `443`, `8442-8449`. */
  readonly ports: readonly string[];
  readonly processes: readonly string[];
  readonly interface: string;
  /** The interface's addresses that this is about; empty when it is about all of them. */
  readonly destinations: readonly string[];
  readonly zoneBefore: string;
  readonly zoneAfter: string;
  readonly before: Comers;
  readonly after: Comers;
}

/** Ports that the plan opens on an interface, and that no socket listens on. */
export interface UnheardImpact {
  readonly interface: string;
  readonly zone: string;
  /** `5060/udp`, `8442-8449/tcp`. */
  readonly ports: readonly string[];
}

/** Established flows of one kind: only their openers' ports differ. */
export interface FlowImpact {
  readonly protocol: Protocol;
  readonly opener: string;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** What let them in, and goes. */
  readonly lost: 'permission' | 'forward-port' | 'masquerade';
}

/** What live traffic and the programs on a host will notice of a plan. */
export interface Impact {
  /** Reachable for fewer than before. */
  readonly closed: readonly SocketImpact[];
  /** Reachable for more than before. */
  readonly opened: readonly SocketImpact[];
  readonly unheard: readonly UnheardImpact[];
  readonly flows: {
    /** Where the flows are known from; `null` when they are not known. */
    readonly source: 'conntrack' | 'sockets' | null;
    /** Flows that the kernel does not track: their next packet is asked about like a new flow, and refused. */
    readonly cut: readonly FlowImpact[];
    /** Flows that were let in and go on, though no new one of their kind would be let in: `--cut-revoked` ends them. */
    readonly outlive: readonly FlowImpact[];
    /** How many flows the host has beyond those that could be looked at; `null` when nobody knows. */
    readonly unseen: number | null;
  };
}

/** Of a plan that changes nothing, or of a host that could not be looked at. */
export const NO_IMPACT: Impact = {
  closed: [],
  opened: [],
  unheard: [],
  flows: { source: null, cut: [], outlive: [], unseen: null },
};
