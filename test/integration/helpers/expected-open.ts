import type { MatrixRow } from '../../../src/matrix/matrix.ts';
import type { LabHost } from '../../lab/host.ts';
import { expandPorts } from '../../lab/scan.ts';
import { portfw } from './portfw-cli.ts';

/** UDP ports that no matrix knows, most of them of services that other firewalls like to leave open. */
const FOREIGN_UDP = [53, 67, 137, 500, 546, 5353, 9999, 33_434];
/** Ranges longer than this are looked at in samples. */
const MANY = 200;

/** The rows of a matrix as `portfw matrix NAME --json` prints them. */
export async function matrixRows(name: string): Promise<readonly MatrixRow[]> {
  const { exitCode, stdout, stderr } = await portfw('matrix', name, '--json');
  if (exitCode !== 0) throw new Error(`portfw matrix ${name} --json ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout) as MatrixRow[];
}

/** What decides which rows of a matrix are open to somebody who knocks. */
interface Knocker {
  /** Every role of the host, those of every host included. */
  readonly roles: readonly string[];
  readonly features?: readonly string[];
  /** The interface classes of the address that is knocked at. */
  readonly at: readonly string[];
  /** The peer sets that the knocking address belongs to. */
  readonly as?: readonly string[];
  /** Ports of RPC programs on the host: `rpc:mountd` → port. */
  readonly rpc?: Readonly<Record<string, number>>;
  /** Roles whose rows stand on the public side instead of the printed one, and who alone may come there, by port. */
  readonly moved?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The ports that must be open, as `tcp/22`; UDP ports only where `udp` has them. */
export function expectedOpen(rows: readonly MatrixRow[], knocker: Knocker, udp: string): Set<string> {
  const looked = new Set(expandPorts(udp));
  const open = new Set<string>();
  for (const row of rows) {
    const moved = knocker.moved?.[row.role];
    const standsOn = moved === undefined ? row.interface : 'public';
    const from = moved?.[row.port] ?? row.from;
    if (!knocker.roles.includes(row.role) || !knocker.at.includes(standsOn)) continue;
    if (row.feature !== null && !(knocker.features ?? []).includes(row.feature)) continue;
    if (from !== 'any' && !(knocker.as ?? []).includes(from)) continue;
    for (const port of expandPorts(String(knocker.rpc?.[row.port] ?? row.port))) {
      if (row.protocol === 'tcp' || looked.has(port)) open.add(`${row.protocol}/${port}`);
    }
  }
  return open;
}

/** Every TCP port, and the UDP ports given. */
export function everything(udp: string): Set<string> {
  return new Set([...namesOf('tcp', '1-65535'), ...namesOf('udp', udp)]);
}

function namesOf(protocol: string, ports: string): string[] {
  return [...expandPorts(ports)].map((port) => `${protocol}/${port}`);
}

/**
 * The UDP ports that a scan looks at: all that a matrix has, ranges by samples with both ends and what lies just
 * outside, and some that must never be open. In nmap's notation.
 */
export function udpToScan(rows: readonly MatrixRow[], further: readonly number[] = []): string {
  const ports = new Set([...FOREIGN_UDP, ...further]);
  for (const { protocol, port } of rows) {
    if (protocol !== 'udp' || port.startsWith('rpc:')) continue;
    const all = [...expandPorts(port)];
    const first = all[0]!;
    const last = all.at(-1)!;
    if (all.length <= MANY) for (const one of all) ports.add(one);
    else {
      for (const one of [first - 1, first, first + 1, last - 1, last, last + 1]) ports.add(one);
      for (let one = first; one < last; one += 1733) ports.add(one);
    }
  }
  return [...ports].sort((a, b) => a - b).join(',');
}

/** How what is open differs from what must be; `null` when it does not. */
export function differences(open: ReadonlySet<string>, expected: ReadonlySet<string>): object | null {
  const first = (names: string[]) => (names.length > 30 ? [...names.slice(0, 30), `… ${names.length} in all`] : names);
  const tooMuch = [...open].filter((name) => !expected.has(name));
  const tooLittle = [...expected].filter((name) => !open.has(name));
  if (tooMuch.length + tooLittle.length === 0) return null;
  return { openAndMustNotBe: first(tooMuch), mustBeAndIsNot: first(tooLittle) };
}

/** The port that a host's portmapper has for an RPC program over UDP. */
export async function rpcPort(host: LabHost, program: number): Promise<number> {
  const line = (await host.run('rpcinfo', '-p'))
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find(([number, , protocol]) => number === String(program) && protocol === 'udp');
  if (line === undefined) throw new Error(`The portmapper of ${host.name} does not know program ${program}`);
  return Number(line[3]);
}
