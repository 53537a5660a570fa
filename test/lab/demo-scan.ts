import type { DemoHost } from './demo-inventory.ts';
import { runPortfw } from './demo-stage.ts';
import type { Lab } from './lab.ts';
import { expandPorts } from './scan.ts';

/** The columns of `portfw matrix --json` that decide what is open. */
interface Row {
  readonly matrix: string;
  readonly role: string;
  readonly interface: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: string;
  readonly from: string;
  readonly feature: string | null;
}

/** One address that is scanned, and whose rows of the matrix have to be open there for the scanner. */
export interface Sight {
  readonly host: DemoHost;
  readonly address: string;
  /** How the address is called. */
  readonly side: string;
  /** Interface classes whose rows apply. */
  readonly classes: readonly string[];
  /** Peer sets that the scanner belongs to, besides `any`. */
  readonly peers: readonly string[];
}

/** What a scan of one address saw, against the matrix; ports are written as `tcp/22`. */
export interface Seen {
  readonly sight: Sight;
  /** Everything that the firewall lets through. */
  readonly open: ReadonlySet<string>;
  /** Open, though no row of the matrix says so. */
  readonly tooMuch: readonly string[];
  /** Not open, though a row says so. */
  readonly missing: readonly string[];
}

/** Every row of every matrix that ships with portfw, as the program itself prints them. */
export async function matrixRows(): Promise<readonly Row[]> {
  const { output } = await runPortfw(['matrix', '--json']);
  return JSON.parse(output) as readonly Row[];
}

/** Scans all TCP ports, and each UDP port that any matrix names, of one address from the lab's scanner. */
export async function look(lab: Lab, sight: Sight, rows: readonly Row[]): Promise<Seen> {
  const mountd = sight.host.daemons?.includes('gcems') === true ? await mountPort(lab, sight.host.name) : null;
  const portsOf = (row: Row): string[] => {
    const port = row.port === 'rpc:mountd' ? mountd : row.port;
    return port === null ? [] : [...expandPorts(port)].map((number) => `${row.protocol}/${number}`);
  };
  const expected = new Set(rows.filter((row) => applies(row, sight)).flatMap(portsOf));
  const udp = new Set(rows.filter((row) => row.protocol === 'udp' && !MEDIA.has(row.role)).flatMap(portsOf));
  const first = await lab.scanner.scan(sight.address, { udp: listed(udp, 'udp') });
  const open = new Set([...first.open, ...first.closed]);
  // On a busy machine a probe or its answer gets lost; a port that did not answer is asked once more.
  const silent = new Set([...expected].filter((port) => !open.has(port)));
  if (silent.size > 0) {
    const second = await lab.scanner.scan(sight.address, { tcp: listed(silent, 'tcp'), udp: listed(silent, 'udp') });
    for (const port of second.open) open.add(port);
  }
  return {
    sight,
    open,
    tooMuch: [...open].filter((port) => !expected.has(port)),
    missing: [...expected].filter((port) => !open.has(port)),
  };
}

/** The ports of one protocol in nmap's notation; `null` for none. */
function listed(ports: Iterable<string>, protocol: 'tcp' | 'udp'): string | null {
  const own = [...ports].filter((port) => port.startsWith(`${protocol}/`)).map((port) => port.slice(4));
  return own.length === 0 ? null : own.join(',');
}

/** Their media range is half of all UDP ports, and no host of the demo plays this role. */
const MEDIA = new Set(['processing-node']);

function applies(row: Row, { host, classes, peers }: Sight): boolean {
  return (
    row.matrix === host.matrix &&
    host.roles.includes(row.role) &&
    classes.includes(row.interface) &&
    (row.from === 'any' || peers.includes(row.from)) &&
    (row.feature === null || host.features?.includes(row.feature) === true)
  );
}

/** The port that the host's portmapper names for the mount service. */
async function mountPort(lab: Lab, name: string): Promise<string | null> {
  const list = await lab.host(name).run('rpcinfo', '-p');
  return /^ *100005 +\d+ +udp +(\d+)/m.exec(list)?.[1] ?? null;
}
