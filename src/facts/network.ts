import { readHostAddress, readPort } from './addresses.ts';
import type { ForwardingFacts, InterfaceFacts, RpcFacts, SocketFacts } from './facts.ts';
import { shortName, Unreadable } from './unreadable.ts';

/** The parsed rows of a section, and the number of lines that could not be read. */
export interface Rows<T> {
  readonly rows: readonly T[];
  readonly unread: number;
}

/** Kinds of link whose parent interface follows the `@` in their name. */
const STANDS_ON_ANOTHER: ReadonlySet<string> = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'vlan']);

/** Lines of an interface's details that do not begin with its kind. */
const NO_KIND = /^(?:link|inet6?|alias|altname|vf|\w+_slave)$/;

type Draft = { -readonly [K in keyof InterfaceFacts]: InterfaceFacts[K] };

/** `ip addr show` or `ip -d addr show` (iproute2 of any age, or busybox). Throws `Unreadable` for an invalid address. */
export function parseInterfaces(lines: readonly string[]): readonly InterfaceFacts[] {
  const found: (Draft & { addresses: InterfaceFacts['addresses'][number][] })[] = [];
  let otherEnd: string | null = null;
  // The kind is the first of the details: an alias below it, which root can set freely, is ignored.
  let details = 0;
  for (const line of lines) {
    const header = /^\d+: (\S+): <([^>]*)>/.exec(line);
    if (header !== null) {
      const flags = new Set(header[2]!.split(','));
      // `eth0@if5`: what follows the last @ is the other end of the link.
      const [, own = '', other] = /^(.+?)(?:@([^@]*))?$/.exec(header[1]!) ?? [];
      found.push({ name: shortName(own, 64), up: flags.has('UP'), loopback: flags.has('LOOPBACK'), addresses: [] });
      otherEnd = other ?? null;
      details = 0;
      continue;
    }
    const detail = /^ {4}([a-z]\w*)\b/.exec(line)?.[1];
    if (detail !== undefined && detail !== 'link') {
      details += 1;
      const owner = found.at(-1);
      if (details === 1 && owner !== undefined && !NO_KIND.test(detail)) {
        owner.kind = shortName(detail, 64);
        if (STANDS_ON_ANOTHER.has(detail) && otherEnd !== null) owner.parent = shortName(otherEnd, 64);
      }
    }
    const address = /^\s+inet6? (\S+)/.exec(line);
    if (address === null) continue;
    const owner = found.at(-1);
    const [text = '', prefixText] = address[1]!.split('/');
    const parsed = readHostAddress(text);
    if (owner === undefined || parsed === null)
      throw new Unreadable('interfaces', 'an interface has an invalid address');
    const widest = parsed.family === 'ipv4' ? 32 : 128;
    // A point-to-point link prints its prefix after the peer's address; this end is one address.
    const prefix = prefixText === undefined ? widest : Number(prefixText);
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > widest || prefixText === '') {
      throw new Unreadable('interfaces', `the address ${parsed.address} has an invalid prefix length`);
    }
    // Router advertisements renew themselves; a lease must be requested again.
    const dynamic = / dynamic\b/.test(line) && !/ mngtmpaddr\b/.test(line);
    owner.addresses.push({
      address: parsed.address,
      prefix,
      family: parsed.family,
      ...(dynamic ? ({ dynamic } as const) : {}),
    });
  }
  return found;
}

/** The switches that are on: `ipv4 eth0`, `ipv6 all`. `all` of IPv4 only sets the others; `default` is for future interfaces. */
export function parseForwarding(lines: readonly string[]): ForwardingFacts {
  const found = { ipv4: new Set<string>(), ipv6: new Set<string>() };
  for (const line of lines) {
    const row = /^(ipv4|ipv6) (\S{1,64})$/.exec(line);
    if (row === null) throw new Unreadable('forwarding', 'a line is not the name of a forwarding switch');
    found[row[1] as 'ipv4' | 'ipv6'].add(shortName(row[2]!, 64));
  }
  const interfaces = (names: ReadonlySet<string>) =>
    [...names].filter((name) => !['all', 'default', 'lo'].includes(name)).sort(compareText);
  return { ipv4: interfaces(found.ipv4), ipv6: found.ipv6.has('all') ? 'all' : interfaces(found.ipv6) };
}

/**
 * `ss -lntup`. Sockets that share protocol, address and port become one; the result is sorted.
 *
 * An unreadable line is counted and ignored, not refused: any user of the host can put a line break into the name of a
 * process, and must not be able to block the configuration of the host.
 */
export function parseSockets(lines: readonly string[]): Rows<SocketFacts> {
  const found = new Map<string, { socket: Omit<SocketFacts, 'processes'>; processes: Set<string> }>();
  let unread = 0;
  for (const line of lines) {
    const row = /^(\S+)\s+(\S+)\s+\d+\s+\d+\s+(\S+)\s+\S+(?:\s+(.*))?$/.exec(line);
    const [, protocol, , local = '', owners = ''] = row ?? [];
    const end = parseLocalEnd(local);
    if ((protocol !== 'tcp' && protocol !== 'udp') || end === null) {
      if (!/^(?:Netid|State)\s/.test(line) && line.trim() !== '') unread += 1;
      continue;
    }
    const key = `${protocol} ${end.address} ${end.port}`;
    const entry = found.get(key) ?? { socket: { protocol, ...end }, processes: new Set() };
    for (const owner of owners.matchAll(/"([^"]*)",pid=\d+/g)) entry.processes.add(shortName(owner[1]!, 64));
    found.set(key, entry);
  }
  const rows = [...found.values()]
    .map(({ socket, processes }): SocketFacts => ({ ...socket, processes: [...processes].sort() }))
    .sort((a, b) => compareText(a.protocol, b.protocol) || a.port - b.port || compareText(a.address, b.address));
  return { rows, unread };
}

/** `0.0.0.0:22`, `[::]:22`, `*:80`, `127.0.0.53%lo:53`, `[fe80::1]%eth0:546`, and `:::22` of an old ss. */
function parseLocalEnd(text: string): { address: string; port: number } | null {
  const found = /^(.*):(\d+)$/.exec(text);
  const port = readPort(found?.[2] ?? '');
  if (found === null || port === null) return null;
  const [, bare = '', device] = /^(.*?)(?:%(.*))?$/.exec(found[1]!.replaceAll(/[[\]]/g, '')) ?? [];
  // Bound to the loopback device, every address means the loopback's own.
  if (device === 'lo' && (bare === '*' || bare === '0.0.0.0' || bare === '::')) {
    return { address: bare === '0.0.0.0' ? '127.0.0.1' : '::1', port };
  }
  if (bare === '*') return { address: '*', port };
  const address = readHostAddress(bare);
  return address === null ? null : { address: address.address, port };
}

/** `rpcinfo -p`: program, version, protocol, port, service. */
export function parseRpc(lines: readonly string[]): Rows<RpcFacts> {
  const rows: RpcFacts[] = [];
  let unread = 0;
  for (const line of lines) {
    const row = /^\s*(\d{1,10})\s+(\d{1,10})\s+(tcp|udp)\s+(\d{1,5})(?:\s+(\S+))?\s*$/.exec(line);
    const port = readPort(row?.[4] ?? '');
    if (row === null || port === null) {
      if (!/^\s*program\s+vers/.test(line)) unread += 1;
      continue;
    }
    const protocol = row[3] === 'tcp' ? 'tcp' : 'udp';
    rows.push({
      program: Number(row[1]),
      version: Number(row[2]),
      protocol,
      port,
      service: shortName(row[5] ?? '', 64),
    });
  }
  return { rows, unread };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
