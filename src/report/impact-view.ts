import { counted } from '../core/lists.ts';
import type { Protocol } from '../core/ports.ts';
import type { Comers } from '../firewalld/filter/comers.ts';
import type { FlowImpact, Impact, SocketImpact } from '../plan/impact-types.ts';
import { type Extent, type Shortened, shorten, shortenedText } from './shortened.ts';

/** The flag that ends flows that nothing allows any more. */
export const CUT_FLAG = '--cut-revoked';

/** What a plan does to the programs and the traffic of a host. */
export type ImpactPart =
  /** Sockets that fewer (`closed`) or more (`opened`) can reach. */
  | { readonly kind: 'closed' | 'opened'; readonly title: string; readonly sockets: Shortened<SocketView> }
  /** Ports that the plan opens on an interface, but no program listens on. */
  | { readonly kind: 'unheard'; readonly title: string; readonly ports: Shortened<string> }
  | { readonly kind: 'flows'; readonly title: string; readonly fates: readonly FlowFate[] };

/** Listening sockets of one program on one interface. */
export interface SocketView {
  /** `443, 8442-8449` */
  readonly ports: string;
  readonly protocol: Protocol;
  /** Only when IPv4 and IPv6 are affected differently. */
  readonly family: 'IPv4' | 'IPv6' | null;
  readonly processes: readonly string[];
  readonly interface: string;
  /** The affected addresses of the interface; empty for all. */
  readonly addresses: readonly string[];
  /** Who can reach them: `anybody`, `192.0.2.0/24`, `anybody but 192.0.2.66`, `nobody`. */
  readonly before: string;
  readonly after: string;
}

/** What happens to established flows. */
export type FlowFate =
  /** `cut`: the plan ends them. `outlive`: they go on, but new ones like them are not allowed. */
  | {
      readonly kind: 'cut' | 'outlive';
      readonly count: number;
      readonly text: string;
      readonly flows: Shortened<FlowView>;
    }
  /** `unknown`: the host could not list them. `unseen`: there are more than were checked. */
  | { readonly kind: 'unknown' | 'unseen'; readonly text: string };

/** Established flows of one kind. */
export interface FlowView {
  readonly count: number;
  readonly protocol: Protocol;
  readonly opener: string;
  readonly address: string;
  readonly port: number;
  /** What allowed them, if it was not a rule: a forward port, or masquerading. */
  readonly by: string;
}

/** At most this many rows of a kind are shown in the short form. */
const FEW = 4;
const FEW_PORTS = 12;

/** What a plan does to listening sockets and established flows. Empty parts are left out. */
export function impactParts(impact: Impact, extent: Extent): readonly ImpactPart[] {
  const sockets = (kind: 'closed' | 'opened', title: string): readonly ImpactPart[] => {
    const views = new Map<string, SocketView>();
    for (const socket of impact[kind]) {
      const view = socketView(socket, differs(socket, impact), extent);
      views.set(socketText(view), view);
    }
    return views.size === 0 ? [] : [{ kind, title, sockets: shorten([...views.values()], FEW, extent) }];
  };
  const fates = flowFates(impact, extent);
  return [
    ...sockets('closed', 'listening sockets that fewer clients can reach'),
    ...sockets('opened', 'listening sockets that more clients can reach'),
    ...impact.unheard.map(({ interface: name, ports }): ImpactPart => {
      const title = `nothing listens on these ports that are opened on ${name}`;
      return { kind: 'unheard', title, ports: shorten(ports, FEW * 3, extent) };
    }),
    ...(fates.length === 0 ? [] : [{ kind: 'flows', title: 'established flows', fates } as const]),
  ];
}

function socketView(socket: SocketImpact, byFamily: boolean, extent: Extent): SocketView {
  return {
    ports: shortenedText(shorten(socket.ports, FEW_PORTS, extent)),
    protocol: socket.protocol,
    family: byFamily ? (socket.address === '::' ? 'IPv6' : 'IPv4') : null,
    processes: socket.processes,
    interface: socket.interface,
    addresses: socket.destinations,
    before: comersText(socket.before),
    after: comersText(socket.after),
  };
}

/** `443, 8442-8449/tcp httpd on eth1: anybody → 192.0.2.0/24`. */
export function socketText(socket: SocketView): string {
  const { ports, protocol, processes, addresses, before, after } = socket;
  const family = socket.family === null ? '' : `, ${socket.family}`;
  const owner = processes.length === 0 ? '' : ` ${processes.join(', ')}`;
  const at = addresses.length === 0 ? '' : ` (${addresses.join(', ')})`;
  return `${ports}/${protocol}${family}${owner} on ${socket.interface}${at}: ${before} → ${after}`;
}

/** Whether the same socket of the other address family is affected differently; then the family must be named. */
function differs(socket: SocketImpact, { closed, opened }: Impact): boolean {
  if (socket.address !== '::' && socket.address !== '0.0.0.0') return false;
  const key = ({ protocol, ports, interface: name, processes }: SocketImpact) =>
    JSON.stringify([protocol, ports, name, processes]);
  const who = ({ before, after }: SocketImpact) => JSON.stringify([before, after]);
  return [...closed, ...opened].some(
    (other) => other.address !== socket.address && key(other) === key(socket) && who(other) !== who(socket),
  );
}

const MOST_SOURCES = 5;

/** `anybody`, `192.0.2.0/24, 198.51.100.7`, `anybody but 192.0.2.66`, `nobody`. */
export function comersText({ who, sources, more }: Comers): string {
  if (who === 'anybody' || who === 'nobody') return who;
  const left = sources.length - MOST_SOURCES + more;
  const listed = sources.slice(0, MOST_SOURCES).join(', ');
  const rest = left > 0 ? ` and ${counted(left, 'further network')}` : '';
  return `${who === 'these' ? '' : 'anybody but '}${listed}${rest}`;
}

function flowFates({ flows, closed }: Impact, extent: Extent): readonly FlowFate[] {
  const views = (kinds: readonly FlowImpact[]) => shorten(kinds.map(flowView), FEW, extent);
  const fates: FlowFate[] = [];
  if (flows.cut.length > 0) {
    const count = total(flows.cut);
    const text = `the plan cuts ${counted(count, 'established flow')} that the kernel does not track`;
    fates.push({ kind: 'cut', count, text, flows: views(flows.cut) });
  }
  if (flows.outlive.length > 0) {
    const count = total(flows.outlive);
    const them = count === 1 ? 'it' : 'them';
    const live = `${counted(count, 'flow')} ${count === 1 ? 'continues' : 'continue'}, although nothing allows ${them} any more`;
    const text = `${live} (apply ${CUT_FLAG} ends ${them})`;
    fates.push({ kind: 'outlive', count, text, flows: views(flows.outlive) });
  }
  if (flows.source === null && closed.length > 0)
    fates.push({ kind: 'unknown', text: 'not known: the host could not list them' });
  if (flows.source !== null && flows.unseen !== 0 && closed.length > 0) {
    const more = flows.unseen === null ? 'an unknown number of' : flows.unseen;
    fates.push({ kind: 'unseen', text: `${more} more flows were not checked: the host has too many` });
  }
  return fates;
}

const LOST: Readonly<Record<FlowImpact['lost'], string>> = {
  permission: '',
  'forward-port': 'by a forward port',
  masquerade: 'masqueraded',
};

function flowView({ count, protocol, opener, address, port, lost }: FlowImpact): FlowView {
  return { count, protocol, opener, address, port, by: LOST[lost] };
}

/** `3 × 443/tcp from 192.0.2.7 to 203.0.113.10`. */
export function flowText({ count, protocol, opener, address, port, by }: FlowView): string {
  return `${count} × ${port}/${protocol} from ${opener} to ${address}${by === '' ? '' : ` (${by})`}`;
}

function total(flows: readonly FlowImpact[]): number {
  return flows.reduce((sum, flow) => sum + flow.count, 0);
}
