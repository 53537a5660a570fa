import { DOMParser, type Element } from '@xmldom/xmldom';
import type { Docker } from './engine.ts';
import { execIn } from './exec.ts';

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
    const { exitCode, stdout, stderr } = await execIn(docker, scannerId, [...argv, '-p', wanted, '-oX', '-', address]);
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
  // Nobody has the address: not even the question where it is was answered, so nmap asked for no port.
  const nobody = elements(root, 'hosts')[0]?.getAttribute('up') === '0';
  const states = new Map<number, string>();
  for (const extra of elements(root, 'extraports')) {
    const state = extra.getAttribute('state') ?? 'unknown';
    for (const reason of elements(extra, 'extrareasons')) {
      for (const port of expandPorts(reason.getAttribute('ports') ?? '')) states.set(port, state);
    }
  }
  for (const port of elements(root, 'port')) {
    states.set(Number(port.getAttribute('portid')), elements(port, 'state')[0]?.getAttribute('state') ?? 'unknown');
  }
  return [...expandPorts(wanted)].map((port) => {
    const state = nobody ? 'filtered' : states.get(port);
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
