import type { Protocol } from '../core/ports.ts';
import type { Comers } from '../firewalld/filter/comers.ts';

/** Listening sockets of one program that the plan makes reachable for more or fewer sources, on one interface. */
export interface SocketImpact {
  readonly protocol: Protocol;
  /** The sockets' own address; `*`, `0.0.0.0` and `::` mean all addresses. */
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

/** Ports that the plan opens on an interface without a listening socket. */
export interface UnheardImpact {
  readonly interface: string;
  readonly zone: string;
  /** `5060/udp`, `8442-8449/tcp`. */
  readonly ports: readonly string[];
}

/** Established flows of one kind: they differ only in the opener's port. */
export interface FlowImpact {
  readonly protocol: Protocol;
  readonly opener: string;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** What let them in and is removed. */
  readonly lost: 'permission' | 'forward-port' | 'masquerade';
}

/** The effect of a plan on live traffic and the programs on a host. */
export interface Impact {
  /** Reachable for fewer than before. */
  readonly closed: readonly SocketImpact[];
  /** Reachable for more than before. */
  readonly opened: readonly SocketImpact[];
  readonly unheard: readonly UnheardImpact[];
  readonly flows: {
    /** The source of the flows; `null` if they are not known. */
    readonly source: 'conntrack' | 'sockets' | null;
    /** Flows that the kernel does not track: their next packet is evaluated like a new flow, and refused. */
    readonly cut: readonly FlowImpact[];
    /** Flows that were let in and continue, although no new one of their kind would be: `--cut-revoked` ends them. */
    readonly outlive: readonly FlowImpact[];
    /** How many further flows the host has that could not be examined; `null` if unknown. */
    readonly unseen: number | null;
  };
}

/** For a plan that changes nothing, or a host without facts. */
export const NO_IMPACT: Impact = {
  closed: [],
  opened: [],
  unheard: [],
  flows: { source: null, cut: [], outlive: [], unseen: null },
};
