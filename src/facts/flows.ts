import { readHostAddress, readPort } from './addresses.ts';
import type { FlowFacts, FlowKind } from './facts.ts';
import { Unreadable } from './unreadable.ts';

/** Far more than the probe prints for a source. */
const MOST_KINDS = 10_000;

interface Source {
  kinds: FlowKind[];
  flows: number;
  cut: boolean;
  unread: number;
}

/**
 * The probe's section `flows`: the kernel's connection table, if it could be read, and the sockets. The table also has
 * datagrams and forwarded flows, so it is preferred; the sockets then show which connections it does not track.
 *
 * @param lines `null` when the answer has no such section
 * @returns `null` if the host reported neither; throws `Unreadable` for far too many lines
 */
export function parseFlows(lines: readonly string[] | null): FlowFacts | null {
  const sources = new Map<string, Source>();
  let current: Source | null = null;
  if (lines !== null && lines.length > MOST_KINDS) throw new Unreadable('flows', 'there are too many lines');
  for (const line of lines ?? []) {
    const source = /^source (conntrack|sockets)$/.exec(line);
    const count = /^flows (\d{1,9})$/.exec(line);
    if (source !== null) {
      current = { kinds: [], flows: 0, cut: false, unread: 0 };
      sources.set(source[1]!, current);
    } else if (current === null) {
      throw new Unreadable('flows', 'flows come before their source');
    } else if (count !== null) current.flows = Number(count[1]);
    else if (line === 'cut') current.cut = true;
    else {
      const kind = parseKind(line);
      if (kind === null) current.unread += 1;
      else current.kinds.push(kind);
    }
  }
  const tracked = sources.get('conntrack');
  const sockets = sources.get('sockets');
  const best = tracked ?? sockets;
  if (best === undefined) return null;
  const whole = (side: Source) => !side.cut && side.unread === 0 && told(side) === side.flows;
  return {
    source: tracked === undefined ? 'sockets' : 'conntrack',
    kinds: best.kinds.sort(compare),
    omitted: Math.max(0, best.flows - told(best)),
    cut: best.cut,
    untracked: tracked !== undefined && sockets !== undefined && whole(tracked) ? missing(sockets, tracked) : [],
  };
}

function told(source: Source): number {
  return source.kinds.reduce((sum, kind) => sum + kind.count, 0);
}

/** Connections of sockets whose kind is not in the table: forgotten while idle, or exempt from tracking. */
function missing(sockets: Source, tracked: Source): FlowKind[] {
  const known = new Set(tracked.kinds.flatMap((kind) => [plain(kind), answered(kind)]));
  return sockets.kinds.filter((kind) => kind.protocol === 'tcp' && !known.has(plain(kind))).sort(compare);
}

function plain(kind: FlowKind): string {
  return `${kind.protocol} ${kind.opener} ${kind.address} ${kind.port}`;
}

/** The kind as the answering socket sees it, after a translation. */
function answered(kind: FlowKind): string {
  const { address, port } = kind.forwardedTo ?? kind;
  return `${kind.protocol} ${kind.opener} ${address} ${port}`;
}

/** `3 tcp 192.0.2.7 198.51.100.1 443 198.51.100.1 443 192.0.2.7`; see `count_flows` in probe.sh. */
function parseKind(line: string): FlowKind | null {
  const [count = '', protocol, ...ends] = line.split(' ');
  const [opener, address, , source, , target] = ends.map((text) => readHostAddress(text)?.address ?? null);
  const port = readPort(ends[2] ?? '');
  const sourcePort = readPort(ends[4] ?? '');
  if (ends.length !== 6 || !/^[1-9]\d{0,8}$/.test(count) || (protocol !== 'tcp' && protocol !== 'udp')) return null;
  if (!opener || !address || !source || !target || port === null || sourcePort === null) return null;
  const forwarded = source !== address || sourcePort !== port;
  return {
    protocol,
    opener,
    address,
    port,
    count: Number(count),
    forwardedTo: forwarded ? { address: source, port: sourcePort } : null,
    disguisedAs: target === opener ? null : target,
  };
}

function compare(a: FlowKind, b: FlowKind): number {
  const [left, right] = [`${a.protocol} ${a.address}`, `${b.protocol} ${b.address}`];
  if (left !== right) return left < right ? -1 : 1;
  return a.port - b.port || (a.opener < b.opener ? -1 : a.opener > b.opener ? 1 : 0);
}
