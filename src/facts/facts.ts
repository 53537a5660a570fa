import type { Protocol } from '../core/ports.ts';

/** What a host says of itself, gathered read-only in one remote command. All of it is untrusted input. */
export interface HostFacts {
  readonly os: OsFacts;
  readonly kernel: string;
  readonly hostname: string;
  /** True when the probe ran as root; without root most of the rest is missing. */
  readonly root: boolean;
  /** The SSH path that we came in by, as sshd saw it; `null` for a local connection. */
  readonly controllerPath: ControllerPath | null;
  readonly interfaces: readonly InterfaceFacts[];
  /** Default routes of every routing table; missing in an answer of a probe that did not ask for them yet. */
  readonly defaultRoutes?: readonly DefaultRoute[];
  /** The main routing table; missing in an answer of a probe that did not ask for it yet. */
  readonly routeTable?: RouteTable;
  /** What carries the host's tunnels; missing likewise. */
  readonly carriers?: readonly CarrierFacts[];
  readonly forwarding: ForwardingFacts;
  readonly sockets: readonly SocketFacts[];
  /** Established flows towards, from and through the host; `null` when it could not tell. */
  readonly flows: FlowFacts | null;
  readonly units: readonly UnitFacts[];
  /** Names of running processes (`comm`), sorted, each once. */
  readonly processes: readonly string[];
  /** Installed packages among those that the matrix's detectors ask for. */
  readonly packages: readonly string[];
  /** Existing files among those that the matrix's detectors ask for. */
  readonly files: readonly string[];
  readonly rpc: readonly RpcFacts[];
  readonly writers: WriterFacts;
  readonly firewalld: FirewalldFacts;
  /** What we remember on the host of earlier runs; `null` before the first one. */
  readonly remembered: RememberedState | null;
  /** The lock that a run holds on the host at this moment, or `null`. */
  readonly lock: LockFacts | null;
  /** What has begun on the host and not ended: what is read of firewalld may still change by itself. */
  readonly unfinished: UnfinishedRuns;
  /** How the last run on the host ended; `null` before the first one. */
  readonly lastRun: RunEnd | null;
}

export interface OsFacts {
  readonly id: string;
  readonly versionId: string;
  readonly prettyName: string;
}

export interface ControllerPath {
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly serverAddress: string;
  readonly serverPort: number;
}

export interface InterfaceFacts {
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  /** What the kernel calls a link that is no hardware: `macvlan`, `vlan`, `bridge`, `dummy`, …; missing otherwise. */
  readonly kind?: string;
  /** The interface that a macvlan, ipvlan or VLAN stands on. */
  readonly parent?: string;
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly family: 'ipv4' | 'ipv6';
    /** A lease that runs out unless it is renewed (DHCP, DHCPv6); what the router advertises is none. */
    readonly dynamic?: true;
  }[];
}

/** The main routing table, as far as the host told it. */
export interface RouteTable {
  /** `destination` is a network in CIDR notation; default routes are those with the prefix 0. */
  readonly routes: readonly { readonly destination: string; readonly interface: string }[];
  /** Whether rules beside the usual three choose other tables for some packets. */
  readonly policies: boolean;
  /** True when there were more routes than were told. */
  readonly cut: boolean;
}

/** A port that carries a tunnel which ends on the host: OpenVPN's, WireGuard's. */
export interface CarrierFacts {
  /** The tunnel's interface. */
  readonly interface: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** An interface that a default route leads over. */
export interface DefaultRoute {
  readonly family: 'ipv4' | 'ipv6';
  readonly interface: string;
  /** `main`, or the table of a policy route: its number or name. */
  readonly table: string;
}

/** Where the kernel passes packets on that are for others: what makes a host a router, if its firewall lets it. */
export interface ForwardingFacts {
  /** Interfaces by which an IPv4 packet may come in and go on, sorted. */
  readonly ipv4: readonly string[];
  /** The same for IPv6; `all` where the switch of the whole host is on. */
  readonly ipv6: 'all' | readonly string[];
}

/** A listening socket. `address` is `*` when it listens on every address of every family. */
export interface SocketFacts {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** Process names (`comm`) that own the socket; empty when they could not be read. */
  readonly processes: readonly string[];
}

/** The flows that stood when the facts were read, by kind. */
export interface FlowFacts {
  /** `conntrack`: the kernel's table of connections; `sockets`: the host's own connections, without forwarded ones. */
  readonly source: 'conntrack' | 'sockets';
  readonly kinds: readonly FlowKind[];
  /** Flows that were counted, but whose kinds are not listed: a busy host has too many. */
  readonly omitted: number;
  /** True when the table was not read to its end. */
  readonly cut: boolean;
  /** Connections of sockets that the table does not know; always empty for `sockets`. */
  readonly untracked: readonly FlowKind[];
}

/** Flows that differ in the opener's port only. */
export interface FlowKind {
  readonly protocol: Protocol;
  /** Who sent the first packet. */
  readonly opener: string;
  /** The address and port that it was sent to. */
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** Who answers, where a forward port leads elsewhere. */
  readonly forwardedTo: { readonly address: string; readonly port: number } | null;
  /** The address that stands for the opener's, where it is masqueraded. */
  readonly disguisedAs: string | null;
}

export interface UnitFacts {
  readonly name: string;
  /** systemd's ActiveState: active, inactive, failed, … */
  readonly active: string;
}

export interface RpcFacts {
  readonly program: number;
  readonly version: number;
  readonly protocol: Protocol;
  readonly port: number;
  /** The service name as the portmapper prints it (`mountd`, `nfs`), or an empty string. */
  readonly service: string;
}

/** Other things on the host that write firewall rules. */
export interface WriterFacts {
  /** Active units among docker, podman, fail2ban, ufw, iptables, ip6tables, nftables, ebtables. */
  readonly units: readonly string[];
}

export interface LockFacts {
  readonly holder: string;
  readonly since: string;
  readonly id: string;
}

/** A run on the host that has not ended: its rollback is scheduled, or its end is under way. */
export interface PendingRun {
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly since: string;
  readonly confirm: 'auto' | 'manual';
  /** True when it is proved and waits for nothing but a yes. */
  readonly proved: boolean;
  readonly decision: 'open' | 'keep' | 'revert';
  readonly secondsLeft: number;
  /** The step that it reached last. */
  readonly step: string;
  /** False when it can only be ended by the next run: its window is over, or the host was started since. */
  readonly alive: boolean;
  /** Set while a rollback that failed waits until firewalld can be brought back. */
  readonly held?: HeldRollback;
}

/** A rollback that failed, and is tried again. */
export interface HeldRollback {
  readonly why: string;
  readonly since: string;
  /** Whether the kernel has the rules of before meanwhile. */
  readonly inForce: boolean;
}

export interface UnfinishedRuns {
  readonly runs: readonly PendingRun[];
  /** Whether a step of some run was being carried out when the facts were read. */
  readonly busy: boolean;
}

/** How a run on a host ended, as the host remembers it. */
export interface RunEnd {
  readonly id: string;
  readonly outcome: 'kept' | 'reverted';
  /** Who decided: `the controller`, `the host`, `timer`, `boot`, `the next run`. */
  readonly by: string;
  readonly why: string;
  readonly at: string;
  readonly what: string;
  readonly holder: string;
}

/** Written on the host when a run is kept. */
export interface RememberedState {
  readonly format: 1;
  readonly matrix: string;
  readonly roles: readonly string[];
  readonly generation: string;
  readonly appliedAt: string;
}

export type FirewalldFacts =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'stopped';
      readonly version: string;
      readonly reason: string;
      /** What it would be if it were started now; missing where nobody could say. */
      readonly offline?: OfflineFirewalld;
    }
  | RunningFirewalld;

/** A firewalld that does not run, as its files have it. */
export interface OfflineFirewalld {
  /** Its files and settings; nothing runs, so `runtime` is empty. */
  readonly firewalld: RunningFirewalld;
  /** systemd's word on its unit: `enabled`, `disabled`, `masked`, …; empty where systemd does not run. */
  readonly unit: string;
}

/** firewalld answers over D-Bus: its permanent files and its runtime, read in one go. */
export interface RunningFirewalld {
  readonly kind: 'running';
  readonly version: string;
  /** `RUNNING` or `FAILED`, as the daemon says of itself. */
  readonly state: string;
  readonly backend: string;
  readonly defaultZone: string;
  readonly panicMode: boolean;
  readonly zoneDrifting: boolean;
  /** False when the daemon refuses every ipset (0.9 without the `ipset` program). */
  readonly ipsetsUsable: boolean;
  /** Conntrack helpers, among `ftp` and `tftp`, that the host's kernel has. */
  readonly helpers: readonly string[];
  /** SHA-256 over everything below in canonical form, computed on the host; a plan is bound to it. */
  readonly hash: string;
  readonly permanentHash: string;
  readonly runtimeHash: string;
  /** Files below /etc/firewalld, by path relative to it. */
  readonly files: readonly PermanentFile[];
  /** Built-in zone and service files that the permanent configuration falls back on, by path relative to /usr/lib/firewalld. */
  readonly builtin: readonly { readonly path: string; readonly text: string }[];
  readonly runtime: RuntimeFirewalld;
  /** The folder that the daemon was started with instead of the usual one, if it was: none of `files` is what it reads then. */
  readonly otherFolder?: string;
  /** True when its lockdown keeps us from changing anything. */
  readonly denies?: boolean;
  /** NetworkManager's active connections, without those that it only watches; empty where it does not run. */
  readonly networkManager: readonly ManagedConnection[];
}

/** A connection of NetworkManager's that manages interfaces; its zone wins over firewalld's own files. */
export interface ManagedConnection {
  readonly uuid: string;
  /** Its name, as nmcli shows it. */
  readonly connection: string;
  /** The zone that it names; empty for the default zone. */
  readonly zone: string;
  readonly interfaces: readonly string[];
  /** True when it is in memory only, whole or in part: others write it anew at each boot, or somebody tries something. */
  readonly unsaved: boolean;
}

export interface PermanentFile {
  readonly path: string;
  /** What firewalld's parser finds in it, as XML in UTF-8; empty for a file that firewalld does not read. */
  readonly text: string;
  readonly mode: string;
  readonly owner: string;
  readonly sha256: string;
  /** Where the path leads, when it is a link. */
  readonly link?: string;
  /** Why firewalld, or portfw, cannot make use of it. */
  readonly unreadable?: string;
  /** True where something is mounted on it, such as another file: it cannot be replaced, only written. */
  readonly mounted?: boolean;
  /** True for a folder among the zones that has a name that no zone may have. */
  readonly folder?: boolean;
}

/** The kinds of objects that the host tells of at runtime. */
export const RUNTIME_OBJECTS = ['zones', 'services', 'ipsets', 'policies'] as const;

/** Settings by kind and name. */
export type RuntimeObjects = {
  readonly [F in (typeof RUNTIME_OBJECTS)[number]]: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** Runtime settings as D-Bus returns them; keys are firewalld's own (`getZoneSettings2` and friends). */
export interface RuntimeFirewalld extends RuntimeObjects {
  /** Rules of the direct interface, one string each. */
  readonly direct: readonly string[];
}
