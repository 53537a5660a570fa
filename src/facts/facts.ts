import type { Protocol } from '../core/ports.ts';

/** What a host reports about itself, gathered read-only in one remote command. All of it is untrusted input. */
export interface HostFacts {
  readonly os: OsFacts;
  readonly kernel: string;
  readonly hostname: string;
  /** True when the probe ran as root; without root most of the rest is missing. */
  readonly root: boolean;
  /** The addresses and ports of this SSH session, as sshd saw them; `null` for a local connection. */
  readonly controllerPath: ControllerPath | null;
  readonly interfaces: readonly InterfaceFacts[];
  /** Default routes of every routing table; missing in answers of older probes. */
  readonly defaultRoutes?: readonly DefaultRoute[];
  /** The main routing table; missing in answers of older probes. */
  readonly routeTable?: RouteTable;
  /** What carries the host's tunnels; missing in answers of older probes. */
  readonly carriers?: readonly CarrierFacts[];
  readonly forwarding: ForwardingFacts;
  readonly sockets: readonly SocketFacts[];
  /** Established flows to, from and through the host; `null` if they could not be read. */
  readonly flows: FlowFacts | null;
  readonly units: readonly UnitFacts[];
  /** Names of running processes (`comm`), sorted, each once. */
  readonly processes: readonly string[];
  /** The installed packages among those that the matrix's detectors look for. */
  readonly packages: readonly string[];
  /** The existing files among those that the matrix's detectors look for. */
  readonly files: readonly string[];
  readonly rpc: readonly RpcFacts[];
  readonly writers: WriterFacts;
  readonly firewalld: FirewalldFacts;
  /** What the host remembers of earlier runs; `null` before the first one. */
  readonly remembered: RememberedState | null;
  /** The lock that a run holds on the host now, or `null`. */
  readonly lock: LockFacts | null;
  /** Runs that have not ended: the observed firewalld may still change by itself. */
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
  /** The kernel's kind of a virtual link: `macvlan`, `vlan`, `bridge`, `dummy`, …; missing for hardware. */
  readonly kind?: string;
  /** The parent interface of a macvlan, ipvlan or VLAN. */
  readonly parent?: string;
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly family: 'ipv4' | 'ipv6';
    /** A lease that expires unless renewed (DHCP, DHCPv6); not for addresses from router advertisements. */
    readonly dynamic?: true;
  }[];
}

/** The main routing table, as far as the host reported it. */
export interface RouteTable {
  /** `destination` is a network in CIDR notation; default routes are those with the prefix 0. */
  readonly routes: readonly { readonly destination: string; readonly interface: string }[];
  /** Whether rules other than the usual three choose other tables for some packets. */
  readonly policies: boolean;
  /** True if not all routes were reported. */
  readonly cut: boolean;
}

/** The port of a tunnel that ends on the host: OpenVPN, WireGuard. */
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

/** Where the kernel forwards packets: this makes a host a router, if its firewall allows it. */
export interface ForwardingFacts {
  /** Interfaces by which an IPv4 packet may come in and be forwarded, sorted. */
  readonly ipv4: readonly string[];
  /** The same for IPv6; `all` if forwarding is on for the whole host. */
  readonly ipv6: 'all' | readonly string[];
}

/** A listening socket. `address` is `*` if it listens on all addresses of all families. */
export interface SocketFacts {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** The names (`comm`) of the processes that own the socket; empty if they could not be read. */
  readonly processes: readonly string[];
}

/** The established flows when the facts were read, by kind. */
export interface FlowFacts {
  /** `conntrack`: the kernel's table of connections; `sockets`: the host's own connections, without forwarded ones. */
  readonly source: 'conntrack' | 'sockets';
  readonly kinds: readonly FlowKind[];
  /** The number of flows whose kinds are not listed: a busy host has too many. */
  readonly omitted: number;
  /** True if the table was not read to its end. */
  readonly cut: boolean;
  /** Connections of sockets that the table does not contain; always empty for `sockets`. */
  readonly untracked: readonly FlowKind[];
}

/** Flows that differ only in the opener's port. */
export interface FlowKind {
  readonly protocol: Protocol;
  /** The sender of the first packet. */
  readonly opener: string;
  /** Its destination address and port. */
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** The real destination behind a forward port. */
  readonly forwardedTo: { readonly address: string; readonly port: number } | null;
  /** The source address after masquerading. */
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

/** Other programs on the host that write firewall rules. */
export interface WriterFacts {
  /** Active units among docker, podman, fail2ban, ufw, iptables, ip6tables, nftables, ebtables. */
  readonly units: readonly string[];
}

export interface LockFacts {
  readonly holder: string;
  readonly since: string;
  readonly id: string;
}

/** A run on the host that has not ended: its rollback is armed, or it is being ended. */
export interface PendingRun {
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly since: string;
  readonly confirm: 'auto' | 'manual';
  /** True if it is verified and only waits for confirmation. */
  readonly proved: boolean;
  readonly decision: 'open' | 'keep' | 'revert';
  readonly secondsLeft: number;
  /** The last step that it reached. */
  readonly step: string;
  /** False if only the next run can end it: its window is over, or the host has rebooted. */
  readonly alive: boolean;
  /** Set while a failed rollback waits until firewalld can be restored. */
  readonly held?: HeldRollback;
}

/** A rollback that failed and is tried again. */
export interface HeldRollback {
  readonly why: string;
  readonly since: string;
  /** Whether the kernel has the previous rules meanwhile. */
  readonly inForce: boolean;
}

export interface UnfinishedRuns {
  readonly runs: readonly PendingRun[];
  /** Whether a step of a run was in progress when the facts were read. */
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
      /** Its state if it were started now; missing if unknown. */
      readonly offline?: OfflineFirewalld;
    }
  | RunningFirewalld;

/** A firewalld that does not run, according to its files. */
export interface OfflineFirewalld {
  /** Its files and settings; `runtime` is empty. */
  readonly firewalld: RunningFirewalld;
  /** The state of its systemd unit: `enabled`, `disabled`, `masked`, …; empty without systemd. */
  readonly unit: string;
}

/** firewalld answers over D-Bus: its permanent files and its runtime, read in one go. */
export interface RunningFirewalld {
  readonly kind: 'running';
  readonly version: string;
  /** The daemon's own state: `RUNNING` or `FAILED`. */
  readonly state: string;
  readonly backend: string;
  readonly defaultZone: string;
  readonly panicMode: boolean;
  readonly zoneDrifting: boolean;
  /** False if the daemon refuses every ipset (0.9 without the `ipset` program). */
  readonly ipsetsUsable: boolean;
  /** The conntrack helpers of the host's kernel, among `ftp` and `tftp`. */
  readonly helpers: readonly string[];
  /** SHA-256 of everything below in canonical form, computed on the host; a plan is bound to it. */
  readonly hash: string;
  readonly permanentHash: string;
  readonly runtimeHash: string;
  /** Files below /etc/firewalld, by path relative to it. */
  readonly files: readonly PermanentFile[];
  /** Built-in zone and service files that the permanent configuration falls back on, by path relative to /usr/lib/firewalld. */
  readonly builtin: readonly { readonly path: string; readonly text: string }[];
  readonly runtime: RuntimeFirewalld;
  /** The folder that the daemon reads instead of the usual one, if any: then it reads none of `files`. */
  readonly otherFolder?: string;
  /** True if its lockdown prevents changes by portfw. */
  readonly denies?: boolean;
  /** NetworkManager's active connections, without external ones; empty if it does not run. */
  readonly networkManager: readonly ManagedConnection[];
}

/** A NetworkManager connection that manages interfaces; its zone wins over firewalld's own files. */
export interface ManagedConnection {
  readonly uuid: string;
  /** Its name, as nmcli shows it. */
  readonly connection: string;
  /** Its zone; empty for the default zone. */
  readonly zone: string;
  readonly interfaces: readonly string[];
  /** True if it is only in memory, in whole or in part: it is written again at each boot, or is a temporary change. */
  readonly unsaved: boolean;
}

export interface PermanentFile {
  readonly path: string;
  /** Its content for firewalld's parser, as XML in UTF-8; empty for a file that firewalld does not read. */
  readonly text: string;
  readonly mode: string;
  readonly owner: string;
  readonly sha256: string;
  /** The target, if the path is a link. */
  readonly link?: string;
  /** Why firewalld, or portfw, cannot use it. */
  readonly unreadable?: string;
  /** True if something is mounted on it, such as another file: it cannot be replaced, only overwritten. */
  readonly mounted?: boolean;
  /** True for a folder among the zones whose name is not valid for a zone. */
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
