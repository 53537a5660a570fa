import { DOMParser, type Element } from '@xmldom/xmldom';
import type { Docker } from './engine.ts';
import { execIn } from './exec.ts';

/** One port of a scan. */
export interface ScannedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/**
 * What a scan saw. `open`: something answered. `closed`: the host itself said that nothing listens there, so the
 * firewall lets the port through. `filtered`: a firewall refused, or nothing came back. Each is sorted by protocol and
 * port and written as `tcp/22`.
 */
export interface ScanResult {
  readonly open: ReadonlySet<string>;
  readonly closed: ReadonlySet<string>;
  readonly filtered: ReadonlySet<string>;
}

/** Which ports to look at: TCP by default all 65,535, UDP by default none. In nmap's notation: `1-1024,5060`. */
export interface ScanPorts {
  readonly tcp?: string | null;
  readonly udp?: string | null;
}

/**
 * How nmap is driven. Lab hosts refuse without a limit on ICMP, so each probe is answered at once and nmap's own control
 * of its pace is fast (65,535 ports in about 3 s) and loses nothing. A fixed rate (`--min-rate`) is neither: on a busy
 * machine nmap then drowns in answers that it has no time to read, and takes open ports for filtered ones.
 */
const SPEED: readonly string[] = ['-T5', '--max-retries', '6', '--max-rtt-timeout', '1s'];

/**
 * Scans one address (IPv4 or IPv6) from a container; which network that container uses follows from the address.
 *
 * Throws when nmap fails or its report is incomplete.
 */
export async function scanFrom(
  docker: Docker,
  scannerId: string,
  address: string,
  ports: ScanPorts,
): Promise<ScanResult> {
  const tcp = ports.tcp === undefined ? '1-65535' : ports.tcp;
  const results = { open: new Set<string>(), closed: new Set<string>(), filtered: new Set<string>() };
  for (const [protocol, flag, wanted] of [
    ['tcp', '-sS', tcp],
    ['udp', '-sU', ports.udp ?? null],
  ] as const) {
    if (wanted === null) continue;
    const argv = ['nmap', flag, '-n', '-Pn', ...SPEED, ...(address.includes(':') ? ['-6'] : [])];
    const { exitCode, stdout, stderr } = await execIn(docker, scannerId, [
      ...argv,
      '-p',
      wanted,
      '-d', // names every port in the report, also those of which there are many
      '-oX',
      '-',
      address,
    ]);
    if (exitCode !== 0) throw new Error(`nmap of ${address} failed:\n${stderr}`);
    for (const [name, state] of parseReport(stdout, protocol, wanted)) {
      if (state === 'open') results.open.add(name);
      else if (state === 'closed') results.closed.add(name);
      else results.filtered.add(name);
    }
  }
  return results;
}

/** Port and state of every port that was asked for, out of nmap's XML. */
function parseReport(xml: string, protocol: 'tcp' | 'udp', wanted: string): [string, string][] {
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement;
  const finished = root?.getElementsByTagName('finished').item(0);
  if (root === null || finished?.getAttribute('exit') !== 'success') throw new Error('nmap did not finish its scan');
  const named = new Map<number, string>();
  for (const port of elements(root, 'port')) {
    named.set(Number(port.getAttribute('portid')), elements(port, 'state')[0]?.getAttribute('state') ?? 'unknown');
  }
  // Where too many ports share a state, nmap only counts them: those not named are in that state.
  const others = elements(root, 'extraports').map((extra) => extra.getAttribute('state') ?? 'unknown');
  const rest = others.length === 1 ? others[0] : undefined;
  return [...expandPorts(wanted)].map((port) => {
    const state = named.get(port) ?? rest;
    if (state === undefined) throw new Error(`nmap does not say what it saw at ${protocol}/${port}`);
    return [`${protocol}/${port}`, state];
  });
}

function elements(parent: Element, name: string): Element[] {
  return [...parent.getElementsByTagName(name)];
}

/** The ports of a list such as `22,80,8442-8449`. */
export function* expandPorts(list: string): Generator<number> {
  for (const piece of list.split(',')) {
    const [from, to] = piece.split('-').map(Number);
    for (let port = from ?? 0; port <= (to ?? from ?? 0); port++) yield port;
  }
}
